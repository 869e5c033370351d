"""What went wrong, one kind for each example, in the order in which the kinds are tried.

Whether the answer can be used, then whether it claims the right thing, then where it lies:

    right              the task's own outcome is right
    unreadable, ambiguous, empty, truncated, error    the status of an answer that claims neither visible nor not visible
    false_visible      the object is absent and the answer says that it is there, wherever
    false_not_visible  the object is there and the answer says that it is not
    out_of_range       a point outside the picture
    reference_half     a point in the other view: the reference half of a concatenated picture, or another picture
    near_miss          a miss on the dilated mask or at most `NEAR_NORM` from the true point; a box or mask that overlaps the truth
    other_object       on the mask of another object of the same picture
    flip               the point mirrored about the middle of the view (x becomes width - x) would hit
    far_miss           any other miss

Masks of other objects are those that the task set itself asks about or refers to in the same picture (`Neighbours`): an object that
it never names cannot be recognised, so `other_object` is a lower bound and `flip` and `far_miss` hold the rest.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Literal

import numpy as np
from jaxtyping import Bool

from sightline.evaluate.score import locate
from sightline.geometry.points import pixel_index
from sightline.types import Example, Prediction, Score

NEAR_NORM = 0.05
ErrorKind = Literal[
    "right",
    "near_miss",
    "other_object",
    "flip",
    "reference_half",
    "far_miss",
    "out_of_range",
    "false_not_visible",
    "false_visible",
    "unreadable",
    "ambiguous",
    "empty",
    "truncated",
    "error",
]
KIND_LABELS: dict[ErrorKind, str] = {
    "right": "Right",
    "near_miss": "Near miss",
    "other_object": "Other object",
    "flip": "Left/right flip",
    "reference_half": "Reference view",
    "far_miss": "Far miss",
    "out_of_range": "Out of range",
    "false_not_visible": "False not visible",
    "false_visible": "False visible",
    "unreadable": "Unreadable",
    "ambiguous": "Ambiguous",
    "empty": "Empty",
    "truncated": "Truncated",
    "error": "Error",
}
KINDS = tuple(KIND_LABELS)
Masks = Callable[[str], Bool[np.ndarray, "h w"]]


class Neighbours:
    """Which objects of each picture a task set has masks of, from one pass over its examples.

    A picture is its plain view by content (`Panel.source.digest`), an object its scene and id.
    """

    def __init__(self, examples: Iterable[Example]) -> None:
        self._masks: dict[str, dict[tuple[str, str], str]] = {}
        for example in examples:
            question, truth = example.question, example.truth
            if truth.mask is not None:
                self._note(example, truth.panel_index, truth.mask)
            if question.reference is not None:
                self._note(example, question.reference.panel_index, question.reference.mask)

    def of(self, example: Example) -> tuple[str, ...]:
        """The mask hashes of the other objects in the view that the example asks about."""
        picture = example.question.panels[example.truth.panel_index].source.digest
        own = (example.group, example.object_id)
        return tuple(mask for thing, mask in self._masks.get(picture, {}).items() if thing != own)

    def _note(self, example: Example, panel_index: int, mask: str) -> None:
        picture = example.question.panels[panel_index].source.digest
        self._masks.setdefault(picture, {})[example.group, example.object_id] = mask


def error_kind(example: Example, prediction: Prediction, score: Score, masks: Masks, *, others: Sequence[str] = ()) -> ErrorKind:
    """The kind of one example. `masks` gives the mask of a hash, `others` are the hashes of other objects in the same view."""
    if score.correct:
        return "right"
    if score.said_visible is None:
        return _of_status(score)
    if not score.visible:
        return "false_visible"
    if not score.said_visible:
        return "false_not_visible"
    if score.status == "out_of_range":
        return "out_of_range"
    if score.wrong_panel:
        return "reference_half"
    return _of_miss(example, prediction, score, masks, others=others)


def _of_status(score: Score) -> ErrorKind:
    match score.status:
        case "unreadable" | "ambiguous" | "empty" | "truncated" | "error" as status:
            return status
    raise AssertionError(f"{score.id}: status {score.status} claims something")


def _of_miss(example: Example, prediction: Prediction, score: Score, masks: Masks, *, others: Sequence[str]) -> ErrorKind:
    near = score.l2_norm is not None and score.l2_norm <= NEAR_NORM
    if near or score.hit_dilated or score.iou:
        return "near_miss"
    truth = example.truth
    place = locate(prediction.reading, example.question, truth.panel_index)
    if place.point is None or place.pixel is None:
        return "far_miss"
    if any(masks(other)[place.pixel] for other in others):
        return "other_object"
    source = example.question.panels[truth.panel_index].source
    mirrored = pixel_index(source.width - place.point[0], place.point[1], source.width, source.height)
    if truth.mask is not None and mirrored is not None and masks(truth.mask)[mirrored]:
        return "flip"
    return "far_miss"
