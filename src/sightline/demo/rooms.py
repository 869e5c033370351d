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
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from sightline.demo.fairness import cast_fair
from sightline.demo.layout import NUM_VIEWS, Layout, draw_layout
from sightline.demo.render import Hits, Lens, colour, colour_without, depth_without, to_millimetres
from sightline.errors import InputError
from sightline.files import only_writer, read_json, write_json
from sightline.geometry.boxes import mask_to_box
from sightline.geometry.masks import dilate_mask
from sightline.media import encode_grey_png, encode_png
from sightline.prepare.x3_tree import five_frames_item, mask_png, remove_leftovers, scene_folder
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
            for place, files in zip(places, run(render, places, [number for _, number in todo]), strict=True):
                _publish(root, place, files)
                report(Path(place).name)


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
    for split in ("train", "validation"):
        remove_leftovers(root / split)


def _room_files(place: str, number: int, *, seed: int, lens: Lens) -> dict[str, bytes]:
    """All files of one room by their path inside its folder; `place` is that folder's path from the root."""
    room = draw_room(seed=seed, number=number, lens=lens)
    files = {}
    for part_index, part in enumerate(room.layout.parts):
        if part.uid is not None:
            own = _target_files(room, part_index, place=place)
            files |= {f"uid_{part.uid}/{name}": content for name, content in own.items()}
    return files


def _publish(root: Path, place: str, files: dict[str, bytes]) -> None:
    """Write the files of a room; its folder appears whole."""
    with scene_folder(root, place) as folder:
        for name, content in files.items():
            uid_folder, _, file_name = name.partition("/")
            folder.write(uid_folder.removeprefix("uid_"), file_name, content)


def _target_files(room: Room, part_index: int, *, place: str) -> dict[str, bytes]:
    """All files of one target's folder by name; `place` is the scene folder's path from the root."""
    files, items = {}, []
    for view_index in range(NUM_VIEWS):
        frame_id = f"{room.layout.frame_ids[view_index]:06d}"
        stem = f"{view_index + 1:02d}_{frame_id}"
        files |= {f"{stem}_{name}": content for name, content in _view_files(room, part_index, view_index).items()}
        part = room.layout.parts[part_index]
        item = five_frames_item(
            scene_id=room.scene_id,
            uid=str(part.uid),
            view_id=stem,
            label=part.label,
            size=(room.lens.width, room.lens.height),
            box=mask_to_box(room.views[view_index].part == part_index),
            place=place,
        )
        items.append(item)
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
        "mask.png": mask_png(mask),
        "mask_dialated.png": mask_png(dilate_mask(mask, max(1, round(DILATION_OVER_WIDTH * room.lens.width)))),
        "depth.png": encode_grey_png(to_millimetres(hits.depth)),
        "inpainted_depth.png": encode_grey_png(to_millimetres(depth_without(hits, part_index))),
        "pose.txt": "".join(" ".join(f"{value:.12f}" for value in row) + "\n" for row in pose).encode(),
    }


def _to_json(value: object) -> bytes:
    return (json.dumps(value, indent=1) + "\n").encode()
