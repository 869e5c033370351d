"""Convex solids that rays can be cast at: cuboids, balls, cans, and the room that encloses them.

World axes: x and y along the floor, z up, metres. A ray is origin + t * direction; with directions whose camera z is 1,
t is the depth along the camera's axis. All solids are convex, so one entry per ray is all there is to know.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

NO_HIT = np.inf


@dataclass(frozen=True)
class Cuboid:
    """A box of `size` (metres along its own x, y, z), turned by `yaw` radians about the vertical through `centre`."""

    centre: tuple[float, float, float]
    size: tuple[float, float, float]
    yaw: float = 0.0


@dataclass(frozen=True)
class Ball:
    """A sphere."""

    centre: tuple[float, float, float]
    radius: float


@dataclass(frozen=True)
class Can:
    """An upright closed cylinder."""

    centre: tuple[float, float, float]
    radius: float
    height: float
    yaw: float = 0.0


Solid = Cuboid | Ball | Can


def half_extent(solid: Solid) -> tuple[float, float, float]:
    """Half the sides of the solid's bounding box in its own axes, metres."""
    match solid:
        case Cuboid(size=(x, y, z)):
            return x / 2, y / 2, z / 2
        case Ball(radius=radius):
            return radius, radius, radius
        case Can(radius=radius, height=height):
            return radius, radius, height / 2


def footprint_radius(solid: Solid) -> float:
    """Radius in metres of the upright cylinder about the solid's centre that contains it."""
    x, y, _ = half_extent(solid)
    return float(np.hypot(x, y)) if isinstance(solid, Cuboid) else x


def bounding_corners(solid: Solid) -> Float[np.ndarray, "8 3"]:
    """The corners, in the world, of a box that contains the solid."""
    signs = np.array([[x, y, z] for x in (-1, 1) for y in (-1, 1) for z in (-1, 1)], dtype=float)
    return turned(signs * half_extent(solid), _turn(solid).T) + solid.centre


def to_local(solid: Solid, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """World points in the solid's own axes, origin at its centre."""
    return turned(points - solid.centre, _turn(solid))


def entry(solid: Solid, origin: Float[np.ndarray, "3"], directions: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, " n"]:
    """The t at which each ray enters the solid, infinite where it does not. The origin must lie outside."""
    turn = _turn(solid)
    local_origin, local = turned((origin - solid.centre)[None], turn)[0], turned(directions, turn)
    match solid:
        case Cuboid():
            near, far = _between_planes(local_origin, local, half_extent(solid))
        case Ball(radius=radius):
            near, far = _inside_quadric(local_origin, local, radius)
        case Can(radius=radius, height=height):
            near, far = _inside_quadric(local_origin[:2], local[:, :2], radius)
            low, high = _between_planes(local_origin[2:], local[:, 2:], (height / 2,))
            near, far = np.maximum(near, low), np.minimum(far, high)
    return np.where((near < far) & (near > 0), near, NO_HIT)


def normals(solid: Solid, local: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """Outward unit normals in the world at surface points given in the solid's own axes."""
    match solid:
        case Cuboid():
            own = _dominant_axis(local / half_extent(solid))
        case Ball(radius=radius):
            own = local / radius
        case Can(radius=radius, height=height):
            on_cap = np.abs(local[:, 2]) > height / 2 - 1e-6
            side = local * (1.0, 1.0, 0.0) / radius
            own = np.where(on_cap[:, None], np.sign(local) * (0.0, 0.0, 1.0), side)
    return turned(own, _turn(solid).T)


def room_exit(
    size: tuple[float, float, float], origin: Float[np.ndarray, "3"], directions: Float[np.ndarray, "n 3"]
) -> Float[np.ndarray, " n"]:
    """The t at which each ray from inside the room [0, x] x [0, y] x [0, z] meets a wall, the floor or the ceiling."""
    half = (size[0] / 2, size[1] / 2, size[2] / 2)
    return _between_planes(origin - half, directions, half)[1]


def turned(vectors: Float[np.ndarray, "n 3"], matrix: Float[np.ndarray, "3 3"]) -> Float[np.ndarray, "n 3"]:
    """`vectors @ matrix` without BLAS, whose threads would fight over the cores with other workers, and round as they please."""
    return np.einsum("nk,kj->nj", vectors, matrix)


def _turn(solid: Solid) -> Float[np.ndarray, "3 3"]:
    """Rotation from the solid's own axes to the world's."""
    yaw = 0.0 if isinstance(solid, Ball) else solid.yaw
    cos, sin = np.cos(yaw), np.sin(yaw)
    return np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])


def _between_planes(
    origin: Float[np.ndarray, " k"], directions: Float[np.ndarray, "n k"], half: tuple[float, ...]
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Where each ray is within +-half on every axis at once: from near to far (near > far: nowhere)."""
    inverse = 1.0 / np.where(directions == 0.0, 1e-12, directions)
    first, second = (-np.asarray(half) - origin) * inverse, (np.asarray(half) - origin) * inverse
    return np.minimum(first, second).max(axis=1), np.maximum(first, second).min(axis=1)


def _inside_quadric(
    origin: Float[np.ndarray, " k"], directions: Float[np.ndarray, "n k"], radius: float
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Where each ray is within `radius` of the origin (of the axis, for two coordinates): from near to far."""
    a = np.maximum((directions**2).sum(axis=1), 1e-12)
    b = (directions * origin).sum(axis=1)
    discriminant = b**2 - a * ((origin**2).sum() - radius**2)
    root = np.sqrt(np.maximum(discriminant, 0.0))
    missed = discriminant <= 0
    return np.where(missed, NO_HIT, (-b - root) / a), np.where(missed, -NO_HIT, (-b + root) / a)


def _dominant_axis(scaled: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """The signed unit axis along which each point lies farthest out."""
    axis = np.abs(scaled).argmax(axis=1)
    unit = np.zeros_like(scaled)
    rows = np.arange(len(scaled))
    unit[rows, axis] = np.sign(scaled[rows, axis])
    return unit
