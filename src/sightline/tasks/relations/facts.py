"""All that the rules say of one clip: the course of every pair, the thirds of every object, the orders, and who leads.

Nothing here knows of questions or pictures; the tasks and the export for the box-Sa2VA pipeline both choose from it. What is
dropped is counted by reason, for the ledger and for the table of counts:

    of an object's frames    absent, unlabelled, too_small, truncated; of its thirds: third_buffer
    of a pair                part_whole, equal_boxes (then nothing is said of it), crowd
    of a pair's frames       neutral_band
    of a pair's course       too_few_covisible, never_asserted, mostly_neutral, short_run
    of an order's frames     rank_gap
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import NamedTuple

from sightline.tasks.clips import SeenClip
from sightline.tasks.relations.options import RelationOptions
from sightline.tasks.relations.rules import NEITHER, SIDES, Order, Ruling, Side, leader, order_of, side_of, third_of
from sightline.tasks.relations.standing import Standings, incomparable, standings
from sightline.tasks.relations.timeline import Run, Timeline, trace
from sightline.types import LedgerEntry


class Pair(NamedTuple):
    """Two objects over the clip: on which side of `b` each frame's rule puts `a`; None where they are not both there."""

    a: str
    b: str
    rulings: tuple[Ruling | None, ...]
    timeline: Timeline

    @property
    def unit(self) -> str:
        return f"{self.a}-{self.b}"


class Thirds(NamedTuple):
    """The third in which an object is, frame by frame; None where it may not be compared."""

    object_id: str
    rulings: tuple[Ruling | None, ...]
    timeline: Timeline


class Rejected(NamedTuple):
    """A pair of which nothing is said."""

    a: str
    b: str
    reason: str


class Facts(NamedTuple):
    """`pairs` have a before b in the sorted list of objects; `thirds` are by object."""

    clip_id: str
    standings: Standings
    pairs: tuple[Pair, ...]
    rejected: tuple[Rejected, ...]
    thirds: dict[str, Thirds]

    def comparable(self, ids: Sequence[str]) -> tuple[str, ...]:
        """The objects of a list without rejected pairs, sorted: the one in most of them goes first, of equals the last one."""
        kept = sorted(ids)
        while True:
            clashes = Counter(name for pair in self.rejected if pair.a in kept and pair.b in kept for name in (pair.a, pair.b))
            if not clashes:
                return tuple(kept)
            kept.remove(max(clashes, key=lambda name: (clashes[name], name)))

    def order(self, frame: int, ids: Sequence[str], options: RelationOptions) -> Order:
        """The order of a list of objects in a frame in which all of them may be compared."""
        boxes = self.standings.boxes(frame, ids)
        return order_of(boxes, width=self.standings.width(frame), options=options)

    def leader(self, frame: int, ids: Sequence[str], side: Side, options: RelationOptions) -> Ruling | None:
        """Who of the list leads in a frame; None where fewer than two are there, or one that is there may not be compared."""
        boxes = self.standings.boxes(frame, ids)
        unsure = any(self.standings.of[name][frame].reason not in ("", "absent") for name in ids)
        if unsure or len(boxes) < 2:
            return None
        return leader(boxes, side, width=self.standings.width(frame), options=options)

    def leads(self, ids: Sequence[str], side: Side, options: RelationOptions) -> Timeline:
        """Who leads over the clip; a change of the leader is a change of label."""
        rulings = [self.leader(frame, ids, side, options) for frame in range(len(self.standings.labelled))]
        labels = [None if ruling is None else ruling.label for ruling in rulings]
        covisible = [ruling is not None for ruling in rulings]
        return trace(labels, covisible, self.standings.labelled, options)


def find_facts(seen: SeenClip, options: RelationOptions) -> Facts:
    """Apply every rule to every frame, object and pair of a clip."""
    standing = standings(seen, options)
    pairs: list[Pair] = []
    rejected: list[Rejected] = []
    for a, b in combinations(sorted(standing.of), 2):
        reason = incomparable(standing.of[a], standing.of[b], options)
        if reason:
            rejected.append(Rejected(a, b, reason))
        else:
            pairs.append(_pair(a, b, standing, options))
    thirds = {name: _thirds(name, standing, options) for name in standing.of}
    return Facts(seen.clip.clip_id, standing, tuple(pairs), tuple(rejected), thirds)


def _pair(a: str, b: str, standing: Standings, options: RelationOptions) -> Pair:
    rulings: list[Ruling | None] = []
    for frame in range(len(standing.labelled)):
        one, other = standing.of[a][frame].box, standing.of[b][frame].box
        if one is None or other is None:
            rulings.append(None)
        else:
            rulings.append(side_of(one, other, width=standing.width(frame), options=options))
    return Pair(a, b, tuple(rulings), _traced(rulings, standing, options))


def _thirds(name: str, standing: Standings, options: RelationOptions) -> Thirds:
    boxes = [place.box for place in standing.of[name]]
    rulings = [
        None if box is None else third_of(box, width=standing.width(frame), options=options) for frame, box in enumerate(boxes)
    ]
    return Thirds(name, tuple(rulings), _traced(rulings, standing, options))


def _traced(rulings: Sequence[Ruling | None], standing: Standings, options: RelationOptions) -> Timeline:
    labels = [None if ruling is None or ruling.label == NEITHER else ruling.label for ruling in rulings]
    return trace(labels, [ruling is not None for ruling in rulings], standing.labelled, options)


def run_is_closed(facts: Facts, pair: Pair, *, first: int, last: int) -> bool:
    """Whether it is known that a pair's run does not go on: beside it the clip ends, a frame says otherwise, or one is absent."""
    labelled = [frame for frame, known in enumerate(facts.standings.labelled) if known]
    beside = [frame for frame in (labelled.index(first) - 1, labelled.index(last) + 1) if 0 <= frame < len(labelled)]
    return all(
        pair.rulings[labelled[place]] is not None
        or any(facts.standings.of[name][labelled[place]].reason == "absent" for name in (pair.a, pair.b))
        for place in beside
    )


def run_end(facts: Facts, run: Run) -> int:
    """The frame at which a run has ended: the next labelled one, or the number of frames."""
    return next(
        (frame for frame in range(run.last + 1, len(facts.standings.labelled)) if facts.standings.labelled[frame]),
        len(facts.standings.labelled),
    )


def count(facts: Facts, options: RelationOptions) -> Counter[str]:
    """How much of each relation the clip holds and what was dropped, by stable names (`kind/name`)."""
    found: Counter[str] = Counter({"clips": 1, "objects": len(facts.standings.of), "crowd": len(facts.standings.crowds)})
    found["labelled_frames"] = sum(facts.standings.labelled)
    for name, places in facts.standings.of.items():
        frames = [place for place, known in zip(places, facts.standings.labelled, strict=True) if known]
        found.update(f"object_frame/{place.reason or 'usable'}" for place in frames)
        found.update(f"third/{ruling.label or ruling.reason}" for ruling in facts.thirds[name].rulings if ruling is not None)
    for pair in facts.pairs:
        found["pairs"] += 1
        found.update(f"pair_frame/{ruling.label or ruling.reason}" for ruling in pair.rulings if ruling is not None)
        found[f"course/{pair.timeline.course or pair.timeline.reason}"] += 1
    found.update(f"pair/{pair.reason}" for pair in facts.rejected)
    found.update(_orders(facts, options))
    return found


def _orders(facts: Facts, options: RelationOptions) -> Counter[str]:
    found: Counter[str] = Counter()
    for frame, known in enumerate(facts.standings.labelled):
        ids = facts.comparable(list(facts.standings.boxes(frame))) if known else ()
        if len(ids) >= 2:
            found[f"order_frame/{facts.order(frame, ids, options).reason or 'decided'}"] += 1
    ids = facts.comparable(list(facts.standings.of))
    for side in SIDES if len(ids) >= 2 else ():
        timeline = facts.leads(ids, side, options)
        found[f"leader/{timeline.course or timeline.reason}"] += 1
    return found


def ledger_of(facts: Facts) -> Iterator[LedgerEntry]:
    """What was dropped before any question: one entry an object or pair and reason, with how often."""
    for name in facts.standings.crowds:
        yield LedgerEntry(unit=f"{facts.clip_id}/{name}", reason="crowd", detail="the region covers a group")
    for name, places in facts.standings.of.items():
        yield from _entries(
            facts, name, Counter(place.reason for place in places if place.reason not in ("", "absent", "unlabelled"))
        )
        buffers = Counter(ruling.reason for ruling in facts.thirds[name].rulings if ruling is not None and ruling.reason)
        yield from _entries(facts, name, buffers)
    for rejected in facts.rejected:
        detail = "their boxes lie in or on each other too often"
        yield LedgerEntry(unit=f"{facts.clip_id}/{rejected.a}-{rejected.b}", reason=rejected.reason, detail=detail)
    for pair in facts.pairs:
        yield from _entries(
            facts, pair.unit, Counter(ruling.reason for ruling in pair.rulings if ruling is not None and ruling.reason)
        )
        if pair.timeline.reason:
            detail = f"{pair.timeline.num_covisible} common frames, runs: {', '.join(map(str, pair.timeline.runs[:8])) or 'none'}"
            yield LedgerEntry(unit=f"{facts.clip_id}/{pair.unit}", reason=pair.timeline.reason, detail=detail)


def _entries(facts: Facts, unit: str, counts: Counter[str]) -> Iterator[LedgerEntry]:
    for reason, number in counts.items():
        detail = f"{number} of {len(facts.standings.labelled)} frames"
        yield LedgerEntry(unit=f"{facts.clip_id}/{unit}", reason=reason, detail=detail)
