"""Pictures of a task set as WebP files: a preview of each, and each at the sizes at which the models were given it.

A preview is named by the digest of the original and has at most `MAX_PIXELS`. Overlays are drawn in pixels of the original; the
page stretches the file over them, so its scale never enters a number.
"""

import io
import math
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image

from sightline.errors import InputError
from sightline.taskset.store import TaskSet
from sightline.types import ImageRef

MAX_PIXELS = 640 * 640  # an area, not a side: two views side by side keep nearly the scale of one
MAX_PROCESSED_PIXELS = 1024 * 1024  # a larger picture is not written a second time
QUALITY, PROCESSED_QUALITY = 80, 90
WEBP_METHOD = 2  # of 0..6: less than half the default's time for a few per cent more bytes


@dataclass(frozen=True)
class Processed:
    """A picture at the size that a model was given. `by_area`: made smaller by averaging areas, as pictures are for servers; else
    by bicubic interpolation with a filter as wide as the reduction, as image processors do."""

    ref: ImageRef
    width: int
    height: int
    by_area: bool = False

    @property
    def name(self) -> str:
        """The file name under `assets/`: the preview's where that has this very size, "" where it would be too large."""
        size = (self.width, self.height)
        if size == (self.ref.width, self.ref.height) == preview_size(*size):
            return picture_name(self.ref)
        if self.width * self.height > MAX_PROCESSED_PIXELS:
            return ""
        return picture_name(self.ref).replace(".webp", f"-{self.width}x{self.height}{'a' if self.by_area else ''}.webp")

    def resize(self, rgb: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h2 w2 3"]:
        """The picture's pixels as processed."""
        size = (self.width, self.height)
        if self.by_area:
            return np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        return np.asarray(Image.fromarray(rgb).resize(size, Image.Resampling.BICUBIC))


def preview_size(width: int, height: int) -> tuple[int, int]:
    """Width and height of the preview: the original's, or both scaled alike to at most `MAX_PIXELS`; never enlarged."""
    scale = min(1.0, math.sqrt(MAX_PIXELS / (width * height)))
    return max(1, int(width * scale)), max(1, int(height * scale))


def picture_name(ref: ImageRef) -> str:
    """The file name of the preview, under `assets/`.

    Raises:
        InputError: the digest is not one, and so would not make a file name.
    """
    if len(ref.digest) != 32 or not set(ref.digest) <= set("0123456789abcdef"):
        raise InputError(
            f"picture {ref.path!r}: digest {ref.digest!r} is not 32 hexadecimal digits: the task set is damaged, build it again."
        )
    return f"{ref.digest}.webp"


class Pictures:
    """The pictures of a report: each file is written into `folder` the first time it is asked for.

    Args:
        pool: where decoding and encoding run; both release the interpreter lock.
    """

    def __init__(self, folder: Path, pool: Executor) -> None:
        self.folder = folder
        self.pool = pool
        self.written: set[str] = set()

    def add_previews(self, taskset: TaskSet, pictures: Iterable[ImageRef]) -> None:
        """Write the previews that are not there yet, and wait for them.

        Raises:
            FileNotFoundError, InputError: a picture is gone or has changed (`TaskSet.read_rgb`); none is left out silently.
        """
        self._write({picture_name(ref): lambda ref=ref: encode_webp(reduced(taskset.read_rgb(ref)), QUALITY) for ref in pictures})

    def add_processed(self, taskset: TaskSet, pictures: Iterable[Processed]) -> None:
        """Write the pictures as processed; raises what `add_previews` raises."""
        wanted = {picture.name: picture for picture in pictures if picture.name}
        self._write(
            {
                name: lambda picture=picture: encode_webp(picture.resize(taskset.read_rgb(picture.ref)), PROCESSED_QUALITY)
                for name, picture in wanted.items()
            }
        )

    def _write(self, wanted: Mapping[str, Callable[[], bytes]]) -> None:
        new = [name for name in wanted if name not in self.written]
        list(self.pool.map(lambda name: (self.folder / name).write_bytes(wanted[name]()), new))
        self.written.update(new)


def reduced(rgb: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "h2 w2 3"]:
    """A picture at the size of its preview."""
    height, width = rgb.shape[:2]
    size = preview_size(width, height)
    return rgb if size == (width, height) else np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


def encode_webp(rgb: UInt8[np.ndarray, "h w 3"], quality: int) -> bytes:
    """The bytes of a WebP file."""
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "WEBP", quality=quality, method=WEBP_METHOD)
    return file.getvalue()
