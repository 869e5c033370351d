"""J and F of one frame in their plain form: the definition that `region_boundary` computes faster, and is tested against.

Perazzi et al., "A Benchmark Dataset and Evaluation Methodology for Video Object Segmentation" (CVPR 2016), with the choices of the
official scorer, davisvideochallenge/davis2017-evaluation `davis2017/metrics.py`:

- J: pixels in both masks / pixels in either; 1 where both masks are empty.
- boundary: pixels that differ from their neighbour to the east, south or south-east; the picture's last row and column go on beyond
  its edge, so a mask that covers the whole picture has no boundary.
- F: harmonic mean of P, the share of the predicted boundary within `radius` pixels of the true one, and R, the reverse. Neither
  mask has a boundary: 1. One of them has one: 0. P + R = 0: 0.
"""

import math

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

TOLERANCE = 0.008  # of the picture's diagonal


def boundary_radius(height: int, width: int) -> int:
    """How far apart, in pixels, two boundaries may be: 0.008 of the diagonal, rounded up; 8 for 854 x 480."""
    return math.ceil(TOLERANCE * float(np.linalg.norm((height, width))))


def plain_region(truth: Bool[np.ndarray, "h w"], predicted: Bool[np.ndarray, "h w"]) -> float:
    """J, 0..1; 1 where both masks are empty."""
    union = np.count_nonzero(truth | predicted)
    return np.count_nonzero(truth & predicted) / union if union else 1.0


def plain_boundary_f(truth: Bool[np.ndarray, "h w"], predicted: Bool[np.ndarray, "h w"], *, radius: int | None = None) -> float:
    """F, 0..1. `radius`: tolerance in pixels, `boundary_radius` by default."""
    radius = boundary_radius(*truth.shape) if radius is None else radius
    kernel = _disk(radius)
    true_edge, found_edge = boundary_map(truth), boundary_map(predicted)
    near_truth, near_found = (cv2.dilate(edge.astype(np.uint8), kernel).astype(bool) for edge in (true_edge, found_edge))
    return f_of_counts(
        int(np.count_nonzero(found_edge & near_truth)),
        int(np.count_nonzero(found_edge)),
        int(np.count_nonzero(true_edge & near_found)),
        int(np.count_nonzero(true_edge)),
    )


def boundary_map(mask: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """The pixels of which one of the three neighbours to the east, south and south-east is otherwise than they are."""
    beyond = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    return (mask != beyond[:-1, 1:]) | (mask != beyond[1:, :-1]) | (mask != beyond[1:, 1:])


def f_of_counts(num_found_near: int, num_found: int, num_true_near: int, num_true: int) -> float:
    """F of the boundary pixels of the prediction (`found`) and of the truth, and of how many of each lie near the other's."""
    if num_found == 0 or num_true == 0:
        return float(num_found == num_true)
    precision, recall = num_found_near / num_found, num_true_near / num_true
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def _disk(radius: int) -> UInt8[np.ndarray, "n n"]:
    offsets = np.arange(-radius, radius + 1)
    return (offsets[:, None] ** 2 + offsets[None, :] ** 2 <= radius**2).astype(np.uint8)
