"""Points in continuous pixels: which pixel they lie in, whether they hit a mask, and the point that stands for a mask.

Pixel (row r, column c) covers [c, c+1) x [r, r+1). The right and lower borders of the picture, x == width and y == height, belong
to the last column and row. Nothing here clamps: a point outside the picture has no pixel.
"""

import math

import numpy as np
from jaxtyping import Bool, Float, Int

from sightline.geometry.boxes import box_centre, mask_to_box


def pixel_index(x: float, y: float, width: int, height: int) -> tuple[int, int] | None:
    """The pixel (row, column) in which (x, y) lies; None outside [0, width] x [0, height] or where x or y is not finite."""
    if not (0 <= x <= width and 0 <= y <= height):  # false for nan too
        return None
    return min(math.floor(y), height - 1), min(math.floor(x), width - 1)


def pixel_indices(
    pixels: Float[np.ndarray, "n 2"], width: int, height: int
) -> tuple[Int[np.ndarray, "n 2"], Bool[np.ndarray, " n"]]:
    """`pixel_index` of many points: (row, column) of each, and which lie inside; the others have (0, 0)."""
    size = np.array([width, height])
    with np.errstate(invalid="ignore"):
        inside = np.all((pixels >= 0) & (pixels <= size), axis=1)
    columns_rows = np.minimum(np.floor(np.where(inside[:, None], pixels, 0.0)).astype(np.int64), size - 1)
    return columns_rows[:, ::-1], inside


def hits_mask(mask: Bool[np.ndarray, "h w"], x: float, y: float) -> bool:
    """Whether the pixel of (x, y) is set; a point outside the picture is a miss."""
    height, width = mask.shape
    pixel = pixel_index(x, y, width, height)
    return pixel is not None and bool(mask[pixel])


def truth_point(mask: Bool[np.ndarray, "h w"], rng: np.random.Generator) -> tuple[float, float]:
    """The point (x, y) that stands for a mask with at least one pixel; it always hits the mask.

    The centre of the tight box if it hits the mask, else the centre of one uniformly drawn mask pixel; `rng` is used only then.
    """
    box = mask_to_box(mask)
    assert box is not None, "a mask without pixels has no truth point"
    x, y = box_centre(box)
    if hits_mask(mask, x, y):
        return x, y
    flat = np.flatnonzero(mask)
    row, column = divmod(int(flat[rng.integers(len(flat))]), mask.shape[1])
    return column + 0.5, row + 0.5
