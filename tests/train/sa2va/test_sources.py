"""What is trained on: which conversation comes when, what it says, and the truth that stands beside each [SEG]."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from msgspec import structs

torch = pytest.importorskip("torch", reason="needs the models extra")
for package in ("transformers", "hydra", "lightning", "peft"):
    pytest.importorskip(package, reason="needs the models and train extras")

from sightline.errors import InputError  # noqa: E402
from sightline.geometry.masks import decode_mask  # noqa: E402
from sightline.models.sa2va.checkpoint import load_sa2va  # noqa: E402
from sightline.models.sa2va.conversation import IGNORED  # noqa: E402
from sightline.models.sa2va.modes import MODES, get_mode  # noqa: E402
from sightline.taskset.store import TaskSet  # noqa: E402
from sightline.train.sa2va.chat import ChatSource  # noqa: E402
from sightline.train.sa2va.conversations import chosen_places  # noqa: E402
from sightline.train.sa2va.grounded import GroundedSource  # noqa: E402
from sightline.train.sa2va.loading import Batches, Preparation, load_batches  # noqa: E402
from sightline.train.sa2va.plan import Plan, Weighted  # noqa: E402
from sightline.train.sa2va.settings import DataSettings  # noqa: E402
from sightline.train.sa2va.sources import open_sources  # noqa: E402
from sightline.train.vlm.json_source import JsonSource  # noqa: E402
from sightline.train.vlm.samples import MediaRef, Sample, Slot, Turn  # noqa: E402
from sightline.types import NotVisible  # noqa: E402

SETTINGS = DataSettings(path="-", expressions=3, num_frames=4, places=0, answers=("It is [SEG].",))


@pytest.fixture
def taskset(lesson):
    return TaskSet(lesson.train)


def preparation(lesson: Any, **changed: Any) -> Any:
    model = load_sa2va(lesson.checkpoint)
    own: dict[str, Any] = {"mode": MODES["official"], "side": 64, "places": 0, "max_tokens": 1000} | changed
    return Preparation(family=model.family, tokenizer=model.tokenizer, **own)


def test_turns_are_expressions_of_one_clip_and_masks_are_theirs_in_the_frames_shown(taskset: Any) -> None:
    source = GroundedSource(taskset, SETTINGS)
    assert len(source) == 3  # clips, not examples
    found: Any = source.conversation(1, np.random.default_rng(0))
    assert found.video
    assert [turn.answer for turn in found.turns] == ["It is [SEG]."] * 3
    assert [turn.text.startswith("<image>\n") for turn in found.turns] == [True, False, False]
    shown = [picture() for picture in found.pictures]
    group = found.id.split("/")[1]
    for turn, masks in zip(found.turns, found.masks, strict=True):
        expression = turn.text.removeprefix("<image>\n").removeprefix("Please segment ").removesuffix(".")
        (example,) = [each for each in taskset if each.group == group and f'"{expression}"' in each.question.prompt[1].text]
        pictures = [taskset.read_rgb(image) for image in example.question.images]
        places = [next(place for place, each in enumerate(pictures) if np.array_equal(each, rgb)) for rgb in shown]
        assert places == sorted(places)
        assert masks == tuple(example.truth.answer.frames[place] for place in places)


def test_a_conversation_follows_from_seed_and_number_alone(taskset: Any) -> None:
    plan = Plan((Weighted(GroundedSource(taskset, SETTINGS)),), batch_size=2, num_batches=5, seed=3)
    again = Plan((Weighted(GroundedSource(taskset, SETTINGS)),), batch_size=2, num_batches=50, seed=3)
    other = Plan((Weighted(GroundedSource(taskset, SETTINGS)),), batch_size=2, num_batches=5, seed=4)

    def told(which, number):
        found = which.conversation(number)
        return found.id, found.turns, found.masks

    assert [told(plan, number) for number in (7, 2)] == [told(again, number) for number in (7, 2)]
    assert [told(plan, number) for number in range(10)] != [told(other, number) for number in range(10)]
    assert sorted(plan.source(number)[1] for number in range(3)) == [0, 1, 2]  # an epoch has each clip once
    assert [*plan.numbers(3, rank=0, num_processes=2), *plan.numbers(3, rank=1, num_processes=2)] == [6, 7]


def test_weights_and_percentages_say_how_often_a_source_comes(taskset: Any) -> None:
    clips = GroundedSource(taskset, SETTINGS)
    plan = Plan((Weighted(clips, weight=2.0), Weighted(clips, percent=34.0)), batch_size=7, num_batches=1, seed=0)
    tables = [int(plan._order[number] >= 3) for number in range(7)]
    assert (tables.count(0), tables.count(1)) == (6, 1)  # 2 x 3 clips, and one of three


def test_frames_are_taken_as_asked():
    rng = np.random.default_rng(0)
    known = [0, 2, 3, 5, 8, 9]
    assert chosen_places(known, 9, "random", rng) == known
    assert chosen_places(known, 3, "even", rng) == [0, 3, 9]  # places 0, 5 // 2 = 2 and 5
    for _ in range(5):
        window = chosen_places(known, 3, "window", rng)
        assert window in [known[start : start + 3] for start in range(4)]
        drawn = chosen_places(known, 3, "random", rng)
        assert drawn == sorted(set(drawn) & set(known))
        assert len(drawn) == 3


def test_truth_stands_at_the_decoders_resolution_and_labels_on_the_answers(lesson: Any, taskset: Any) -> None:
    source = GroundedSource(taskset, SETTINGS)
    rng = np.random.default_rng(5)
    found: Any = source.conversation(0, rng)
    ready: Any = preparation(lesson).ready(found, 11, rng)
    assert ready.objects.images.shape == (4, 3, 64, 64)
    assert ready.objects.masks.shape == (3, 4, 16, 16)
    code = found.masks[2][1]
    expected = decode_mask(code)[::6, ::6] if code else np.zeros((16, 16), bool)  # 96 pixels to 16: every sixth
    assert np.array_equal(ready.objects.masks[2, 1].numpy() > 0, expected)
    tokenizer = load_sa2va(lesson.checkpoint).tokenizer
    supervised = tokenizer.decode([label for label in ready.said.labels if label != IGNORED])
    assert supervised == "It is [SEG].<|im_end|>" * 3
    assert ready.said.ids.count(tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>")) == 4  # one of each frame


def test_the_language_model_sees_the_key_frames_and_sam2_all(lesson: Any, taskset: Any) -> None:
    source = GroundedSource(taskset, DataSettings(path="-", num_frames=7))
    rng = np.random.default_rng(5)
    ready: Any = preparation(lesson, places=5).ready(source.conversation(0, rng), 0, rng)
    assert len(ready.objects.images) == 7
    assert len(ready.media.tensors["pixel_values"]) == 5
    assert len(ready.objects.places) == 5


def test_too_long_a_conversation_is_refused_and_may_be_left_out(lesson: Any, taskset: Any) -> None:
    plan = Plan((Weighted(GroundedSource(taskset, SETTINGS)),), batch_size=1, num_batches=2, seed=0)
    batches = Batches(plan, preparation(lesson, max_tokens=50), rank=0, num_processes=1)
    with pytest.raises(InputError, match=r"batch 0: refer_mask_track-train, .*tokens; expected at most 50 .*on_missing=skip"):
        list(load_batches(batches, range(2)))
    skipped = list(load_batches(batches, range(2), on_missing="skip"))
    assert [len(each.conversations) for each in skipped] == [0, 0]
    assert [each.skipped[0].reason for each in skipped] == ["conversation_not_loaded"] * 2


class Few:
    """Samples given in a list."""

    name, fingerprint = "few", "0"

    def __init__(self, *samples):
        self.samples = samples

    def __len__(self):
        return len(self.samples)

    def __getitem__(self, position):
        return self.samples[position]

    def column(self, name):
        raise InputError(name)


def test_what_sa2va_cannot_be_taught_is_refused_by_name(tmp_path):
    pictures = (MediaRef(tmp_path / "a.png"), MediaRef(tmp_path / "b.png"))
    two = Sample("two", "few", (Turn("user", (Slot("image", 0), Slot("image", 1))), Turn("assistant", ("x",))), images=pictures)
    system = Sample("system", "few", (Turn("system", ("Be kind.",)), Turn("user", ("Hi",)), Turn("assistant", ("x",))))
    seg = Sample("seg", "few", (Turn("user", ("Hi",)), Turn("assistant", ("It is [SEG].",))))
    source = ChatSource(Few(two, system, seg), max_frames=4)
    for position, told in enumerate(("'two': 2 pictures", "'system': a system turn", r"'seg': its text holds \[SEG\]")):
        with pytest.raises(InputError, match=told):
            source.conversation(position, np.random.default_rng(0))


def test_a_picture_of_a_conversation_stands_where_its_tag_is(lesson: Any, taskset: Any, tmp_path: Path) -> None:
    file = taskset.file(taskset[0].question.images[0])
    (tmp_path / "a.jpg").write_bytes(file.read_bytes())
    turns = [{"from": "human", "value": "Look: <image> Which one?"}, {"from": "gpt", "value": "The red one."}]
    (tmp_path / "chat.json").write_text(json.dumps([{"id": "a", "image": "a.jpg", "conversations": turns}]))
    source = ChatSource(JsonSource(tmp_path / "chat.json"), max_frames=4)
    rng = np.random.default_rng(0)
    ready: Any = preparation(lesson).ready(source.conversation(0, rng), 0, rng)
    text = load_sa2va(lesson.checkpoint).tokenizer.decode(ready.said.ids)
    assert "Look: <img>" + "<IMG_CONTEXT>" + "</img> Which one?" in text
    assert ready.objects is None


def test_a_task_set_of_places_needs_a_dialect(lesson):
    with pytest.raises(FileNotFoundError, match="no such file or folder"):
        open_sources(DataSettings(path="nowhere"))
    with pytest.raises(InputError, match=r"leave data\.media_root out"):
        open_sources(DataSettings(path=str(lesson.train), media_root="x"))


def test_where_nothing_is_meant_the_answer_is_an_empty_mask_or_words(lesson):
    class Absent(TaskSet):
        """The task set with nothing meant by any expression."""

        def __getitem__(self, key):
            example = super().__getitem__(key)
            return structs.replace(example, truth=structs.replace(example.truth, answer=NotVisible(), objects=()))

    rng = np.random.default_rng(0)
    empty = GroundedSource(Absent(lesson.train), SETTINGS).conversation(0, rng)
    assert empty.masks == ((None,) * 4,) * 3
    assert not preparation(lesson).ready(empty, 0, rng).objects.masks.any()
    words = GroundedSource(Absent(lesson.train), replace(SETTINGS, no_target="Nothing.")).conversation(0, rng)
    assert [turn.answer for turn in words.turns] == ["Nothing."] * 3
    ready: Any = preparation(lesson, mode=get_mode("official", num_prompted=2)).ready(words, 0, rng)
    assert ready.objects is None
    assert len(ready.media.tensors["pixel_values"]) == 2  # the key frames, as inference shows them
