"""Depth of a view as a picture to lay over it: colours from near (dark blue) to far (yellow), clear where there is no depth.

The colours are cividis, made to look alike with and without a colour vision deficiency (Nuñez, Anderton and Renslow 2018). They
span each view's own depth from its 2nd to its 98th percentile, so that a few stray pixels do not take the contrast from all
others; what lies outside has the colour of the end. The page has the same colours as a legend, in metres.
"""

import hashlib
import io
from collections.abc import Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from sightline.report.pictures import QUALITY, WEBP_METHOD, preview_size
from sightline.taskset.store import TaskSet
from sightline.types import DepthRef

ENDS = (2.0, 98.0)  # percentiles
Key = tuple[Path, float]


@dataclass(frozen=True)
class DepthPicture:
    """A file under `assets/`, and the depths in metres that have the colours of the ends; both 0 where no pixel has a depth.

    `known` is the share of the pixels that have one.
    """

    name: str
    near_m: float
    far_m: float
    known: float


class DepthPictures:
    """The depth pictures of a report: each is written into `folder` the first time it is asked for, named by its content."""

    def __init__(self, folder: Path, pool: Executor) -> None:
        self.folder = folder
        self.pool = pool
        self.written: dict[Key, DepthPicture] = {}

    def add(self, taskset: TaskSet, depths: Iterable[DepthRef]) -> None:
        """Write those that are not there yet, and wait for them.

        Raises:
            FileNotFoundError, InputError: a depth file is gone or damaged (`TaskSet.read_depth`); none is left out silently.
        """
        wanted = {_key(taskset, ref): ref for ref in depths}
        new = [key for key in wanted if key not in self.written]
        made = self.pool.map(lambda key: self._write(taskset.read_depth(wanted[key])), new)
        self.written |= zip(new, made, strict=True)

    def of(self, taskset: TaskSet, ref: DepthRef) -> DepthPicture:
        """The picture of a depth that was added."""
        return self.written[_key(taskset, ref)]

    def _write(self, depth_m: Float[np.ndarray, "h w"]) -> DepthPicture:
        height, width = depth_m.shape
        size = preview_size(width, height)
        depth_m = np.asarray(cv2.resize(depth_m, size, interpolation=cv2.INTER_NEAREST))  # a mean over an edge is no depth
        near_m, far_m = depth_ends(depth_m)
        file = io.BytesIO()
        Image.fromarray(paint_depth(depth_m, near_m, far_m)).save(file, "WEBP", quality=QUALITY, method=WEBP_METHOD)
        content = file.getvalue()
        name = f"depth-{hashlib.blake2b(content, digest_size=16).hexdigest()}.webp"
        (self.folder / name).write_bytes(content)
        return DepthPicture(name, near_m, far_m, float((depth_m > 0).mean()))


def depth_ends(depth_m: Float[np.ndarray, "h w"]) -> tuple[float, float]:
    """The depths of the two ends of the colours, in metres; 0 and 0 where no pixel has a depth."""
    known = depth_m[depth_m > 0]
    if not known.size:
        return 0.0, 0.0
    near_m, far_m = np.percentile(known, ENDS).tolist()
    return near_m, far_m


def paint_depth(depth_m: Float[np.ndarray, "h w"], near_m: float, far_m: float) -> UInt8[np.ndarray, "h w 4"]:
    """The depth in colours (RGBA): linear in metres, transparent where there is none; all near where `far_m` is `near_m`."""
    share = (depth_m - near_m) / max(far_m - near_m, 1e-6)
    level = np.rint(np.clip(share, 0.0, 1.0) * 255).astype(np.uint8)
    colours = cv2.cvtColor(cv2.applyColorMap(level, cv2.COLORMAP_CIVIDIS), cv2.COLOR_BGR2RGB)
    alpha = np.where(depth_m > 0, 255, 0).astype(np.uint8)
    return np.dstack([colours, alpha]).astype(np.uint8)


def _key(taskset: TaskSet, ref: DepthRef) -> Key:
    return taskset.file(ref), ref.metres_per_unit
