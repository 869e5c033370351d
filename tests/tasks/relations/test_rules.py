"""What is asserted in one frame, at and beside every threshold. Pictures are 100 pixels wide: a pixel is 0.01."""

import pytest

from sightline.geometry.boxes import Box
from sightline.tasks.relations.options import RelationOptions
from sightline.tasks.relations.rules import beside, leader, order_of, overlap, side_of, third_of

STRICT = RelationOptions()
SOFT = RelationOptions(strictness="soft")


def _at(x0: float, x1: float) -> Box:
    return float(x0), 10.0, float(x1), 20.0


@pytest.mark.parametrize(
    ("a", "b", "label"),
    [
        (_at(10, 20), _at(22, 30), "left"),  # 20 + 2 <= 22
        (_at(10, 20), _at(21.9, 30), None),  # a gap of 1.9 is in the neutral band
        (_at(22, 30), _at(10, 20), "right"),
        (_at(10, 30), _at(15, 20), "neither"),  # all of the narrower one
        (_at(10, 20), _at(17, 27), "neither"),  # 3 of 10 shared
        (_at(10, 20), _at(18, 28), None),  # 2 of 10
    ],
)
def test_left_and_right_need_a_gap_and_neither_an_overlap(a: Box, b: Box, label: str | None) -> None:
    assert side_of(a, b, width=100, options=STRICT).label == label


def test_left_has_the_smaller_x() -> None:
    assert side_of(_at(0, 5), _at(90, 95), width=100, options=STRICT).label == "left"


def test_slack_is_the_gap_beyond_the_margin() -> None:
    assert side_of(_at(10, 20), _at(30, 40), width=100, options=STRICT).slack == pytest.approx(0.08)  # 10 - 2 pixels


@pytest.mark.parametrize(
    ("a", "b", "label"),
    [
        (_at(10, 20), _at(18, 28), "left"),  # centres 8 apart, 2 of 10 shared
        (_at(10, 20), _at(17, 27), "neither"),
        (_at(10, 12), _at(14, 17), None),  # centres 11 and 15.5: 4.5 apart
    ],
)
def test_soft_rules_compare_centres(a: Box, b: Box, label: str | None) -> None:
    assert side_of(a, b, width=100, options=SOFT).label == label


@pytest.mark.parametrize(
    ("box", "strict", "soft"),
    [
        (_at(5, 28), "left", "left"),  # 28 + 5 <= 33.3
        (_at(5, 29), None, "left"),
        (_at(39, 61), "centre", "centre"),
        (_at(72, 95), "right", "right"),
        (_at(28, 39), "neither", None),  # 5.3 and 5.7 beyond the line; its centre is on it
        (_at(0, 100), "neither", "centre"),
        (_at(30, 36), None, None),
    ],
)
def test_thirds_keep_away_from_their_lines(box: Box, strict: str | None, soft: str | None) -> None:
    assert third_of(box, width=100, options=STRICT).label == strict
    assert third_of(box, width=100, options=SOFT).label == soft


def test_an_order_needs_gaps_between_all_neighbours() -> None:
    boxes = {"c": _at(60, 70), "a": _at(10, 20), "b": _at(14, 23)}  # centres 65, 15, 18.5
    assert order_of(boxes, width=100, options=STRICT).ids == ("a", "b", "c")
    close = boxes | {"b": _at(12, 24)}  # centre 18: exactly 3 from the next
    assert order_of(close, width=100, options=STRICT) == ((), pytest.approx(0.0), "rank_gap")


def test_beside_a_reference_the_nearest_is_first() -> None:
    boxes = {"r": _at(50, 55), "far": _at(5, 10), "near": _at(30, 40), "east": _at(80, 90), "over": _at(49, 56)}
    found = beside("r", boxes, width=100, options=STRICT)
    assert found["left"].ids == ("near", "far")
    assert found["right"].ids == ("east",)


def test_one_object_near_the_threshold_makes_both_sides_undecided() -> None:
    boxes = {"r": _at(50, 60), "close": _at(61, 70), "far": _at(5, 10)}
    assert [order.reason for order in beside("r", boxes, width=100, options=STRICT).values()] == ["neutral_band", "neutral_band"]


def test_a_leader_is_a_rank_gap_ahead() -> None:
    boxes = {"a": _at(10, 20), "b": _at(14, 24), "c": _at(80, 90)}  # centres 15, 19, 85
    assert leader(boxes, "left", width=100, options=STRICT).label == "a"
    assert leader(boxes, "right", width=100, options=STRICT).label == "c"
    assert leader(boxes | {"b": _at(12, 22)}, "left", width=100, options=STRICT).label is None


def test_overlap_is_iou_and_the_share_of_the_smaller() -> None:
    assert overlap((0.0, 0.0, 10.0, 10.0), (5.0, 0.0, 15.0, 10.0)) == (pytest.approx(50 / 150), 0.5)
    assert overlap((0.0, 0.0, 10.0, 10.0), (2.0, 2.0, 4.0, 4.0)) == (0.04, 1.0)
