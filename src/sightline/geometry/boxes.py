"""Boxes (x0, y0, x1, y1) in continuous pixels with exclusive ends: the box of one pixel has width and height 1."""

import math

import numpy as np
from jaxtyping import Bool, Float

Box = tuple[float, float, float, float]


def mask_to_box(mask: Bool[np.ndarray, "h w"]) -> Box | None:
    """The tight box of the set pixels (smallest index, largest index + 1); None for an empty mask."""
    columns = np.flatnonzero(mask.any(axis=0))
    if columns.size == 0:
        return None
    rows = np.flatnonzero(mask.any(axis=1))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def box_centre(box: Box) -> tuple[float, float]:
    """The centre (x, y)."""
    x0, y0, x1, y1 = box
    return (x0 + x1) / 2, (y0 + y1) / 2


def box_area(box: Box) -> float:
    """Width times height in square pixels; 0 for a box whose ends are reversed."""
    x0, y0, x1, y1 = box
    return max(x1 - x0, 0.0) * max(y1 - y0, 0.0)


def clip_box(box: Box, width: int, height: int) -> Box | None:
    """The part of `box` inside the picture; None when nothing of it is left, its ends are reversed, or one is nan."""
    if any(math.isnan(end) for end in box):
        return None
    x0, y0 = max(box[0], 0.0), max(box[1], 0.0)
    x1, y1 = min(box[2], float(width)), min(box[3], float(height))
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def pairwise_iou(a: Float[np.ndarray, "n 4"], b: Float[np.ndarray, "m 4"]) -> Float[np.ndarray, "n m"]:
    """Intersection over union, 0..1, of each box of `a` with each of `b`; 0 where both have no area."""
    overlap = np.minimum(a[:, None, 2:], b[None, :, 2:]) - np.maximum(a[:, None, :2], b[None, :, :2])
    common = overlap.clip(min=0).prod(axis=2)
    area_a, area_b = ((boxes[:, 2:] - boxes[:, :2]).clip(min=0).prod(axis=1) for boxes in (a, b))
    union = area_a[:, None] + area_b[None, :] - common
    return np.divide(common, union, out=np.zeros_like(union), where=union > 0)
