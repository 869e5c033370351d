"""The cells of space that a posed depth picture sees, in one pass over its pixels; compiled, since a clip has tens of millions.

`no_type_check` keeps the tests' runtime type checks from wrapping what numba has to compile.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import no_type_check

import numba
import numpy as np
from jaxtyping import Float, Int

from sightline.errors import InputError
from sightline.geometry.camera import check_pose
from sightline.types import Camera

MAX_CELLS = 2**27
MARGIN = 1e-4  # of an edge: what rounding may carry a point beyond the corners of its view


@dataclass(frozen=True)
class Space:
    """A block of cells that holds all a clip sees: the number of its first cell along each axis, how many there are, their edge."""

    first: tuple[int, int, int]
    shape: tuple[int, int, int]
    edge_m: float


class CellCounter:
    """Cells of depth pictures in one space; keeps a stamp for each cell, so that a picture's cells come out distinct at once."""

    def __init__(self, space: Space) -> None:
        self.space = space
        self._stamps = np.zeros(math.prod(space.shape), dtype=np.int32)
        self._turn = 0

    def cells(self, depth_m: Float[np.ndarray, "h w"], camera: Camera) -> Int[np.ndarray, " cells"]:
        """The distinct cells that the pixels with depth lie in, as places in the space (row-major), in order of the pixels.

        A cell is floor(world / edge) along each axis. Depth that is 0, negative or not finite is none.
        """
        self._turn += 1
        pose = np.array(camera.camera_to_world).reshape(4, 4)
        height, width = depth_m.shape
        focal = np.array([camera.fx * width / camera.width, camera.fy * height / camera.height])
        centre = np.array([camera.cx * width / camera.width, camera.cy * height / camera.height])
        found = np.empty(min(depth_m.size, len(self._stamps)), dtype=np.int64)
        block = np.array((self.space.first, self.space.shape), dtype=np.int64)
        count = _mark(
            depth_m.astype(np.float32, copy=False), pose, np.concatenate((focal, centre, [self.space.edge_m])), block,
            self._stamps, self._turn, found,
        )  # fmt: skip
        return found[:count]


def space_of(depths: Sequence[Float[np.ndarray, "_ _"]], cameras: Sequence[Camera], edge_m: float) -> Space:
    """The block of cells around everything the views can see, by the corners of each view at its farthest depth.

    Raises:
        InputError: no depth at all, a pose that is none, or more than `MAX_CELLS` cells.
    """
    if edge_m <= 0:
        raise InputError(f"a cell edge of {edge_m} m: give a length above 0.")
    corners = [_corners(depth, camera) for depth, camera in zip(depths, cameras, strict=True)]
    seen = np.concatenate([points for points in corners if len(points)] or [np.zeros((0, 3))])
    if not len(seen):
        raise InputError(f"none of {len(corners)} depth pictures has any depth. Check the depth files and their scale.")
    low = np.floor(seen.min(axis=0) / edge_m - MARGIN).astype(np.int64)
    high = np.floor(seen.max(axis=0) / edge_m + MARGIN).astype(np.int64)
    shape = high - low + 1
    if math.prod(shape.tolist()) > MAX_CELLS:
        size = " x ".join(f"{side * edge_m:.0f}" for side in shape)
        raise InputError(
            f"{size} m in cells of {edge_m} m are more than {MAX_CELLS:,} cells. Take larger cells, or check the depth."
        )
    (x, y, z), (a, b, c) = low.tolist(), shape.tolist()
    return Space(first=(x, y, z), shape=(a, b, c), edge_m=edge_m)


def _corners(depth_m: Float[np.ndarray, "h w"], camera: Camera) -> Float[np.ndarray, "n 3"]:
    """The camera and the four corners of its view at the farthest depth; nothing where there is no depth."""
    pose = np.array(camera.camera_to_world).reshape(4, 4)
    check_pose(pose)
    farthest = float(depth_m.max(initial=0.0, where=np.isfinite(depth_m)))
    if farthest <= 0:
        return np.zeros((0, 3))
    xs = (np.array([0, camera.width]) - camera.cx) / camera.fx
    ys = (np.array([0, camera.height]) - camera.cy) / camera.fy
    rays = np.array([(0, 0, 0), *((x, y, 1) for x in xs for y in ys)]) * farthest
    return rays @ pose[:3, :3].T + pose[:3, 3]


@numba.njit(cache=True, nogil=True)
@no_type_check
def _mark(
    depth: np.ndarray, pose: np.ndarray, lens: np.ndarray, block: np.ndarray, stamps: np.ndarray, turn: int, found: np.ndarray
) -> int:
    count = 0
    height, width = depth.shape
    scale = 1.0 / lens[4]
    for row in range(height):
        y = (row + 0.5 - lens[3]) / lens[1]
        for column in range(width):
            z = depth[row, column]
            if not (z > 0 and z < np.inf):
                continue
            x = (column + 0.5 - lens[2]) / lens[0]
            place = 0
            for axis in range(3):
                at = z * (pose[axis, 0] * x + pose[axis, 1] * y + pose[axis, 2]) + pose[axis, 3]
                place = place * block[1, axis] + int(np.floor(at * scale)) - block[0, axis]
            if stamps[place] != turn:
                stamps[place] = turn
                found[count] = place
                count += 1
    return count
