"""Which cells of space each frame of a clip sees, and the frames that see most of it together.

A point's cell is floor((point - lowest corner) / edge) along each axis; a cell has one whole number, so that frames are sorted sets
of numbers. Frames are chosen greedily: always the one with most cells that no chosen frame has, of several the first. Near
enough to the best choice (at least 1 - 1/e of it), and what diankun-wu/Spatial-MLLM (src/sampling/sa_sampling.py) does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from sightline.errors import InputError

MAX_CELL = 2**21  # cells along an axis, so that three fit into one whole number of 64 bits
FRACTION_OF_EXTENT = 20
MIN_CONFIDENCE = 0.1


@dataclass(frozen=True)
class Coverage:
    """The chosen frames in order of choice, and how many new cells each brought."""

    frames: tuple[int, ...]
    gains: tuple[int, ...]


@dataclass(frozen=True)
class Grid:
    """Cells of one `edge` (in the points' unit) from the corner `low`."""

    low: Float[np.ndarray, "3"]
    edge: float


def cells_of(points: Float[np.ndarray, "n 3"], grid: Grid) -> Int[np.ndarray, " cells"]:
    """The distinct cells of the points, each as one number, ascending.

    Raises:
        InputError: a point that is not finite, below the corner, or farther than `MAX_CELL` edges from it.
    """
    places = np.floor((points - grid.low.astype(points.dtype)) / points.dtype.type(grid.edge))
    if len(places) and not (places.min() >= 0 and places.max() < MAX_CELL):
        raise InputError(
            f"some of {len(points):,} points lie outside the grid (cells {places.min():g} to {places.max():g} of {MAX_CELL:,}). "
            "Drop points that are not finite, or take a larger edge."
        )
    x, y, z = places.astype(np.int64).T
    cells = (x * MAX_CELL + y) * MAX_CELL + z
    cells.sort()
    return cells[np.concatenate(([True], cells[1:] != cells[:-1]))] if len(cells) else cells


def confident(confidence: Float[np.ndarray, "*shape"]) -> Bool[np.ndarray, "*shape"]:
    """Which points are kept: those of at least the median confidence of the whole clip, and above `MIN_CONFIDENCE`."""
    return (confidence >= np.percentile(confidence, 50)) & (confidence > MIN_CONFIDENCE)


def fitted_grid(points: Float[np.ndarray, "n 3"]) -> Grid:
    """The grid from the points' lowest corner whose edge is a twentieth of the shortest side of their box: free of scale.

    Raises:
        InputError: no point, one that is not finite, or a side of length 0.
    """
    if not len(points) or not np.isfinite(points).all():
        raise InputError("no points to fit a grid to, or some are not finite. Check the confidence threshold, or drop bad frames.")
    low, high = points.min(axis=0), points.max(axis=0)
    edge = float((high - low).min() / points.dtype.type(FRACTION_OF_EXTENT))
    if edge <= 0:
        raise InputError(
            f"the points have no extent along one axis (from {low.tolist()} to {high.tolist()}): no cells can be made."
        )
    return Grid(low=low.astype(np.float64), edge=edge)


def max_coverage(frames: Sequence[Int[np.ndarray, " _"]], count: int) -> Coverage:
    """At most `count` of the frames (each its distinct cells), greedily; fewer where no frame brings a new cell any more."""
    sizes = [len(cells) for cells in frames]
    _, codes = np.unique(np.concatenate(frames) if frames else np.zeros(0, dtype=np.int64), return_inverse=True)
    owners = np.repeat(np.arange(len(frames)), sizes)
    starts = np.concatenate(([0], np.cumsum(sizes)))
    order = np.argsort(codes, kind="stable")
    bounds = np.searchsorted(codes[order], np.arange(codes.max(initial=-1) + 2))
    covered = np.zeros(len(bounds) - 1, dtype=bool)
    gain = np.array(sizes, dtype=np.int64)
    chosen: list[int] = []
    gains: list[int] = []
    while len(chosen) < min(count, len(frames)) and gain.max() > 0:
        best = int(gain.argmax())
        chosen.append(best)
        gains.append(int(gain[best]))
        mine = codes[starts[best] : starts[best + 1]]
        fresh = mine[~covered[mine]]
        covered[fresh] = True
        for cell in fresh:
            gain[owners[order[bounds[cell] : bounds[cell + 1]]]] -= 1
    return Coverage(frames=tuple(chosen), gains=tuple(gains))


def filled(chosen: Sequence[int], count: int, num_frames: int) -> tuple[int, ...]:
    """Frames to add so that `count` are chosen: always the one farthest in time from all chosen ones, of several the first; the
    first frame where none is chosen. Fewer where the clip is shorter."""
    added: list[int] = []
    distance = np.full(num_frames, num_frames, dtype=np.int64)
    for frame in chosen:
        distance = np.minimum(distance, np.abs(np.arange(num_frames) - frame))
    while len(chosen) + len(added) < min(count, num_frames):
        frame = int(distance.argmax())
        added.append(frame)
        distance = np.minimum(distance, np.abs(np.arange(num_frames) - frame))
    return tuple(added)
