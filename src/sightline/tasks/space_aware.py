"""Space-aware choice of frames: those that together see most of a room.

    space_aware      cells of a fixed edge in metres, from depth and pose (Video-3D-LLM takes 0.1 m); exactly as many as asked
    points_aware     the same from given points and confidences, for example a network's; cells fitted to the points
    reference        what the published tool of Spatial-MLLM chooses from points and confidences: it stops where nothing is new, so
                     that fewer frames than asked may come back

Where the greedy choice stops early, frames farthest in time from those chosen are added, so that the number is exact; how many came
from either is kept. Frames are positions in the clip, ascending.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int

from sightline.errors import InputError
from sightline.geometry.depth_cells import CellCounter, space_of
from sightline.geometry.voxels import cells_of, confident, filled, fitted_grid, max_coverage
from sightline.types import Camera, Record

EDGE_M = 0.1


class Chosen(Record):
    """The chosen frames, ascending; `order` is the order of the greedy choice, `gains` how many new cells each of it brought."""

    frames: tuple[int, ...]
    order: tuple[int, ...]
    gains: tuple[int, ...]
    num_filled: int = 0

    @property
    def num_greedy(self) -> int:
        return len(self.order)


def space_aware(
    depths: Sequence[Float[np.ndarray, "_ _"]], cameras: Sequence[Camera], count: int, *, edge_m: float = EDGE_M
) -> Chosen:
    """`count` frames (all, of a shorter clip) by depth in metres (0 is none) and camera; pictures may be smaller than the camera's.

    Raises:
        InputError: another number of cameras than of depths, no depth at all, a pose that is none, or too many cells.
    """
    if len(depths) != len(cameras):
        raise InputError(f"{len(depths)} depth pictures for {len(cameras)} cameras: give one camera a picture.")
    counter = CellCounter(space_of(depths, cameras, edge_m))
    return _exactly([counter.cells(depth, camera) for depth, camera in zip(depths, cameras, strict=True)], count)


def points_aware(points: Float[np.ndarray, "t h w 3"], confidence: Float[np.ndarray, "t h w"], count: int) -> Chosen:
    """`count` frames by the points of each pixel (any unit) and how sure they are.

    Raises:
        InputError: as for `reference`.
    """
    return _exactly(_confident_cells(points, confidence), count)


def reference(points: Float[np.ndarray, "t h w 3"], confidence: Float[np.ndarray, "t h w"], count: int) -> Chosen:
    """At most `count` frames, as the published tool chooses them; in the precision of the points (theirs is single).

    Raises:
        InputError: no point is sure enough, one is not finite, or all lie in a plane along an axis (the published tool fails).
    """
    found = max_coverage(_confident_cells(points, confidence), count)
    return Chosen(frames=tuple(sorted(found.frames)), order=found.frames, gains=found.gains)


def _confident_cells(points: Float[np.ndarray, "t h w 3"], confidence: Float[np.ndarray, "t h w"]) -> list[Int[np.ndarray, " _"]]:
    kept = confident(confidence)
    grid = fitted_grid(points[kept])
    return [cells_of(frame[mask], grid) for frame, mask in zip(points, kept, strict=True)]


def _exactly(cells: Sequence[Int[np.ndarray, " _"]], count: int) -> Chosen:
    found = max_coverage(cells, count)
    added = filled(found.frames, count, len(cells))
    return Chosen(frames=tuple(sorted((*found.frames, *added))), order=found.frames, gains=found.gains, num_filled=len(added))
