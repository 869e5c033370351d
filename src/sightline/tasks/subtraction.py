"""What plain subtraction of two pictures points at, by which an edited picture is judged before anybody is asked about it.

The pictures are subtracted as they are and after a blur. What differs by at least a threshold, one of three or the one that Otsu's
method (1979) finds in the differences, is split into connected regions. The pixel deepest inside the largest region is pointed at,
that deepest inside the region with the greatest sum of differences, and the deepest of all.
"""

from collections.abc import Iterator

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

BLURS = (0.0, 1 / 160)  # standard deviation over the width: 2 pixels of 320
THRESHOLDS = (16, 32, 64)  # of 255, in the channel that differs most; the lowest is that of the `difference` baseline

Pixel = tuple[int, int]


def subtraction_hits(before: UInt8[np.ndarray, "h w 3"], after: UInt8[np.ndarray, "h w 3"], place: Bool[np.ndarray, "h w"]) -> bool:
    """Whether any subtraction of the two points at a pixel of `place`."""
    return any(place[pixel] for pixel in pointed_at(before, after))


def pointed_at(before: UInt8[np.ndarray, "h w 3"], after: UInt8[np.ndarray, "h w 3"]) -> Iterator[Pixel]:
    """The pixels (row, column) that subtractions of the two point at; none where nothing differs."""
    for blur in BLURS:
        sigma = blur * after.shape[1]
        one, other = (cv2.GaussianBlur(rgb, (0, 0), sigma) if sigma else rgb for rgb in (before, after))
        gap = np.max(cv2.absdiff(one, other), axis=2)
        for threshold in THRESHOLDS:
            yield from _points(gap, threshold)
        otsu, _ = cv2.threshold(gap, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
        yield from _points(gap, int(otsu) + 1)  # Otsu's upper class lies above it


def _points(gap: UInt8[np.ndarray, "h w"], threshold: int) -> Iterator[Pixel]:
    differs = (gap >= threshold).astype(np.uint8)
    num_labels, labels, statistics, _ = cv2.connectedComponentsWithStats(differs, connectivity=8)
    if num_labels == 1:
        return
    padded = np.pad(differs, 1)  # what lies beyond the border does not differ
    depth = cv2.distanceTransform(padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    areas = statistics[:, cv2.CC_STAT_AREA]
    sums = np.bincount(labels.ravel(), weights=gap.ravel())
    for region in {1 + int(areas[1:].argmax()), 1 + int(sums[1:].argmax())}:
        yield _argmax(np.where(labels == region, depth, 0))
    yield _argmax(depth)


def _argmax(depth: np.ndarray) -> Pixel:
    row, column = divmod(int(depth.argmax()), depth.shape[1])
    return row, column
