"""Where COCO-style files and their pictures lie below a root.

    annotations/instances_train2017.json, train2017/ or images/train2017/      COCO: the split is "train2017"
    train/instances.json, train/JPEGImages/                                    YouTube-VIS: the split is "train"
    demo_vis_data/ann.json                                                     anything else, at most one folder down: its path

There is no rule that all of them follow, so a file counts by what is in it: pictures, or videos of listed pictures, or videos with
file names.
"""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec

from sightline.datasets.coco.coco_json import Open, joined, media_folder
from sightline.datasets.coco.json_slices import decode_mapped
from sightline.errors import InputError

Kind = Literal["images", "frames", "videos"]
WANTED: dict[Kind, str] = {
    "images": "COCO instances (images, and annotations with bbox or segmentation)",
    "frames": "CocoVID (videos, images with video_id, annotations with image_id)",
    "videos": "YouTube-VIS (videos with file_names, annotations with segmentations)",
}
NAMED = 3


class _First(Open):
    """What tells the forms apart, in the first picture, video or annotation."""

    video_id: int | str | None = None
    image_id: int | str | None = None
    file_names: list[str] | None = None
    bbox: Any = None
    segmentation: Any = None
    segmentations: Any = None


class _Parts(Open):
    images: list[msgspec.Raw] = []
    videos: list[msgspec.Raw] = []
    annotations: list[msgspec.Raw] | None = None


def split_files(root: Path, kind: Kind) -> dict[str, Path]:
    """The files of one form below `root`, by the name of their split.

    Raises:
        FileNotFoundError: no such root.
        InputError: there is no such file, or one that is no whole JSON.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"{root} is not a folder. Give the root that holds annotations/ and the pictures.")
    patterns = ("annotations/instances_*.json", "annotations/*.json", "*.json", "*/*.json")
    looked_at = dict.fromkeys(path for pattern in patterns for path in sorted(root.glob(pattern)) if not path.name.startswith("."))
    found = {_split_name(root, path): path for path in looked_at if form(path) == kind}
    if not found:
        seen = ", ".join(path.relative_to(root).as_posix() for path in list(looked_at)[:NAMED]) or "no .json file"
        raise InputError(f"{root} holds no {WANTED[kind]}; looked at {seen}, at most one folder down.")
    return found


def form(path: Path) -> Kind | None:
    """Which of the forms a file has; None if none of them.

    Raises:
        InputError: the file is no whole JSON.
    """
    try:
        parts: _Parts = decode_mapped(path, _Parts)
        first = [
            msgspec.json.decode(rows[0], type=_First) for rows in (parts.videos, parts.images, parts.annotations or []) if rows
        ]
    except msgspec.ValidationError:
        return None
    except InputError as error:
        if isinstance(error.__cause__, msgspec.ValidationError):
            return None
        raise
    if parts.videos:
        return "frames" if parts.images and any(row.video_id is not None for row in first) else _videos(first)
    shown = any(row.image_id is not None and (row.bbox or row.segmentation) for row in first)
    return "images" if parts.images and shown else None


def picture_folder(root: Path, path: Path, split: str, names: Sequence[str]) -> str:
    """The folder (from the root) in which the pictures of a file lie; the likeliest one if none of the first few is anywhere."""
    beside = path.parent.relative_to(root).as_posix().removeprefix(".")
    usual = [f"{split}/JPEGImages", "JPEGImages", f"images/{split}", "images", split, f"{split}/images", "", beside]
    others = sorted(entry.name for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    found = media_folder(root, [*usual, *others], names)
    return usual[2] if found is None else found


def missing_pictures(root: Path, folder: str, names: Iterable[str]) -> set[str]:
    """Those of `names` that are not in `folder`."""
    return {name for name in names if media_folder(root, [folder], [name]) is None}


def _videos(first: list[_First]) -> Kind | None:
    return "videos" if any(row.file_names for row in first) else None


def _split_name(root: Path, path: Path) -> str:
    relative = path.relative_to(root)
    if relative.name == "instances.json" and len(relative.parts) > 1:
        return relative.parts[0]
    if relative.parent.as_posix() == "annotations":
        return path.stem.removeprefix("instances_")
    return joined(relative.parent.as_posix().removeprefix("."), path.stem)
