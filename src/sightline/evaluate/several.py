"""An answer about one picture where an expression may mean several objects or none: boxes, a mask of all, or points.

Values, by name (each 0..1 unless it says pixels), of every example whose form asks for the thing:

    f1                             boxes matched one to one at IoU 0.5; without a target 1 if that is said, else 0
    giou                           IoU of the masks; without a target 1 if that is said, else 0
    intersection_px, union_px      pixels that the example adds to cIoU's two sums
    point_precision, point_recall  share of the points on an object that is meant; share of these objects with a point on

All by protocol `sightline` of `referring_masks`: what cannot be read claims nothing, and is wrong with and without a target.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool

from sightline.errors import InputError
from sightline.evaluate.measured import ACCEPTED_IOU, Measured, usable
from sightline.evaluate.overlaps import in_other_picture
from sightline.evaluate.referring_boxes import box_set_iou, match_boxes, score_box
from sightline.evaluate.referring_masks import MaskOverlap, overlap_codes, sightline_terms
from sightline.geometry.boxes import Box, clip_box
from sightline.geometry.points import pixel_index
from sightline.types import Boxes, Example, MaskAnswer, MaskRle, Points, Reading


def measure_boxes(example: Example, reading: Reading, *, said_visible: bool | None) -> Measured:
    """Boxes against all that are meant. `iou`: where one object is meant, that of the first box; of several objects the mean over
    the best matching, in which a box too many or too few counts 0. `hit`: every object has its box (IoU at least 0.5), and there is
    no other box."""
    found = found_boxes(example, reading)
    truth = example.truth.answer
    elsewhere = in_other_picture(example, reading)
    if not isinstance(truth, Boxes):
        return Measured(wrong_panel=elsewhere, values={"f1": float(said_visible is False)})
    matched = match_boxes(truth.boxes, found)
    first = found[0] if found else None
    iou = score_box(truth.boxes[0], first) if len(truth.boxes) == 1 else box_set_iou(truth.boxes, found)
    return Measured(hit=matched.f1 == 1, iou=iou, wrong_panel=elsewhere, values={"f1": matched.f1})


def measure_mask(example: Example, reading: Reading, *, said_visible: bool | None) -> Measured:
    """A mask against that of all objects that are meant.

    Raises:
        InputError: the answered mask has another size than its picture, or its code is broken.
    """
    compared = mask_overlap(example, reading, said_visible=said_visible)
    iou, intersection, union = sightline_terms(compared)
    visible = compared.truth_area > 0
    return Measured(
        hit=iou >= ACCEPTED_IOU if visible else None,
        iou=iou if visible else None,
        wrong_panel=in_other_picture(example, reading),
        values={"giou": iou, "intersection_px": float(intersection), "union_px": float(union)},
    )


def mask_overlap(example: Example, reading: Reading, *, said_visible: bool | None) -> MaskOverlap:
    """The pixels of the answer and the truth; raises what `measure_mask` raises."""
    truth = example.truth.answer
    try:
        return overlap_codes(
            truth.rle if isinstance(truth, MaskAnswer) else None, _found_mask(example, reading), said_none=said_visible is False
        )
    except InputError as error:
        raise InputError(f"example {example.id!r}: {error}") from error


def measure_points(
    example: Example, reading: Reading, masks: Callable[[str], Bool[np.ndarray, "h w"]], *, hit: bool | None
) -> dict[str, float]:
    """The values of points where several objects may be meant; none without a target, where there is nothing to hit."""
    if hit is None:
        return {}
    objects = [masks(code) for item in example.truth.objects for code in item.masks if code is not None]
    answer = usable(reading)
    panel = example.question.panels[example.truth.panel_index]
    if not isinstance(answer, Points) or answer.image_index != panel.image_index:
        return {"point_precision": 0.0, "point_recall": 0.0}
    source = panel.source
    pixels = [pixel_index(x - panel.x, y - panel.y, source.width, source.height) for x, y in answer.points]
    on = np.array([[pixel is not None and mask[pixel] for pixel in pixels] for mask in objects], dtype=bool)
    return {"point_precision": float(on.any(axis=0).mean()), "point_recall": float(on.any(axis=1).mean())}


def found_boxes(example: Example, reading: Reading) -> list[Box]:
    """The answered boxes in the picture that is asked about, clipped to it; one outside it stays, and overlaps nothing."""
    answer = usable(reading)
    index = example.question.form.image_index
    if not isinstance(answer, Boxes) or answer.image_index != index:
        return []
    picture = example.question.images[index]
    return [clip_box(box, picture.width, picture.height) or (0.0, 0.0, 0.0, 0.0) for box in answer.boxes]


def _found_mask(example: Example, reading: Reading) -> MaskRle | None:
    answer = usable(reading)
    if not isinstance(answer, MaskAnswer) or answer.image_index != example.question.form.image_index:
        return None
    return answer.rle
