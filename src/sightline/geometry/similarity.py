"""A picture enlarged about its centre, shifted and cropped to its own size, with everything that lies in it.

Points are continuous pixels: (x, y) goes to (scale * (x - w/2) + w/2 + dx, scale * (y - h/2) + h/2 + dy). A pixel of the new mask
is set if the place its centre came from lies in a set pixel. Pictures are resampled linearly about the same centres.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from jaxtyping import Bool, Int, UInt8

from sightline.geometry.boxes import Box


@dataclass(frozen=True)
class Similarity:
    """`scale` (at least 1) and shift in pixels, of pictures of `width` x `height`. The shift is at most the margin that enlarging
    leaves, (scale - 1) / 2 of the side, so that every pixel of the result shows a place of the original."""

    scale: float
    dx: float
    dy: float
    width: int
    height: int

    def __post_init__(self) -> None:
        margin = (self.scale - 1) / 2
        fits = abs(self.dx) <= margin * self.width and abs(self.dy) <= margin * self.height
        assert fits, f"{self} would show what the picture does not hold"

    def point(self, x: float, y: float) -> tuple[float, float]:
        """Where the point goes; it may lie outside the picture."""
        return (
            self.scale * (x - self.width / 2) + self.width / 2 + self.dx,
            self.scale * (y - self.height / 2) + self.height / 2 + self.dy,
        )

    def source(self, x: float, y: float) -> tuple[float, float]:
        """The point of the original that goes to (x, y)."""
        return (
            (x - self.dx - self.width / 2) / self.scale + self.width / 2,
            (y - self.dy - self.height / 2) / self.scale + self.height / 2,
        )

    def box(self, box: Box) -> Box:
        """Where the box goes; not clipped."""
        x0, y0 = self.point(box[0], box[1])
        x1, y1 = self.point(box[2], box[3])
        return x0, y0, x1, y1

    def mask(self, mask: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
        """The mask, cropped as the picture is."""
        columns = _source_pixels(self.width, self.scale, self.dx)
        rows = _source_pixels(self.height, self.scale, self.dy)
        return np.ascontiguousarray(mask[rows][:, columns])

    def window(self) -> Box:
        """The part of the original that is still shown."""
        x0, y0 = self.source(0.0, 0.0)
        x1, y1 = self.source(float(self.width), float(self.height))
        return x0, y0, x1, y1

    def picture(self, rgb: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h w 3"]:
        """The picture; linear between pixel centres."""
        x, y = self.point(0.5, 0.5)
        matrix = np.array([[self.scale, 0, x - 0.5], [0, self.scale, y - 0.5]])
        warped = cv2.warpAffine(rgb, matrix, (self.width, self.height), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        return warped.astype(np.uint8, copy=False)


def _source_pixels(length: int, scale: float, shift: float) -> Int[np.ndarray, " n"]:
    """For each new pixel along one side, the pixel of the original that its centre comes from."""
    centres = (np.arange(length) + 0.5 - shift - length / 2) / scale + length / 2
    return np.clip(np.floor(centres), 0, length - 1).astype(np.int64)
