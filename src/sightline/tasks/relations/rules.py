"""What holds between boxes in one frame: pure functions of boxes and the picture's width.

A ruling has a label where the rule is sure, and otherwise none and the reason: nothing near a threshold is asserted. Left and right
are those of the picture, as its viewer sees them; nothing is said of what an object faces or of where it is in space.
"""

from collections.abc import Mapping
from itertools import pairwise
from typing import Literal, NamedTuple

from sightline.geometry.boxes import Box, box_area, box_centre
from sightline.tasks.relations.options import RelationOptions

Side = Literal["left", "right"]
SIDES: tuple[Side, Side] = ("left", "right")
NEITHER = "neither"


class Ruling(NamedTuple):
    """`label`: left, centre, right, neither, or None with the `reason`. `slack`: by how much of the width the rule holds beyond its
    threshold (below 0: is missed by)."""

    label: str | None
    slack: float
    reason: str = ""


def opposite(side: Side) -> Side:
    return "right" if side == "left" else "left"


def side_of(a: Box, b: Box, *, width: int, options: RelationOptions) -> Ruling:
    """On which side of `b` the box `a` lies.

    Strict: all of `a` ends `margin` before `b` begins. "neither" only where they lie plainly one above the other (`soft_overlap` of
    the narrower one's width); what is between the two is in the neutral band.
    """
    shared = (min(a[2], b[2]) - max(a[0], b[0])) / min(a[2] - a[0], b[2] - b[0])
    offset = (box_centre(b)[0] - box_centre(a)[0]) / width
    if options.strictness == "soft":
        slack = abs(offset) - options.soft_gap
        if slack > 0 and shared < options.soft_overlap:
            return Ruling("left" if offset > 0 else "right", slack)
    else:
        slack = max(b[0] - a[2], a[0] - b[2]) / width - options.margin
        if a[2] + options.margin * width <= b[0]:
            return Ruling("left", slack)
        if b[2] + options.margin * width <= a[0]:
            return Ruling("right", slack)
    if shared >= options.soft_overlap:
        return Ruling(NEITHER, shared - options.soft_overlap)
    return Ruling(None, slack, "neutral_band")


def third_of(box: Box, *, width: int, options: RelationOptions) -> Ruling:
    """In which third of the picture a box lies: wholly, and at least `buffer` from the lines between the thirds.

    Soft: the third of its centre, at least `buffer` from the lines. "neither" where it lies across a line with `buffer` on both
    sides.
    """
    lines = (width / 3, 2 * width / 3)
    buffer = options.buffer * width
    left, right = (box_centre(box)[0],) * 2 if options.strictness == "soft" else (box[0], box[2])
    slack = min(abs(edge - line) for edge in (left, right) for line in lines) / width - options.buffer
    if any(box[0] + buffer <= line <= box[2] - buffer for line in lines) and options.strictness == "strict":
        return Ruling(NEITHER, slack)
    if right + buffer <= lines[0]:
        return Ruling("left", slack)
    if left - buffer >= lines[1]:
        return Ruling("right", slack)
    if left - buffer >= lines[0] and right + buffer <= lines[1]:
        return Ruling("centre", slack)
    return Ruling(None, slack, "third_buffer")


class Order(NamedTuple):
    """Objects from left to right; none where two neighbours are too close to be told apart."""

    ids: tuple[str, ...]
    slack: float
    reason: str = ""


def order_of(boxes: Mapping[str, Box], *, width: int, options: RelationOptions) -> Order:
    """The objects by the centres of their boxes; neighbours differ by more than `rank_gap`."""
    ids = sorted(boxes, key=lambda name: (box_centre(boxes[name])[0], name))
    centres = [box_centre(boxes[name])[0] for name in ids]
    gaps = [(after - before) / width for before, after in pairwise(centres)]
    slack = min(gaps, default=1.0) - options.rank_gap
    return Order(tuple(ids), slack) if slack > 0 else Order((), slack, "rank_gap")


def beside(reference: str, boxes: Mapping[str, Box], *, width: int, options: RelationOptions) -> dict[Side, Order]:
    """The objects on each side of the reference, the nearest first; a side is undecided where any object is in the neutral band."""
    sides: dict[Side, dict[str, Box]] = {"left": {}, "right": {}}
    slacks: list[float] = []
    for name, box in boxes.items():
        if name == reference:
            continue
        ruling = side_of(box, boxes[reference], width=width, options=options)
        if ruling.label is None:
            return {side: Order((), ruling.slack, ruling.reason) for side in SIDES}
        slacks.append(ruling.slack)
        for side in SIDES:
            if ruling.label == side:
                sides[side][name] = box
    found: dict[Side, Order] = {}
    for side, members in sides.items():
        order = order_of(members, width=width, options=options)
        ids = order.ids[::-1] if side == "left" else order.ids
        found[side] = Order(ids, min([order.slack, *slacks]), order.reason)
    return found


def leader(boxes: Mapping[str, Box], side: Side, *, width: int, options: RelationOptions) -> Ruling:
    """Which object is the outermost one on a side (its id is the label): its centre is more than `rank_gap` beyond the next."""
    sign = 1 if side == "left" else -1
    first, second = sorted((sign * box_centre(box)[0], name) for name, box in boxes.items())[:2]
    slack = (second[0] - first[0]) / width - options.rank_gap
    return Ruling(first[1], slack) if slack > 0 else Ruling(None, slack, "rank_gap")


def overlap(a: Box, b: Box) -> tuple[float, float]:
    """Intersection over union, and the share of the smaller box that lies in the other."""
    common = max(min(a[2], b[2]) - max(a[0], b[0]), 0.0) * max(min(a[3], b[3]) - max(a[1], b[1]), 0.0)
    areas = box_area(a), box_area(b)
    return common / (sum(areas) - common), common / min(areas)
