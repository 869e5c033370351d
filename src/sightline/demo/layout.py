"""Draws what stands where in a room, and from where it is looked at.

A room is built so that the situations a cross-view task needs are likely, and is then checked (`fairness`):

- a bookshelf stands in the middle. One target stands behind it, one in front, of the same class, so that a view from
  either long side hides one of them and shows the other;
- view 1 looks from the end of the bookshelf and sees both sides; two views look from the long sides, two from corners
  along one side each, so that what stands on the other side is out of view or hidden;
- cameras are at 1.75 m and more, objects end below 1.25 m: every two views of an object share at least part of its top.
"""

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Bool, Float

from sightline.demo import paint
from sightline.demo.paint import COLOURS, WOOD, Paint, Rgb
from sightline.demo.solids import Ball, Can, Cuboid, Solid, footprint_radius, half_extent, to_local

NUM_VIEWS = 5
CLASSES = ("box", "ball", "can")
CLEARANCE_M = 0.12
CAMERA_CLEARANCE_M = 1.0
PLACING_TRIES = 30
WALL_COLOURS: tuple[tuple[Rgb, Rgb], ...] = (
    ((0.86, 0.89, 0.84), (0.45, 0.60, 0.50)),
    ((0.93, 0.88, 0.80), (0.74, 0.50, 0.40)),
    ((0.83, 0.88, 0.92), (0.38, 0.52, 0.66)),
    ((0.92, 0.86, 0.87), (0.62, 0.46, 0.58)),
)
RUG_COLOURS: tuple[Rgb, ...] = ((0.58, 0.30, 0.30), (0.28, 0.42, 0.52), (0.38, 0.46, 0.34), (0.55, 0.42, 0.30))


@dataclass(frozen=True)
class Part:
    """One convex solid with its colours. `uid` and `label` are set for targets only, the objects that are asked for."""

    solid: Solid
    paint: Paint
    uid: int | None = None
    label: str | None = None


@dataclass(frozen=True)
class Shell:
    """The room itself: [0, x] x [0, y] x [0, z] metres, with the paint of floor, ceiling and the walls at x = 0, y = 0, x, y."""

    size: tuple[float, float, float]
    floor: Paint
    ceiling: Paint
    walls: tuple[Paint, Paint, Paint, Paint]


@dataclass(frozen=True)
class Layout:
    """One room: its shell, everything in it, and the 4x4 camera-to-world poses (OpenCV axes, metres) of its five views."""

    shell: Shell
    parts: tuple[Part, ...]
    poses: tuple[Float[np.ndarray, "4 4"], ...]
    frame_ids: tuple[int, ...]


@dataclass(frozen=True)
class Spot:
    """Where an object may stand: within `spread` of `place` (metres along x and y), on a surface at height `base`."""

    place: tuple[float, float]
    spread: tuple[float, float]
    base: float = 0.0


def draw_layout(rng: np.random.Generator) -> Layout | None:
    """One room at random, or None if its objects found no free place. Drawn in one orientation, then mirrored at random."""
    size = (float(rng.uniform(5.8, 6.4)), float(rng.uniform(5.5, 6.0)), 2.7)
    mirrored = rng.integers(2, size=2).astype(bool)
    aims = _draw_aims(rng, size)
    furniture = _draw_furniture(rng, size)
    objects = _draw_objects(rng, size, furniture=furniture, eyes=[eye for eye, _ in aims])
    if objects is None:
        return None
    parts = tuple(_mirror(part, size, mirrored=mirrored) for part in (*furniture, *objects))
    poses = tuple(look_at(*(_mirror_point(point, size, mirrored=mirrored) for point in aim)) for aim in aims)
    frame_ids = 10 * np.sort(rng.choice(np.arange(1, 1000), NUM_VIEWS, replace=False))
    return Layout(_draw_shell(rng, size), parts, poses, tuple(int(frame_id) for frame_id in frame_ids))


def look_at(eye: Float[np.ndarray, "3"], aim: Float[np.ndarray, "3"]) -> Float[np.ndarray, "4 4"]:
    """Camera-to-world pose (rounded to 1e-12) of an upright camera at `eye` that looks at `aim`, not straight up or down."""
    forward = (aim - eye) / np.linalg.norm(aim - eye)
    right = np.cross(forward, (0.0, 0.0, 1.0))
    right /= np.linalg.norm(right)
    pose = np.eye(4)
    pose[:3, :3] = np.stack([right, np.cross(forward, right), forward], axis=1)
    pose[:3, 3] = eye
    return pose.round(12)


def _draw_aims(
    rng: np.random.Generator, size: tuple[float, float, float]
) -> list[tuple[Float[np.ndarray, "3"], Float[np.ndarray, "3"]]]:
    """Where each camera is and what it looks at: the overview first, then the four others in random order."""
    x, y, _ = size
    around = [
        ((0.35, y / 2), (0.60 * x, y / 2)),
        ((x / 2, 0.4), (x / 2, y / 2 + 0.7)),
        ((x / 2, y - 0.4), (x / 2, y / 2 - 0.7)),
        ((x - 0.45, 0.5), (0.30 * x, 0.17 * y)),
        ((0.45, y - 0.5), (0.70 * x, 0.83 * y)),
    ]
    aims = []
    for view_index in (0, *rng.permutation(np.arange(1, NUM_VIEWS))):
        eye, aim = (np.array(place) + rng.uniform(-0.3, 0.3, 2) for place in around[view_index])
        eye = np.clip(eye, 0.25, np.array(size[:2]) - 0.25)
        height = rng.uniform(1.95, 2.15) if view_index == 0 else rng.uniform(1.75, 2.05)
        aims.append((np.array([*eye, height]), np.array([*aim, rng.uniform(0.3, 0.6)])))
    return aims


def _draw_furniture(rng: np.random.Generator, size: tuple[float, float, float]) -> list[Part]:
    """The bookshelf, then a low table: its top first, then its legs."""
    x, y = np.array([size[0] / 2, size[1] / 2]) + rng.uniform(-0.15, 0.15, 2)
    shelf_size = (float(rng.uniform(1.4, 1.8)), float(rng.uniform(0.32, 0.42)), float(rng.uniform(1.1, 1.3)))
    shelf = Cuboid((x, y, shelf_size[2] / 2), shelf_size, yaw=float(rng.uniform(-0.12, 0.12)))
    parts = [Part(shelf, paint.bookshelf(WOOD, shelf_size, num_shelves=int(rng.integers(3, 5))))]

    x, y = np.array([size[0] - 1.3, size[1] - 0.85]) + rng.uniform(-0.15, 0.15, 2)
    length, depth, height = float(rng.uniform(1.0, 1.3)), float(rng.uniform(0.65, 0.8)), float(rng.uniform(0.45, 0.58))
    wood = paint.boards((0.78, 0.60, 0.42))
    parts.append(Part(Cuboid((x, y, height - 0.025), (length, depth, 0.05)), wood))
    for along, across in ((-1, -1), (-1, 1), (1, -1), (1, 1)):
        foot = (x + along * (length / 2 - 0.06), y + across * (depth / 2 - 0.06), (height - 0.05) / 2)
        parts.append(Part(Cuboid(foot, (0.06, 0.06, height - 0.05)), wood))
    return parts


def _draw_objects(
    rng: np.random.Generator, size: tuple[float, float, float], *, furniture: list[Part], eyes: list[Float[np.ndarray, "3"]]
) -> list[Part] | None:
    """Three or four targets, the first two of one class, then two to four bystanders; None if one found no free place."""
    x, y, _ = size
    table = furniture[1].solid
    behind, front = (Spot((x / 2, y / 2 + side), (0.45, 0.25)) for side in (0.95, -0.95))
    on_table = Spot(table.centre[:2], (0.3, 0.1), base=table.centre[2] + half_extent(table)[2])
    near_overview = Spot((0.32 * x, y / 2), (0.3, 1.3))
    anywhere = Spot((x / 2, y / 2), (x / 2 - 0.5, y / 2 - 0.5))
    third, fourth = (on_table, near_overview) if rng.integers(2) else (near_overview, on_table)
    num_targets, num_bystanders = int(rng.integers(3, 5)), int(rng.integers(2, 5))
    spots = [behind, front, third, fourth][:num_targets] + [anywhere] * num_bystanders
    labels = [CLASSES[k] for k in (*rng.permutation(3)[[0, 0, 1, 2]][:num_targets], *rng.integers(3, size=num_bystanders))]
    colours = [list(COLOURS.values())[k] for k in rng.permutation(len(COLOURS))]
    objects: list[Part] = []
    for k, (spot, label) in enumerate(zip(spots, labels, strict=True)):
        drawn = _draw_object(rng, label, colour=colours[k], accent=colours[(k + 3) % len(colours)])
        blocked_by = [part.solid for part in ([] if spot is on_table else furniture) + objects]
        solid = _place(rng, drawn.solid, spot=spot, blocked_by=blocked_by, eyes=eyes)
        if solid is None:
            return None
        uid = k + 1 if k < num_targets else None
        objects.append(replace(drawn, solid=solid, uid=uid, label=label if uid else None))
    return objects


def _draw_object(rng: np.random.Generator, label: str, *, colour: Rgb, accent: Rgb) -> Part:
    """One object of the class `label`, standing at the origin."""
    yaw = float(rng.uniform(-np.pi, np.pi))
    if label == "box":
        size = (float(rng.uniform(0.30, 0.46)), float(rng.uniform(0.26, 0.38)), float(rng.uniform(0.26, 0.42)))
        return Part(Cuboid((0.0, 0.0, size[2] / 2), size, yaw), paint.parcel(colour, size))
    if label == "ball":
        radius = float(rng.uniform(0.19, 0.25))
        return Part(Ball((0.0, 0.0, radius), radius), paint.beach_ball(colour, accent))
    radius, height = float(rng.uniform(0.13, 0.18)), float(rng.uniform(0.32, 0.44))
    return Part(Can((0.0, 0.0, height / 2), radius, height, yaw), paint.tin(colour, accent, height))


def _place(
    rng: np.random.Generator, solid: Solid, *, spot: Spot, blocked_by: list[Solid], eyes: list[Float[np.ndarray, "3"]]
) -> Solid | None:
    """`solid` moved to a free place of `spot`, clear of other solids and of the cameras; None if none was found."""
    for _ in range(PLACING_TRIES):
        x, y = np.array(spot.place) + rng.uniform(-1, 1, 2) * spot.spread
        moved = replace(solid, centre=(float(x), float(y), spot.base + solid.centre[2]))
        reach = footprint_radius(solid) + CLEARANCE_M
        if all(_floor_distance(other, moved) > reach for other in blocked_by) and all(
            np.hypot(x - eye[0], y - eye[1]) > CAMERA_CLEARANCE_M for eye in eyes
        ):
            return moved
    return None


def _floor_distance(solid: Solid, other: Solid) -> float:
    """Metres along the floor from `other`'s centre to the rectangle that `solid` stands on."""
    local = np.abs(to_local(solid, np.array([other.centre]))[0, :2]) - half_extent(solid)[:2]
    return float(np.hypot(*np.maximum(local, 0.0)))


def _draw_shell(rng: np.random.Generator, size: tuple[float, float, float]) -> Shell:
    colour, accent = WALL_COLOURS[rng.integers(len(WALL_COLOURS))]
    rug = RUG_COLOURS[rng.integers(len(RUG_COLOURS))]
    windows = rng.permutation(np.array([True, True, False, False]))
    walls = [
        paint.wall(
            colour, accent, length=size[1 - k % 2], axis=1 - k % 2, has_window=bool(windows[k]), motif=float(rng.uniform(0.5, 2.5))
        )
        for k in range(4)
    ]
    return Shell(
        size,
        floor=paint.plank_floor((0.74, 0.57, 0.41), rug, size),
        ceiling=paint.boards((0.95, 0.95, 0.93)),
        walls=(walls[0], walls[1], walls[2], walls[3]),
    )


def _mirror_point(
    point: Float[np.ndarray, "3"], size: tuple[float, float, float], *, mirrored: Bool[np.ndarray, "2"]
) -> Float[np.ndarray, "3"]:
    """The point on the other side of the room, along each floor axis that is mirrored."""
    return np.array([*np.where(mirrored, np.array(size[:2]) - point[:2], point[:2]), point[2]])


def _mirror(part: Part, size: tuple[float, float, float], *, mirrored: Bool[np.ndarray, "2"]) -> Part:
    """The part in the mirrored room. Its paint is not mirrored: it belongs to the part's own axes."""
    x, y, z = (float(value) for value in _mirror_point(np.array(part.solid.centre), size, mirrored=mirrored))
    solid = replace(part.solid, centre=(x, y, z))
    if not isinstance(solid, Ball) and mirrored.sum() == 1:
        solid = replace(solid, yaw=-solid.yaw)
    return replace(part, solid=solid)
