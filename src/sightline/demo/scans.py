"""Procedural rooms as prepared scans: exact depth, poses, instance pictures and boxes, for whatever is built from scans.

    {root}/{room}/scan.json, colour/, depth/, instances/        as `sightline prepare scan` writes (`datasets.scans.prepared`)

World: x and y along the floor, z up, metres; the floor is z = 0. Every part that stands in the room is an object.
"""

from pathlib import Path

import numpy as np

from sightline.demo.layout import Part
from sightline.demo.render import SHELL, Hits, Lens, to_millimetres
from sightline.demo.rooms import Room, draw_room
from sightline.demo.solids import Ball, half_extent
from sightline.files import only_writer, whole_folder, write_json
from sightline.label_png import encode_label_png
from sightline.media import encode_grey_png, encode_png
from sightline.types import Camera, OrientedBox, Scan, ScanFrame, ScanObject


def write_room_scan(root: Path, *, seed: int, number: int, width: int = 320, height: int = 240) -> Scan:
    """Write room `number` of a seed as a prepared scan, if it is not there yet, and return its record.

    Raises:
        InputError: no fair room was found for pictures of this size (`rooms.draw_room`).
    """
    room = draw_room(seed=seed, number=number, lens=Lens(width, height))
    scan = room_scan(room)
    with only_writer(root):
        if not (root / scan.scan_id).is_dir():
            with whole_folder(root / scan.scan_id) as folder:
                for frame, hits, picture in zip(scan.frames, room.views, room.pictures, strict=True):
                    for kind, content in (
                        ("colour", encode_png(picture)),
                        ("depth", encode_grey_png(to_millimetres(hits.depth))),
                        ("instances", encode_label_png(_labels(hits))),
                    ):
                        (folder / kind).mkdir(exist_ok=True)
                        (folder / kind / f"{frame.frame_id}.png").write_bytes(content)
                write_json(folder / "scan.json", scan)
    return scan


def room_scan(room: Room) -> Scan:
    """The record of a room; object k + 1 (its label) is part k of the layout."""
    name, lens = room.scene_id, room.lens
    frames = []
    for number, pose in zip(room.layout.frame_ids, room.layout.poses, strict=True):
        camera = Camera(
            width=lens.width,
            height=lens.height,
            fx=lens.focal,
            fy=lens.focal,
            cx=lens.centre[0],
            cy=lens.centre[1],
            camera_to_world=tuple(pose.ravel().tolist()),
            world=name,
        )
        paths = {kind: f"{name}/{kind}/{number:06d}.png" for kind in ("colour", "depth", "instances")}
        frames.append(
            ScanFrame(
                frame_id=f"{number:06d}",
                image=paths["colour"],
                depth=paths["depth"],
                instances=paths["instances"],
                camera=camera,
                timestamp_s=number / 30,
            )
        )
    return Scan(
        scan_id=name,
        dataset="rooms",
        frames=tuple(frames),
        objects=tuple(_object(index, part) for index, part in enumerate(room.layout.parts)),
        extent=((0.0, 0.0, 0.0), room.layout.shell.size),
        floor_z_m=0.0,
    )


def _object(index: int, part: Part) -> ScanObject:
    solid = part.solid
    yaw = 0.0 if isinstance(solid, Ball) else solid.yaw
    cosine, sine = float(np.cos(yaw)), float(np.sin(yaw))
    half = half_extent(solid)
    return ScanObject(
        object_id=str(index),
        category=part.label or type(solid).__name__.lower(),
        label=index + 1,
        box=OrientedBox(
            centre=solid.centre,
            lengths=(2 * half[0], 2 * half[1], 2 * half[2]),
            axes=(cosine, sine, 0.0, -sine, cosine, 0.0, 0.0, 0.0, 1.0),
        ),
    )


def _labels(hits: Hits) -> np.ndarray:
    return np.where(hits.part == SHELL, 0, hits.part + 1).astype(np.uint8)
