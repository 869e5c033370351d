"""Sizes before and after resizing, and what resizing does to coordinates: it multiplies them. Sizes are (width, height)."""

import math

from sightline.errors import InputError
from sightline.geometry.boxes import Box

MAX_ASPECT_RATIO = 200


def smart_resize(width: int, height: int, *, factor: int, min_pixels: int, max_pixels: int) -> tuple[int, int]:
    """The size (width, height) to which Qwen-VL processors resize a picture.

    Each side is rounded to a multiple of `factor` (halves to the even multiple); if the area is then above `max_pixels` or below
    `min_pixels`, the original sides are scaled by one number to that area and rounded down or up. The rule of `smart_resize` in
    transformers (image_processing_qwen2_vl); qwen-vl-utils differs for sides below half a factor, which it first rounds up to one.

    Raises:
        InputError: a side below 1, or one side more than 200 times the other.
    """
    assert 0 < min_pixels <= max_pixels, f"factor {factor}, pixels {min_pixels}..{max_pixels}"
    if min(width, height) < 1 or max(width, height) > MAX_ASPECT_RATIO * min(width, height):
        raise InputError(
            f"a picture of {width} x {height} cannot be resized for this model: expected sides of at least 1 pixel, "
            f"one at most {MAX_ASPECT_RATIO} times the other. Crop or pad the picture."
        )
    columns, rows = round(width / factor) * factor, round(height / factor) * factor
    if columns * rows > max_pixels:
        shrink = math.sqrt(width * height / max_pixels)
        columns = max(factor, math.floor(width / shrink / factor) * factor)
        rows = max(factor, math.floor(height / shrink / factor) * factor)
    elif columns * rows < min_pixels:
        grow = math.sqrt(min_pixels / (width * height))
        columns = math.ceil(width * grow / factor) * factor
        rows = math.ceil(height * grow / factor) * factor
    return columns, rows


def scale_point(x: float, y: float, source: tuple[int, int], target: tuple[int, int]) -> tuple[float, float]:
    """The point of a `target`-sized picture that is (x, y) in the `source`-sized one; not rounded, not clamped."""
    return x * target[0] / source[0], y * target[1] / source[1]


def scale_box(box: Box, source: tuple[int, int], target: tuple[int, int]) -> Box:
    """The box of a `target`-sized picture that is `box` in the `source`-sized one; not rounded, not clipped."""
    x0, y0 = scale_point(box[0], box[1], source, target)
    x1, y1 = scale_point(box[2], box[3], source, target)
    return x0, y0, x1, y1
