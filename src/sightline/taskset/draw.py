"""One example as a picture: its pictures in a row, the accepted mask outlined, the true boxes and points marked.

Of a clip it is a sheet of frames, `FRAMES_A_ROW` in a row, at most `MOST_FRAMES` of them, evenly. Those of a true stretch of time
have a rim; those of which the truth is not known are grey.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Shaped, UInt8

from sightline import media
from sightline.files import write_whole
from sightline.geometry.boxes import Box
from sightline.geometry.masks import decode_mask
from sightline.tasks.pictures import side_by_side
from sightline.taskset.store import TaskSet
from sightline.types import Boxes, BoxTrack, Example, MaskTrack, Points, Span, VideoPart

TRUTH = (0, 158, 115)  # bluish green of the Okabe-Ito palette
RIM = (255, 255, 255)
FRAMES_A_ROW, MOST_FRAMES = 4, 16
FRAME_SIDE = 480  # pixels of a frame's longer side

Picture = UInt8[np.ndarray, "h w 3"]


def draw_example(taskset: TaskSet, example: Example, path: Path) -> None:
    """Write a PNG of the example to `path`.

    Raises:
        FileNotFoundError, InputError: as `TaskSet.read_rgb`.
    """
    clip = example.question.clip
    of_clip = frozenset(clip.image_indices) if clip else frozenset()
    others = [index for index in range(len(example.question.images)) if index not in of_clip]
    rows = [[_drawn(taskset, example, index) for index in others]] if others else []
    if clip is not None:
        frames = list(_frames(taskset, example, clip))
        rows += [frames[start : start + FRAMES_A_ROW] for start in range(0, len(frames), FRAMES_A_ROW)]
    write_whole(path, media.encode_png(_sheet(rows)))


def _drawn(taskset: TaskSet, example: Example, index: int) -> Picture:
    """A picture that stands alone, with what is true in it."""
    canvas = taskset.read_rgb(example.question.images[index]).copy()
    truth = example.truth
    panel = example.question.panels[truth.panel_index]
    if truth.mask is not None and panel.image_index == index:
        _outline(canvas, taskset.read_mask(truth.mask), offset=(panel.x, panel.y))
    match truth.answer:
        case Boxes(boxes=boxes, image_index=asked) if asked == index:
            _frame_boxes(canvas, boxes)
        case Points(points=points, image_index=asked) if asked == index:
            for x, y in points:
                cv2.circle(canvas, (int(x), int(y)), 7, RIM, -1)
                cv2.circle(canvas, (int(x), int(y)), 5, TRUTH, -1)
    return canvas


def _frames(taskset: TaskSet, example: Example, clip: VideoPart) -> Iterator[Picture]:
    count, answer, scored = len(clip.image_indices), example.truth.answer, example.truth.scored_frames
    for frame in np.unique(np.linspace(0, count - 1, min(count, MOST_FRAMES)).round().astype(int)).tolist():
        canvas = taskset.read_rgb(example.question.images[clip.image_indices[frame]]).copy()
        if scored is not None and frame not in scored:
            canvas[:] = canvas.mean(axis=2, keepdims=True).astype(np.uint8)
        match answer:
            case BoxTrack(frames=boxes):
                _frame_boxes(canvas, boxes[frame])
            case MaskTrack(frames=masks) if (rle := masks[frame]) is not None:
                _outline(canvas, decode_mask(rle), offset=(0, 0))
            case Span(start_s=start_s, end_s=end_s) if start_s <= clip.times_s[frame] < end_s:
                _frame_boxes(canvas, [(2.0, 2.0, canvas.shape[1] - 2.0, canvas.shape[0] - 2.0)])
        yield _reduced(canvas)


def _outline(canvas: Picture, mask: Bool[np.ndarray, "h2 w2"], *, offset: tuple[int, int]) -> None:
    contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=offset)
    cv2.drawContours(canvas, contours, -1, TRUTH, 2)


def _frame_boxes(canvas: Picture, boxes: Sequence[Box]) -> None:
    for box in boxes:
        x0, y0, x1, y1 = (round(end) for end in box)
        for colour, width in ((RIM, 4), (TRUTH, 2)):
            cv2.rectangle(canvas, (x0, y0), (x1 - 1, y1 - 1), colour, width)


def _reduced(canvas: Picture) -> UInt8[np.ndarray, "h2 w2 3"]:
    scale = FRAME_SIDE / max(canvas.shape[:2])
    if scale >= 1:
        return canvas
    size = max(round(canvas.shape[1] * scale), 1), max(round(canvas.shape[0] * scale), 1)
    return np.asarray(cv2.resize(canvas, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def _sheet(rows: Sequence[Sequence[Shaped[np.ndarray, "..."]]]) -> Picture:
    """Rows of pictures, black where a row is shorter than the longest."""
    joined = []
    for row in rows:
        whole = row[0]
        for picture in row[1:]:
            whole = side_by_side(whole, picture)
        joined.append(whole)
    width = max(row.shape[1] for row in joined)
    return np.vstack([np.pad(row, ((0, 0), (0, width - row.shape[1]), (0, 0))) for row in joined])
