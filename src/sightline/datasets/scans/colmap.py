"""COLMAP's text model: cameras.txt and images.txt, without its points.

    cameras.txt   1 OPENCV 1920 1440 1431.1 1431.3 954.7 724.6 0.05 -0.11 0 0      id, model, size, parameters
    images.txt    1 0.85 -0.51 0.01 0.02 0.41 1.2 0.9 1 frame_000120.jpg         id, qw qx qy qz, x y z, camera id, name
                  2362.4 248.5 58396 ...                     then its points on a line of their own, which may be empty

Poses in the file are world to camera; here they are inverted.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from sightline.datasets.scans.poses import MAX_TEXT_BYTES, invert_pose, numbers, text_lines
from sightline.errors import InputError
from sightline.geometry.camera import pose_from_quaternion

# For each model: which parameters are fx, fy, cx, cy, and how many there are; those beyond are distortion.
MODELS: dict[str, tuple[tuple[int, int, int, int], int]] = {
    "SIMPLE_PINHOLE": ((0, 0, 1, 2), 3),
    "PINHOLE": ((0, 1, 2, 3), 4),
    "SIMPLE_RADIAL": ((0, 0, 1, 2), 4),
    "RADIAL": ((0, 0, 1, 2), 5),
    "OPENCV": ((0, 1, 2, 3), 8),
    "OPENCV_FISHEYE": ((0, 1, 2, 3), 8),
    "FULL_OPENCV": ((0, 1, 2, 3), 12),
}
UNDISTORTED = 1e-12


@dataclass(frozen=True)
class ColmapImage:
    """One registered picture: its pose, fx, fy, cx, cy, and size (width, height)."""

    name: str
    camera_to_world: Float[np.ndarray, "4 4"]
    intrinsics: tuple[float, ...]
    size: tuple[int, int]
    distorted: bool


def read_images(path: Path) -> list[ColmapImage]:
    """The pictures of images.txt, with the cameras of cameras.txt beside it, in the file's order.

    Raises:
        FileNotFoundError: one of the two is missing.
        InputError: a line that is none of the format; the message names it.
    """
    cameras = {}
    for line in text_lines(path.with_name("cameras.txt")):
        words = line.split()
        cameras[words[0]] = _camera(path.with_name("cameras.txt"), words)
    images = []
    for row, line in _image_lines(path):
        where = f"{path}, line {row}"
        words = line.split(maxsplit=9)
        if len(words) != 10 or words[8] not in cameras:
            raise InputError(
                f"{where}: expected ID QW QX QY QZ TX TY TZ CAMERA_ID NAME with a camera of cameras.txt, found {line[:80]!r}."
            )
        qw, qx, qy, qz, *translation = numbers(where, words[1:8])
        try:
            world_to_camera = pose_from_quaternion(translation, (qx, qy, qz, qw))
        except InputError as error:
            raise InputError(f"{where}: {error}") from error
        intrinsics, size, distorted = cameras[words[8]]
        images.append(ColmapImage(words[9].strip(), invert_pose(world_to_camera), intrinsics, size, distorted))
    return images


def _image_lines(path: Path) -> list[tuple[int, str]]:
    """Each first line of a pair. A picture without points has an empty second line, so empty lines count."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file.")
    if path.stat().st_size > MAX_TEXT_BYTES * 16:  # it lists every point of every picture
        raise InputError(f"{path}: {path.stat().st_size:,} bytes; at most {MAX_TEXT_BYTES * 16:,} are read. Remove the points.")
    lines = [(row, line) for row, line in enumerate(path.read_text().splitlines(), start=1) if not line.startswith("#")]
    return [(row, line) for row, line in lines[::2] if line.strip()]


def _camera(path: Path, words: list[str]) -> tuple[tuple[float, ...], tuple[int, int], bool]:
    model = words[1] if len(words) > 1 else ""
    if model not in MODELS:
        raise InputError(f"{path}: camera model {model!r}; known are {', '.join(MODELS)}. Undistort the pictures to PINHOLE.")
    places, count = MODELS[model]
    values = numbers(str(path), words[2:])
    if len(values) != 2 + count:
        raise InputError(f"{path}: a {model} camera of {len(values) - 2} parameters; expected {count}.")
    parameters = values[2:]
    distorted = any(abs(value) > UNDISTORTED for value in parameters[max(places) + 1 :])
    return tuple(parameters[place] for place in places), (int(values[0]), int(values[1])), distorted
