"""Objects to follow: where they are given, by what, which frames then count, and what is left out."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from sightline.geometry.masks import decode_mask
from sightline.geometry.points import hits_mask
from sightline.tasks import CLIP_TASKS
from sightline.tasks.clips import SeenClip
from sightline.tasks.footage import Sampling
from sightline.tasks.pictures import Studio
from sightline.tasks.segment import SegmentOptions
from sightline.types import BoxPart, Example, LedgerEntry, MaskTrack, PointPart, TextPart, Track
from tests.davis_tree import Square
from tests.tasks.test_refer import LEFT, RIGHT, clip, mask

LOW = (6, 10, 12, 20)


def follow(
    root: Path, places: dict[str, Sequence[Square | None]], *, tracks: tuple[Track, ...] | None = None, **options: Any
) -> tuple[list[Example | LedgerEntry], Studio]:
    changes = {} if tracks is None else {"tracks": tracks}
    studio = Studio(root)
    found = clip(root, places, [], **changes)
    return list(CLIP_TASKS["segment"]()(SeenClip(found, root), studio, SegmentOptions(**options))), studio


def examples(outcomes: Sequence[Example | LedgerEntry]) -> list[Example]:
    assert all(isinstance(outcome, Example) for outcome in outcomes), outcomes
    return [outcome for outcome in outcomes if isinstance(outcome, Example)]


def words(example: Example) -> str:
    return "".join(part.text for part in example.question.prompt if isinstance(part, TextPart))


def test_each_object_is_given_where_it_comes_in_and_only_later_frames_count(tmp_path: Path) -> None:
    outcomes, studio = follow(tmp_path, {"a": [LEFT, LEFT, None], "b": [None, RIGHT, RIGHT]})
    early, late = examples(outcomes)
    assert [early.id, late.id] == ["segment/set/clip/a", "segment/set/clip/b"]
    assert (early.group, early.split, early.tier, early.object_id, early.label) == ("set/clip", "train", "V", "a", "dog")
    assert early.truth.answer == MaskTrack(frames=(mask(LEFT), mask(LEFT), None))
    assert (early.truth.scored_frames, late.truth.scored_frames) == ((1, 2), (2,))
    assert late.question.reference is not None
    assert late.question.reference.panel_index == 1
    assert late.question.reference.box == RIGHT
    assert studio.made_masks[late.question.reference.mask] == mask(RIGHT)
    assert "In frame 2, the object to follow is given by its mask." in words(late)
    # 100 of 48 * 32 = 1536 pixels; of the two frames that count one shows it
    assert early.slices == {"objects": 1.0, "frames": 3.0, "late": 0.0, "present": 0.5, "query_area": round(100 / 1536, 6)}
    assert late.slices["late"] == 1.0
    assert early.truth.objects[0].boxes == (LEFT, LEFT, None)


def test_a_box_or_a_point_stands_in_the_prompt_and_a_mask_does_not(tmp_path: Path) -> None:
    by: dict[str, Example] = {}
    for kind in ("mask", "box", "point"):
        outcomes, _ = follow(tmp_path, {"a": [None, LOW, LOW]}, given_by=kind)
        (by[kind],) = examples(outcomes)
    parts = {
        kind: [part for part in example.question.prompt if isinstance(part, BoxPart | PointPart)] for kind, example in by.items()
    }
    assert parts["mask"] == []
    assert parts["box"] == [BoxPart(box=(6.0, 10.0, 12.0, 20.0), image_index=1)]
    (point,) = parts["point"]
    assert isinstance(point, PointPart)
    assert point.image_index == 1
    assert hits_mask(decode_mask(mask(LOW)), point.x, point.y)
    assert [example.id for example in by.values()] == ["segment/set/clip/a"] * 3


def test_objects_that_come_in_together_can_be_followed_as_one(tmp_path: Path) -> None:
    places = {"a": [LEFT, LEFT, None], "b": [RIGHT, RIGHT, RIGHT], "c": [None, LOW, LOW]}
    both, third = examples(follow(tmp_path, places, objects="together")[0])
    assert [both.id, third.id] == ["segment/set/clip/from_00000", "segment/set/clip/from_00001"]
    assert both.object_id == "a,b"
    assert both.truth.answer == MaskTrack(frames=(mask(LEFT, RIGHT), mask(LEFT, RIGHT), mask(RIGHT)))
    assert "the objects to follow" in words(both)


def test_a_frame_in_which_the_object_is_unknown_is_shown_and_does_not_count(tmp_path: Path) -> None:
    track = Track(object_id="a", masks=(mask(LEFT), None, mask(LEFT)), annotated=(0, 2))
    (example,) = examples(follow(tmp_path, {"a": [LEFT, None, LEFT]}, tracks=(track,))[0])
    assert (len(example.question.images), example.truth.scored_frames) == (3, (2,))
    (example,) = examples(follow(tmp_path, {"a": [LEFT, None, LEFT]}, tracks=(track,), frames="labelled")[0])
    assert (len(example.question.images), example.truth.scored_frames) == (2, (1,))


CODES = (mask(LEFT), mask(LEFT))


@pytest.mark.parametrize(
    ("places", "options", "expected"),
    [
        ({"a": [LEFT]}, {}, ("set/clip", "single_frame")),
        ({"a": [None, None]}, {}, ("set/clip/a", "never_shown")),
        ({"a": [None, LEFT, LEFT]}, {"late": "left_out"}, ("set/clip/a", "late")),
        ({"a": [None, LEFT]}, {}, ("set/clip/a", "nothing_to_follow")),
        ({"a": [LEFT, LEFT, LEFT]}, {"sampling": Sampling(policy="all", max_frames=2)}, ("set/clip", "frames_unusable")),
    ],
)
def test_what_cannot_be_followed_is_in_the_ledger(tmp_path: Path, places: Any, options: Any, expected: tuple[str, str]) -> None:
    (entry,), _ = follow(tmp_path, places, **options)
    assert isinstance(entry, LedgerEntry)
    assert (entry.unit, entry.reason) == expected


@pytest.mark.parametrize(
    ("track", "reason"),
    [
        (Track(object_id="a", masks=CODES, crowd=True), "crowd"),
        (Track(object_id="a", boxes=((4.0, 6.0, 14.0, 16.0), (4.0, 6.0, 14.0, 16.0))), "no_masks"),
    ],
)
def test_groups_and_boxes_are_left_out(tmp_path: Path, track: Track, reason: str) -> None:
    outcomes, _ = follow(tmp_path, {"a": [LEFT, LEFT]}, tracks=(track,))
    assert [outcome.reason for outcome in outcomes if isinstance(outcome, LedgerEntry)] == [reason, "no_objects"]


def test_of_a_crowded_clip_the_same_objects_are_drawn_each_time(tmp_path: Path) -> None:
    places: dict[str, Sequence[Square | None]] = {name: [(x, 4, x + 4, 8)] * 2 for x, name in enumerate("abcdefgh")}
    drawn = []
    for seed in (0, 0, 1):
        outcomes, _ = follow(tmp_path, places, max_objects=2, seed=seed)
        drawn.append([outcome.id for outcome in outcomes if isinstance(outcome, Example)])
        assert [outcome.reason for outcome in outcomes if isinstance(outcome, LedgerEntry)] == ["not_drawn"] * 6
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(drawn[0]) == 2
