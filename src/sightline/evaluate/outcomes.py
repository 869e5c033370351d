"""When an answer is right, by task: the joint outcome of whether the object is there, what the answer claims, and where it lies."""

from collections.abc import Callable

from sightline.errors import InputError
from sightline.types import Example

Rule = Callable[[bool, bool | None, bool | None], bool]
"""(the object is visible, the answer says so or None if it claims neither, it hits or None if that does not apply) -> right."""


def outcome(example: Example) -> Rule:
    """The rule of the example's task.

    Raises:
        InputError: the task has none.
    """
    task = example.question.task
    if task not in OUTCOMES:
        raise InputError(f"example {example.id!r} is of task {task!r}, which has no scoring rule. Known: {', '.join(OUTCOMES)}.")
    return OUTCOMES[task]


def _hit_or_said_absent(visible: bool, said_visible: bool | None, hit: bool | None) -> bool:
    return bool(hit) if visible else said_visible is False


def _said_right(visible: bool, said_visible: bool | None, hit: bool | None) -> bool:  # noqa: ARG001
    return said_visible == visible


def _chose(visible: bool, said_visible: bool | None, hit: bool | None) -> bool:
    """Of one task some examples offer yes and no, which are a claim, and some other words, of which one is a hit."""
    return said_visible == visible if hit is None else hit


OUTCOMES: dict[str, Rule] = {
    "t1_multi": _hit_or_said_absent,
    "t1_concat": _hit_or_said_absent,
    "t2a": _said_right,
    "t2a_yesno": _said_right,
    "t2b": _hit_or_said_absent,
    "t2b_box": _hit_or_said_absent,
    "t2b_mask": _hit_or_said_absent,
    "t2b_jitter": _hit_or_said_absent,
    "t2b_shift": _hit_or_said_absent,
    "t2b_distractor": _hit_or_said_absent,
    "refspatial_bench": _hit_or_said_absent,
    "refspatial_points": _hit_or_said_absent,
    "refspatial_choice": _hit_or_said_absent,
    "refspatial_yesno": _said_right,
    "where2place": _hit_or_said_absent,
    "robospatial_home": _hit_or_said_absent,
    "robospatial_home_yesno": _said_right,
    "spatial_qa": _chose,
    "refer_box": _hit_or_said_absent,
    "refer_mask": _hit_or_said_absent,
    "refer_point": _hit_or_said_absent,
    "refer_track": _hit_or_said_absent,
    "refer_mask_track": _hit_or_said_absent,
    "refer_span": _hit_or_said_absent,
    "segment": _hit_or_said_absent,
    "relation_choice": _chose,
    "relation_box": _hit_or_said_absent,
    "relation_track": _hit_or_said_absent,
    "relation_when": _hit_or_said_absent,
    "relation_switch": _hit_or_said_absent,
}
