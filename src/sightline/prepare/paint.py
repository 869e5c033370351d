"""Painting objects away with OpenCV, and the random-shaped places of the controls."""

from typing import Literal

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from sightline.geometry.masks import dilate_mask

Method = Literal["telea", "ns"]
FLAGS: dict[Method, int] = {"telea": cv2.INPAINT_TELEA, "ns": cv2.INPAINT_NS}  # Telea 2004; Bertalmio, Bertozzi and Sapiro 2001
SHAPE_POINTS = 64
SHAPE_TRIES = 24  # shapes tried for each size
SHAPE_SIZES = (1.0, 0.5, 0.25, 0.12)  # of the area asked for, in turn


def inpaint(
    rgb: UInt8[np.ndarray, "h w 3"], hole: Bool[np.ndarray, "h w"], *, method: Method, radius: float
) -> UInt8[np.ndarray, "h w 3"]:
    """A copy of `rgb` with the hole filled from its surroundings, `radius` pixels around; nothing outside the hole changes."""
    filled = cv2.inpaint(rgb, hole.astype(np.uint8) * np.uint8(255), radius, FLAGS[method])
    return np.where(hole[:, :, None], filled, rgb)


def grow(mask: Bool[np.ndarray, "h w"], fraction: float) -> Bool[np.ndarray, "h w"]:
    """The mask dilated by `fraction` of the picture's width, at least a pixel; 0 is the mask itself."""
    return dilate_mask(mask, max(1, round(fraction * mask.shape[1]))) if fraction > 0 else mask


def random_shape(free: Bool[np.ndarray, "h w"], area: int, rng: np.random.Generator) -> Bool[np.ndarray, "h w"] | None:
    """A random blob of about `area` pixels (or, where that does not fit, a half, a quarter, ...) that lies wholly in `free`.

    None if no place was found.
    """
    room = cv2.distanceTransform(np.pad(free, 1).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    for size in SHAPE_SIZES:
        radius = float(np.sqrt(max(area * size, 4.0) / np.pi))
        rows, columns = np.nonzero(room >= radius)
        for _ in range(SHAPE_TRIES if rows.size else 0):
            at = int(rng.integers(rows.size))
            outline = np.array([columns[at] + 0.5, rows[at] + 0.5]) + _outline(radius, rng)
            if outline.min() < 0 or outline[:, 0].max() >= free.shape[1] or outline[:, 1].max() >= free.shape[0]:
                continue
            blob = np.zeros(free.shape, np.uint8)
            cv2.fillPoly(blob, [np.floor(outline).astype(np.int32)], 1)
            if blob.any() and not (blob.astype(bool) & ~free).any():
                return blob.astype(bool)
    return None


def _outline(radius: float, rng: np.random.Generator) -> np.ndarray:  # (SHAPE_POINTS, 2), around 0
    """A circle bent by its second to fifth harmonics, stretched and turned."""
    angles = np.linspace(0, 2 * np.pi, SHAPE_POINTS, endpoint=False)
    harmonics = np.arange(2, 6)[:, None]
    bends = rng.normal(0, 0.25, (4, 1)) / np.sqrt(harmonics) * np.cos(harmonics * angles + rng.uniform(0, 2 * np.pi, (4, 1)))
    lengths = radius * np.clip(1 + bends.sum(axis=0), 0.3, 1.8)
    stretch, turn = np.exp(rng.uniform(-0.4, 0.4)), rng.uniform(0, np.pi)
    x, y = lengths * np.cos(angles) * stretch, lengths * np.sin(angles) / stretch
    return np.stack([x * np.cos(turn) - y * np.sin(turn), x * np.sin(turn) + y * np.cos(turn)], axis=1)
