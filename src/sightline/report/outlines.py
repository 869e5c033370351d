"""The outline of a mask as an SVG path along pixel edges: pixel (row r, column c) is the square [c, c+1) x [r, r+1).

A mask set only at row 0, column 1 has the path "M1 0v1h1v-1z". Filling the path with the even-odd rule gives the mask back.
"""

import cv2
import numpy as np
from jaxtyping import Bool, Int


def outline_path(mask: Bool[np.ndarray, "h w"]) -> str:
    """All outer edges and holes of the mask, exact, as one SVG path; empty for an empty mask.

    OpenCV traces the centres of border pixels. On the mask doubled in size, an even coordinate 2c is therefore a left (top) half
    and an odd one 2c+1 a right (bottom) half of pixel c, and (v + 1) // 2 is the pixel edge it lies on.
    """
    x, y, width, height = cv2.boundingRect(mask.astype(np.uint8))  # doubling the object alone is what makes this fast
    crop = mask[y : y + height, x : x + width].astype(np.uint8)
    contours, _ = cv2.findContours(crop.repeat(2, axis=0).repeat(2, axis=1), cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    corner = np.array([x, y])
    return "".join(_loop((np.asarray(contour, dtype=np.int64).reshape(-1, 2) + 1) // 2 + corner) for contour in contours)


def _loop(edges: Int[np.ndarray, "n 2"]) -> str:
    """One closed loop: repeated points and points inside a straight edge left out, written as relative moves."""
    corners = edges[(edges != np.roll(edges, 1, axis=0)).any(axis=1)]
    before = np.sign(corners - np.roll(corners, 1, axis=0))
    after = np.sign(np.roll(corners, -1, axis=0) - corners)
    corners = corners[(before != after).any(axis=1)]
    moves = "".join(_move(int(dx), int(dy)) for dx, dy in np.diff(corners, axis=0))
    return f"M{corners[0, 0]} {corners[0, 1]}{moves}z"


def _move(dx: int, dy: int) -> str:
    assert dx == 0 or dy == 0, f"an outline runs along pixel edges, not by ({dx}, {dy})"
    return f"h{dx}" if dx else f"v{dy}"
