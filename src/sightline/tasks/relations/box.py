"""`relation_box`: the box of the object that a position in one frame singles out, or that nothing is there.

order    the second from the left among A, B and C         twin: from the right
beside   the first to the left of A among B, C and D       twin: to the right; either may not exist
class    the dog in the left third of the picture          twin: in the right third; either may not exist
"""

from collections.abc import Iterator

from sightline.tasks.clips import SeenClip
from sightline.tasks.crossview import Outcome
from sightline.tasks.footage import ClipOptions
from sightline.tasks.pictures import Studio
from sightline.tasks.relations.asking import Asked, ClipAsker, TwinSet
from sightline.tasks.relations.opening import open_clip, pose_found
from sightline.tasks.relations.positions import Position, classes, positions
from sightline.types import AnswerForm, Boxes, LedgerEntry, NotVisible, ObjectTruth

TASK = "relation_box"


def relation_box(seen: SeenClip, studio: Studio, options: ClipOptions) -> Iterator[Outcome]:
    """`relation_box` examples of a clip."""
    yield from pose_found(open_clip(seen, studio, options), TASK, _sets)


def _sets(asker: ClipAsker) -> Iterator[TwinSet | LedgerEntry]:
    for found in (*positions(asker, asker.shown), *classes(asker)):
        yield found if isinstance(found, LedgerEntry) else TwinSet(found[0].key, tuple(_ask(asker, one) for one in found))


def _ask(asker: ClipAsker, position: Position) -> Asked:
    target = position.target
    box = None if target is None else position.boxes[target]
    return Asked(
        tail=position.side,
        kind=f"{position.kind}_box",
        values=position.values,
        defined=defined(asker, position.kind),
        cast=position.cast,
        frames=(position.frame,),
        form=AnswerForm(shape="box", image_index=0, offers_not_visible=position.kind != "order"),
        answer=NotVisible() if box is None else Boxes(boxes=(box,)),
        object_id=target or "",
        boxes=position.boxes,
        objects=() if target is None else (ObjectTruth(object_id=target, boxes=(box,)),),
        evidence=position.evidence,
    )


def defined(asker: ClipAsker, kind: str) -> str:
    """Which definition of left and right goes with a kind of position."""
    soft = asker.options.strictness == "soft"
    return {"order": "order", "beside": "soft" if soft else "side", "class": "soft_third" if soft else "third"}[kind]
