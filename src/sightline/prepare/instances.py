"""The masks of an x3 scene as label pictures beside the frames of a plain folder (`datasets.scans.rgbd`), with the objects' names.

    {folder}/instances/12.png   palette: 0 = none of the objects, 1..254 = an object, 255 = unknown
    {folder}/objects.json       {"1": "lampshade", ...}, written last; names may be changed by hand afterwards

A mask belongs to the picture of its frame number. Where two masks overlap, nobody knows: 255. In a frame that lacks the mask of one
of the objects, everything outside the other masks is unknown, too.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, UInt8

from sightline import media
from sightline.datasets.scans.boxes import MAX_LABEL
from sightline.datasets.scans.rgbd import frame_pictures
from sightline.datasets.x3 import X3
from sightline.errors import InputError
from sightline.files import inside, only_writer, read_json, write_json, write_whole
from sightline.label_png import encode_label_png
from sightline.types import Record, SceneObject

UNKNOWN = 255


class WrittenInstances(Record):
    """What is there afterwards. `without_mask`: pictures that lack the mask of an object. `not_in_folder`: frames of the scene that
    the folder has no picture of."""

    folder: str
    num_pictures: int
    names: dict[str, str]
    without_mask: int
    not_in_folder: int


def write_instances(x3: Path, scene_id: str, folder: Path) -> WrittenInstances:
    """Write the label pictures and, if there is none yet, `objects.json`.

    Raises:
        FileNotFoundError: a folder or mask is missing.
        InputError: no such scene, none of its frames is in `folder`, masks of several sizes for one frame, or a label picture or
            list of names that is there already and belongs to something else.
    """
    objects = _objects(x3, scene_id)
    frames = frame_pictures(folder)
    masks: dict[int, dict[int, str | None]] = {}
    for label, each in enumerate(objects, start=1):
        for view in each.views:
            masks.setdefault(int(view.frame_id), {})[label] = view.mask
    found = sorted(number for number in masks if number in frames)
    if not found:
        raise InputError(
            f"{folder}: no picture with a frame number of scene {scene_id} ({', '.join(map(str, sorted(masks)[:8]))})."
        )
    names = {str(label): each.label or each.object_id for label, each in enumerate(objects, start=1)}
    without_mask = 0
    with only_writer(folder):
        _check_names(folder / "objects.json", names)
        for number in found:
            complete = all(masks[number].get(label) for label in range(1, len(objects) + 1))
            without_mask += not complete
            read = {label: media.read_mask(inside(x3, path)) for label, path in masks[number].items() if path}
            if not read:
                continue
            labels = merged_labels(read, rest=0 if complete else UNKNOWN, where=f"scene {scene_id}, frame {number}")
            _write_once(folder / "instances" / f"{Path(frames[number]).stem}.png", encode_label_png(labels))
        if not (folder / "objects.json").is_file():
            write_json(folder / "objects.json", names)
    return WrittenInstances(
        folder=str(folder),
        num_pictures=len(list((folder / "instances").glob("*.png"))),
        names=read_json(folder / "objects.json", dict[str, str]),
        without_mask=without_mask,
        not_in_folder=len(masks) - len(found),
    )


def merged_labels(masks: dict[int, Bool[np.ndarray, "h w"]], *, rest: int, where: str = "") -> UInt8[np.ndarray, "h w"]:
    """One picture of labels from masks by label; `rest` where there is none, 255 where there are several.

    Raises:
        InputError: masks of several sizes; the message begins with `where`.
    """
    sizes = {mask.shape for mask in masks.values()}
    if len(sizes) > 1:
        raise InputError(f"{where}: masks of several sizes ({', '.join(f'{w} x {h}' for h, w in sorted(sizes))}). Make them anew.")
    stacked = np.stack(list(masks.values()))
    labels = np.array(list(masks), np.uint8)[stacked.argmax(axis=0)]
    count = stacked.sum(axis=0)
    return np.where(count == 1, labels, np.where(count == 0, rest, UNKNOWN)).astype(np.uint8)


def _objects(x3: Path, scene_id: str) -> Sequence[SceneObject]:
    """The objects of a scene in all splits, by their ids; one that stands in two splits once."""
    known: dict[str, SceneObject] = {}
    scenes: set[str] = set()
    for split in X3.splits(x3):
        reader = X3(x3, split)
        scenes.update(reader.scene_ids())
        if scene_id in reader.scene_ids():
            for each in reader[reader.scene_ids().index(scene_id)].objects:
                known.setdefault(each.object_id, each)
    if scene_id not in scenes:
        raise InputError(f"{x3}: no scene {scene_id!r}; there are {', '.join(sorted(scenes)[:8])}.")
    if not 0 < len(known) <= MAX_LABEL:
        raise InputError(f"{x3}: scene {scene_id} has {len(known)} objects; a label picture holds 1 to {MAX_LABEL}.")
    return [known[name] for name in sorted(known, key=lambda name: (len(name), name))]


def _check_names(path: Path, names: dict[str, str]) -> None:
    """Other names for the same labels are the user's; other labels are of other masks."""
    if path.is_file() and set(there := read_json(path, dict[str, str])) != set(names):
        raise InputError(
            f"{path} is there already, with the labels {', '.join(there)}; this scene has {', '.join(names)}. Delete it and "
            "instances/ to take these masks."
        )


def _write_once(path: Path, content: bytes) -> None:
    if not path.is_file():
        write_whole(path, content)
    elif path.read_bytes() != content:
        raise InputError(f"{path} is there already and is another picture. Delete instances/ and objects.json to take these masks.")
