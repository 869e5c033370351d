"""The answers of baselines in the form that a question asks for. One place, so that every baseline means the same by it.

- a word: a place claims that the object is there ("yes"), not visible that it is not ("no");
- a box or a mask from a region: its tight box, itself;
- a box or a mask from a mere point: a box around it of `GUESS_SIDE` of the view's sides, clipped to the view, filled for a mask;
- over the frames of a clip: the same box or mask in each; of a stretch of time: the whole clip.
"""

from itertools import pairwise

import cv2
import numpy as np
from jaxtyping import Bool

from sightline.geometry.boxes import Box, clip_box, mask_to_box
from sightline.geometry.masks import encode_mask
from sightline.types import (
    NO,
    YES,
    Answer,
    Boxes,
    BoxTrack,
    Choice,
    MaskAnswer,
    MaskTrack,
    NotVisible,
    Panel,
    Points,
    Question,
    Span,
)

GUESS_SIDE = 0.25
LONE_FRAME_S = 1.0  # how long a frame lasts that is shown alone


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
        case "mask", Boxes(boxes=(box, *_)):
            return MaskAnswer(rle=encode_mask(_block(question, panel.image_index, box)), image_index=panel.image_index)
        case "span", Points() | Boxes() | MaskAnswer():
            return whole_span(question)
        case "box_track" | "mask_track", Points(points=((x, y), *_)):
            return _in_every_frame(question, panel, _guess(panel, x - panel.x, y - panel.y))
        case "box_track" | "mask_track", Boxes(boxes=(box, *_)):
            return _in_every_frame(question, panel, box)
    return answer


def whole_span(question: Question) -> Span:
    """From the first frame shown to the end of the last one, which lasts as long as the smallest step between two."""
    clip = question.clip
    assert clip is not None, f"{question.id}: a stretch of time is asked of a clip"
    step = min((after - before for before, after in pairwise(clip.times_s)), default=LONE_FRAME_S)
    return Span(start_s=clip.times_s[0], end_s=clip.times_s[-1] + step)


def _claim(question: Question, word: str) -> Choice:
    assert word in question.form.options, f"{question.id}: a baseline can only say {YES} or {NO}"
    return Choice(value=word)


def _around(question: Question, panel: Panel, x: float, y: float) -> Boxes | MaskAnswer:
    width, height = panel.source.width, panel.source.height
    box = _guess(panel, x, y)
    if question.form.shape == "box":
        return _boxes(panel, box)
    x0, y0, x1, y1 = (round(end) for end in box)
    region = np.zeros((height, width), dtype=bool)
    region[y0:y1, x0:x1] = True
    return _filled(question, panel, region)


def _guess(panel: Panel, x: float, y: float) -> Box:
    width, height = panel.source.width, panel.source.height
    half_width, half_height = GUESS_SIDE * width / 2, GUESS_SIDE * height / 2
    box = clip_box((x - half_width, y - half_height, x + half_width, y + half_height), width, height)
    assert box is not None, "a guess lies in the view"
    return box


def _in_every_frame(question: Question, panel: Panel, box: Box) -> BoxTrack | MaskTrack:
    clip = question.clip
    assert clip is not None, f"{question.id}: a track is asked of a clip"
    if question.form.shape == "box_track":
        return BoxTrack(frames=((box,),) * len(clip.image_indices))
    return MaskTrack(frames=(encode_mask(_block(question, panel.image_index, box)),) * len(clip.image_indices))


def _block(question: Question, image_index: int, box: Box) -> Bool[np.ndarray, "h w"]:
    """The pixels of a picture that lie in a box."""
    picture = question.images[image_index]
    x0, y0, x1, y1 = (round(end) for end in box)
    region = np.zeros((picture.height, picture.width), dtype=bool)
    region[y0:y1, x0:x1] = True
    return region


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
