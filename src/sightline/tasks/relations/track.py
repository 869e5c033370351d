"""`relation_track`: the boxes over the clip of the object that a relation singles out.

    order, beside   at a named moment (the positions of `relation_box`); the object is then followed wherever it goes
    always          of several, the one that stays left of A for as long as both are there; twin: right of A. Asked only where the
                    others are plainly not: a candidate that is on that side in more than half of the common frames, but not always,
                    would be a matter of taste (`nearly_always`)

The truth is given in frames where the annotation says whether the object is there; the others are not scored.
"""

import json
from collections.abc import Iterator, Sequence

from sightline.tasks.clips import SeenClip
from sightline.tasks.crossview import Outcome
from sightline.tasks.footage import ClipOptions
from sightline.tasks.pictures import Studio
from sightline.tasks.relations.asking import Asked, ClipAsker, TwinSet
from sightline.tasks.relations.box import defined
from sightline.tasks.relations.cast import Cast
from sightline.tasks.relations.facts import Pair
from sightline.tasks.relations.opening import drop, open_clip, pose_filmed
from sightline.tasks.relations.positions import Position, positions
from sightline.tasks.relations.rules import SIDES, Side, opposite
from sightline.tasks.relations.words import listed
from sightline.types import Answer, AnswerForm, BoxTrack, LedgerEntry, NotVisible, ObjectTruth

TASK = "relation_track"


def relation_track(seen: SeenClip, studio: Studio, options: ClipOptions) -> Iterator[Outcome]:
    """`relation_track` examples of a clip."""
    yield from pose_filmed(open_clip(seen, studio, options), TASK, _sets)


def _sets(asker: ClipAsker, frames: tuple[int, ...]) -> Iterator[TwinSet | LedgerEntry]:
    for found in positions(asker, frames, frames):
        yield found if isinstance(found, LedgerEntry) else TwinSet(found[0].key, tuple(_ask(asker, one, frames) for one in found))
    yield from _always(asker, frames)


def _ask(asker: ClipAsker, position: Position, frames: tuple[int, ...]) -> Asked:
    answer, objects, scored = followed(asker, position.target, frames)
    return Asked(
        tail=position.side,
        kind=f"{position.kind}_track",
        values=position.values,
        defined=defined(asker, position.kind),
        cast=position.cast,
        frames=frames,
        form=AnswerForm(shape="box_track", image_index=0, offers_not_visible=position.kind != "order"),
        answer=answer,
        object_id=position.target or "",
        boxes=position.boxes,
        objects=objects,
        scored=scored,
        evidence=position.evidence,
    )


def followed(
    asker: ClipAsker, target: str | None, frames: Sequence[int]
) -> tuple[Answer, tuple[ObjectTruth, ...], tuple[int, ...] | None]:
    """The track of an object over some frames as the answer, as the truth of the object, and the positions that are scored."""
    if target is None:
        return NotVisible(), (), None
    standing = [asker.facts.standings.of[target][frame] for frame in frames]
    boxes = tuple(place.shown for place in standing)
    scored = tuple(index for index, place in enumerate(standing) if place.reason != "unlabelled")
    track = BoxTrack(frames=tuple(() if box is None else (box,) for box in boxes))
    return track, (ObjectTruth(object_id=target, boxes=boxes),), None if len(scored) == len(frames) else scored


def _always(asker: ClipAsker, frames: tuple[int, ...]) -> Iterator[TwinSet | LedgerEntry]:
    """For each reference: who of the others is always on its left, and who on its right."""
    ids = asker.facts.comparable(list(asker.facts.standings.of))[: asker.options.max_listed]
    pairs = {(pair.a, pair.b): pair for pair in asker.facts.pairs}
    for reference in ids if len(ids) > 2 else ():
        others = [name for name in ids if name != reference]
        found = {side: _stays(reference, others, side, pairs) for side in SIDES}
        fault = next((one for one in found.values() if one in FAULTS), None)
        if fault or not any(found.values()):
            yield drop(asker, reference, fault or "nobody_stays", "of its others' places over the clip")
            continue
        cast = asker.casting.cast(ids, frames)
        if isinstance(cast, str):
            yield drop(asker, reference, cast, "the objects cannot be referred to")
            return
        asked = (_ask_always(asker, (reference, others), side, found[side], (cast, frames)) for side in SIDES)
        yield TwinSet(f"always-{reference}", tuple(asked))


FAULTS = ("nearly_always", "several_stay", "too_few_covisible")


def _stays(reference: str, others: Sequence[str], side: Side, pairs: dict[tuple[str, str], Pair]) -> str | None:
    """The one object that is always on that side; None if there is none; one of `FAULTS` if that cannot be said."""
    staying: list[str] = []
    for name in others:
        pair, of_a = pairs[min(name, reference), max(name, reference)], side if name < reference else opposite(side)
        if pair.timeline.reason == "too_few_covisible":
            return "too_few_covisible"
        on_side = sum(label == of_a for label in pair.timeline.labels)
        if pair.timeline.course == "always" and on_side:
            staying.append(name)
        elif on_side > pair.timeline.num_covisible / 2:
            return "nearly_always"
    return "several_stay" if len(staying) > 1 else next(iter(staying), None)


def _ask_always(
    asker: ClipAsker,
    among: tuple[str, Sequence[str]],
    side: Side,
    target: str | None,
    shown: tuple[Cast, tuple[int, ...]],
) -> Asked:
    (reference, others), (cast, frames) = among, shown
    answer, objects, scored = followed(asker, target, frames)
    soft = asker.options.strictness == "soft"
    together = [frame for frame in frames if len(asker.facts.standings.boxes(frame, [reference, *others])) > 1]
    frame = together[0] if together else frames[0]
    return Asked(
        tail=side,
        kind="always_track",
        values={"side": side, "reference": cast.phrases[reference], "list": listed(cast.all(others))},
        defined="soft" if soft else "side",
        cast=cast,
        frames=frames,
        form=AnswerForm(shape="box_track", image_index=0, offers_not_visible=True),
        answer=answer,
        object_id=target or "",
        boxes=asker.facts.standings.boxes(frame, [reference, *others]),
        objects=objects,
        scored=scored,
        evidence={
            "rule": "always_beside",
            "frame": frame,
            "a": target or "",
            "b": reference,
            "side": side,
            "listed": json.dumps(others),
            "slack": 0.0,
            "threshold": asker.options.soft_gap if soft else asker.options.margin,
        },
    )
