"""How well a box or a mask covers the true one: intersection over union, 0..1, in pixels of the view that is asked about.

Of several boxes the first counts. A box is clipped to its picture, which its status `out_of_range` says, and then compared with the
tight box of the exact mask. An answer in another picture, of another kind or none at all overlaps by 0.
"""

from collections.abc import Callable

import numpy as np
from jaxtyping import Bool

from sightline.evaluate.measured import SCORED
from sightline.geometry.boxes import Box, clip_box, pairwise_iou
from sightline.geometry.masks import decode_mask
from sightline.types import Boxes, Example, MaskAnswer, Panel, Reading


def overlap(example: Example, reading: Reading, masks: Callable[[str], Bool[np.ndarray, "h w"]]) -> float:
    """The overlap of the answer with the truth of a visible object, by the kind of answer that is asked for."""
    truth, question, answer = example.truth, example.question, reading.answer
    panel = question.panels[truth.panel_index]
    if reading.status not in SCORED:
        return 0.0
    match question.form.shape, answer:
        case "box", Boxes(boxes=(first, *_), image_index=image_index) if image_index == panel.image_index:
            assert truth.box is not None, "a visible object has a box"
            picture = question.images[image_index]
            clipped = clip_box(first, picture.width, picture.height)
            return 0.0 if clipped is None else box_iou(_in_view(clipped, panel), truth.box)
        case "mask", MaskAnswer(rle=rle, image_index=image_index) if image_index == panel.image_index:
            assert truth.mask is not None, "a visible object has a mask"
            found = decode_mask(rle)[panel.y :, panel.x :][: panel.source.height, : panel.source.width]
            return mask_iou(found, masks(truth.mask))
    return 0.0


def in_other_picture(example: Example, reading: Reading) -> bool:
    """Whether a box or mask lies in a picture that was not asked about."""
    asked = example.question.panels[example.truth.panel_index].image_index
    return isinstance(reading.answer, Boxes | MaskAnswer) and reading.answer.image_index != asked


def box_iou(a: Box, b: Box) -> float:
    """Intersection over union of two boxes; 0 where both have no area."""
    return float(pairwise_iou(np.array([a], dtype=np.float64), np.array([b], dtype=np.float64))[0, 0])


def mask_iou(a: Bool[np.ndarray, "h w"], b: Bool[np.ndarray, "h w"]) -> float:
    """Intersection over union of two masks of one size; 0 where both are empty."""
    union = int(np.count_nonzero(a | b))
    return int(np.count_nonzero(a & b)) / union if union else 0.0


def _in_view(box: Box, panel: Panel) -> Box:
    x0, y0, x1, y1 = box
    return x0 - panel.x, y0 - panel.y, x1 - panel.x, y1 - panel.y
