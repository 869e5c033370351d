"""Referring: what an expression means becomes boxes, masks, points, tracks and spans; nothing that is unknown becomes an answer."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline.geometry.masks import encode_mask
from sightline.tasks import CLIP_TASKS
from sightline.tasks.clips import SeenClip
from sightline.tasks.footage import Policy, Sampling
from sightline.tasks.pictures import Studio
from sightline.tasks.refer import ReferOptions
from sightline.types import (
    Boxes,
    BoxTrack,
    Clip,
    ClipFrame,
    Example,
    Expression,
    LedgerEntry,
    MaskAnswer,
    MaskRle,
    MaskTrack,
    NotVisible,
    Points,
    Span,
    TextPart,
    Track,
)
from tests.davis_tree import HEIGHT, WIDTH, Square, save_picture

LEFT, RIGHT = (4, 6, 14, 16), (20, 8, 40, 24)  # 10 x 10 and 20 x 16 pixels of 48 x 32


def mask(*squares: Square) -> MaskRle:
    pixels = np.zeros((HEIGHT, WIDTH), bool)
    for x0, y0, x1, y1 in squares:
        pixels[y0:y1, x0:x1] = True
    return encode_mask(pixels)


def clip(root: Path, places: dict[str, Sequence[Square | None]], expressions: Sequence[Expression], **changes: Any) -> Clip:
    """A clip of as many frames as its objects have places, at 2 frames a second."""
    count = len(next(iter(places.values())))
    for number in range(count):
        save_picture(root / f"clip/{number:05d}.jpg", seed=number)
    values: dict[str, Any] = {
        "clip_id": "set/clip",
        "split": "train",
        "frames": tuple(ClipFrame(frame_id=f"{number:05d}", image=f"clip/{number:05d}.jpg") for number in range(count)),
        "tracks": tuple(
            Track(object_id=name, category="dog", masks=tuple(square and mask(square) for square in squares))
            for name, squares in places.items()
        ),
        "expressions": tuple(expressions),
        "fps": 2.0,
    }
    return Clip(**(values | changes))


def saying(text: str, objects: tuple[str, ...] | None, **more: Any) -> Expression:
    return Expression(expression_id="0", text=text, object_ids=objects, **more)


def ask(root: Path, found: Clip, task: str, **options: Any) -> list[Example | LedgerEntry]:
    values: dict[str, Any] = {"sampling": Sampling(policy="all")}
    recipe = ReferOptions(**(values | options))
    return list(CLIP_TASKS[task]()(SeenClip(found, root), Studio(root), recipe))


def only(outcomes: list[Example | LedgerEntry]) -> Example:
    (outcome,) = outcomes
    assert isinstance(outcome, Example), outcome
    return outcome


def reason(outcomes: list[Example | LedgerEntry]) -> str:
    (outcome,) = outcomes
    assert isinstance(outcome, LedgerEntry), outcome
    return outcome.reason


def test_in_a_picture_box_mask_and_point_are_asked(tmp_path: Path) -> None:
    found = clip(tmp_path, {"a": [LEFT], "b": [RIGHT]}, [saying("the left dog", ("a",))])
    box, region, point = (only(ask(tmp_path, found, f"refer_{shape}")) for shape in ("box", "mask", "point"))
    assert box.id == "refer_box/set/clip/0"
    assert (box.group, box.split, box.tier, box.object_id, box.label) == ("set/clip", "train", "V", "a", "dog")
    assert box.truth.answer == Boxes(boxes=((4.0, 6.0, 14.0, 16.0),))
    assert region.truth.answer == MaskAnswer(rle=mask(LEFT))
    assert point.truth.answer == Points(points=((9.0, 11.0),))  # the centre of the square
    # 100 of 48 * 32 = 1536 pixels
    assert box.slices == {"objects": 1.0, "frames": 1.0, "present": 1.0, "query_area": round(100 / 1536, 6)}
    assert box.question.form.offers_not_visible
    assert box.truth.objects[0].boxes == ((4.0, 6.0, 14.0, 16.0),)


def test_several_objects_are_one_mask_many_boxes_and_a_point_on_each(tmp_path: Path) -> None:
    found = clip(tmp_path, {"a": [LEFT], "b": [RIGHT]}, [saying("both", ("b", "a"))])
    box, region, point = (only(ask(tmp_path, found, f"refer_{shape}")) for shape in ("box", "mask", "point"))
    assert box.truth.answer == Boxes(boxes=((20.0, 8.0, 40.0, 24.0), (4.0, 6.0, 14.0, 16.0)))
    assert box.truth.box == (4.0, 6.0, 40.0, 24.0)
    assert region.truth.answer == MaskAnswer(rle=mask(LEFT, RIGHT))
    assert point.truth.answer == Points(points=((30.0, 16.0), (9.0, 11.0)))
    assert box.question.form.several
    assert box.object_id == "b,a"
    assert reason(ask(tmp_path, found, "refer_box", objects="one")) == "several_objects"


def test_the_annotations_own_box_is_the_box_unless_the_masks_is_wanted(tmp_path: Path) -> None:
    track = Track(object_id="a", masks=(mask(LEFT),), boxes=((3.5, 5.5, 14.25, 99.0),))
    found = clip(tmp_path, {"a": [LEFT]}, [saying("it", ("a",))], tracks=(track,))
    assert only(ask(tmp_path, found, "refer_box")).truth.answer == Boxes(boxes=((3.5, 5.5, 14.25, 32.0),))
    assert only(ask(tmp_path, found, "refer_box", boxes="mask")).truth.answer == Boxes(boxes=((4.0, 6.0, 14.0, 16.0),))


def test_an_object_with_boxes_alone_can_be_framed_but_not_segmented(tmp_path: Path) -> None:
    track = Track(object_id="a", boxes=((4.0, 6.0, 14.0, 16.0),))
    found = clip(tmp_path, {"a": [LEFT]}, [saying("it", ("a",))], tracks=(track,))
    example = only(ask(tmp_path, found, "refer_box"))
    assert (example.truth.mask, example.truth.objects[0].masks) == (None, ())
    assert reason(ask(tmp_path, found, "refer_mask")) == reason(ask(tmp_path, found, "refer_point")) == "no_masks"


@pytest.mark.parametrize("task", ["refer_box", "refer_mask", "refer_point"])
def test_where_nothing_is_meant_the_answer_is_not_visible(tmp_path: Path, task: str) -> None:
    found = clip(tmp_path, {"a": [LEFT]}, [saying("the purple cow", ())])
    example = only(ask(tmp_path, found, task))
    assert (example.truth.answer, example.tier, example.object_id) == (NotVisible(), "NT", "")
    assert reason(ask(tmp_path, found, task, no_target="left_out")) == "no_target"


def test_without_no_target_no_question_offers_it(tmp_path: Path) -> None:
    found = clip(tmp_path, {"a": [LEFT]}, [saying("it", ("a",))])
    assert not only(ask(tmp_path, found, "refer_box", no_target="left_out")).question.form.offers_not_visible


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (saying("it", None), "targets_hidden"),
        (saying("it", ("z",)), "unknown_object"),
        (saying(" ", ("a",)), "no_text"),
        (saying("it", ("gone",)), "target_without_mask"),
    ],
)
def test_what_cannot_be_asked_goes_to_the_ledger(tmp_path: Path, expression: Expression, expected: str) -> None:
    found = clip(tmp_path, {"a": [LEFT, LEFT], "gone": [None, None]}, [expression])
    for task in ("refer_track", "refer_mask_track", "refer_span"):
        assert reason(ask(tmp_path, found, task)) == expected


def test_pictures_and_clips_have_tasks_of_their_own(tmp_path: Path) -> None:
    single = clip(tmp_path, {"a": [LEFT]}, [saying("it", ("a",))])
    double = clip(tmp_path, {"a": [LEFT, RIGHT]}, [saying("it", ("a",))])
    assert reason(ask(tmp_path, single, "refer_track")) == "single_frame"
    assert reason(ask(tmp_path, double, "refer_box")) == "several_frames"
    assert reason(ask(tmp_path, clip(tmp_path, {"a": [LEFT]}, []), "refer_box")) == "no_expressions"


def test_a_question_is_asked_as_it_stands(tmp_path: Path) -> None:
    found = clip(tmp_path, {"a": [LEFT]}, [saying("which dog runs?", ("a",))])
    example = only(ask(tmp_path, found, "refer_box", wording=2))
    assert [part.text for part in example.question.prompt if isinstance(part, TextPart)] == ["\nwhich dog runs? "]
    named = clip(tmp_path, {"a": [LEFT]}, [saying("the {dog}", ("a",))])
    example = only(ask(tmp_path, named, "refer_box", wording=2))
    assert '\nWhere in the picture is "the {dog}"? ' in example.question.prompt[1].text  # pyright: ignore[reportAttributeAccessIssue]
    assert example.wording == 2


def test_the_words_are_the_cleaned_ones_unless_those_typed_are_wanted(tmp_path: Path) -> None:
    found = clip(tmp_path, {"a": [LEFT]}, [saying("left dog", ("a",), raw="LEFT dog!")])
    for words, text in (("cleaned", '"left dog"'), ("typed", '"LEFT dog!"')):
        prompt = only(ask(tmp_path, found, "refer_box", words=words)).question.prompt
        assert isinstance(prompt[1], TextPart)
        assert text in prompt[1].text


def test_a_clip_without_frames_is_dropped_as_such(tmp_path: Path) -> None:
    found = clip(tmp_path, {"a": [LEFT]}, [saying("it", ("a",))], frames=(), tracks=())
    assert reason(ask(tmp_path, found, "refer_box")) == reason(ask(tmp_path, found, "refer_track")) == "frames_unusable"


def test_a_track_has_a_box_in_each_frame_that_shows_the_object(tmp_path: Path) -> None:
    found = clip(tmp_path, {"a": [LEFT, None, RIGHT], "b": [None, RIGHT, LEFT]}, [saying("it", ("a",))])
    example = only(ask(tmp_path, found, "refer_track"))
    left, right = (4.0, 6.0, 14.0, 16.0), (20.0, 8.0, 40.0, 24.0)
    assert example.truth.answer == BoxTrack(frames=((left,), (), (right,)))
    assert example.question.clip is not None
    assert example.question.clip.times_s == (0.0, 0.5, 1.0)
    assert example.truth.scored_frames is None
    assert example.slices["present"] == round(2 / 3, 6)
    assert example.truth.objects[0].masks[1] is None
    both = clip(tmp_path, {"a": [LEFT, None, RIGHT], "b": [None, RIGHT, LEFT]}, [saying("both", ("a", "b"))])
    assert only(ask(tmp_path, both, "refer_track")).truth.answer == BoxTrack(frames=((left,), (right,), (right, left)))
    union = MaskTrack(frames=(mask(LEFT), mask(RIGHT), mask(LEFT, RIGHT)))
    assert only(ask(tmp_path, both, "refer_mask_track")).truth.answer == union


def test_frames_without_labels_are_not_shown_or_not_scored(tmp_path: Path) -> None:
    track = Track(object_id="a", masks=(mask(LEFT), None, None, mask(LEFT)), annotated=(0, 2, 3))
    found = clip(tmp_path, {"a": [LEFT] * 4}, [saying("it", ("a",))], tracks=(track,))
    shown = only(ask(tmp_path, found, "refer_track"))
    assert [panel.view_id for panel in shown.question.panels] == ["00000", "00002", "00003"]
    assert shown.truth.scored_frames is None
    every = only(ask(tmp_path, found, "refer_track", frames="any"))
    assert every.truth.scored_frames == (0, 2, 3)
    assert isinstance(every.truth.answer, BoxTrack)
    assert every.truth.answer.frames[1] == ()


def test_where_nothing_is_meant_the_frames_are_those_of_the_other_questions(tmp_path: Path) -> None:
    places = (mask(LEFT), None, None, None)
    tracks = (Track(object_id="a", masks=places, annotated=(0, 2)), Track(object_id="b", masks=places, annotated=(2, 3)))
    found = clip(tmp_path, {"a": [LEFT] * 4}, [saying("a cow", ())], tracks=tracks)
    assert [panel.view_id for panel in only(ask(tmp_path, found, "refer_track")).question.panels] == ["00000", "00002", "00003"]


def test_an_object_named_twice_is_meant_once(tmp_path: Path) -> None:
    found = clip(tmp_path, {"a": [LEFT]}, [saying("it", ("a", "a"))])
    assert only(ask(tmp_path, found, "refer_box", objects="one")).truth.answer == Boxes(boxes=((4.0, 6.0, 14.0, 16.0),))


def test_absent_from_all_frames_shown_is_not_visible_only_if_that_is_known(tmp_path: Path) -> None:
    sampling = Sampling(num_frames=2)
    track = Track(object_id="a", masks=(None, mask(LEFT), None))
    found = clip(tmp_path, {"a": [LEFT] * 3}, [saying("it", ("a",))], tracks=(track,))
    example = only(ask(tmp_path, found, "refer_track", sampling=sampling))
    assert (example.truth.answer, example.tier) == (NotVisible(), "N12")
    assert reason(ask(tmp_path, found, "refer_track", sampling=sampling, no_target="left_out")) == "no_target"
    partly = Track(object_id="a", masks=(None, mask(LEFT), None), annotated=(0, 1))
    found = clip(tmp_path, {"a": [LEFT] * 3}, [saying("it", ("a",))], tracks=(partly,))
    assert reason(ask(tmp_path, found, "refer_track", sampling=sampling, frames="any")) == "visibility_unknown"


def test_a_span_is_the_time_in_which_the_object_is_there(tmp_path: Path) -> None:
    found = clip(tmp_path, {"a": [None, LEFT, LEFT, None]}, [saying("it", ("a",))])
    assert only(ask(tmp_path, found, "refer_span")).truth.answer == Span(start_s=0.5, end_s=1.5)  # frames 1 and 2 of 2 a second
    ending = clip(tmp_path, {"a": [None, LEFT, LEFT, LEFT]}, [saying("it", ("a",))])
    assert only(ask(tmp_path, ending, "refer_span")).truth.answer == Span(start_s=0.5, end_s=2.0)
    given = clip(tmp_path, {"a": [None, LEFT, LEFT, LEFT]}, [saying("it", ("a",), span=(2, 3))])
    assert only(ask(tmp_path, given, "refer_span")).truth.answer == Span(start_s=1.0, end_s=1.5)


def test_a_labelled_frame_stands_for_the_time_up_to_the_next_one(tmp_path: Path) -> None:
    codes = (mask(LEFT), None, None, None, None, None)
    sparse = Track(object_id="a", masks=codes, annotated=(0, 2, 4))
    found = clip(tmp_path, {"a": [LEFT] * 6}, [saying("it", ("a",))], tracks=(sparse,))
    assert only(ask(tmp_path, found, "refer_span")).truth.answer == Span(start_s=0.0, end_s=1.0)
    first_only = Track(object_id="a", masks=codes, annotated=(0,))
    found = clip(tmp_path, {"a": [LEFT] * 6}, [saying("it", ("a",))], tracks=(first_only,))
    assert reason(ask(tmp_path, found, "refer_span")) == "visibility_unknown"


@pytest.mark.parametrize(
    ("places", "expected"),
    [([LEFT, None, LEFT], "several_spans"), ([LEFT, LEFT, LEFT], "always_there"), ([None, LEFT, None], "between_frames")],
)
def test_a_span_that_is_no_single_part_of_the_clip_is_dropped(tmp_path: Path, places: list[Square | None], expected: str) -> None:
    found = clip(tmp_path, {"a": places}, [saying("it", ("a",))])
    assert reason(ask(tmp_path, found, "refer_span", sampling=Sampling(num_frames=2))) == expected


def test_a_span_of_the_whole_clip_can_be_asked_for(tmp_path: Path) -> None:
    found = clip(tmp_path, {"a": [LEFT, LEFT]}, [saying("it", ("a",))])
    assert only(ask(tmp_path, found, "refer_span", spans="all")).truth.answer == Span(start_s=0.0, end_s=1.0)


@pytest.mark.parametrize("policy", ["uniform", "random", "keyframes"])
def test_frames_are_sampled_as_the_recipe_says(tmp_path: Path, policy: Policy) -> None:
    found = clip(tmp_path, {"a": [LEFT] * 3 + [RIGHT] * 6}, [saying("it", ("a",))])
    example = only(ask(tmp_path, found, "refer_track", sampling=Sampling(policy=policy, num_frames=3)))
    shown = [int(panel.view_id) for panel in example.question.panels]
    assert len(shown) == 3
    assert example.evidence["sampling"] == policy
    if policy == "uniform":
        assert shown == [0, 4, 8]
    if policy == "keyframes":
        assert shown == [0, 3, 8]
    assert example == only(ask(tmp_path, found, "refer_track", sampling=Sampling(policy=policy, num_frames=3)))


def test_a_clip_without_pictures_and_one_of_two_sizes_are_dropped(tmp_path: Path) -> None:
    frames = tuple(ClipFrame(frame_id=str(number)) for number in range(2))
    found = clip(tmp_path, {"a": [LEFT, LEFT]}, [saying("it", ("a",))], frames=frames, width=WIDTH, height=HEIGHT)
    assert reason(ask(tmp_path, found, "refer_track")) == "frames_unusable"
    found = clip(tmp_path, {"a": [LEFT, LEFT]}, [saying("it", ("a",))])
    save_picture(tmp_path / "clip/00001.jpg", seed=1, width=WIDTH + 2)
    assert reason(ask(tmp_path, found, "refer_track", frames="any")) == "sizes_differ"
