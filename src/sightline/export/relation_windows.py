"""Which expressions of the box-Sa2VA pipeline's form hold in a clip, when, and in which window of frames most of them do.

Frames are counted among the labelled ones here.
"""

from collections.abc import Iterator, Sequence

from sightline.geometry.boxes import Box
from sightline.tasks.clips import SeenClip
from sightline.tasks.crossview import order_key
from sightline.tasks.relations.facts import Facts, count, find_facts, ledger_of
from sightline.tasks.relations.options import RelationOptions
from sightline.tasks.relations.rules import SIDES, beside
from sightline.tasks.relations.timeline import find_runs
from sightline.types import LedgerEntry, Record

Span = tuple[int, int]


class Claim(Record):
    """One expression: `left_2` of `target` (counted from `reference`), and the runs [first, last] for which it holds.

    Of a switch: its `frames`, who leads in each (`leader_at`), and the `leaders` in turn with the frames in which they start.
    """

    expression: str
    target: int = -1
    reference: int | None = None
    runs: tuple[Span, ...] = ()
    frames: tuple[int, ...] = ()
    leader_at: tuple[int, ...] = ()
    leaders: tuple[int, ...] = ()
    starts: tuple[int, ...] = ()


class ClipRelations(Record):
    """What a clip gives to the export. Objects are named by their place in `object_ids`; `boxes` are theirs, None where absent.
    `among` are the objects that are counted: no two of them are part and whole."""

    clip_id: str
    frame_ids: tuple[str, ...]
    object_ids: tuple[str, ...]
    boxes: tuple[tuple[Box | None, ...], ...]
    windows: dict[str, Span]
    absolute: tuple[Claim, ...]
    relative: tuple[Claim, ...]
    switch: Claim | None
    among: tuple[int, ...]
    counts: dict[str, int]
    ledger: tuple[LedgerEntry, ...]


def relations_of(seen: SeenClip, options: RelationOptions) -> ClipRelations:
    """The expressions of one clip, those outside of the windows left out."""
    facts = find_facts(seen, options)
    grid = tuple(frame for frame, known in enumerate(facts.standings.labelled) if known)
    frame_ids = tuple(seen.clip.frames[frame].frame_id for frame in grid)
    ledger = [*seen.ledger, *ledger_of(facts)]
    found: dict[str, tuple[Claim, ...]] = {"absolute": (), "relative": ()}
    windows: dict[str, Span] = {}
    counted = facts.comparable(list(facts.standings.of))
    switch = None
    if list(frame_ids) != sorted(set(frame_ids)):
        detail = "the pipeline sorts frames by name, which is not their order in time here"
        ledger.append(LedgerEntry(unit=seen.clip.clip_id, reason="frames_not_sorted", detail=detail))
    elif len(facts.standings.of) > 1:
        for kind, rule in (("absolute", _absolute), ("relative", _relative)):
            claims = list(rule(facts, grid, options))
            window = best_window(claims, options.min_covisible)
            found[kind] = tuple(claim for claim in claims if window and _holds(claim, window))
            windows |= {kind: window} if window else {}
            if len(claims) > len(found[kind]):
                detail = f"{len(claims) - len(found[kind])} of {len(claims)} {kind} expressions"
                ledger.append(LedgerEntry(unit=seen.clip.clip_id, reason="outside_window", detail=detail))
        switch = _switch(facts, grid, options)
    return ClipRelations(
        clip_id=seen.clip.clip_id,
        frame_ids=frame_ids,
        object_ids=tuple(facts.standings.of),
        boxes=tuple(tuple(places[frame].shown for frame in grid) for places in facts.standings.of.values()),
        windows=windows,
        absolute=found["absolute"],
        relative=found["relative"],
        switch=switch,
        among=tuple(place for place, name in enumerate(facts.standings.of) if name in counted),
        counts=dict(count(facts, options)),
        ledger=tuple(ledger),
    )


def best_window(claims: Sequence[Claim], min_frames: int) -> Span | None:
    """The run in which the most expressions hold, times its length; the earliest of equals; None if all are too short."""
    windows = {run for claim in claims for run in claim.runs if run[1] - run[0] + 1 >= min_frames}
    return max(
        sorted(windows),
        key=lambda window: sum(_holds(claim, window) for claim in claims) * (window[1] - window[0] + 1),
        default=None,
    )


def _holds(claim: Claim, window: Span) -> bool:
    return any(first <= window[0] and window[1] <= last for first, last in claim.runs)


def _everyone(facts: Facts, grid: Sequence[int]) -> list[dict[str, Box] | None]:
    """Frame by frame the boxes of all objects that are counted; None where one of them is there but may not be compared, or where
    there are fewer than two."""
    counted = facts.comparable(list(facts.standings.of))
    found: list[dict[str, Box] | None] = []
    for frame in grid:
        sure = all(facts.standings.of[name][frame].reason in ("", "absent") for name in counted)
        boxes = facts.standings.boxes(frame, counted)
        found.append(boxes if sure and len(boxes) > 1 else None)
    return found


def _absolute(facts: Facts, grid: Sequence[int], options: RelationOptions) -> Iterator[Claim]:
    """left_n and right_n among all objects."""
    orders = [
        () if boxes is None else facts.order(frame, list(boxes), options).ids
        for frame, boxes in zip(grid, _everyone(facts, grid), strict=True)
    ]
    for rank in range(1, options.max_rank + 1):
        for side in SIDES:
            place = rank - 1 if side == "left" else -rank
            yield from _claims(facts, f"{side}_{rank}", [order[place] if rank <= len(order) else None for order in orders])


def _relative(facts: Facts, grid: Sequence[int], options: RelationOptions) -> Iterator[Claim]:
    """left_n and right_n of each reference."""
    everyone = _everyone(facts, grid)
    for reference in facts.comparable(list(facts.standings.of)):
        found = [
            beside(reference, boxes, width=facts.standings.width(frame), options=options) if boxes and reference in boxes else None
            for frame, boxes in zip(grid, everyone, strict=True)
        ]
        for rank in range(1, options.max_rank + 1):
            for side in SIDES:
                orders = [() if sides is None else sides[side].ids for sides in found]
                targets = [order[rank - 1] if rank <= len(order) else None for order in orders]
                yield from _claims(facts, f"{side}_{rank}", targets, reference)


def _claims(facts: Facts, expression: str, targets: Sequence[str | None], reference: str | None = None) -> Iterator[Claim]:
    """One claim for each object that holds the place, with all of its runs."""
    place = list(facts.standings.of).index
    runs = find_runs(targets, [True] * len(targets))
    for target in dict.fromkeys(run.label for run in runs):
        yield Claim(
            expression=expression,
            target=place(target),
            reference=None if reference is None else place(reference),
            runs=tuple((run.first, run.last) for run in runs if run.label == target),
        )


def _switch(facts: Facts, grid: Sequence[int], options: RelationOptions) -> Claim | None:
    """Who leads, over the frames in which that is sure; on the side with more changes, of equals the one that a hash draws."""
    found: list[Claim] = []
    place = list(facts.standings.of).index
    everyone = _everyone(facts, grid)
    for side in sorted(SIDES, key=lambda side: order_key(options.seed, f"switch/{facts.clip_id}/{side}")):
        frames, leaders = [], []
        for number, frame in enumerate(grid):
            boxes = everyone[number]
            ruling = facts.leader(frame, list(boxes), side, options) if boxes else None
            if ruling is not None and ruling.label is not None:
                frames.append(number)
                leaders.append(place(ruling.label))
        starts = [k for k, leader in enumerate(leaders) if k == 0 or leader != leaders[k - 1]]
        if len(starts) > 1 and len(frames) >= options.min_covisible:
            found.append(
                Claim(
                    expression=f"{side}most",
                    frames=tuple(frames),
                    leader_at=tuple(leaders),
                    leaders=tuple(leaders[k] for k in starts),
                    starts=tuple(frames[k] for k in starts),
                )
            )
    return max(found, key=lambda claim: len(claim.starts), default=None)
