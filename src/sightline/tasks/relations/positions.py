"""Objects that a position singles out in one frame: the n-th from a side among a list, the n-th to a side of a reference, and the
one of a class in a third of the picture. What `relation_box` and `relation_track` ask for.

Counted is only among objects that the question lists, or among a class of which every object is labelled in the frame: something
that nobody labelled may stand between any two others. A rank that nothing has is asked for, too (answer: none), but not of an
order among listed objects, where counting the words of the question would tell.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from sightline.geometry.boxes import Box
from sightline.tasks.crossview import order_key
from sightline.tasks.relations.asking import ClipAsker, Evidence
from sightline.tasks.relations.cast import Cast
from sightline.tasks.relations.opening import drop
from sightline.tasks.relations.rules import SIDES, Side, beside, third_of
from sightline.tasks.relations.words import listed, rank_word
from sightline.types import LedgerEntry


class Position(NamedTuple):
    """One side of a twin set: what is asked, and the object it means (None: nothing is there). `kind` is order, beside or class."""

    key: str
    kind: str
    side: Side
    frame: int
    target: str | None
    cast: Cast
    values: dict[str, str]
    boxes: dict[str, Box]
    evidence: Evidence


class Listing(NamedTuple):
    """The objects of a question at a frame, and how they are called."""

    frame: int
    ids: tuple[str, ...]
    cast: Cast
    boxes: dict[str, Box]


def positions(
    asker: ClipAsker, frames: Iterable[int], shown: tuple[int, ...] = ()
) -> Iterator[tuple[Position, Position] | LedgerEntry]:
    """The pairs of questions (left and right) at some of these frames. `shown` are the frames of the clip that is shown, () for one
    picture."""
    crowded = [frame for frame in frames if len(asker.facts.comparable(list(asker.facts.standings.boxes(frame)))) > 1]
    reasons: Counter[str] = Counter()
    for frame in asker.some_frames(crowded, f"positions/{len(shown)}"):
        listing = _listing(asker, frame, shown)
        if isinstance(listing, LedgerEntry):
            yield listing
            continue
        yield from _orders(asker, listing, reasons)
        for reference in listing.ids:
            yield from _besides(asker, listing, reference, reasons)
    for reason, number in reasons.items():
        yield drop(asker, "positions", reason, f"{number} orders or references")


def _listing(asker: ClipAsker, frame: int, shown: tuple[int, ...]) -> Listing | LedgerEntry:
    """The objects that are listed: all that may be compared, or where they are too many those that a hash chooses."""
    ids = asker.facts.comparable(list(asker.facts.standings.boxes(frame)))
    drawn = sorted(ids, key=lambda name: order_key(asker.options.seed, f"listed/{asker.seen.clip.clip_id}/{frame}/{name}"))
    chosen = tuple(drawn[: asker.options.max_listed])
    cast = asker.casting.cast(chosen, shown or (frame,))
    if isinstance(cast, str):
        unit = f"{'-'.join(sorted(chosen))}/{asker.seen.clip.frames[frame].frame_id}"
        return drop(asker, unit, cast, "the objects cannot be referred to")
    return Listing(frame, chosen, cast, asker.facts.standings.boxes(frame, chosen))


def _orders(asker: ClipAsker, listing: Listing, reasons: Counter[str]) -> Iterator[tuple[Position, Position]]:
    order = asker.facts.order(listing.frame, listing.ids, asker.options)
    if order.reason:
        reasons[order.reason] += 1
        return
    for rank in range(1, min(len(order.ids), asker.options.max_rank) + 1):
        targets = {"left": order.ids[rank - 1], "right": order.ids[-rank]}
        key = f"order-{_frame_id(asker, listing)}-{rank}"
        evidence: Evidence = {"rule": "ord", "slack": order.slack, "threshold": asker.options.rank_gap}
        left, right = (_position(asker, listing, key, rank, (side, targets[side]), evidence=evidence) for side in SIDES)
        yield left, right


def _besides(asker: ClipAsker, listing: Listing, reference: str, reasons: Counter[str]) -> Iterator[tuple[Position, Position]]:
    found = beside(reference, listing.boxes, width=asker.facts.standings.width(listing.frame), options=asker.options)
    for order in found.values():
        if order.reason:
            reasons[order.reason] += 1
            return
    counts = {side: len(order.ids) for side, order in found.items()}
    most = max(counts.values()) + (counts["left"] == counts["right"])
    for rank in range(1, min(most, asker.options.max_rank) + 1):
        key = f"beside-{reference}-{_frame_id(asker, listing)}-{rank}"
        both: list[Position] = []
        for side, order in found.items():
            target = order.ids[rank - 1] if rank <= len(order.ids) else None
            evidence: Evidence = {
                "rule": "beside_soft" if asker.options.strictness == "soft" else "beside",
                "b": reference,
                "slack": min(one.slack for one in found.values()),
                "threshold": asker.options.soft_gap if asker.options.strictness == "soft" else asker.options.margin,
            }
            both.append(_position(asker, listing, key, rank, (side, target), evidence=evidence))
        yield both[0], both[1]


def _position(
    asker: ClipAsker, listing: Listing, key: str, rank: int, found: tuple[Side, str | None], *, evidence: Evidence
) -> Position:
    side, target = found
    reference = evidence.get("b")
    values = {
        "side": side,
        "rank": rank_word(rank),
        "list": listed(listing.cast.all([name for name in listing.ids if name != reference])),
        "where": asker.where(listing.frame, listing.cast),
        "time": f"at {asker.time_s(listing.frame):.1f} seconds",
    }
    if isinstance(reference, str):
        values["reference"] = listing.cast.phrases[reference]
    more: Evidence = {"frame": listing.frame, "side": side, "rank": rank, "listed": json.dumps(listing.ids), "a": target or ""}
    kind = "order" if reference is None else "beside"
    return Position(key, kind, side, listing.frame, target, listing.cast, values, listing.boxes, evidence | more)


def _frame_id(asker: ClipAsker, listing: Listing) -> str:
    return asker.seen.clip.frames[listing.frame].frame_id


def classes(asker: ClipAsker) -> Iterator[tuple[Position, Position] | LedgerEntry]:
    """The one of a class in the left and in the right third of a picture in which all of the class are labelled and comparable."""
    for category in sorted(set(asker.seen.clip.exhaustive)):
        ids = tuple(track.object_id for track in asker.seen.tracks if track.track.category == category)
        crowd = any(asker.seen.track(name).track.crowd for name in ids)
        if not ids or crowd:
            continue
        frames = [frame for frame in asker.shown if all(_is_sure(asker, name, frame) for name in ids)]
        told = [frame for frame in frames if asker.facts.standings.boxes(frame, ids)]
        for frame in asker.some_frames(told, f"class/{category}"):
            found = _class(asker, category, ids, frame)
            if isinstance(found, str):
                yield drop(asker, f"{category}/{asker.seen.clip.frames[frame].frame_id}", found, f"{len(ids)} of the class")
            else:
                yield found


def _is_sure(asker: ClipAsker, name: str, frame: int) -> bool:
    return asker.facts.standings.of[name][frame].reason in ("", "absent")


def _class(asker: ClipAsker, category: str, ids: tuple[str, ...], frame: int) -> tuple[Position, Position] | str:
    """The questions for both thirds, or the reason why there are none: `third_buffer`, `several_in_third`, `none_in_thirds`."""
    width, boxes = asker.facts.standings.width(frame), asker.facts.standings.boxes(frame, ids)
    rulings = {name: third_of(box, width=width, options=asker.options) for name, box in boxes.items()}
    if any(ruling.label is None for ruling in rulings.values()):
        return "third_buffer"
    inside = {side: [name for name, ruling in rulings.items() if ruling.label == side] for side in SIDES}
    if max(len(found) for found in inside.values()) > 1:
        return "several_in_third"
    if not any(inside.values()):
        return "none_in_thirds"
    both: list[Position] = []
    for side in SIDES:
        target = next(iter(inside[side]), None)
        evidence: Evidence = {
            "rule": "class_third_soft" if asker.options.strictness == "soft" else "class_third",
            "frame": frame,
            "a": target or "",
            "side": side,
            "class": category,
            "listed": json.dumps(ids),
            "slack": min(ruling.slack for ruling in rulings.values()),
            "threshold": asker.options.buffer,
        }
        values = {"class": category, "side": side, "where": "in this picture"}
        key = f"class-{category}-{asker.seen.clip.frames[frame].frame_id}"
        both.append(Position(key, "class", side, frame, target, Cast({}, "name"), values, boxes, evidence))
    return both[0], both[1]
