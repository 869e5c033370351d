"""J (region) and F (boundary) of masks over frames: exact, equal to the last bit to the official scorer, on packed masks.

`definition` says what they are and where from. What makes it fast: J and all counts are popcounts of words; boundary pixels of the
one mask are looked up in the other's rows grown sideways by a few shifts, only where there are any (`bit_kernels.count_near`).
Frames hold no lock, so threads may score different frames or clips side by side.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Float, Int

from sightline.errors import InputError
from sightline.evaluate.video.definition import boundary_radius, f_of_counts
from sightline.evaluate.video.packed import PackedMask


@dataclass(frozen=True, eq=False)
class FrameScores:
    """J and F, 0..1, of one object in each frame."""

    region: Float[np.ndarray, " frames"]
    boundary: Float[np.ndarray, " frames"]

    def __len__(self) -> int:
        return len(self.region)


def score_frames(truth: Sequence[PackedMask], predicted: Sequence[PackedMask], *, radius: int | None = None) -> FrameScores:
    """J and F of each pair of masks. `radius`: as in `boundary_f`.

    Raises:
        InputError: the masks of a frame are of two sizes.
    """
    pairs = list(zip(truth, predicted, strict=True))
    return FrameScores(
        region=np.array([region(*pair) for pair in pairs], dtype=np.float64),
        boundary=np.array([boundary_f(*pair, radius=radius) for pair in pairs], dtype=np.float64),
    )


def region(truth: PackedMask, predicted: PackedMask) -> float:
    """J, 0..1: pixels in both / pixels in either; 1 where both are empty.

    Raises:
        InputError: the masks are of two sizes.
    """
    common = count_both(truth, predicted)
    union = truth.area + predicted.area - common
    return common / union if union else 1.0


def count_both(truth: PackedMask, predicted: PackedMask) -> int:
    """The number of pixels set in both masks.

    Raises:
        InputError: the masks are of two sizes.
    """
    from sightline.evaluate.video.bit_kernels import count_common  # noqa: PLC0415 - numba takes a second to import

    _check_sizes(truth, predicted)
    return count_common(truth.rows, predicted.rows)


def boundary_f(truth: PackedMask, predicted: PackedMask, *, radius: int | None = None) -> float:
    """F, 0..1, within `radius` pixels (default: `definition.boundary_radius`).

    1 where neither mask has a boundary (empty, or all of the picture), 0 where one alone has.

    Raises:
        InputError: the masks are of two sizes.
    """
    from sightline.evaluate.video.bit_kernels import count_near  # noqa: PLC0415

    _check_sizes(truth, predicted)
    num_found, num_true = predicted.boundary_area, truth.boundary_area
    if num_found == 0 or num_true == 0:
        return f_of_counts(0, num_found, 0, num_true)
    half_widths = _half_widths(boundary_radius(truth.height, truth.width) if radius is None else radius)
    return f_of_counts(
        count_near(predicted.boundary, truth.boundary, half_widths),
        num_found,
        count_near(truth.boundary, predicted.boundary, half_widths),
        num_true,
    )


def _check_sizes(truth: PackedMask, predicted: PackedMask) -> None:
    """The compiled loops do not look whether an index is inside."""
    if (truth.height, truth.width) != (predicted.height, predicted.width):
        raise InputError(
            f"a predicted mask of {predicted.width} x {predicted.height} pixels for a true one of {truth.width} x {truth.height}. "
            "Masks are compared pixel by pixel: write predictions in the size of the annotation."
        )


@lru_cache(maxsize=64)
def _half_widths(radius: int) -> Int[np.ndarray, " rows"]:
    """How far a disk reaches to either side of its middle column, 0..radius rows from its middle."""
    return np.array([math.isqrt(radius**2 - dy**2) for dy in range(radius + 1)], dtype=np.int64)
