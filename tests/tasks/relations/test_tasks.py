"""What the relation tasks ask, how twins belong together, and what is dropped."""

import json
from collections import Counter
from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest

from sightline.errors import InputError
from sightline.tasks import CLIP_TASKS
from sightline.tasks.clips import SeenClip
from sightline.tasks.footage import ClipOptions, Sampling
from sightline.tasks.pictures import Studio
from sightline.tasks.relations.names import NamesTable, names_file
from sightline.tasks.relations.options import RelationOptions, read_options
from sightline.tasks.relations.shown import draw_marks
from sightline.types import Boxes, Choice, Clip, Example, Expression, NotVisible, Span, TextPart
from tests.tasks.relations.clips import TASKS, WIDTH, coded, outcomes, write_picture

OPTIONS = RelationOptions()
BOXES = ((5.0, 10.0, 20.0, 40.0), (75.0, 10.0, 95.0, 40.0))
LEFT, MIDDLE, RIGHT = (5, 10, 20, 40), (40, 10, 55, 40), (75, 10, 95, 40)


def _text(example: Example) -> str:
    return " ".join(part.text for part in example.question.prompt if isinstance(part, TextPart))


def _examples(clip: Clip, root: Path, task: str, options: RelationOptions = OPTIONS) -> list[Example]:
    write_picture(root)
    return outcomes(SeenClip(clip, root), task, options)[0]


def _passing(count: int = 20) -> Clip:
    """`a` goes from the left of `b` to its right: x from 2 to 78."""
    return coded({"a": [(2 + 4 * k, 10, 12 + 4 * k, 30) for k in range(count)], "b": [(44, 32, 56, 58)] * count})


@pytest.mark.parametrize("mirror", [True, False])
def test_yes_and_no_and_left_and_right_are_equally_frequent(tmp_path: Path, mirror: bool) -> None:
    clip = coded({"a": [LEFT] * 9, "b": [MIDDLE] * 9, "c": [RIGHT] * 9})
    examples = _examples(clip, tmp_path, "relation_choice", msgspec.structs.replace(OPTIONS, mirror=mirror, frames_per_relation=5))
    answers = Counter(example.truth.answer.value for example in examples if isinstance(example.truth.answer, Choice))
    assert answers["yes"] == answers["no"] > 0
    assert answers["left"] == answers["right"] > 0
    asked = Counter(example.evidence["side"] for example in examples if "yes" in example.question.form.options)
    assert asked["left"] == asked["right"]


def test_twins_share_their_pair_and_their_wording(tmp_path: Path) -> None:
    options = msgspec.structs.replace(OPTIONS, wording="mixed")
    for task in TASKS:
        by_pair: dict[str, list[Example]] = {}
        for example in _examples(_passing(), tmp_path, task, options):
            by_pair.setdefault(str(example.pair_id), []).append(example)
        assert all(len(twins) > 1 for twins in by_pair.values())
        assert all(len({twin.wording for twin in twins}) == 1 for twins in by_pair.values())


def test_the_mirrored_twin_has_mirrored_pixels_words_and_boxes(tmp_path: Path) -> None:
    write_picture(tmp_path)
    picture = np.zeros((60, WIDTH, 3), np.uint8)
    picture[:, :30] = 255
    cv2.imwrite(str(tmp_path / "picture.jpg"), picture)
    seen, studio = SeenClip(coded({"a": [LEFT] * 3, "b": [RIGHT] * 3}), tmp_path), Studio(tmp_path)
    made = {one.id: one for one in CLIP_TASKS["relation_box"]()(seen, studio, OPTIONS) if isinstance(one, Example)}
    plain = next(one for one in made.values() if "order" in one.id and one.id.endswith("1/left"))
    twin = made[f"{plain.id}-mirrored"]
    assert isinstance(plain.truth.answer, Boxes)
    assert isinstance(twin.truth.answer, Boxes)
    assert plain.truth.answer.boxes == ((5.0, 10.0, 20.0, 40.0),)
    assert twin.truth.answer.boxes == ((80.0, 10.0, 95.0, 40.0),)  # 100 - 20, 100 - 5
    assert "first from the left" in _text(plain)
    assert "first from the right" in _text(twin)
    shown = cv2.imdecode(np.frombuffer(studio.encoded(twin.question.images[-1]), np.uint8), cv2.IMREAD_COLOR)
    assert shown is not None
    assert shown[50, 90].min() > 200  # what was bright on the left is on the right
    assert shown[50, 5].max() < 50


def test_a_rank_that_nothing_has_is_answered_by_none(tmp_path: Path) -> None:
    examples = _examples(coded({"a": [LEFT] * 3, "b": [RIGHT] * 3}), tmp_path, "relation_box")
    beside = {
        (str(one.evidence["b"]), str(one.evidence["side"])): one
        for one in examples
        if one.evidence["rule"] == "beside" and not one.evidence["mirrored"]
    }
    assert isinstance(beside["a", "left"].truth.answer, NotVisible)
    assert beside["a", "left"].tier == "NT"


def test_when_a_passes_b(tmp_path: Path) -> None:
    examples = {one.id.rpartition("/")[2]: one for one in _examples(_passing(), tmp_path, "relation_when")}
    spans = {str(one.truth.answer) for one in examples.values()}
    # a ends at 12 + 4k: left while 12 + 4k + 2 <= 44, frames 0 to 7; begins at 2 + 4k: right from 58 on, frame 14; 10 frames/s
    assert spans == {str(Span(start_s=0.0, end_s=0.8)), str(Span(start_s=1.4, end_s=2.0))}


def test_what_is_never_so_has_no_time(tmp_path: Path) -> None:
    answers = [one.truth.answer for one in _examples(coded({"a": [LEFT] * 8, "b": [RIGHT] * 8}), tmp_path, "relation_when")]
    assert Counter(type(answer) for answer in answers) == {NotVisible: 2, Span: 2}


def test_a_run_that_ends_where_the_object_is_cut_off_is_open(tmp_path: Path) -> None:
    write_picture(tmp_path)
    boxes = [LEFT] * 8 + [(0, 10, 5, 40)] * 2  # 150 of 450 square pixels are left
    seen = SeenClip(coded({"a": boxes, "b": [RIGHT] * 10}), tmp_path)
    examples, ledger = outcomes(seen, "relation_when", OPTIONS)
    assert not examples
    assert "open_run" in {entry.reason for entry in ledger}


def test_whoever_leads_changes(tmp_path: Path) -> None:
    examples = _examples(_passing(), tmp_path, "relation_switch")
    assert {one.id.rpartition("/")[2] for one in examples} == {"left", "right", "left-mirrored", "right-mirrored"}
    assert (
        examples[0].evidence["leaders"] == "a 0-9; b 12-19"
    )  # centres 7 + 4k and 50: more than 3 apart up to k = 9 and from 12 on


def test_nothing_is_said_between_the_two_moments_of_a_becomes(tmp_path: Path) -> None:
    kinds = Counter(str(one.evidence["rule"]) for one in _examples(_passing(), tmp_path, "relation_choice"))
    assert kinds["becomes"] == 4  # yes, no, and their mirrored twins
    assert kinds["always"] == 0


def test_clips_without_pictures_and_tracks_that_are_groups_are_dropped(tmp_path: Path) -> None:
    seen = SeenClip(coded({"a": [LEFT] * 6, "b": [RIGHT] * 6}, pictures=False), tmp_path)
    for task in TASKS:
        examples, ledger = outcomes(seen, task, OPTIONS)
        assert not examples
        assert [entry.reason for entry in ledger] == ["no_picture"]


def test_no_more_sets_than_asked_for_are_taken(tmp_path: Path) -> None:
    write_picture(tmp_path)
    seen = SeenClip(coded({"a": [LEFT] * 6, "b": [MIDDLE] * 6, "c": [RIGHT] * 6}), tmp_path)
    examples, ledger = outcomes(seen, "relation_box", msgspec.structs.replace(OPTIONS, sets_per_clip=3))
    assert len({one.pair_id for one in examples}) == 3
    assert [entry.reason for entry in ledger if entry.unit == "clip"] == ["over_limit"]


def test_other_options_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="build relations"):
        list(CLIP_TASKS["relation_box"]()(SeenClip(_passing(), tmp_path), Studio(tmp_path), ClipOptions()))


def _named(tmp_path: Path, clip: Clip, table: dict[str, str]) -> RelationOptions:
    path = tmp_path / "names.json"
    path.write_bytes(msgspec.json.encode(NamesTable(format=1, data="x", model="m", clips={clip.clip_id: table})))
    return msgspec.structs.replace(OPTIONS, names=names_file(path), sampling=Sampling(num_frames=4))


def test_names_of_a_file_stand_in_the_question_and_no_mark_is_drawn(tmp_path: Path) -> None:
    clip = coded({"a": [LEFT] * 3, "b": [RIGHT] * 3})
    examples = _examples(clip, tmp_path, "relation_box", _named(tmp_path, clip, {"a": "A brown dog.", "b": "ball"}))
    assert any("the brown dog and the ball" in _text(one) or "the ball and the brown dog" in _text(one) for one in examples)
    assert all(len(one.question.images) == 1 for one in examples)


@pytest.mark.parametrize(
    ("names", "reason"),
    [({"a": "dog", "b": "Dog"}, "ambiguous_name"), ({"a": "dog on the left", "b": "ball"}, "direction_in_name")],
)
def test_names_that_mislead_are_not_used(tmp_path: Path, names: dict[str, str], reason: str) -> None:
    write_picture(tmp_path)
    clip = coded({"a": [LEFT] * 3, "b": [RIGHT] * 3})
    examples, ledger = outcomes(SeenClip(clip, tmp_path), "relation_box", _named(tmp_path, clip, names))
    assert {entry.reason for entry in ledger if entry.action == "altered"} == {reason}
    assert all("object A" in _text(one) for one in examples)


def test_a_category_is_a_name_only_where_all_of_it_are_labelled(tmp_path: Path) -> None:
    clip = coded({"a": [LEFT] * 3, "b": [RIGHT] * 3})
    tracks = tuple(msgspec.structs.replace(track, category=name) for track, name in zip(clip.tracks, ("dog", "ball"), strict=True))
    clip = msgspec.structs.replace(clip, tracks=tracks)
    assert all("object A" in _text(one) for one in _examples(clip, tmp_path, "relation_box"))
    known = msgspec.structs.replace(clip, exhaustive=("dog", "ball"))
    texts = [_text(one) for one in _examples(known, tmp_path, "relation_box")]
    assert any("the dog" in text for text in texts)
    assert any("Find the ball in the right third" in text for text in texts)


def test_an_expression_of_one_object_is_its_name(tmp_path: Path) -> None:
    clip = coded({"a": [LEFT], "b": [RIGHT]})
    said = [("a", "a man in red"), ("b", "the dog that left the house")]
    expressions = tuple(Expression(expression_id=name, text=text, object_ids=(name,)) for name, text in said)
    texts = [_text(one) for one in _examples(msgspec.structs.replace(clip, expressions=expressions), tmp_path, "relation_box")]
    assert any("the man in red" in text and "the dog that left the house" in text for text in texts)


def test_another_names_file_under_the_same_path_is_refused(tmp_path: Path) -> None:
    clip = coded({"a": [LEFT] * 3, "b": [RIGHT] * 3})
    options = _named(tmp_path, clip, {"a": "dog", "b": "ball"})
    assert options.names is not None
    options = msgspec.structs.replace(options, names=msgspec.structs.replace(options.names, digest="0" * 32))
    with pytest.raises(InputError, match="has changed"):
        _examples(clip, tmp_path, "relation_box", options)


def test_marks_lie_outside_their_object() -> None:
    drawn = draw_marks(np.zeros((200, 300, 3), np.uint8), [(100.0, 80.0, 150.0, 120.0)])
    assert not drawn[80:120, 100:150].any()
    assert (drawn[100, 98] == (230, 30, 30)).all()
    assert (drawn[100, 151] == (230, 30, 30)).all()


def test_boxes_can_be_given_in_numbers(tmp_path: Path) -> None:
    clip = coded({"a": [LEFT] * 3, "b": [RIGHT] * 3})
    example = _examples(clip, tmp_path, "relation_box", msgspec.structs.replace(OPTIONS, refer="box"))[0]
    given = [part for part in example.question.prompt if part.__class__.__name__ == "BoxPart"]
    assert len(given) == 2
    assert list(json.loads(str(example.evidence["called"])).values()) == ["object A", "object B"]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (["nothing=1"], "one of margin"),
        (["margin"], "NAME=VALUE"),
        (["margin=x"], "margin"),
        (["agree=2"], "share"),
        (["max_rank=0"], "least 1"),
    ],
)
def test_wrong_settings_are_refused(settings: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        read_options({}, settings)


def test_settings_reach_the_options() -> None:
    assert read_options({"margin": 0.1}, ["min_run_share=0.3", "max_listed=4"], mirror=False) == RelationOptions(
        margin=0.1, min_run_share=0.3, max_listed=4, mirror=False
    )


def test_a_clip_that_is_too_long_to_show_whole_goes_to_the_ledger(tmp_path: Path) -> None:
    write_picture(tmp_path)
    options = msgspec.structs.replace(OPTIONS, sampling=Sampling(policy="all", max_frames=5))
    seen = SeenClip(coded({"a": [LEFT] * 6, "b": [RIGHT] * 6}), tmp_path)
    for task in ("relation_track", "relation_when", "relation_switch"):
        examples, ledger = outcomes(seen, task, options)
        assert not examples
        assert "too_many_frames" in {entry.reason for entry in ledger}


def test_pictures_of_several_sizes_are_dropped(tmp_path: Path) -> None:
    write_picture(tmp_path)
    (tmp_path / "picture.jpg").rename(tmp_path / "other.jpg")
    write_picture(tmp_path, width=2 * WIDTH)
    clip = coded({"a": [LEFT] * 2, "b": [RIGHT] * 2})
    frames = (msgspec.structs.replace(clip.frames[0], image="other.jpg"), clip.frames[1])
    tracks = tuple(
        msgspec.structs.replace(track, masks=(), boxes=(box, box)) for track, box in zip(clip.tracks, BOXES, strict=True)
    )
    clip = msgspec.structs.replace(clip, frames=frames, tracks=tracks, width=None, height=None)
    assert "size_changes" in {entry.reason for entry in outcomes(SeenClip(clip, tmp_path), "relation_box", OPTIONS)[1]}


def test_soft_rules_have_names_of_their_own(tmp_path: Path) -> None:
    close = coded(
        {"a": [(10, 10, 30, 40)] * 6, "b": [(29, 10, 50, 40)] * 6}
    )  # they share 1 of 20 pixels: strictly nothing is asserted
    assert {one.evidence["rule"] for one in _examples(close, tmp_path, "relation_choice")} <= {"abs"}
    soft = msgspec.structs.replace(OPTIONS, strictness="soft")
    rules = {str(one.evidence["rule"]) for one in _examples(close, tmp_path, "relation_choice", soft)}
    assert {"left_of_soft", "always"} <= rules <= {"left_of_soft", "abs_soft", "always"}
    assert all(
        "by their centres" in _text(one) or "centre is in" in _text(one)
        for one in _examples(close, tmp_path, "relation_choice", soft)
    )
