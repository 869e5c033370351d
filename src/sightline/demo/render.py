"""Pictures of a layout, exact to the pixel: one ray per pixel centre, no anti-aliasing, no shadows.

Every part is intersected once per view. Of each pixel the two nearest hits are kept: the picture without an object shows the second
one where the object was nearest, and is otherwise the same picture.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int16, UInt8, UInt16

from sightline.demo.layout import Layout, Part, Shell
from sightline.demo.solids import NO_HIT, bounding_corners, entry, half_extent, normals, room_exit, to_local, turned

SHELL = -1
FOCAL_OVER_WIDTH = 0.8
NEAR_M = 0.05
LIGHT = np.array([0.36, -0.48, 0.80])
FACE_LIGHT = (0.90, 0.95, 1.0, 0.98, 0.93, 1.0)
MILLIMETRES = 1000.0


@dataclass(frozen=True)
class Lens:
    """A pinhole camera without its pose; cx, cy in continuous pixels (the centre of the first pixel is 0.5)."""

    width: int
    height: int

    @property
    def focal(self) -> float:
        return FOCAL_OVER_WIDTH * self.width

    @property
    def centre(self) -> tuple[float, float]:
        return self.width / 2, self.height / 2


@dataclass(frozen=True)
class Hits:
    """What each pixel's ray meets: index of the nearest and second nearest part (-1 = the room), and their depth in metres.

    `amodal` counts, per part, the pixels it would cover if nothing stood before it.
    """

    part: Int16[np.ndarray, "h w"]
    depth: Float[np.ndarray, "h w"]
    next_part: Int16[np.ndarray, "h w"]
    next_depth: Float[np.ndarray, "h w"]
    amodal: tuple[int, ...]


def ray_directions(lens: Lens, pose: Float[np.ndarray, "4 4"]) -> Float[np.ndarray, "n 3"]:
    """World directions through all pixel centres, row by row, with camera z = 1."""
    x = (np.arange(lens.width) + 0.5 - lens.centre[0]) / lens.focal
    y = (np.arange(lens.height) + 0.5 - lens.centre[1]) / lens.focal
    rays = np.stack([*np.meshgrid(x, y), np.ones((lens.height, lens.width))], axis=-1)
    return turned(rays.reshape(-1, 3), pose[:3, :3].T)


def cast(layout: Layout, pose: Float[np.ndarray, "4 4"], *, lens: Lens) -> Hits:
    """Intersect every part with the rays of one view."""
    shape = (lens.height, lens.width)
    rays = ray_directions(lens, pose)
    depth = room_exit(layout.shell.size, pose[:3, 3], rays).reshape(shape)
    part, next_part = np.full(shape, SHELL, np.int16), np.full(shape, SHELL, np.int16)
    next_depth = np.full(shape, NO_HIT)
    rays = rays.reshape(*shape, 3)
    amodal = []
    for part_index, one in enumerate(layout.parts):
        window = _window(one, pose, lens=lens)
        hit = entry(one.solid, pose[:3, 3], rays[window].reshape(-1, 3)).reshape(depth[window].shape)
        amodal.append(int((hit < NO_HIT).sum()))
        nearest = hit < depth[window]
        second = ~nearest & (hit < next_depth[window])
        next_depth[window] = np.where(nearest, depth[window], np.where(second, hit, next_depth[window]))
        next_part[window] = np.where(nearest, part[window], np.where(second, part_index, next_part[window]))
        depth[window] = np.where(nearest, hit, depth[window])
        part[window] = np.where(nearest, part_index, part[window])
    return Hits(part, depth, next_part, next_depth, tuple(amodal))


def colour(layout: Layout, hits: Hits, pose: Float[np.ndarray, "4 4"], *, lens: Lens) -> UInt8[np.ndarray, "h w 3"]:
    """The picture of one view."""
    rays = ray_directions(lens, pose)
    return _shade(layout, hits.part.ravel(), pose[:3, 3] + rays * hits.depth.reshape(-1, 1)).reshape(*hits.part.shape, 3)


def colour_without(
    layout: Layout, hits: Hits, pose: Float[np.ndarray, "4 4"], *, lens: Lens, part_index: int, original: UInt8[np.ndarray, "h w 3"]
) -> UInt8[np.ndarray, "h w 3"]:
    """The picture without one part; `original` is the picture with it."""
    behind = hits.part == part_index
    rays = ray_directions(lens, pose)[behind.ravel()]
    picture = original.copy()
    picture[behind] = _shade(layout, hits.next_part[behind], pose[:3, 3] + rays * hits.next_depth[behind][:, None])
    return picture


def depth_without(hits: Hits, part_index: int) -> Float[np.ndarray, "h w"]:
    """Depth in metres once one part is removed."""
    return np.where(hits.part == part_index, hits.next_depth, hits.depth)


def to_millimetres(depth: Float[np.ndarray, "h w"]) -> UInt16[np.ndarray, "h w"]:
    """Depth as it is stored: whole millimetres, rounded."""
    return np.rint(depth * MILLIMETRES).astype(np.uint16)


def _window(part: Part, pose: Float[np.ndarray, "4 4"], *, lens: Lens) -> tuple[slice, slice]:
    """The rows and columns a part can lie in: those of its bounding corners, or all if a corner is not before the camera."""
    x, y, z = turned(bounding_corners(part.solid) - pose[:3, 3], pose[:3, :3]).T
    if z.min() < NEAR_M:
        return slice(0, lens.height) if z.max() > NEAR_M else slice(0, 0), slice(0, lens.width)
    across, down = lens.focal * x / z + lens.centre[0], lens.focal * y / z + lens.centre[1]
    rows = np.clip([np.floor(down.min()), np.ceil(down.max())], 0, lens.height).astype(int)
    columns = np.clip([np.floor(across.min()), np.ceil(across.max())], 0, lens.width).astype(int)
    return slice(*rows.tolist()), slice(*columns.tolist())


def _shade(layout: Layout, part: Int16[np.ndarray, " n"], points: Float[np.ndarray, "n 3"]) -> UInt8[np.ndarray, "n 3"]:
    """Colours of surface points (world, metres), each on the part of that index."""
    rgb = np.empty_like(points)
    for part_index in np.unique(part).tolist():
        here = part == part_index
        if part_index == SHELL:
            rgb[here] = _shade_shell(layout.shell, points[here])
        else:
            rgb[here] = _shade_part(layout.parts[part_index], points[here])
    return np.rint(np.clip(rgb, 0.0, 1.0) * 255.0).astype(np.uint8)


def _shade_part(part: Part, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """Soft diffuse light; darker towards the surface that the part stands on, which sets it off from the floor."""
    local = to_local(part.solid, points)
    facing = (normals(part.solid, local) * LIGHT).sum(axis=1)
    light = 0.74 + 0.30 * np.clip(facing, -0.6, 1.0)
    above = local[:, 2] + half_extent(part.solid)[2]
    return part.paint(local) * (light * (0.72 + 0.28 * np.clip(above / 0.10, 0.0, 1.0)))[:, None]


def _shade_shell(shell: Shell, points: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    """The nearest face's paint, darkened softly towards the room's edges."""
    size = np.array(shell.size)
    gaps = np.concatenate([points, size - points], axis=1)
    face = np.abs(gaps).argmin(axis=1)
    paints = (*shell.walls[:2], shell.floor, *shell.walls[2:], shell.ceiling)
    rgb = np.empty_like(points)
    for face_index, (paint, light) in enumerate(zip(paints, FACE_LIGHT, strict=True)):
        here = face == face_index
        rgb[here] = paint(points[here]) * light
    corner = np.sort(gaps, axis=1)[:, 1]
    return rgb * (0.82 + 0.18 * np.clip(corner / 0.45, 0.0, 1.0) ** 0.6)[:, None]
