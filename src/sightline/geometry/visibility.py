"""Which world points a posed depth picture shows, hides or leaves out.

A point is visible if it lies more than `MIN_Z_M` in front of the camera, projects into the picture, depth was measured at that
pixel, and it differs from the point's z by less than `tolerance_m`: the rule used on ScanNet, with a tolerance that grows with
distance. Missing depth (0) proves nothing: such a point is neither visible nor occluded.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from sightline.errors import InputError
from sightline.geometry.camera import project, unproject
from sightline.geometry.points import pixel_indices
from sightline.types import Camera

MIN_Z_M = 0.1
TOLERANCE_M = 0.05
TOLERANCE_OF_Z = 0.05
MAX_OBJECT_POINTS = 5_000
MAX_FRAME_POINTS = 20_000


@dataclass(frozen=True)
class PointVisibility:
    """What one posed depth picture says of n world points.

    `pixels` are continuous (x, y), nan behind the camera. `in_frame`: z above `MIN_Z_M` and inside the picture. `visible`: the
    surface measured there is the point's own. `occluded`: a nearer surface is measured there. In frame and neither of the two:
    no depth there, or only a farther surface (the point's own surface is gone, or the pose or depth is wrong).
    """

    pixels: Float[np.ndarray, "n 2"]
    in_frame: Bool[np.ndarray, " n"]
    visible: Bool[np.ndarray, " n"]
    occluded: Bool[np.ndarray, " n"]


def tolerance_m(z_m: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """How far measured depth may be from z (metres) for the same surface: 5 cm, or 5 % of z where that is more."""
    return np.maximum(TOLERANCE_M, TOLERANCE_OF_Z * z_m)


def point_visibility(points: Float[np.ndarray, "n 3"], camera: Camera, depth_m: Float[np.ndarray, "h w"]) -> PointVisibility:
    """Judge world points (metres) by the depth picture of `camera` (metres, 0 = no depth).

    Raises:
        InputError: the depth picture has another size than the camera.
    """
    _check_size(camera, depth_m)
    pixels, z_m = project(points, camera)
    index, inside = pixel_indices(pixels, camera.width, camera.height)
    in_frame = inside & (z_m > MIN_Z_M)
    measured_m = depth_m[index[:, 0], index[:, 1]]
    measured = in_frame & (measured_m > 0)
    behind_m = z_m - measured_m
    tolerance = tolerance_m(z_m)
    return PointVisibility(
        pixels=pixels,
        in_frame=in_frame,
        visible=measured & (np.abs(behind_m) < tolerance),
        occluded=measured & (behind_m > tolerance),
    )


def mask_points(
    mask: Bool[np.ndarray, "h w"], depth_m: Float[np.ndarray, "h w"], camera: Camera, *, max_points: int = MAX_OBJECT_POINTS
) -> Float[np.ndarray, "n 3"]:
    """World points of the mask's pixels that have depth, at the pixels' centres.

    Of more than `max_points` such pixels, an even selection in row order; the same every time. n is 0 without depth in the mask.

    Raises:
        InputError: the depth picture has another size than the camera.
    """
    _check_size(camera, depth_m)
    flat = np.flatnonzero(mask & (depth_m > 0))
    if flat.size > max_points:
        flat = flat[np.arange(max_points) * flat.size // max_points]
    rows, columns = np.divmod(flat, depth_m.shape[1])
    centres = np.stack([columns + 0.5, rows + 0.5], axis=1)
    return unproject(centres, depth_m[rows, columns].astype(np.float64), camera)


def frame_overlap(
    depth_a: Float[np.ndarray, "ha wa"],
    camera_a: Camera,
    depth_b: Float[np.ndarray, "hb wb"],
    camera_b: Camera,
    *,
    max_points: int = MAX_FRAME_POINTS,
) -> float:
    """How much of what two posed depth pictures show is shown by both: |VA and VB| / |VA or VB|, 0..1; 0 if neither has depth.

    VA, VB are the pixels of A and of B with depth (at most `max_points` of each, as surface points). The common part is counted
    once from each side, and the mean of both is used: A's points visible in B, and B's in A.

    Raises:
        InputError: a depth picture has another size than its camera.
    """
    assert camera_a.world == camera_b.world, f"cameras in different worlds: {camera_a.world!r}, {camera_b.world!r}"
    points_a = mask_points(np.ones(depth_a.shape, dtype=bool), depth_a, camera_a, max_points=max_points)
    points_b = mask_points(np.ones(depth_b.shape, dtype=bool), depth_b, camera_b, max_points=max_points)
    a_in_b = point_visibility(points_a, camera_b, depth_b).visible.sum()
    b_in_a = point_visibility(points_b, camera_a, depth_a).visible.sum()
    common = float(a_in_b + b_in_a) / 2
    union = len(points_a) + len(points_b) - common
    return common / union if union > 0 else 0.0


def _check_size(camera: Camera, depth_m: Float[np.ndarray, "h w"]) -> None:
    height, width = depth_m.shape
    if (width, height) != (camera.width, camera.height):
        raise InputError(
            f"depth picture of {width} x {height}, camera of {camera.width} x {camera.height}: expected the same size. "
            "Scale the camera to the depth picture (scale_camera) if both show the same field of view."
        )
