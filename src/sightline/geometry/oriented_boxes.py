"""Oriented boxes in space, and the least distance between two of them, exact.

A box is its centre, three orthonormal axes (the rows of `axes`, in world coordinates) and its full lengths along them; metres.
Data sets that write `normalizedAxes` as nine numbers list the axes one after the other, which are these rows.

Two convex bodies that do not meet are nearest at a vertex of one of them or on an edge of both, so the least distance is the
smallest of 16 distances from a vertex to the other box and 144 between edges; whether two boxes meet is decided by the 15 axes on
which convex boxes can be separated. The benchmark's own scripts take the least distance between points of a 5 cm grid in each box,
without its core: that is too large by up to a grid step and more, and not 0 for a box inside another.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

SIGNS = np.array([[x, y, z] for x in (-1.0, 1.0) for y in (-1.0, 1.0) for z in (-1.0, 1.0)])
EDGES = np.array([(a, b) for a in range(8) for b in range(a + 1, 8) if np.abs(SIGNS[a] - SIGNS[b]).sum() == 2])
PARALLEL = 1e-12
PAIRS_AT_ONCE = 512  # 144 pairs of edges each: about 30 MB of temporaries


@dataclass(frozen=True, eq=False)
class Boxes3:
    """Several oriented boxes: `centres` and full `lengths` in metres, `axes` with the box's own axes as rows."""

    centres: Float[np.ndarray, "n 3"]
    axes: Float[np.ndarray, "n 3 3"]
    lengths: Float[np.ndarray, "n 3"]

    def corners(self) -> Float[np.ndarray, "n 8 3"]:
        """The corners in the world, in the order of `SIGNS`."""
        return self.centres[:, None] + np.einsum("ck,nk,nkd->ncd", SIGNS, self.lengths / 2, self.axes)

    def __len__(self) -> int:
        return len(self.centres)

    def take(self, places: Sequence[int] | np.ndarray) -> "Boxes3":
        """The boxes at these places."""
        chosen = np.asarray(places, dtype=np.intp)
        return Boxes3(self.centres[chosen], self.axes[chosen], self.lengths[chosen])


def box_distances(boxes: Boxes3) -> Float[np.ndarray, "n n"]:
    """The least distance in metres between every two boxes; 0 where they meet, and on the diagonal."""
    count = len(boxes)
    found = np.zeros((count, count))
    first, second = np.triu_indices(count, k=1)
    corners = boxes.corners()
    for start in range(0, len(first), PAIRS_AT_ONCE):
        a, b = first[start : start + PAIRS_AT_ONCE], second[start : start + PAIRS_AT_ONCE]
        found[a, b] = found[b, a] = _pair_distances(boxes.take(a), boxes.take(b), corners[a], corners[b])
    return found


def point_distances(boxes: Boxes3, points: Float[np.ndarray, "n k 3"]) -> Float[np.ndarray, "n k"]:
    """The distance in metres from each box to each of its points; 0 inside."""
    local = np.einsum("nkd,nad->nka", points - boxes.centres[:, None], boxes.axes)
    return np.linalg.norm(np.maximum(np.abs(local) - boxes.lengths[:, None] / 2, 0.0), axis=2)


def _pair_distances(
    a: Boxes3, b: Boxes3, corners_a: Float[np.ndarray, "n 8 3"], corners_b: Float[np.ndarray, "n 8 3"]
) -> Float[np.ndarray, " n"]:
    at_vertices = np.minimum(point_distances(a, corners_b).min(axis=1), point_distances(b, corners_a).min(axis=1))
    at_edges = _edge_distances(corners_a, corners_b)
    return np.where(_meet(a, b), 0.0, np.minimum(at_vertices, at_edges))


def _edge_distances(corners_a: Float[np.ndarray, "n 8 3"], corners_b: Float[np.ndarray, "n 8 3"]) -> Float[np.ndarray, " n"]:
    """The least distance between the inner parts of the edges of one box and of the other; infinite where no two edges have
    their common perpendicular on both (a vertex is then nearest, or the edges are parallel)."""
    start_a, start_b = corners_a[:, EDGES[:, 0]], corners_b[:, EDGES[:, 0]]
    along_a, along_b = corners_a[:, EDGES[:, 1]] - start_a, corners_b[:, EDGES[:, 1]] - start_b
    a_a = np.einsum("nid,nid->ni", along_a, along_a)[:, :, None]
    b_b = np.einsum("njd,njd->nj", along_b, along_b)[:, None, :]
    a_b = np.einsum("nid,njd->nij", along_a, along_b)
    gap = start_a[:, :, None] - start_b[:, None, :]
    a_gap, b_gap = np.einsum("nid,nijd->nij", along_a, gap), np.einsum("njd,nijd->nij", along_b, gap)
    determinant = a_a * b_b - a_b**2
    solvable = determinant > PARALLEL * np.maximum(a_a * b_b, PARALLEL)
    safe = np.where(solvable, determinant, 1.0)
    s, t = (a_b * b_gap - b_b * a_gap) / safe, (a_a * b_gap - a_b * a_gap) / safe
    inside = solvable & (s >= 0) & (s <= 1) & (t >= 0) & (t <= 1)
    squared = np.einsum("nijd,nijd->nij", gap, gap) + s * s * a_a + t * t * b_b - 2 * s * t * a_b + 2 * s * a_gap - 2 * t * b_gap
    return np.sqrt(np.where(inside, np.maximum(squared, 0.0), np.inf).min(axis=(1, 2)))


def _meet(a: Boxes3, b: Boxes3) -> Bool[np.ndarray, " n"]:
    """Whether two boxes share a point: no axis of the 15 separates them."""
    crossed = np.cross(a.axes[:, :, None], b.axes[:, None, :]).reshape(len(a), 9, 3)
    axes = np.concatenate([a.axes, b.axes, crossed], axis=1)
    reach = sum(np.einsum("nka,na->nk", np.abs(np.einsum("nkd,nad->nka", axes, box.axes)), box.lengths / 2) for box in (a, b))
    apart = np.abs(np.einsum("nkd,nd->nk", axes, b.centres - a.centres))
    return ~(apart > reach + 1e-12).any(axis=1)
