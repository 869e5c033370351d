"""Pictures of label numbers: the box, the area and the run-length code of every object in one pass, without a bitmap an object.

A row of equal labels is a run; a picture has a few thousand runs and millions of pixels, so all that follows the search for the
ends of runs costs next to nothing.
"""

from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from jaxtyping import Int, UInt8
from pycocotools import mask as coco

from sightline.geometry.boxes import Box
from sightline.types import MaskRle


@dataclass(frozen=True)
class Region:
    """What one label covers: its tight box (exclusive ends), and its area in pixels."""

    box: Box
    area: int


def label_regions(labels: UInt8[np.ndarray, "h w"]) -> dict[int, Region]:
    """The region of every label but 0, by label; `mask_to_box(labels == label)` gives the same boxes."""
    width = labels.shape[1]
    starts, ends, values = _runs(labels)
    order = np.argsort(values, kind="stable")
    values, starts, ends = values[order], starts[order], ends[order]
    first = np.flatnonzero(np.diff(values, prepend=-1))
    if first.size == 0:
        return {}
    rows, x0, x1 = starts // width, starts % width, (ends - 1) % width + 1
    columns = [
        values[first],
        np.minimum.reduceat(x0, first),
        np.minimum.reduceat(rows, first),
        np.maximum.reduceat(x1, first),
        np.maximum.reduceat(rows, first) + 1,
        np.add.reduceat(ends - starts, first),
    ]
    found = zip(*(column.tolist() for column in columns), strict=True)
    return {
        label: Region(box=(float(left), float(top), float(right), float(bottom)), area=area)
        for label, left, top, right, bottom, area in found
    }


def label_masks(labels: UInt8[np.ndarray, "h w"]) -> dict[int, MaskRle]:
    """The mask of every label but 0, by label; `encode_mask(labels == label)` gives the same codes."""
    height, width = labels.shape
    starts, ends, values = _runs(np.ascontiguousarray(labels.T), across_rows=True)
    return {
        int(label): _code(starts[values == label], ends[values == label], height=height, width=width) for label in np.unique(values)
    }


def _runs(
    labels: UInt8[np.ndarray, "h w"], *, across_rows: bool = False
) -> tuple[Int[np.ndarray, " r"], Int[np.ndarray, " r"], Int[np.ndarray, " r"]]:
    """First place, place after the last, and label of each run that is not 0, in the order of the flat picture.

    A run ends with its row unless `across_rows`.
    """
    flat = labels.ravel()
    breaks = np.empty(flat.size, dtype=bool)
    breaks[0] = True
    np.not_equal(flat[1:], flat[:-1], out=breaks[1:])
    if not across_rows:
        breaks[:: labels.shape[1]] = True
    starts = np.flatnonzero(breaks)
    values = flat[starts].astype(np.int64)
    ends = np.append(starts[1:], flat.size)
    kept = values != 0
    return starts[kept], ends[kept], values[kept]


def _code(starts: Int[np.ndarray, " r"], ends: Int[np.ndarray, " r"], *, height: int, width: int) -> MaskRle:
    """The code of column-major runs in order. Runs of one label never touch: between two of them there is another label."""
    counts = np.diff(np.stack([starts, ends], axis=1).ravel(), prepend=0).tolist()
    rest = height * width - int(ends[-1])
    listed: Any = {"size": [height, width], "counts": counts + ([rest] if rest else [])}  # its type stubs know no such code
    code = coco.frPyObjects(listed, height, width)
    return MaskRle(height=height, width=width, counts=cast(bytes, code["counts"]).decode("ascii"))
