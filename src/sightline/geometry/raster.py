"""Which triangle of a mesh each pixel of a posed camera sees, and how far it is: a z-buffer without anti-aliasing.

A pixel is decided by its centre. It belongs to a triangle if the centre lies inside; on an edge that two triangles share, to
exactly one of them (the top-left rule). The edge functions are computed from the edge's end points in one fixed order, so that both
triangles see the same rounding: no pixel is lost or taken twice along shared edges. Depth is z along the camera's axis,
interpolated as 1/z, which is linear in the picture. Both sides of a triangle are seen; it is cut `NEAR_M` from the camera.
"""

from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from jaxtyping import Float, Int, Int32

from sightline.geometry.compiled import compiled
from sightline.types import Camera

NEAR_M = 0.05
NO_TRIANGLE = -1


@dataclass(frozen=True)
class Raster:
    """`triangle`: its number, `NO_TRIANGLE` where nothing is seen; `depth_m`: metres, 0 there."""

    triangle: Int32[np.ndarray, "h w"]
    depth_m: Float[np.ndarray, "h w"]


def rasterise(vertices: Float[np.ndarray, "v 3"], triangles: Int[np.ndarray, "t 3"], camera: Camera) -> Raster:
    """Look at a mesh (world, metres) with `camera`. Of triangles at the same depth, the first one is seen."""
    pose = np.array(camera.camera_to_world, dtype=np.float64).reshape(4, 4)
    local = np.ascontiguousarray((vertices - pose[:3, 3]) @ pose[:3, :3], dtype=np.float64)
    number = np.full((camera.height, camera.width), NO_TRIANGLE, np.int32)
    inverse = np.zeros((camera.height, camera.width))
    lens = np.array([camera.fx, camera.fy, camera.cx, camera.cy])
    _fill(local, np.ascontiguousarray(triangles, dtype=np.int64), lens, number, inverse)
    depth = np.divide(1.0, inverse, out=np.zeros_like(inverse), where=inverse > 0)
    return Raster(number, depth)


@compiled
@no_type_check
def _fill(local, triangles, lens, number, inverse):  # noqa: ANN001, ANN202 - numba infers them
    """Every triangle, cut at the near plane into a fan of up to two."""
    corner = np.empty((4, 3))
    for index in range(len(triangles)):
        count = _cut(local, triangles[index], corner)
        for last in range(2, count):
            _draw(corner[0], corner[last - 1], corner[last], lens, index, number, inverse)


@compiled
@no_type_check
def _cut(local, triangle, corner):  # noqa: ANN001, ANN202
    """The part of a triangle beyond the near plane, as a polygon in `corner`; the number of its corners."""
    count = 0
    for side in range(3):
        a, b = triangle[side], triangle[(side + 1) % 3]
        if local[a, 2] >= NEAR_M:
            corner[count] = local[a]
            count += 1
        if (local[a, 2] >= NEAR_M) != (local[b, 2] >= NEAR_M):
            low, high = (a, b) if a < b else (b, a)  # the same point for both triangles of the edge
            share = (NEAR_M - local[low, 2]) / (local[high, 2] - local[low, 2])
            corner[count] = local[low] + share * (local[high] - local[low])
            corner[count, 2] = NEAR_M
            count += 1
    return count


@compiled
@no_type_check
def _edge(ax, ay, bx, by, x, y):  # noqa: ANN001, ANN202
    """Twice the area of a, b, (x, y), exactly opposite for b, a."""
    if ax < bx or (ax == bx and ay < by):
        return (bx - ax) * (y - ay) - (by - ay) * (x - ax)
    return -((ax - bx) * (y - by) - (ay - by) * (x - bx))


@compiled
@no_type_check
def _owns(ax, ay, bx, by):  # noqa: ANN001, ANN202
    """Whether a centre on the edge from a to b belongs to the triangle on its positive side: top edges and left ones."""
    return by < ay or (by == ay and bx > ax)


@compiled
@no_type_check
def _draw(first, second, third, lens, index, number, inverse):  # noqa: ANN001, ANN202
    height, width = number.shape
    wa, wb, wc = 1.0 / first[2], 1.0 / second[2], 1.0 / third[2]
    ax, ay = lens[0] * first[0] * wa + lens[2], lens[1] * first[1] * wa + lens[3]
    bx, by = lens[0] * second[0] * wb + lens[2], lens[1] * second[1] * wb + lens[3]
    cx, cy = lens[0] * third[0] * wc + lens[2], lens[1] * third[1] * wc + lens[3]
    area = _edge(ax, ay, bx, by, cx, cy)
    if area == 0.0:
        return
    if area < 0.0:
        bx, cx, by, cy, wb, wc, area = cx, bx, cy, by, wc, wb, -area
    left, right = min(ax, bx, cx), max(ax, bx, cx)
    top, bottom = min(ay, by, cy), max(ay, by, cy)
    if right < 0.0 or bottom < 0.0 or left > width or top > height:
        return
    for row in range(int(max(top - 0.5, 0.0)), int(min(bottom + 0.5, height))):
        y = row + 0.5
        for column in range(int(max(left - 0.5, 0.0)), int(min(right + 0.5, width))):
            x = column + 0.5
            to_c, to_a, to_b = _edge(ax, ay, bx, by, x, y), _edge(bx, by, cx, cy, x, y), _edge(cx, cy, ax, ay, x, y)
            if to_a < 0.0 or to_b < 0.0 or to_c < 0.0:
                continue
            if (
                (to_c == 0.0 and not _owns(ax, ay, bx, by))
                or (to_a == 0.0 and not _owns(bx, by, cx, cy))
                or (to_b == 0.0 and not _owns(cx, cy, ax, ay))
            ):
                continue
            w = (to_a * wa + to_b * wb + to_c * wc) / area
            if w > inverse[row, column]:
                inverse[row, column] = w
                number[row, column] = index
