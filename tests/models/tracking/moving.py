"""A clip in memory: a textured square that moves over a textured ground."""

import cv2
import numpy as np

from sightline.geometry.masks import encode_mask
from sightline.types import MaskRle

WIDTH, HEIGHT, SIDE, STEP = 96, 64, 20, 2


def _texture(seed: int, height: int, width: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (height // 5, width // 5, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


GROUND, SQUARE = _texture(1, HEIGHT, WIDTH), _texture(2, SIDE, SIDE)


class Moving:
    """`count` frames; in frame k the square's left end is at 10 + STEP * k."""

    width, height = WIDTH, HEIGHT

    def __init__(self, count: int = 5) -> None:
        self.count = count
        self.asked: list[int] = []

    def __len__(self) -> int:
        return self.count

    def rgb(self, index: int) -> np.ndarray:
        self.asked.append(index)
        picture = GROUND.copy()
        picture[20 : 20 + SIDE, 10 + STEP * index : 10 + STEP * index + SIDE] = SQUARE
        return picture


def region(frame: int) -> np.ndarray:
    """Where the square is."""
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[20 : 20 + SIDE, 10 + STEP * frame : 10 + STEP * frame + SIDE] = True
    return mask


def code(frame: int) -> MaskRle:
    return encode_mask(region(frame))
