"""Poses and intrinsics as text files have them, and cameras made of them. Poses come out as camera to world."""

import math
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Float

from sightline.errors import InputError
from sightline.geometry.camera import check_pose, pose_from_quaternion
from sightline.types import Camera

MAX_TEXT_BYTES = 64 * 2**20


def text_lines(path: Path) -> list[str]:
    """The lines of a small text file that hold something other than a comment (#).

    Raises:
        FileNotFoundError: no such file.
        InputError: more than `MAX_TEXT_BYTES`, or not text.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file.")
    if (size := path.stat().st_size) > MAX_TEXT_BYTES:
        raise InputError(f"{path}: text of {size:,} bytes; at most {MAX_TEXT_BYTES:,} are read.")
    try:
        lines = path.read_text().splitlines()
    except UnicodeDecodeError as error:
        raise InputError(f"{path}: expected a text file ({error}).") from error
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def numbers(where: str, words: Sequence[str]) -> list[float]:
    """Words as numbers; `inf` and `nan` are numbers, too (lost poses).

    Raises:
        InputError: a word is none; the message begins with `where`.
    """
    try:
        return [float(word) for word in words]
    except ValueError as error:
        raise InputError(f"{where}: expected numbers, found {' '.join(words)[:80]!r} ({error}).") from error


def read_matrix(path: Path, shapes: Sequence[tuple[int, int]] = ((4, 4),)) -> Float[np.ndarray, "r c"]:
    """A matrix as rows of numbers, of one of `shapes`.

    Raises:
        FileNotFoundError: no such file.
        InputError: another shape, or something that is no number.
    """
    lines = text_lines(path)
    rows = [numbers(f"{path}, row {index + 1}", line.replace(",", " ").split()) for index, line in enumerate(lines)]
    found = (len(rows), len(rows[0]) if rows else 0)
    if found not in shapes or any(len(row) != found[1] for row in rows):
        expected = " or ".join(f"{r} x {c}" for r, c in shapes)
        raise InputError(f"{path}: expected a matrix of {expected} numbers, found {[len(row) for row in rows]} a row.")
    return np.array(rows, dtype=np.float64)


def pose_of_words(where: str, words: Sequence[str]) -> Float[np.ndarray, "4 4"]:
    """A pose on one line: 16 or 12 numbers (rows), or x y z qx qy qz qw; a time stamp may stand before these seven.

    A pose with numbers that are not finite comes back as it is (`usable_pose` drops it).

    Raises:
        InputError: another count of numbers, or a quaternion that is none.
    """
    values = numbers(where, words)
    if not all(map(math.isfinite, values)):
        return np.full((4, 4), np.nan)
    if len(values) in (12, 16):
        pose = np.eye(4)
        pose[: len(values) // 4] = np.reshape(values, (-1, 4))
        return pose
    if len(values) in (7, 8):
        try:
            return pose_from_quaternion(values[-7:-4], values[-4:])
        except InputError as error:
            raise InputError(f"{where}: {error}") from error
    raise InputError(f"{where}: a pose of {len(values)} numbers; expected 7 (x y z qx qy qz qw), 8 (time first), 12 or 16.")


def invert_pose(pose: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, "4 4"]:
    """The inverse of a rigid transform."""
    inverse = np.eye(4)
    inverse[:3, :3] = pose[:3, :3].T
    inverse[:3, 3] = -pose[:3, :3].T @ pose[:3, 3]
    return inverse


def pose_problem(pose: Float[np.ndarray, "4 4"]) -> str | None:
    """Why a pose cannot be used, or None."""
    try:
        check_pose(pose)
    except InputError as error:
        return str(error)
    return None


def make_camera(
    pose: Float[np.ndarray, "4 4"],
    intrinsics: Sequence[float],
    *,
    size: tuple[int, int],
    world: str,
    pixel_centre: float = 0.0,
    where: str = "",
) -> Camera:
    """A camera of fx, fy, cx, cy for pictures of `size` (width, height); `pixel_centre` is the centre of the first pixel in them.

    Raises:
        InputError: a focal length of 0, or a number that is not finite.
    """
    fx, fy, cx, cy = (float(value) for value in intrinsics)
    if not all(map(math.isfinite, (fx, fy, cx, cy))) or fx == 0 or fy == 0:
        raise InputError(
            f"{where or world}: intrinsics fx {fx:g}, fy {fy:g}, cx {cx:g}, cy {cy:g}; expected finite numbers and focal lengths "
            "other than 0. Give the calibration of the colour camera, in pixels."
        )
    shift = 0.5 - pixel_centre
    return Camera(
        width=size[0],
        height=size[1],
        fx=fx,
        fy=fy,
        cx=cx + shift,
        cy=cy + shift,
        camera_to_world=tuple(pose.ravel().tolist()),
        world=world,
    )
