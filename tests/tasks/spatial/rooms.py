"""Rooms with known geometry: boxes strewn over a floor, and the demo's rooms with what their renderer sees."""

from dataclasses import replace

import numpy as np

from sightline.demo.layout import Layout, draw_layout, look_at
from sightline.demo.render import Lens, cast
from sightline.demo.solids import Ball, half_extent
from sightline.tasks.footage import Footage
from sightline.tasks.spatial.floor import floor_of_polygon, polygon_area
from sightline.tasks.spatial.place import Moment, Place, PlacedObject
from sightline.types import ImageRef, OrientedBox, Panel, VideoPart

NAMES = (
    "chair",
    "table",
    "sofa",
    "bed",
    "lamp",
    "desk",
    "shelf",
    "plant",
    "bin",
    "stool",
    "piano",
    "mirror",
    "oven",
    "sink",
    "fridge",
    "tub",
    "door",
    "box",
    "crate",
    "clock",
    "heater",
    "fan",
    "vase",
    "rug",
    "speaker",
    "printer",
    "guitar",
    "suitcase",
    "basket",
    "ladder",
    "easel",
    "cradle",
    "bench",
    "wardrobe",
    "dresser",
    "kettle",
    "globe",
    "trunk",
    "tripod",
    "mop",
)
LENS = Lens(96, 72)


def box(centre, lengths, yaw: float = 0.0) -> OrientedBox:
    """A box turned about the vertical, degrees."""
    cos, sin = np.cos(np.radians(yaw)), np.sin(np.radians(yaw))
    axes = (float(cos), float(sin), 0.0, float(-sin), float(cos), 0.0, 0.0, 0.0, 1.0)
    x, y, z = map(float, centre)
    length, width, height = map(float, lengths)
    return OrientedBox(centre=(x, y, z), lengths=(length, width, height), axes=axes)


def cube(object_id: str, x: float, y: float, *, side: float = 0.2, label: str | None = None) -> PlacedObject:
    """A cube on the floor whose centre is at (x, y)."""
    return PlacedObject(object_id=object_id, label=label or object_id, box=box((x, y, side / 2), (side,) * 3))


def strewn(seed: int, count: int, *, doubled: int = 4, size: tuple[float, float] = (9.0, 7.0)) -> Place:
    """Boxes in an oblong room, `doubled` of them of labels that come twice, and a camera that walks around; all are seen."""
    rng = np.random.default_rng(seed)
    objects = []
    for number in range(count):
        lengths = rng.uniform(0.1, 0.9, 3)
        centre = (*rng.uniform((0.5, 0.5), np.array(size) - 0.5), float(rng.uniform(0, 0.8)) + lengths[2] / 2)
        label = NAMES[number // 2 if number < doubled else number % len(NAMES)] + ("" if number < len(NAMES) else " 2")
        objects.append(PlacedObject(object_id=f"{number}", label=label, box=box(centre, lengths, float(rng.uniform(0, 360)))))
    outline = ((0.0, 0.0), (size[0], 0.0), size, (0.0, size[1]))
    seen_from = rng.integers(16, size=count)
    moments = []
    for number in range(16):
        eye = np.array([size[0] / 2 + 2 * np.cos(number / 3), size[1] / 2 + 2 * np.sin(number / 3), 1.6])
        aim = np.array([*rng.uniform((0.5, 0.5), np.array(size) - 0.5), 0.8])
        shares = {each.object_id: 0.02 for each, first in zip(objects, seen_from, strict=True) if first <= number}
        pose = tuple(look_at(eye, aim).ravel().tolist())
        moments.append(Moment(frame_id=f"{number:03d}", time_s=1.5 * number, camera_to_world=pose, shares=shares))
    return Place(f"room_{seed}", tuple(objects), tuple(moments), floor_of_polygon(outline), (polygon_area(outline),))


def rendered(seed: int) -> tuple[Place, Layout, list[np.ndarray]]:
    """A demo room walked through: eight views, and which part is seen in each pixel of them. Every part is an object of its own
    label, but that all legs of the table are legs."""
    rng = np.random.default_rng(seed)
    layout = draw_layout(rng)
    while layout is None:
        layout = draw_layout(rng)
    x, y, _ = layout.shell.size
    poses = []
    for number in range(8):
        turned = 2 * np.pi * number / 8 + seed
        poses.append(
            look_at(
                np.array([x / 2, y / 2, 1.9]) + 1.9 * np.array([np.cos(turned), np.sin(turned), 0]), np.array([x / 2, y / 2, 0.4])
            )
        )
    parts = [cast(layout, pose, lens=LENS).part for pose in poses]
    layout = replace(layout, poses=tuple(poses))
    objects = []
    for number, part in enumerate(layout.parts):
        solid = part.solid
        yaw = 0.0 if isinstance(solid, Ball) else float(np.degrees(solid.yaw))
        name = "leg" if 2 <= number < 6 else NAMES[number]
        objects.append(
            PlacedObject(object_id=f"{number}", label=name, box=box(solid.centre, 2 * np.array(half_extent(solid)), yaw))
        )
    moments = tuple(
        Moment(
            frame_id=f"{number:06d}",
            time_s=2.0 * number,
            camera_to_world=tuple(pose.ravel().tolist()),
            shares={f"{part}": float((hits == part).mean()) for part in np.unique(hits).tolist() if part >= 0},
        )
        for number, (pose, hits) in enumerate(zip(poses, parts, strict=True))
    )
    outline = ((0.0, 0.0), (x, 0.0), (x, y), (0.0, y))
    return Place(f"demo_{seed}", tuple(objects), moments, floor_of_polygon(outline), (polygon_area(outline),)), layout, parts


def footage(place: Place) -> Footage:
    """The frames of a place as pictures that are nowhere."""
    images = tuple(
        ImageRef(root="data", path=f"{moment.frame_id}.png", width=96, height=72, digest=f"{number:032x}")
        for number, moment in enumerate(place.moments)
    )
    panels = tuple(
        Panel(role="frame", image_index=number, source=image, view_id=place.moments[number].frame_id)
        for number, image in enumerate(images)
    )
    times = tuple(moment.time_s for moment in place.moments)
    part = VideoPart(image_indices=tuple(range(len(images))), times_s=times)
    return Footage(frames=tuple(range(len(images))), images=images, panels=panels, part=part)
