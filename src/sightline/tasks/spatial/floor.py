"""The floor of a room as a grid: from a polygon or from points, its free part, and what a straight walk over it meets."""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool, Float, Int

from sightline.errors import InputError
from sightline.geometry.oriented_boxes import Boxes3
from sightline.tasks.spatial.place import Floor

CELL_M = 0.05
MOST_CELLS = 4_000_000
WALKER_M = 1.8  # what hangs higher is no obstacle
FLAT_M = 0.05  # what is lower neither


def floor_of_points(points: Float[np.ndarray, "n 2"], *, reach_m: float, cell_m: float = CELL_M) -> Floor:
    """The cells that points lie in, closed: a gap that no disc of radius `reach_m` fits into is floor too. That is what an alpha
    shape with circles of that radius says, without its sensitivity to single triangles.

    Raises:
        InputError: no points, or so far apart that the grid has more than `MOST_CELLS` cells.
    """
    if not len(points) or not np.isfinite(points).all():
        raise InputError("the floor needs points, all of them finite.")
    margin = 2 * reach_m + cell_m
    low, high = points.min(axis=0) - margin, points.max(axis=0) + margin
    columns, rows = np.ceil((high - low) / cell_m).astype(np.int64).tolist()
    if rows * columns > MOST_CELLS:
        raise InputError(f"a floor of {(high - low).round(1).tolist()} m: at most {MOST_CELLS:,} cells of {cell_m} m are kept.")
    cells = np.zeros((rows, columns), dtype=np.uint8)
    places = np.floor((points - low) / cell_m).astype(np.int64)
    cells[places[:, 1].clip(0, rows - 1), places[:, 0].clip(0, columns - 1)] = 1
    closed = cv2.morphologyEx(cells, cv2.MORPH_CLOSE, _disc(reach_m / cell_m))
    return Floor(closed.astype(bool), (float(low[0]), float(low[1])), cell_m)


def floor_of_polygon(corners: Sequence[tuple[float, float]], *, cell_m: float = CELL_M) -> Floor:
    """The cells whose middle lies inside a polygon, given corner by corner in metres."""
    outline = np.array(corners, dtype=np.float64)
    low, high = outline.min(axis=0), outline.max(axis=0)
    columns, rows = np.ceil((high - low) / cell_m - 1e-9).astype(np.int64).tolist()
    x, y = (low[0] + (np.arange(columns) + 0.5) * cell_m)[None, :], (low[1] + (np.arange(rows) + 0.5) * cell_m)[:, None]
    inside = np.zeros((rows, columns), dtype=bool)
    for (x0, y0), (x1, y1) in zip(outline, np.roll(outline, -1, axis=0), strict=True):
        if y0 != y1:
            inside ^= ((y0 > y) != (y1 > y)) & (x < x0 + (x1 - x0) * (y - y0) / (y1 - y0))
    return Floor(inside, (float(low[0]), float(low[1])), cell_m)


def polygon_area(corners: Sequence[tuple[float, float]]) -> float:
    """Square metres inside a polygon that does not cross itself."""
    outline = np.array(corners, dtype=np.float64)
    after = np.roll(outline, -1, axis=0)
    return float(abs((outline[:, 0] * after[:, 1] - outline[:, 1] * after[:, 0]).sum()) / 2)


def free_cells(floor: Floor, boxes: Boxes3, *, clearance_m: float) -> Bool[np.ndarray, "rows columns"]:
    """Where the middle of a round robot of radius `clearance_m` may be: on the floor, as far from its edge and from every box that
    stands between `FLAT_M` and `WALKER_M` above the lowest one."""
    blocked = (~floor.cells).astype(np.uint8)
    corners = boxes.corners()
    ground = float(corners[..., 2].min()) if len(boxes) else 0.0
    for box in corners:
        low, high = float(box[:, 2].min()) - ground, float(box[:, 2].max()) - ground
        if low < WALKER_M and high > FLAT_M:
            hull = cv2.convexHull(((box[:, :2] - floor.origin) / floor.cell_m * 16).round().astype(np.int32))
            cv2.fillConvexPoly(blocked, hull - 8, 1, shift=4)  # a cell's middle is its corner plus a half
    padded = np.pad(blocked, 1, constant_values=1)
    apart = cv2.distanceTransform(1 - padded, cv2.DIST_L2, cv2.DIST_MASK_PRECISE)[1:-1, 1:-1]
    return apart * floor.cell_m >= clearance_m + floor.cell_m


def cells_of(floor: Floor, points: Float[np.ndarray, "n 2"]) -> Int[np.ndarray, "n 2"]:
    """The (row, column) of each point, which may lie beside the grid."""
    return np.floor((points - floor.origin) / floor.cell_m).astype(np.int64)[:, ::-1]


def middle_of(floor: Floor, cell: Sequence[int]) -> tuple[float, float]:
    """The middle of a cell (row, column), metres."""
    return floor.origin[0] + (cell[1] + 0.5) * floor.cell_m, floor.origin[1] + (cell[0] + 0.5) * floor.cell_m


def straight(floor: Floor, free: Bool[np.ndarray, "rows columns"], start: tuple[float, float], end: tuple[float, float]) -> bool:
    """Whether a straight walk from `start` to `end` stays on free cells; looked at twice a cell."""
    length = float(np.hypot(end[0] - start[0], end[1] - start[1]))
    shares = np.linspace(0.0, 1.0, 2 + int(2 * length / floor.cell_m))[:, None]
    cells = cells_of(floor, np.array(start) * (1 - shares) + np.array(end) * shares)
    inside = ((cells >= 0) & (cells < free.shape)).all(axis=1)
    return bool(inside.all() and free[cells[:, 0], cells[:, 1]].all())


def _disc(radius: float) -> np.ndarray:
    """The cells within `radius` cells of the middle one."""
    reach = int(np.floor(radius))
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    return (x * x + y * y <= radius * radius).astype(np.uint8)
