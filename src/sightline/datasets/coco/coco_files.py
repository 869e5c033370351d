"""Where COCO-style files and their pictures lie below a root.

    annotations/instances_train2017.json, train2017/ or images/train2017/      COCO: the split is "train2017"
    train/instances.json, train/JPEGImages/                                    YouTube-VIS: the split is "train"
    demo_vis_data/ann.json                                                     anything else, at most one folder down: its path

A root one folder above such a one will do if only one of its folders holds the form. There is no rule that all of them follow, so
a file counts by what is in it: pictures, or videos of listed pictures, or videos with file names.
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
    if found := _files_below(root, kind):
        return found
    inner = {folder.name: files for folder in sorted(root.iterdir()) if folder.is_dir() and (files := _files_below(folder, kind))}
    if len(inner) > 1:
        raise InputError(f"{root} has {len(inner)} folders with {WANTED[kind]}: {', '.join(inner)}. Give one of them as the root.")
    for files in inner.values():
        return files
    seen = ", ".join(path.relative_to(root).as_posix() for path in _json_files(root)[:NAMED]) or "no .json file"
    raise InputError(f"{root} holds no {WANTED[kind]}; looked at {seen}, at most one folder down.")


def vis_files(root: Path) -> tuple[dict[str, Path], Kind]:
    """The files of YouTube-VIS below `root`, or, where there is none, those of CocoVID with masks, which is what mmtracking makes
    of YouTube-VIS; and which of the two they are.

    Raises:
        FileNotFoundError, InputError: as `split_files`.
    """
    try:
        return split_files(root, "videos"), "videos"
    except InputError:
        masked = {
            split: path for split, path in (_files_below(root, "frames") if root.is_dir() else {}).items() if _has_masks(path)
        }
        if masked:
            return masked, "frames"
        raise


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
    if parts.images and first[0].video_id is not None:
        return "frames"  # the list of videos may be left out
    shown = any(row.image_id is not None and (row.bbox or row.segmentation) for row in first)
    return "images" if parts.images and shown else None


def picture_folder(root: Path, path: Path, split: str, names: Sequence[str]) -> str:
    """The folder (from the root) in which the pictures of a file lie; the likeliest one if none of the first few is anywhere."""
    beside = path.parent.relative_to(root).as_posix().removeprefix(".")
    usual = [f"{split}/JPEGImages", "JPEGImages", f"images/{split}", "images", split, f"{split}/images", "", beside]
    above = path.parent.parent
    inner = above.relative_to(root).as_posix().removeprefix(".") if above.is_relative_to(root) else ""
    usual = [joined(inner, folder) for folder in usual]
    others = sorted(entry.name for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith("."))
    found = media_folder(root, [*usual, *others], names)
    return usual[2] if found is None else found


def missing_pictures(root: Path, folder: str, names: Iterable[str]) -> set[str]:
    """Those of `names` that are not in `folder`."""
    return {name for name in names if media_folder(root, [folder], [name]) is None}


def _json_files(root: Path) -> list[Path]:
    patterns = ("annotations/instances_*.json", "annotations/*.json", "*.json", "*/*.json")
    return list(dict.fromkeys(path for pattern in patterns for path in sorted(root.glob(pattern)) if not path.name.startswith(".")))


def _files_below(root: Path, kind: Kind) -> dict[str, Path]:
    return {_split_name(root, path): path for path in _json_files(root) if form(path) == kind}


def _has_masks(path: Path) -> bool:
    """Whether the first annotation has a mask."""
    parts: _Parts = decode_mapped(path, _Parts)
    return any(msgspec.json.decode(row, type=_First).segmentation for row in (parts.annotations or [])[:1])


def _videos(first: list[_First]) -> Kind | None:
    return "videos" if any(row.file_names for row in first) else None


def _split_name(root: Path, path: Path) -> str:
    relative = path.relative_to(root)
    if relative.name == "instances.json" and len(relative.parts) > 1:
        return relative.parts[0]
    if relative.parent.as_posix() == "annotations":
        return path.stem.removeprefix("instances_")
    return joined(relative.parent.as_posix().removeprefix("."), path.stem)
