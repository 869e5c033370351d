"""Pinhole cameras: poses, pixels to world points and back.

OpenCV axes (x right, y down, z forward), metres, z-depth (along the axis, not along the ray), continuous pixels: the centre of the
first pixel is 0.5, so a calibration that counts pixel centres from 0 has 0.5 added to its principal point. A negative focal length
(fy of ICL-NUIM) mirrors that image axis and needs no special case.
"""

from collections.abc import Sequence

import msgspec
import numpy as np
from jaxtyping import Float

from sightline.errors import InputError
from sightline.types import Camera

MAX_ROTATION_ERROR = 1e-3
MAX_QUATERNION_ERROR = 1e-2
Vector = Sequence[float | int] | np.ndarray


def check_pose(camera_to_world: Float[np.ndarray, "4 4"]) -> None:
    """Accept a rigid, right-handed transform.

    Raises:
        InputError: a number that is not finite (how some datasets mark a lost pose), a last row other than 0 0 0 1, axes that are
            not orthonormal to `MAX_ROTATION_ERROR`, or a mirrored frame.
    """
    if not np.isfinite(camera_to_world).all():
        raise _bad_pose(camera_to_world, "it has numbers that are not finite", "drop this view: its pose was lost")
    if np.abs(camera_to_world[3] - (0, 0, 0, 1)).max() > MAX_ROTATION_ERROR:
        raise _bad_pose(camera_to_world, f"the last row is {camera_to_world[3].tolist()}", "check whether it is transposed")
    rotation = camera_to_world[:3, :3]
    error = float(np.abs(rotation.T @ rotation - np.eye(3)).max())
    if error > MAX_ROTATION_ERROR:
        raise _bad_pose(camera_to_world, f"|R'R - I| is {error:.2g}, at most {MAX_ROTATION_ERROR}", "check for a scale in R")
    if np.linalg.det(rotation) < 0:
        raise _bad_pose(camera_to_world, "the determinant of R is -1 (mirrored axes)", "convert it to x right, y down, z forward")


def pose_from_quaternion(translation: Vector, quaternion_xyzw: Vector) -> Float[np.ndarray, "4 4"]:
    """The transform of a translation (3, metres) and a unit quaternion x, y, z, w.

    Raises:
        InputError: the quaternion's length is not 1 to `MAX_QUATERNION_ERROR`, or a number is not finite.
    """
    x, y, z, w = (float(part) for part in quaternion_xyzw)
    length = float(np.sqrt(x * x + y * y + z * z + w * w))
    if not abs(length - 1) <= MAX_QUATERNION_ERROR:
        raise InputError(
            f"quaternion {x, y, z, w} has length {length:.4g}, expected 1. Check the order of the columns: x, y, z, w is read."
        )
    x, y, z, w = x / length, y / length, z / length, w / length
    pose = np.eye(4)
    pose[:3, :3] = [
        [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
        [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
        [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
    ]
    pose[:3, 3] = [float(part) for part in translation]
    check_pose(pose)
    return pose


def unproject(pixels: Float[np.ndarray, "n 2"], depth_m: Float[np.ndarray, " n"], camera: Camera) -> Float[np.ndarray, "n 3"]:
    """World points (metres) seen at continuous `pixels` (x, y) with z-depths `depth_m`."""
    x = (pixels[:, 0] - camera.cx) / camera.fx * depth_m
    y = (pixels[:, 1] - camera.cy) / camera.fy * depth_m
    rotation, origin = _axes_and_origin(camera)
    return np.stack([x, y, depth_m], axis=1) @ rotation.T + origin


def project(points: Float[np.ndarray, "n 3"], camera: Camera) -> tuple[Float[np.ndarray, "n 2"], Float[np.ndarray, " n"]]:
    """Continuous pixels (x, y) of world points, and their z in metres.

    Points at or behind the camera (z <= 0) have nan pixels. Pixels may lie outside the picture.
    """
    rotation, origin = _axes_and_origin(camera)
    x, y, z = ((points - origin) @ rotation).T
    in_front = z > 0
    depth = np.where(in_front, z, 1.0)
    pixels = np.stack([camera.fx * x / depth + camera.cx, camera.fy * y / depth + camera.cy], axis=1)
    pixels[~in_front] = np.nan
    return pixels, z


def scale_camera(camera: Camera, width: int, height: int) -> Camera:
    """The camera of the same picture resized to `width` x `height`: focal lengths and principal point are multiplied."""
    x_scale, y_scale = width / camera.width, height / camera.height
    return msgspec.structs.replace(
        camera,
        width=width,
        height=height,
        fx=camera.fx * x_scale,
        fy=camera.fy * y_scale,
        cx=camera.cx * x_scale,
        cy=camera.cy * y_scale,
    )


def turn_camera(camera: Camera, quarter_turns: int) -> Camera:
    """The camera of the same picture turned counter-clockwise by quarters (as `numpy.rot90`): size, intrinsics and pose turn along.

    One turn takes the pixel (x, y) to (y, width - x), so the new right is the old down and the new down the old left.
    """
    for _ in range(quarter_turns % 4):
        pose = np.array(camera.camera_to_world, dtype=np.float64).reshape(4, 4)
        turned = np.stack([pose[:, 1], -pose[:, 0], pose[:, 2], pose[:, 3]], axis=1)
        camera = msgspec.structs.replace(
            camera,
            width=camera.height,
            height=camera.width,
            fx=camera.fy,
            fy=camera.fx,
            cx=camera.cy,
            cy=camera.width - camera.cx,
            camera_to_world=tuple(turned.ravel().tolist()),
        )
    return camera


def _axes_and_origin(camera: Camera) -> tuple[Float[np.ndarray, "3 3"], Float[np.ndarray, "3"]]:
    """The camera's axes as columns, and its position, in the world."""
    pose = np.array(camera.camera_to_world, dtype=np.float64).reshape(4, 4)
    return pose[:3, :3], pose[:3, 3]


def _bad_pose(pose: Float[np.ndarray, "4 4"], reason: str, remedy: str) -> InputError:
    return InputError(f"camera-to-world pose is not a rigid transform: {reason}; {remedy}. Found {pose.round(4).tolist()}.")
