"""Masks of a video as benchmarks save them: a PNG a frame with a label an object, or a folder an object with binary PNGs.

ROOT/blackswan/00000.png            DAVIS, MOSE, LVOS, YouTube-VOS: palette, index = object (2016: grey, 0 and 255)
ROOT/sav_000001/000/00000.png       SA-V: any value above 0 is the object
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from sightline import media
from sightline.errors import InputError
from sightline.files import inside

VOID = 255


def list_videos(root: Path) -> list[str]:
    """The video folders below `root`, sorted.

    Raises:
        FileNotFoundError: no such folder.
        InputError: there is no folder in it.
    """
    if not root.is_dir():
        raise FileNotFoundError(f"{root} is not a folder. Give the folder that holds one folder a video.")
    found = sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    if not found:
        raise InputError(f"{root}: expected one folder a video with PNG masks in it; it holds none.")
    return found


def list_frames(folder: Path) -> list[str]:
    """The names of the PNG files of a folder, in order of their frame numbers.

    Raises:
        InputError: no PNG file, or a name that is not a number.
    """
    names = [path.name for path in folder.iterdir() if path.suffix == ".png" and not path.name.startswith(".")]
    strange = [name for name in names if not name.removesuffix(".png").isdecimal()]
    if strange or not names:
        what = f"{strange[0]!r} is not named by a frame number" if strange else "there is no PNG file"
        raise InputError(f"{folder}: {what}. Expected masks like 00000.png.")
    return sorted(names, key=lambda name: (int(name.removesuffix(".png")), name))


def has_object_folders(folder: Path) -> bool:
    """Whether a video's folder holds one folder an object (SA-V)."""
    return any(path.is_dir() for path in folder.iterdir())


def read_labels(root: Path, video: str, name: str) -> UInt8[np.ndarray, "h w"]:
    """One frame's labels.

    Raises:
        FileNotFoundError, InputError: no such file, or not a label picture; the message says how to mend it.
    """
    path = inside(root, f"{video}/{name}")
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: every frame of the annotation needs its prediction. Write it, even if empty.")
    return media.read_labels(path)


def read_object(root: Path, video: str, object_id: str, name: str) -> UInt8[np.ndarray, "h w"]:
    """One frame of one object as labels 0 and 1, from its own folder.

    Raises:
        FileNotFoundError, InputError: as `read_labels`; also a picture of more than two values.
    """
    path = inside(root, f"{video}/{object_id}/{name}")
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: every frame of the annotation needs its prediction. Write it, even if empty.")
    values = media.read_indices(path)
    found = np.unique(values)
    if found.size > 2:
        raise InputError(f"{path} has {found.size} values; a folder of one object holds pictures of two.")
    return (values > 0).astype(np.uint8)


def check_size(truth: UInt8[np.ndarray, "h w"], predicted: UInt8[np.ndarray, "h2 w2"], where: str) -> None:
    """Raise InputError if a prediction is of another size than the annotation."""
    if truth.shape != predicted.shape:
        raise InputError(
            f"{where}: a prediction of {predicted.shape[1]}x{predicted.shape[0]} pixels for an annotation of "
            f"{truth.shape[1]}x{truth.shape[0]}. Write masks in the size of the annotation."
        )


def objects_of(labels: UInt8[np.ndarray, "h w"]) -> Sequence[int]:
    """The labels in a picture but 0, sorted."""
    return [int(label) for label in np.flatnonzero(np.bincount(labels.ravel(), minlength=256)) if label != 0]
