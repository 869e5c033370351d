"""The pictures of a relation question: frames as they are, frames with drawn marks, and both mirrored."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import cv2
import numpy as np
from jaxtyping import UInt8

from sightline.geometry.boxes import Box
from sightline.tasks.clips import SeenClip
from sightline.tasks.pictures import Studio, derived_path
from sightline.types import ImageRef


class Ink(NamedTuple):
    name: str
    rgb: tuple[int, int, int]


INKS = (
    Ink("red", (230, 30, 30)),
    Ink("blue", (30, 90, 255)),
    Ink("yellow", (255, 220, 0)),
    Ink("green", (0, 170, 70)),
    Ink("magenta", (230, 0, 200)),
    Ink("cyan", (0, 200, 220)),
    Ink("orange", (255, 140, 0)),
    Ink("white", (255, 255, 255)),
)
LETTERS = "ABCDEFGH"
BLACK = (0, 0, 0)


def mirror_box(box: Box, width: int) -> Box:
    """The box in the mirrored picture: x becomes width - x."""
    return width - box[2], box[1], width - box[0], box[3]


class Frames:
    """The pictures of one clip's frames, by position."""

    def __init__(self, seen: SeenClip, studio: Studio) -> None:
        self._seen, self._studio = seen, studio

    def has_picture(self, frame: int) -> bool:
        return self._seen.clip.frames[frame].image is not None and self._seen.sizes[frame] is not None

    def plain(self, frame: int, *, mirrored: bool) -> ImageRef:
        """The frame's picture. A mirrored one is a derived picture."""
        path = self._path(frame)
        if not mirrored:
            return self._studio.original(path)
        return self._studio.derived(
            derived_path("mirrored", *self._name(frame)), lambda: np.ascontiguousarray(self._studio.rgb(path)[:, ::-1])
        )

    def marked(self, frame: int, boxes: Mapping[str, Box], *, mirrored: bool) -> ImageRef:
        """The frame with a coloured, lettered box around each object, in the order of `boxes`."""
        kind = "marked-mirrored" if mirrored else "marked"
        clip, name = self._name(frame)
        return self._studio.derived(
            derived_path(kind, clip, f"{name}-{'-'.join(boxes)}"),
            lambda: self._drawn(frame, list(boxes.values()), mirrored=mirrored),
        )

    def _drawn(self, frame: int, boxes: Sequence[Box], *, mirrored: bool) -> UInt8[np.ndarray, "h w 3"]:
        rgb = self._studio.rgb(self._path(frame))
        if not mirrored:
            return draw_marks(rgb, boxes)
        return draw_marks(np.ascontiguousarray(rgb[:, ::-1]), [mirror_box(box, rgb.shape[1]) for box in boxes])

    def _path(self, frame: int) -> str:
        path = self._seen.clip.frames[frame].image
        assert path is not None, "only frames with a picture are asked about"
        return path

    def _name(self, frame: int) -> tuple[str, str]:
        return self._seen.clip.clip_id, self._seen.clip.frames[frame].frame_id


def draw_marks(rgb: UInt8[np.ndarray, "h w 3"], boxes: Sequence[Box], *, letters: bool = True) -> UInt8[np.ndarray, "h w 3"]:
    """A copy with a box of another colour just outside each object, and its letter at the box's upper left corner."""
    out = rgb.copy()
    height, width = rgb.shape[:2]
    line = max(2, round(max(height, width) / 250))
    for (x0, y0, x1, y1), ink in zip(boxes, INKS, strict=False):
        cv2.rectangle(out, (int(x0) - line, int(y0) - line), (int(x1) + line - 1, int(y1) + line - 1), ink.rgb, line)
    scale = max(0.4, max(height, width) / 1000)
    for (x0, y0, _, _), ink, letter in zip(boxes, INKS, LETTERS if letters else "", strict=False):
        (text_width, text_height), _ = cv2.getTextSize(letter, cv2.FONT_HERSHEY_SIMPLEX, scale, line)
        x = int(np.clip(x0, 0, max(0, width - text_width - 2 * line)))
        y = int(np.clip(y0 - line, text_height + 2 * line, max(text_height + 2 * line, height)))
        cv2.rectangle(out, (x, y - text_height - 2 * line), (x + text_width + 2 * line, y), ink.rgb, -1)
        cv2.putText(out, letter, (x + line, y - line), cv2.FONT_HERSHEY_SIMPLEX, scale, BLACK, line)
    return out
