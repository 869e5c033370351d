"""Procedural rooms on disk, in the x3 layout, with exact masks, depth, poses and removed-object twins.

    {root}/rooms.json                                   what was asked for; another request against it is an error
    {root}/{train|validation}/room_{nnn}/uid_{uid}/     one folder per target object, with the same five original views
        {kk}_{frame}_original.png  _inpainted.png       RGB; the second without the object
        {kk}_{frame}_mask.png  _mask_dialated.png       0/255 (the data set's own spelling); empty where it is not visible
        {kk}_{frame}_depth.png  _inpainted_depth.png    uint16 millimetres along the camera's axis
        {kk}_{frame}_pose.txt                           4x4 camera to world, OpenCV axes, metres
        intrinsics.json                                 {"width": 320, ..., "fx": 256.0, ..., "pixel_centre": 0.5}
        room_{nnn}_uid_{uid}_five_frames.json           boxes with exclusive ends, null where not visible; paths from the root

Rooms are numbered through both splits, training first, so that no scene is in two. A room depends on the seed, its number and the
size of its pictures, on nothing else: neither on its split nor on the number of workers. Its folder appears whole, by renaming;
workers only render, this process alone writes.
"""

import json
import multiprocessing
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from sightline.demo.fairness import cast_fair
from sightline.demo.layout import NUM_VIEWS, Layout, draw_layout
from sightline.demo.render import Hits, Lens, colour, colour_without, depth_without, to_millimetres
from sightline.errors import InputError
from sightline.files import only_writer, read_json, sync_folder, write_json
from sightline.media import encode_grey_png, encode_png
from sightline.types import Record

MAX_ATTEMPTS = 500
DILATION_OVER_WIDTH = 0.02


REVISION = 1  # of the rooms that a request gives


class RoomsRecord(Record):
    """`rooms.json`: the request that a tree of rooms answers."""

    num_train: int
    num_validation: int
    seed: int
    width: int
    height: int
    revision: int


@dataclass(frozen=True)
class Room:
    """One room as it is seen: for each view its hits and its picture."""

    scene_id: str
    layout: Layout
    lens: Lens
    views: tuple[Hits, ...]
    pictures: tuple[UInt8[np.ndarray, "h w 3"], ...]


def write_rooms(  # noqa: PLR0913 - the options of one request, all by name
    root: Path,
    *,
    num_train: int,
    num_validation: int,
    seed: int = 0,
    width: int = 320,
    height: int = 240,
    workers: int = 1,
    on_scene: Callable[[str], None] | None = None,
) -> None:
    """Write the rooms that are not there yet; `on_scene` is called with the name of each, new or kept, as it is complete.

    Raises:
        InputError: a count, size or seed out of range; `root` holds something else, or rooms of another request; no fair room
            was found for such pictures (too small, or too narrow).
    """
    asked = RoomsRecord(
        num_train=num_train, num_validation=num_validation, seed=seed, width=width, height=height, revision=REVISION
    )
    _check_request(asked, workers)
    report = on_scene or (lambda _: None)
    folders = [root / ("train" if k < num_train else "validation") / _scene_id(k) for k in range(num_train + num_validation)]
    with only_writer(root):
        _check_root(root, asked)
        for folder in folders:
            if folder.is_dir():
                report(folder.name)
        todo = [(folder, number) for number, folder in enumerate(folders) if not folder.is_dir()]
        places = [folder.relative_to(root).as_posix() for folder, _ in todo]
        render = partial(_room_files, seed=seed, lens=Lens(width, height))
        with ExitStack() as stack:
            run = map
            if workers > 1 and len(todo) > 1:
                spawn = multiprocessing.get_context("spawn")
                run = stack.enter_context(ProcessPoolExecutor(min(workers, len(todo)), mp_context=spawn)).map
            for (folder, _), files in zip(todo, run(render, places, [number for _, number in todo]), strict=True):
                _publish(folder, files)
                report(folder.name)


def draw_room(*, seed: int, number: int, lens: Lens) -> Room:
    """Room `number` of a seed: the first of its layouts, each from a generator of its own, that `fairness` accepts.

    Raises:
        InputError: none of `MAX_ATTEMPTS` layouts is fair in pictures of this size.
    """
    for attempt in range(MAX_ATTEMPTS):
        layout = draw_layout(np.random.default_rng([seed, number, attempt]))
        views = layout and cast_fair(layout, lens=lens)
        if layout and views:
            pictures = tuple(colour(layout, hits, pose, lens=lens) for hits, pose in zip(views, layout.poses, strict=True))
            return Room(_scene_id(number), layout, lens, views, pictures)
    raise InputError(
        f"{_scene_id(number)}: none of {MAX_ATTEMPTS} layouts shows its objects well enough in pictures of "
        f"{lens.width} x {lens.height}. Use larger ones, about 4:3, such as 320 x 240."
    )


def _scene_id(number: int) -> str:
    return f"room_{number:03d}"


def _check_request(asked: RoomsRecord, workers: int) -> None:
    limits = {
        "num_train": (asked.num_train, 0, 1000),
        "num_validation": (asked.num_validation, 0, 1000),
        "num_train + num_validation": (asked.num_train + asked.num_validation, 1, 1000),
        "seed": (asked.seed, 0, 2**63 - 1),
        "width": (asked.width, 64, 4096),
        "height": (asked.height, 64, 4096),
        "workers": (workers, 1, 1024),
    }
    for name, (value, least, most) in limits.items():
        if not least <= value <= most:
            raise InputError(f"demo rooms: {name} is {value}; expected {least} to {most}.")


def _check_root(root: Path, asked: RoomsRecord) -> None:
    """Refuse a root that holds other rooms or other data; else note the request and clear what an earlier run left half done."""
    record_path = root / "rooms.json"
    if record_path.is_file():
        found = read_json(record_path, RoomsRecord)
        if found != asked:
            raise InputError(
                f"{root} holds rooms made with {found}, asked for are {asked}. Choose another folder, or delete this one."
            )
    elif any((root / split).exists() for split in ("train", "validation")):
        raise InputError(
            f"{root} holds train/ or validation/ but no rooms.json: it is not a tree of demo rooms. Choose another folder."
        )
    else:
        write_json(record_path, asked)
    for leftover in root.glob("*/.room_*.tmp"):
        shutil.rmtree(leftover)


def _room_files(place: str, number: int, *, seed: int, lens: Lens) -> dict[str, bytes]:
    """All files of one room by their path inside its folder; `place` is that folder's path from the root."""
    room = draw_room(seed=seed, number=number, lens=lens)
    files = {}
    for part_index, part in enumerate(room.layout.parts):
        if part.uid is not None:
            own = _target_files(room, part_index, place=f"{place}/uid_{part.uid}")
            files |= {f"uid_{part.uid}/{name}": content for name, content in own.items()}
    return files


def _publish(folder: Path, files: dict[str, bytes]) -> None:
    """Write the files of a room under a hidden name beside `folder`, flush them, and rename it: it appears whole."""
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    for name, content in files.items():
        path = temporary / name
        path.parent.mkdir(parents=True, exist_ok=True)
        _write_synced(path, content)
    for uid_folder in temporary.iterdir():
        sync_folder(uid_folder)
    sync_folder(temporary)
    temporary.rename(folder)
    sync_folder(folder.parent)


def _target_files(room: Room, part_index: int, *, place: str) -> dict[str, bytes]:
    """All files of one target's folder by name; `place` is that folder's path from the root."""
    files, items = {}, []
    for view_index in range(NUM_VIEWS):
        frame_id = f"{room.layout.frame_ids[view_index]:06d}"
        stem = f"{view_index + 1:02d}_{frame_id}"
        files |= {f"{stem}_{name}": content for name, content in _view_files(room, part_index, view_index).items()}
        mask = room.views[view_index].part == part_index
        part = room.layout.parts[part_index]
        items.append(
            {"scene_id": room.scene_id, "uid": part.uid, "frame_id": frame_id, "label": part.label}
            | {"img_w": room.lens.width, "img_h": room.lens.height}
            | _box_fields(mask)
            | {name: f"{place}/{stem}_{name}.png" for name in ("original", "inpainted", "mask")}
        )
    lens = room.lens
    intrinsics = {"width": lens.width, "height": lens.height, "fx": lens.focal, "fy": lens.focal}
    intrinsics |= {"cx": lens.centre[0], "cy": lens.centre[1], "metres_per_unit": 0.001, "pixel_centre": 0.5}
    uid = room.layout.parts[part_index].uid
    files[f"{room.scene_id}_uid_{uid}_five_frames.json"] = _to_json(items)
    files["intrinsics.json"] = _to_json(intrinsics)
    return files


def _view_files(room: Room, part_index: int, view_index: int) -> dict[str, bytes]:
    """The files of one view of one target, by the part of their name that follows `{kk}_{frame}_`."""
    hits, pose, original = room.views[view_index], room.layout.poses[view_index], room.pictures[view_index]
    mask = hits.part == part_index
    without = colour_without(room.layout, hits, pose, lens=room.lens, part_index=part_index, original=original)
    return {
        "original.png": encode_png(original),
        "inpainted.png": encode_png(without),
        "mask.png": encode_grey_png(mask.astype(np.uint8) * np.uint8(255)),
        "mask_dialated.png": encode_grey_png(_dilated(mask).astype(np.uint8) * np.uint8(255)),
        "depth.png": encode_grey_png(to_millimetres(hits.depth)),
        "inpainted_depth.png": encode_grey_png(to_millimetres(depth_without(hits, part_index))),
        "pose.txt": "".join(" ".join(f"{value:.12f}" for value in row) + "\n" for row in pose).encode(),
    }


def _box_fields(mask: Bool[np.ndarray, "h w"]) -> dict[str, float | None]:
    """The box with exclusive ends and its centre over the picture's size; null where the mask is empty."""
    if not mask.any():
        return dict.fromkeys(("x0", "y0", "x1", "y1", "cx_norm", "cy_norm"))
    height, width = mask.shape
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    x0, y0, x1, y1 = float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)
    centre = {"cx_norm": round((x0 + x1) / 2 / width, 4), "cy_norm": round((y0 + y1) / 2 / height, 4)}
    return {"x0": x0, "y0": y0, "x1": x1, "y1": y1} | centre


def _dilated(mask: Bool[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    """The mask grown by an ellipse whose radius is 0.02 of the width."""
    radius = max(1, round(DILATION_OVER_WIDTH * mask.shape[1]))
    ellipse = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return cv2.dilate(mask.astype(np.uint8), ellipse) > 0


def _to_json(value: object) -> bytes:
    return (json.dumps(value, indent=1) + "\n").encode()


def _write_synced(path: Path, content: bytes) -> None:
    """Without a temporary name: the folder it is in does not bear its own name yet."""
    with path.open("xb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
