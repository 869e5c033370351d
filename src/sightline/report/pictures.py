"""Previews of a task set's pictures: one WebP file each, named by the digest of the original, of at most `MAX_PIXELS`.

Overlays are drawn in pixels of the original; the page stretches the preview over them, so its scale never enters a number.
"""

import io
import math
from collections.abc import Iterable
from concurrent.futures import Executor
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8
from PIL import Image

from sightline.errors import InputError
from sightline.taskset.store import TaskSet
from sightline.types import ImageRef

MAX_PIXELS = 640 * 640  # an area, not a side: two views side by side keep nearly the scale of one
QUALITY = 80
WEBP_METHOD = 2  # of 0..6: less than half the default's time for a few per cent more bytes


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


class Previews:
    """The previews of a report: each picture is written into `folder` the first time it is asked for.

    Args:
        pool: where decoding and encoding run; both release the interpreter lock.
    """

    def __init__(self, folder: Path, pool: Executor) -> None:
        self.folder = folder
        self.pool = pool
        self.written: set[str] = set()

    def add(self, taskset: TaskSet, pictures: Iterable[ImageRef]) -> None:
        """Write the previews that are not there yet, and wait for them.

        Raises:
            FileNotFoundError, InputError: a picture is gone or has changed (`TaskSet.read_rgb`); none is left out silently.
        """
        wanted = {picture_name(ref): ref for ref in pictures}
        new = {name: ref for name, ref in wanted.items() if name not in self.written}
        list(self.pool.map(lambda name: self._write(taskset, new[name], name), new))
        self.written |= new.keys()

    def _write(self, taskset: TaskSet, ref: ImageRef, name: str) -> None:
        (self.folder / name).write_bytes(_encode(taskset.read_rgb(ref)))


def _encode(rgb: UInt8[np.ndarray, "h w 3"]) -> bytes:
    height, width = rgb.shape[:2]
    size = preview_size(width, height)
    if size != (width, height):
        rgb = np.asarray(cv2.resize(rgb, size, interpolation=cv2.INTER_AREA))
    file = io.BytesIO()
    Image.fromarray(rgb).save(file, "WEBP", quality=QUALITY, method=WEBP_METHOD)
    return file.getvalue()
