"""`relation_switch`: in each frame the box of whoever is leftmost (twin: rightmost) of the listed objects at that moment.

Asked only if on one of the two sides somebody else takes over in the frames that are shown. Frames in which two are too close to
call, or in which one of the listed objects is there but may not be compared, are not scored; nor are those with fewer than two of
them.
"""

import json
from collections.abc import Iterator

from sightline.tasks.clips import SeenClip
from sightline.tasks.crossview import Outcome
from sightline.tasks.footage import ClipOptions
from sightline.tasks.pictures import Studio
from sightline.tasks.relations.asking import Asked, ClipAsker, TwinSet
from sightline.tasks.relations.cast import Cast
from sightline.tasks.relations.opening import drop, film, open_clip, pose_found
from sightline.tasks.relations.rules import SIDES, Ruling, Side
from sightline.tasks.relations.timeline import find_runs
from sightline.tasks.relations.words import listed
from sightline.types import AnswerForm, BoxTrack, LedgerEntry, ObjectTruth

TASK = "relation_switch"


def relation_switch(seen: SeenClip, studio: Studio, options: ClipOptions) -> Iterator[Outcome]:
    """`relation_switch` examples of a clip."""
    yield from pose_found(open_clip(seen, studio, options), TASK, lambda asker: [_set(asker)])


def _set(asker: ClipAsker) -> TwinSet | LedgerEntry:
    ids = asker.facts.comparable(list(asker.facts.standings.of))[: asker.options.max_listed]
    unit = "-".join(ids)
    if len(ids) < 2:
        return drop(asker, unit, "too_few_objects", "a switch needs two objects that may be compared")
    frames = film(asker)
    if isinstance(frames, LedgerEntry):
        return frames
    leaders = {side: [asker.facts.leader(frame, ids, side, asker.options) for frame in frames] for side in SIDES}
    decided = {side: {ruling.label for ruling in found if ruling is not None and ruling.label} for side, found in leaders.items()}
    if not all(decided.values()) or max(len(found) for found in decided.values()) < 2:
        return drop(asker, unit, "no_switch", "in the frames shown nobody is decided to take over on either side")
    cast = asker.casting.cast(ids, frames)
    if isinstance(cast, str):
        return drop(asker, unit, cast, "the objects cannot be referred to")
    return TwinSet("switch", tuple(_ask(asker, ids, side, leaders[side], (cast, frames)) for side in SIDES))


def _ask(
    asker: ClipAsker, ids: tuple[str, ...], side: Side, leaders: list[Ruling | None], shown: tuple[Cast, tuple[int, ...]]
) -> Asked:
    cast, frames = shown
    decided = [
        (place, frames[place], ruling) for place, ruling in enumerate(leaders) if ruling is not None and ruling.label is not None
    ]
    boxes = [asker.facts.standings.boxes(frame, ids) for frame in frames]
    entries = {place: boxes[place][str(ruling.label)] for place, _, ruling in decided}
    everyone = [asker.facts.leader(frame, ids, side, asker.options) for frame in range(len(asker.facts.standings.labelled))]
    runs = find_runs([None if ruling is None else ruling.label for ruling in everyone], asker.facts.standings.labelled)
    surest = max(decided, key=lambda one: (one[2].slack, -one[1]))
    scored = tuple(place for place, _, _ in decided)
    return Asked(
        tail=side,
        kind="switch",
        values={"side": side, "extreme": f"{side}most", "list": listed(cast.all(ids))},
        defined="order",
        cast=cast,
        frames=frames,
        form=AnswerForm(shape="box_track", image_index=0),
        answer=BoxTrack(frames=tuple((entries[place],) if place in entries else () for place in range(len(frames)))),
        object_id="-".join(dict.fromkeys(str(ruling.label) for _, _, ruling in decided)),
        boxes=boxes[surest[0]],
        objects=_parts(decided, entries, len(frames)),
        scored=None if len(scored) == len(frames) else scored,
        evidence={
            "rule": "leader",
            "frame": surest[1],
            "side": side,
            "listed": json.dumps(ids),
            "slack": surest[2].slack,
            "threshold": asker.options.rank_gap,
            "leaders": "; ".join(str(run) for run in runs),
        },
    )


def _parts(
    decided: list[tuple[int, int, Ruling]], entries: dict[int, tuple[float, float, float, float]], num_frames: int
) -> tuple[ObjectTruth, ...]:
    """Each leader with its boxes in the frames where it leads."""
    leading = {place: str(ruling.label) for place, _, ruling in decided}
    return tuple(
        ObjectTruth(
            object_id=name, boxes=tuple(entries[place] if leading.get(place) == name else None for place in range(num_frames))
        )
        for name in dict.fromkeys(leading.values())
    )
