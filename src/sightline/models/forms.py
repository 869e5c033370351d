"""The answers of baselines in the form that a question asks for. One place, so that every baseline means the same by it.

- a word: a place claims that the object is there ("yes"), not visible that it is not ("no");
- a box or a mask from a region: its tight box, itself;
- a box or a mask from a mere point: a box around it of `GUESS_SIDE` of the view's sides, clipped to the view, filled for a mask.
"""

import cv2
import numpy as np
from jaxtyping import Bool

from sightline.geometry.boxes import Box, clip_box, mask_to_box
from sightline.geometry.masks import encode_mask
from sightline.types import NO, YES, Answer, Boxes, Choice, MaskAnswer, NotVisible, Panel, Points, Question

GUESS_SIDE = 0.25


def region_answer(
    question: Question, panel: Panel, region: Bool[np.ndarray, "h w"], *, pixel: tuple[int, int]
) -> Points | Boxes | MaskAnswer:
    """A region of the panel's view as a point, box or mask; `pixel` (row, column) is the point that stands for it.

    The region may have another size than the view (that of its depth picture); it is scaled to it, to the nearest pixel.
    """
    height, width = region.shape
    source = panel.source
    if question.form.shape in ("box", "mask"):
        if (width, height) != (source.width, source.height):
            scaled = cv2.resize(region.astype(np.uint8), (source.width, source.height), interpolation=cv2.INTER_NEAREST)
            region = scaled.astype(bool)
        return _filled(question, panel, region)
    x, y = (pixel[1] + 0.5) / width * source.width, (pixel[0] + 0.5) / height * source.height
    return Points(points=((panel.x + x, panel.y + y),), image_index=panel.image_index)


def as_asked(answer: Answer, question: Question, panel: Panel) -> Answer:
    """A baseline's answer in the form of the question; what has that form already stays as it is."""
    match question.form.shape, answer:
        case "choice", Points() | Boxes() | MaskAnswer():
            return _claim(question, YES)
        case "choice", NotVisible():
            return _claim(question, NO)
        case "box" | "mask", Points(points=((x, y), *_)):
            return _around(question, panel, x - panel.x, y - panel.y)
    return answer


def _claim(question: Question, word: str) -> Choice:
    assert word in question.form.options, f"{question.id}: a baseline can only say {YES} or {NO}"
    return Choice(value=word)


def _around(question: Question, panel: Panel, x: float, y: float) -> Boxes | MaskAnswer:
    width, height = panel.source.width, panel.source.height
    half_width, half_height = GUESS_SIDE * width / 2, GUESS_SIDE * height / 2
    box = clip_box((x - half_width, y - half_height, x + half_width, y + half_height), width, height)
    assert box is not None, "a guess lies in the view"
    if question.form.shape == "box":
        return _boxes(panel, box)
    x0, y0, x1, y1 = (round(end) for end in box)
    region = np.zeros((height, width), dtype=bool)
    region[y0:y1, x0:x1] = True
    return _filled(question, panel, region)


def _filled(question: Question, panel: Panel, region: Bool[np.ndarray, "h w"]) -> Boxes | MaskAnswer:
    if question.form.shape == "box":
        box = mask_to_box(region)
        assert box is not None, "a region has pixels"
        return _boxes(panel, box)
    picture = question.images[panel.image_index]
    whole = np.zeros((picture.height, picture.width), dtype=bool)
    whole[panel.y : panel.y + region.shape[0], panel.x : panel.x + region.shape[1]] = region
    return MaskAnswer(rle=encode_mask(whole), image_index=panel.image_index)


def _boxes(panel: Panel, box: Box) -> Boxes:
    x0, y0, x1, y1 = box
    return Boxes(boxes=((x0 + panel.x, y0 + panel.y, x1 + panel.x, y1 + panel.y),), image_index=panel.image_index)
