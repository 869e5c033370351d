"""Which boxes may be compared."""

from pathlib import Path

import msgspec
import pytest

from sightline.tasks.clips import SeenClip
from sightline.tasks.relations.facts import find_facts, ledger_of
from sightline.tasks.relations.options import RelationOptions
from sightline.tasks.relations.standing import incomparable, standings
from tests.tasks.relations.clips import Track_, coded

OPTIONS = RelationOptions()


def _reasons(boxes: Track_, options: RelationOptions = OPTIONS, annotated: tuple[int, ...] | None = None) -> list[str]:
    seen = SeenClip(coded({"a": boxes}, annotated=annotated, pictures=False), Path("/"))
    return [place.reason for place in standings(seen, options).of["a"]]


def test_a_tiny_box_is_too_small() -> None:
    # 0.001 of 100 x 60 pixels are 6
    assert _reasons([(10, 10, 15, 11), (10, 10, 13, 12), (10, 10, 40, 40)]) == ["too_small", "", ""]


def test_a_box_at_the_border_is_compared_with_the_object_in_full_view() -> None:
    whole, half, less = (10, 10, 30, 40), (0, 10, 10, 40), (0, 10, 9, 40)  # areas 600, 300, 270
    assert _reasons([whole, half, less]) == ["", "", "truncated"]


def test_without_a_full_view_the_largest_box_stands_for_the_whole() -> None:
    assert _reasons([(0, 10, 20, 40), (0, 10, 9, 40)]) == ["", "truncated"]  # 270 is less than half of 600


def test_absent_and_unlabelled_are_told_apart() -> None:
    assert _reasons([(10, 10, 30, 40), None, None], annotated=(0, 1)) == ["", "absent", "unlabelled"]


@pytest.mark.parametrize(
    ("other", "reason"),
    [([(12, 12, 18, 18)] * 4, "part_whole"), ([(10, 10, 30, 41)] * 4, "equal_boxes"), ([(60, 10, 80, 40)] * 4, "")],
)
def test_part_and_whole_and_equal_boxes_are_no_pair(other: Track_, reason: str) -> None:
    seen = SeenClip(coded({"a": [(10, 10, 30, 40)] * 4, "b": other}, pictures=False), Path("/"))
    found = standings(seen, OPTIONS).of
    assert incomparable(found["a"], found["b"], OPTIONS) == reason


def test_passing_in_front_for_a_moment_makes_no_part() -> None:
    seen = SeenClip(
        coded({"a": [(10, 10, 40, 50)] * 4, "b": [(20, 20, 30, 30), *[(60, 20, 70, 30)] * 3]}, pictures=False), Path("/")
    )
    found = standings(seen, OPTIONS).of
    assert incomparable(found["a"], found["b"], OPTIONS) == ""  # 1 of 4 frames, 25 % are allowed


def test_groups_are_left_out_and_named() -> None:
    clip = coded({"a": [(10, 10, 30, 40)], "b": [(60, 10, 80, 40)]}, pictures=False)
    clip = msgspec.structs.replace(clip, tracks=(clip.tracks[0], msgspec.structs.replace(clip.tracks[1], crowd=True)))
    facts = find_facts(SeenClip(clip, Path("/")), OPTIONS)
    assert list(facts.standings.of) == ["a"]
    assert {entry.unit: entry.reason for entry in ledger_of(facts)}["clip/b"] == "crowd"
