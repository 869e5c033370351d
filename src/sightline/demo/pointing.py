"""Small pictures of rooms with one red object each, and the words for it: what a tiny model can learn to point at.

    ROOT/rooms.json                                     what was asked for; another request against it is an error
    ROOT/grefcoco/instances.json  grefs(unc).json       masks and expressions, as gRefCOCO writes them; splits train and val
    ROOT/train2014/room_000000.png                      one view of a room

`sightline build refer --data grefcoco` makes task sets of it. The rooms are those of `demo.layout`, one picture each, numbered
through both splits, training first: no room is in two. A picture depends on the seed and its number, on nothing else.

The question is easy on purpose. One object is painted red all over and the rest is paler, so that nothing else is red; the camera
is near and turned aside at random, so that the object may be anywhere in the picture. Nothing is asked across views: to find the
same object from another place, which the other tasks of the demo ask, is out of reach of a few minutes on a CPU.
"""

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, UInt8

from sightline.demo.layout import Layout, draw_layout, look_at
from sightline.demo.paint import Rgb
from sightline.demo.render import FOCAL_OVER_WIDTH, Lens, cast, colour
from sightline.errors import InputError
from sightline.files import read_json, whole_folder, write_json, write_whole
from sightline.geometry.boxes import Box, mask_to_box
from sightline.geometry.masks import encode_mask
from sightline.media import encode_png
from sightline.types import MaskRle, Record

EXPRESSION = "the red object"
RED: Rgb = (0.90, 0.08, 0.08)
PALER = 0.7  # how much of its colour the rest loses
LENS = Lens(64, 48)
LEAST_SHARE = 0.02  # of the picture
LEAST_SEEN = 0.7  # of what the object would cover if nothing stood before it
DISTANCE_M, EYE_M = (1.3, 2.6), (1.5, 2.0)
ASIDE = (0.5, 0.32)  # of the picture's width, by which the camera looks past the object: across and down at most
FROM_WALL_M = 0.25
STREAM = 1  # so that no room is one of `demo.rooms`
MAX_PICTURES = 999_999
CHUNK = 50
RECORD, PICTURES = "rooms.json", "train2014"
REVISION = 1  # of the pictures that a request gives


class PointingRecord(Record):
    """`rooms.json`: the request that a folder of pictures answers."""

    num_train: int
    num_validation: int
    seed: int
    revision: int


@dataclass(frozen=True)
class Pointing:
    """One picture as PNG, and its red object."""

    png: bytes
    rle: MaskRle
    box: Box


def write_pointing(
    root: Path,
    *,
    num_train: int,
    num_validation: int,
    seed: int = 0,
    workers: int = 1,
    on_picture: Callable[[int], None] | None = None,
) -> None:
    """Write the pictures and their words, whole or not at all; those of the same request that are there already are kept.

    Args:
        on_picture: called with how many are drawn.

    Raises:
        InputError: a count, seed or number of workers out of range; `root` holds something else, or pictures of another request.
    """
    asked = PointingRecord(num_train=num_train, num_validation=num_validation, seed=seed, revision=REVISION)
    _check_request(asked, workers)
    if _is_there(root, asked):
        return
    numbers = range(num_train + num_validation)
    drawn: list[Pointing] = []
    with ExitStack() as stack:
        run = map
        if workers > 1:
            spawn = multiprocessing.get_context("spawn")
            pool = stack.enter_context(ProcessPoolExecutor(min(workers, len(numbers)), mp_context=spawn))
            run = partial(pool.map, chunksize=CHUNK)
        for pointing in run(partial(draw_pointing, seed=seed), numbers):
            drawn.append(pointing)
            if on_picture:
                on_picture(len(drawn))
    with whole_folder(root) as folder:
        _write(folder, drawn, num_train)
        write_json(folder / RECORD, asked)


def _check_request(asked: PointingRecord, workers: int) -> None:
    limits = {
        "num_train": (asked.num_train, 1, MAX_PICTURES),
        "num_validation": (asked.num_validation, 1, MAX_PICTURES),
        "num_train + num_validation": (asked.num_train + asked.num_validation, 2, MAX_PICTURES),
        "seed": (asked.seed, 0, 2**63 - 1),
        "workers": (workers, 1, 1024),
    }
    for name, (value, least, most) in limits.items():
        if not least <= value <= most:
            raise InputError(f"demo pictures: {name} is {value}; expected {least} to {most}.")


def _is_there(root: Path, asked: PointingRecord) -> bool:
    if not root.exists():
        return False
    path = root / RECORD
    if not path.is_file():
        raise InputError(f"{root} is there, but has no {RECORD}: it is no folder of demo pictures. Choose another folder.")
    found = read_json(path, PointingRecord)
    if found != asked:
        raise InputError(
            f"{root} holds pictures made with {found}, asked for are {asked}. Choose another folder, or delete this one."
        )
    return True


def _write(folder: Path, drawn: Sequence[Pointing], num_train: int) -> None:
    images, annotations, refs = [], [], []
    for number, pointing in enumerate(drawn):
        name = f"room_{number:06d}.png"
        write_whole(folder / PICTURES / name, pointing.png)
        images.append({"id": number, "file_name": name, "width": LENS.width, "height": LENS.height})
        x0, y0, x1, y1 = pointing.box
        annotation = {"id": number, "image_id": number, "category_id": 1, "iscrowd": 0, "bbox": [x0, y0, x1 - x0, y1 - y0]}
        mask = {"size": [pointing.rle.height, pointing.rle.width], "counts": pointing.rle.counts}
        annotations.append(annotation | {"segmentation": mask})
        split = "train" if number < num_train else "val"
        sentences = [{"sent_id": number, "sent": EXPRESSION, "raw": EXPRESSION}]
        refs.append({"ref_id": number, "ann_id": [number], "image_id": number, "split": split, "sentences": sentences})
    categories = [{"id": 1, "name": "object"}]
    write_json(folder / "grefcoco/instances.json", {"images": images, "annotations": annotations, "categories": categories})
    write_json(folder / "grefcoco/grefs(unc).json", refs)


def draw_pointing(number: int, *, seed: int) -> Pointing:
    """The picture of room `number` of a seed: the first of its layouts that shows an object well.

    Each layout has a generator of its own.
    """
    attempt = 0
    while True:
        rng = np.random.default_rng([seed, number, attempt, STREAM])
        layout = draw_layout(rng)
        if layout is not None and (found := _view(layout, rng)) is not None:
            return found
        attempt += 1


def _view(layout: Layout, rng: np.random.Generator) -> Pointing | None:
    """One of the layout's objects in red, or None if it is small or hidden."""
    target = int(rng.choice([index for index, part in enumerate(layout.parts) if part.uid is not None]))
    pose = _pose(layout, target, rng)
    hits = cast(layout, pose, lens=LENS)
    mask = hits.part == target
    box = mask_to_box(mask)
    if box is None or mask.mean() < LEAST_SHARE or mask.sum() < LEAST_SEEN * hits.amodal[target]:
        return None
    parts = list(layout.parts)
    parts[target] = replace(parts[target], paint=_red)
    picture = colour(replace(layout, parts=tuple(parts)), hits, pose, lens=LENS)
    return Pointing(encode_png(_paler(picture, ~mask)), encode_mask(mask), box)


def _pose(layout: Layout, target: int, rng: np.random.Generator) -> Float[np.ndarray, "4 4"]:
    """A camera near the object that has it anywhere in its picture. It is above all furniture, and so in the open."""
    centre = np.array(layout.parts[target].solid.centre)
    turn, distance = rng.uniform(-np.pi, np.pi), rng.uniform(*DISTANCE_M)
    place = centre[:2] + distance * np.array([np.cos(turn), np.sin(turn)])
    place = np.clip(place, FROM_WALL_M, np.array(layout.shell.size[:2]) - FROM_WALL_M)
    eye = np.array([*place, rng.uniform(*EYE_M)])
    axes = look_at(eye, centre)[:3, :2]
    aside = rng.uniform(-1, 1, 2) * ASIDE / FOCAL_OVER_WIDTH * np.linalg.norm(centre - eye)
    return look_at(eye, centre + axes @ aside)


def _red(local: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "n 3"]:
    return np.full_like(local, 1.0) * RED


def _paler(picture: UInt8[np.ndarray, "h w 3"], where: Bool[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """The picture with less colour in the pixels `where`."""
    grey = picture.mean(axis=2, keepdims=True)
    pale = np.rint(PALER * grey + (1 - PALER) * picture).astype(np.uint8)
    return np.where(where[..., None], pale, picture)
