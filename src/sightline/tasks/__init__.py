"""Tasks: from what the views of a scene show to questions with their truth.

A task is a function `(SeenScene, Studio, CrossViewOptions) -> Iterator[Example | LedgerEntry]`, of clips `(SeenClip, Studio,
ClipOptions) -> Iterator[Example | LedgerEntry]`.
"""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sightline.tasks.clips import SeenClip
    from sightline.tasks.crossview import CrossViewOptions, Outcome
    from sightline.tasks.footage import ClipOptions
    from sightline.tasks.pictures import Studio
    from sightline.tasks.seen import SeenScene

    Task = Callable[[SeenScene, Studio, CrossViewOptions], Iterator[Outcome]]
    ClipTask = Callable[[SeenClip, Studio, ClipOptions], Iterator[Outcome]]


def _multi() -> "Task":
    from sightline.tasks.correspondence import multi  # noqa: PLC0415

    return multi


def _concat() -> "Task":
    from sightline.tasks.correspondence import concat  # noqa: PLC0415

    return concat


def _missing() -> "Task":
    from sightline.tasks.missing import missing  # noqa: PLC0415

    return missing


def _difference() -> "Task":
    from sightline.tasks.difference import difference  # noqa: PLC0415

    return difference


def _yes_no() -> "Task":
    from sightline.tasks.variants import yes_no  # noqa: PLC0415

    return yes_no


def _box_target() -> "Task":
    from sightline.tasks.variants import box_target  # noqa: PLC0415

    return box_target


def _mask_target() -> "Task":
    from sightline.tasks.variants import mask_target  # noqa: PLC0415

    return mask_target


def _jittered() -> "Task":
    from sightline.tasks.edits import jittered  # noqa: PLC0415

    return jittered


def _shifted() -> "Task":
    from sightline.tasks.edits import shifted  # noqa: PLC0415

    return shifted


def _distracted() -> "Task":
    from sightline.tasks.edits import distracted  # noqa: PLC0415

    return distracted


TASKS: "dict[str, Callable[[], Task]]" = {"t1_multi": _multi, "t1_concat": _concat, "t2a": _missing, "t2b": _difference}
VARIANTS: "dict[str, Callable[[], Task]]" = {
    "t2a_yesno": _yes_no,
    "t2b_box": _box_target,
    "t2b_mask": _mask_target,
    "t2b_jitter": _jittered,
    "t2b_shift": _shifted,
    "t2b_distractor": _distracted,
}


def _refer_box() -> "ClipTask":
    from sightline.tasks.refer_image import refer_box  # noqa: PLC0415

    return refer_box


def _refer_mask() -> "ClipTask":
    from sightline.tasks.refer_image import refer_mask  # noqa: PLC0415

    return refer_mask


def _refer_point() -> "ClipTask":
    from sightline.tasks.refer_image import refer_point  # noqa: PLC0415

    return refer_point


def _refer_track() -> "ClipTask":
    from sightline.tasks.refer_video import refer_track  # noqa: PLC0415

    return refer_track


def _refer_mask_track() -> "ClipTask":
    from sightline.tasks.refer_video import refer_mask_track  # noqa: PLC0415

    return refer_mask_track


def _refer_span() -> "ClipTask":
    from sightline.tasks.refer_video import refer_span  # noqa: PLC0415

    return refer_span


def _segment() -> "ClipTask":
    from sightline.tasks.segment import segment  # noqa: PLC0415

    return segment


def _relation_choice() -> "ClipTask":
    from sightline.tasks.relations.choice import relation_choice  # noqa: PLC0415

    return relation_choice


def _relation_box() -> "ClipTask":
    from sightline.tasks.relations.box import relation_box  # noqa: PLC0415

    return relation_box


def _relation_track() -> "ClipTask":
    from sightline.tasks.relations.track import relation_track  # noqa: PLC0415

    return relation_track


def _relation_when() -> "ClipTask":
    from sightline.tasks.relations.when import relation_when  # noqa: PLC0415

    return relation_when


def _relation_switch() -> "ClipTask":
    from sightline.tasks.relations.switch import relation_switch  # noqa: PLC0415

    return relation_switch


# Tasks made of clips; single pictures with expressions are clips of one frame.
CLIP_TASKS: "dict[str, Callable[[], ClipTask]]" = {
    "refer_box": _refer_box,
    "refer_mask": _refer_mask,
    "refer_point": _refer_point,
    "refer_track": _refer_track,
    "refer_mask_track": _refer_mask_track,
    "refer_span": _refer_span,
    "segment": _segment,
    "relation_choice": _relation_choice,
    "relation_box": _relation_box,
    "relation_track": _relation_track,
    "relation_when": _relation_when,
    "relation_switch": _relation_switch,
}
