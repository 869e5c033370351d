import json
from pathlib import Path

import numpy as np
import pytest

from sightline.dialects import get_dialect
from sightline.errors import InputError
from sightline.export.rendered import render
from sightline.train.vlm import json_rows
from sightline.train.vlm.json_rows import JsonRows
from sightline.train.vlm.json_source import JsonSource
from sightline.train.vlm.samples import MediaRef, Sample, Slot, Turn
from sightline.train.vlm.selection import Selection, select
from sightline.train.vlm.taskset_source import TaskSetSource


def record(**changes) -> dict:
    talk = [{"from": "human", "value": "<image>\nWhere?"}, {"from": "gpt", "value": "Here."}]
    return {"id": "a", "image": "a.png", "conversations": talk} | changes


def source(folder: Path, *records: dict, **options) -> JsonSource:
    path = folder / "talk.json"
    path.write_text(json.dumps(records))
    return JsonSource(path, **options)


# ---------------------------------------------------------------- task sets


def test_an_example_is_the_words_of_prediction_and_its_truth_in_the_dialect(rooms):
    taskset, dialect = rooms["t1_multi"], get_dialect("qwen3")
    samples = TaskSetSource(taskset, dialect)
    assert len(samples) == len(taskset)
    for position, example in enumerate(taskset):
        sample, rendered = samples[position], render(example, dialect)
        user, assistant = sample.turns
        assert sample.id == example.id
        assert user.text == "".join(segment for segment in rendered.segments if isinstance(segment, str))
        assert assistant.parts == (rendered.answer,)
        assert [image.path for image in sample.images] == [taskset.file(image) for image in rendered.images]
        assert [image.size for image in sample.images] == [(160, 120), (160, 120)]


def test_depth_pairs_with_the_pictures_and_is_an_error_where_there_is_none(rooms):
    dialect = get_dialect("qwen3")
    sample = TaskSetSource(rooms["t1_multi"], dialect, with_depth=True)[0]
    assert len(sample.depths) == 2
    assert all(depth.path.is_file() and depth.metres_per_unit == 0.001 for depth in sample.depths)
    with pytest.raises(InputError, match="picture 0 shows 2 views"):
        TaskSetSource(rooms["t1_concat"], dialect, with_depth=True)[0]


def test_a_fingerprint_changes_with_the_dialect(rooms):
    one, same, other = (TaskSetSource(rooms["t2a"], get_dialect(name)).fingerprint for name in ("qwen3", "qwen3", "roborefer"))
    assert one == same != other


# ---------------------------------------------------------------- JSON


@pytest.mark.parametrize(
    "content",
    [
        '[{"id": "a}]"}, {"id": "b\\\\\\"["}]',
        ' [\n {"id": "a}]"}\n,{"id": "b\\\\\\"["} ]\n',
        '{"id": "a}]"}\n\n{"id": "b\\\\\\"["}\r\n',
    ],
)
@pytest.mark.parametrize("chunk", [1, 7, 4096])
def test_rows_are_found_whatever_stands_in_their_strings(tmp_path, monkeypatch, content, chunk):
    monkeypatch.setattr(json_rows, "CHUNK_BYTES", chunk)
    (tmp_path / "rows.json").write_text(content, newline="")
    rows = JsonRows(tmp_path / "rows.json")
    assert [json.loads(rows[index])["id"] for index in range(len(rows))] == ["a}]", 'b\\"[']


@pytest.mark.parametrize(
    ("content", "message"),
    [("", "an empty file"), ('[{"id": 1}', "does not end"), ("id,image\n", "expected a JSON array"), ("[1, 2]", "no record in it")],
)
def test_a_file_without_rows_says_so(tmp_path, content, message):
    (tmp_path / "rows.json").write_text(content)
    with pytest.raises(InputError, match=message):
        JsonSource(tmp_path / "rows.json")


def test_conversations_and_messages_give_the_same_turns(tmp_path):
    talk = [{"role": "user", "content": "<image>\nWhere?"}, {"role": "assistant", "content": "Here."}]
    both = source(tmp_path, record(), {"images": ["a.png"], "system": "Be brief.", "messages": talk})
    turns = (Turn("user", (Slot("image", 0), "\nWhere?")), Turn("assistant", ("Here.",)))
    assert both[0] == Sample("a", "talk", turns, images=(MediaRef(tmp_path / "a.png"),))
    assert both[1].id == "talk#1"
    assert both[1].turns == (Turn("system", ("Be brief.",)), *turns)


def test_media_are_numbered_over_all_turns(tmp_path):
    talk = [("human", "<image>A <video>B<image>"), ("gpt", "1"), ("human", "<image>"), ("gpt", "")]
    sample = source(
        tmp_path,
        record(image=["a.png", "b.png", "c.png"], video="v.mp4", conversations=[{"from": r, "value": v} for r, v in talk]),
    )[0]
    assert sample.turns[0].parts == (Slot("image", 0), "A ", Slot("video", 0), "B", Slot("image", 1))
    assert sample.turns[2].parts == (Slot("image", 2),)
    assert sample.turns[3].parts == ("",)
    assert [image.path.name for image in sample.images] == ["a.png", "b.png", "c.png"]


def test_a_tag_in_quotation_marks_is_words(tmp_path):
    talk = [
        {"from": "human", "value": '<image>What does "<image>" or `<video>` mean?'},
        {"from": "gpt", "value": "`<image>` is a tag."},
    ]
    user, assistant = source(tmp_path, record(conversations=talk))[0].turns
    assert user.parts == (Slot("image", 0), 'What does "<image>" or `<video>` mean?')
    assert assistant.parts == ("`<image>` is a tag.",)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image": ["a.png", "b.png"]}, r"talk.json, record 0, id 'a': 1 <image> tags .*, but 2 image paths"),
        ({"image": None}, r"1 <image> tags .*, but 0 image paths"),
        ({"video": "v.mp4"}, r"0 <video> tags .*, but 1 video paths"),
        ({"images": ["a.png"]}, "both 'image' and 'images'"),
        ({"image": "../a.png"}, "leaves its root"),
        ({"image": "/etc/passwd"}, "leaves its root .* set media_root"),
        ({"depth": ["a.png", "b.png"]}, "2 depth maps and 1 pictures"),
        ({"conversations": [{"from": "human", "value": "<image>"}]}, "turns of user; expected"),
        ({"conversations": [{"from": "robot", "value": "hello"}]}, "a turn with from 'robot'"),
        ({"conversations": [{"from": "human", "value": "x"}, {"from": "gpt", "value": "<image>"}]}, "in a turn of the assistant"),
        ({"conversations": None}, "expected either 'conversations'"),
        ({"conversations": "hello"}, "record 0 .*Expected `array"),
    ],
)
def test_an_unsound_record_is_named(tmp_path, changes, message):
    records = source(tmp_path, record(**changes))
    with pytest.raises(InputError, match=message):
        records[0]


def test_quoted_tags_are_counted_in_the_error(tmp_path):
    talk = [{"from": "human", "value": 'See "<image>".'}, {"from": "gpt", "value": "ok"}]
    with pytest.raises(InputError, match=r"0 <image> tags in the user's turns \(1 more in quotation marks are words\), but 1"):
        source(tmp_path, record(conversations=talk))[0]


def test_an_absolute_path_below_the_media_root_is_taken(tmp_path):
    assert source(tmp_path, record(image=str(tmp_path / "x" / "a.png")))[0].images[0].path == tmp_path / "x" / "a.png"


def test_an_unread_field_is_reported_once(tmp_path):
    said = []
    records = source(tmp_path, record(score=1), record(score=2, origin="x"), report=said.append)
    assert [records[index].id for index in (0, 1, 0)] == ["a", "a", "a"]
    assert len(said) == 2
    assert "'score'" in said[0]
    assert "'origin'" in said[1]


# ---------------------------------------------------------------- filters


def test_filters_go_by_any_column(rooms):
    taskset = rooms["t1_multi"]
    samples = TaskSetSource(taskset, get_dialect("qwen3"))
    examples = list(taskset)
    visible = [position for position, example in enumerate(examples) if example.truth.visible]
    assert 0 < len(visible) < len(examples)
    assert select(samples, Selection(visible=True)).tolist() == visible
    tier = examples[visible[0]].tier
    assert select(samples, Selection(where={"tier": (tier,)})).tolist() == [i for i, e in enumerate(examples) if e.tier == tier]
    name, number = next(iter(examples[0].slices.items()))
    within = select(samples, Selection(between={f"slices.{name}": (number, None)})).tolist()
    assert within == [i for i, e in enumerate(examples) if e.slices.get(name, -np.inf) >= number]
    with pytest.raises(InputError, match="no column 'teir' to filter by; did you mean 'tier'"):
        select(samples, Selection(where={"teir": ("V",)}))
    with pytest.raises(InputError, match="no sample is left with tier in X"):
        select(samples, Selection(where={"tier": ("X",)}))


def test_a_share_is_always_the_same_samples_and_part_of_any_larger_share(tmp_path):
    records = source(tmp_path, *(record(id=str(index), kind=index % 2) for index in range(200)))
    tenth, half = (select(records, Selection(percent=percent)) for percent in (10.0, 50.0))
    assert len(tenth) == 20
    assert len(half) == 100
    assert set(tenth.tolist()) < set(half.tolist())
    assert tenth.tolist() == select(records, Selection(percent=10.0)).tolist()
    assert 30 <= (half < 100).sum() <= 70  # spread over the file: 50 +- 4 standard deviations of 5
    odd = select(records, Selection(where={"kind": (1,)}, percent=50.0))
    assert len(odd) == 50
    assert (odd % 2 == 1).all()
    with pytest.raises(InputError, match="percent 0: expected above 0"):
        Selection(percent=0.0)
    with pytest.raises(InputError, match="no record has a field 'knid' to filter by; did you mean 'kind'"):
        select(records, Selection(where={"knid": (1,)}))
