"""The four ways in which COCO-style JSON writes a region, as one run-length code.

    [[96, 120, 160, 120, 160, 200]]                 polygons: x0, y0, x1, y1, ...; the region is what any of them covers
    {"size": [480, 640], "counts": "eme31V..."}     compressed code
    {"size": [480, 640], "counts": [20, 3, 27]}     run lengths, column by column, background first
    [{"size": ..., "counts": ...}, ...]             several codes (RefCLEF)

Overlapping polygons are united, never added up. pycocotools, which draws polygons as every scorer of the field does, believes what
it is given: sizes, coordinates and run lengths are checked here first. A polygon of fewer than three points covers nothing (COCO
has some). Points may lie outside the picture by its own size, which happens at borders; further out they are a mistake.
"""

from typing import Any, cast

import numpy as np
from pycocotools import mask as coco

from sightline.errors import InputError
from sightline.geometry.masks import MAX_MASK_PIXELS, union_masks
from sightline.types import MaskRle, Record

MIN_NUMBERS = 6  # of a polygon: three points
MAX_OUTLINE = 2_000_000  # pixels; drawing takes 80 bytes for each


class Code(Record, forbid_unknown_fields=False):
    """A region as a run-length code, compressed or not; `size` is (height, width)."""

    size: tuple[int, int]
    counts: str | list[int]


Segmentation = Code | list[list[float] | Code]


def region(segmentation: Segmentation, *, height: int, width: int) -> MaskRle | None:
    """The code of a region in a picture of `height` x `width`; None where no region is given.

    A compressed code is passed on as it is, whatever its size; `geometry.masks.check_rle` reads it later.

    Raises:
        InputError: a picture size that no picture has, a polygon that is none, or run lengths that do not add up to the size.
    """
    if isinstance(segmentation, Code):
        return code(segmentation)
    if not 0 < height * width <= MAX_MASK_PIXELS:
        raise InputError(f"polygons of a picture of {width}x{height} pixels; between 1 and {MAX_MASK_PIXELS:,} pixels are read.")
    codes = [code(part) for part in segmentation if isinstance(part, Code)]
    polygons = [part for part in segmentation if not isinstance(part, Code) and len(part) >= MIN_NUMBERS]
    for polygon in polygons:
        _check(polygon, height, width)
    drawn: Any = coco.frPyObjects(cast(Any, polygons), height, width) if polygons else []
    codes += [MaskRle(height=height, width=width, counts=each["counts"].decode("ascii")) for each in drawn]
    return union_masks(codes) if codes else None


def code(written: Code) -> MaskRle:
    """A run-length code in the compressed form.

    Raises:
        InputError: run lengths that are negative, or do not add up to the size, or a size that no picture has.
    """
    height, width = written.size
    if isinstance(written.counts, str):
        return MaskRle(height=height, width=width, counts=written.counts)
    if height < 1 or width < 1 or height * width > MAX_MASK_PIXELS:
        raise InputError(f"run lengths of a mask of {width}x{height} pixels; between 1 and {MAX_MASK_PIXELS:,} pixels are read.")
    if min(written.counts, default=0) < 0 or sum(written.counts) != height * width:
        raise InputError(
            f"run lengths of a mask of {width}x{height} pixels: expected none below 0 and a sum of {height * width:,}, found "
            f"{len(written.counts)} with the sum {sum(written.counts):,}."
        )
    listed: Any = {"size": [height, width], "counts": written.counts}
    packed: Any = coco.frPyObjects(listed, height, width)
    return MaskRle(height=height, width=width, counts=packed["counts"].decode("ascii"))


def _check(polygon: list[float], height: int, width: int) -> None:
    if len(polygon) % 2:
        raise InputError(f"a polygon of {len(polygon)} numbers; expected x and y of each point, an even number.")
    points = np.array(polygon).reshape(-1, 2)
    sides = np.array([width, height])
    if not (np.isfinite(points) & (points >= -sides) & (points <= 2 * sides)).all():
        raise InputError(f"a polygon with a point far outside its picture of {width}x{height} pixels: {_shortened(polygon)}.")
    outline = float(np.abs(np.diff(points, axis=0, append=points[:1])).max(axis=1).sum())
    if outline > MAX_OUTLINE:
        raise InputError(f"a polygon whose outline is {outline:,.0f} pixels long; at most {MAX_OUTLINE:,} are drawn.")


def _shortened(numbers: list[float]) -> str:
    return f"{numbers[:8]}" + (f" and {len(numbers) - 8} more" if len(numbers) > 8 else "")
