"""MOSEv2's J and its two Fs of one object in one frame.

J is (common + 1) / (union + 1), 1 where both masks are empty: a false positive on an empty annotation gets almost, not exactly, 0.
F is measured twice, with the usual radius and with one tenth of the root of the object's area. Where that would be larger than
0.008 of the diagonal, or the annotation is empty, both take 0.008 of the diagonal *without rounding it up*, and the disk of that
radius is not symmetric. Source: henghuiding/MOSE-api, MOSEv2/sam2_rcms/tools/metricsv2.py (with scikit-image's `disk`).
"""

import math
from functools import lru_cache

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from sightline.evaluate.video.definition import f_of_counts
from sightline.evaluate.video.packed import PackedMask
from sightline.evaluate.video.region_boundary import boundary_f, count_both

TENTH = 0.1
SHARE_OF_DIAGONAL = 0.008


def score_mose2_frame(truth: PackedMask, predicted: PackedMask) -> tuple[float, float, float]:
    """J, the adaptive F and the usual F, each 0..1.

    Raises:
        InputError: the masks are of two sizes.
    """
    common = count_both(truth, predicted)
    union = truth.area + predicted.area - common
    j = min((common + 1) / (union + 1), 1.0) if union else 1.0
    cap = SHARE_OF_DIAGONAL * float(np.linalg.norm((truth.height, truth.width)))
    wanted = math.ceil(TENTH * math.sqrt(truth.area))
    if 0 < wanted < cap:
        return j, boundary_f(truth, predicted, radius=wanted), boundary_f(truth, predicted, radius=math.ceil(cap))
    f = _f_of_float_radius(truth, predicted, cap)
    return j, f, f


def _f_of_float_radius(truth: PackedMask, predicted: PackedMask, radius: float) -> float:
    num_found, num_true = predicted.boundary_area, truth.boundary_area
    if num_found == 0 or num_true == 0:
        return f_of_counts(0, num_found, 0, num_true)
    true_line, said_line = _boundary(truth), _boundary(predicted)
    disk = _disk(radius)
    near_truth, near_said = (cv2.dilate(line.astype(np.uint8), disk) for line in (true_line, said_line))
    found = int(np.count_nonzero(said_line & (near_truth > 0)))
    recovered = int(np.count_nonzero(true_line & (near_said > 0)))
    return f_of_counts(found, num_found, recovered, num_true)


@lru_cache(maxsize=16)
def _disk(radius: float) -> UInt8[np.ndarray, "n n"]:
    """The disk of a radius that need not be whole: offsets from -radius on in steps of one, as scikit-image makes it."""
    offsets = np.arange(-radius, radius + 1)
    across, down = np.meshgrid(offsets, offsets)
    return (across**2 + down**2 <= radius**2).astype(np.uint8)


def _boundary(mask: PackedMask) -> Bool[np.ndarray, "h w"]:
    bits = np.unpackbits(mask.boundary.astype("<u8").view(np.uint8), axis=1, bitorder="little")
    return bits[:, : mask.width].astype(bool)
