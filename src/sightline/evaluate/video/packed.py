"""Masks packed 64 pixels to a word, with their boundary: what the scores of a frame are computed from.

A packed mask is made once and compared often: the truth of a clip is the same for every run that is scored on it. Pixels about
which nothing is known (void) are cleared in both masks before packing (`void`), which leaves them out of J and F as the
official scorer does.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, UInt8, UInt64

from sightline.errors import InputError
from sightline.geometry.masks import check_rle
from sightline.types import MaskRle

WORD_PIXELS = 64


@dataclass(frozen=True, eq=False)
class PackedMask:
    """A mask and its boundary (see `definition.boundary_map`), one bit a pixel: bit i of word k of a row is column 64 k + i.

    `area` and `boundary_area` are the numbers of set pixels of the two.
    """

    width: int
    rows: UInt64[np.ndarray, "h words"]
    boundary: UInt64[np.ndarray, "h words"]
    area: int
    boundary_area: int

    @property
    def height(self) -> int:
        return len(self.rows)


def pack_mask(mask: Bool[np.ndarray, "h w"], *, void: Bool[np.ndarray, "h w"] | None = None) -> PackedMask:
    """A mask, packed. `void`: pixels to leave out."""
    height, width = mask.shape
    rows = np.zeros((height, 8 * _num_words(width)), np.uint8)
    rows[:, : (width + 7) // 8] = np.packbits(mask if void is None else mask & ~void, axis=1, bitorder="little")
    return _with_boundary(rows.view("<u8").astype(np.uint64, copy=False), width)


def pack_labels(labels: UInt8[np.ndarray, "h w"], objects: Sequence[int]) -> tuple[PackedMask, ...]:
    """The masks of the label numbers `objects`, in their order, from one pass over a picture of labels."""
    from sightline.evaluate.video.bit_kernels import split_labels  # noqa: PLC0415 - numba takes a second to import

    height, width = labels.shape
    plane_of = np.full(256, -1, np.int64)
    plane_of[list(objects)] = np.arange(len(objects))
    filled = np.zeros((height, WORD_PIXELS * _num_words(width)), np.uint8)
    filled[:, :width] = labels
    planes = np.zeros((len(objects), height, _num_words(width)), np.uint64)
    split_labels(filled, filled.view(np.uint64), width, plane_of, planes)
    return tuple(_with_boundary(plane, width) for plane in planes)


def pack_rle(rle: MaskRle) -> PackedMask:
    """The mask of a COCO run-length code, packed without its bitmap.

    Raises:
        InputError: the code is refused by `geometry.masks.check_rle`.
    """
    from sightline.evaluate.video.bit_kernels import fill_runs  # noqa: PLC0415

    runs = check_rle(rle)
    rows = np.zeros((rle.height, _num_words(rle.width)), np.uint64)
    fill_runs(runs, rows)
    return _with_boundary(rows, rle.width)


def pack_track(track: Sequence[MaskRle | None], height: int, width: int, *, what: str = "mask track") -> list[PackedMask]:
    """The masks of a track, one a frame, None being an empty one; `what` names the track in errors.

    Raises:
        InputError: a mask of another size than `height` x `width`, or one that `geometry.masks.check_rle` refuses.
    """
    nothing = _with_boundary(np.zeros((height, _num_words(width)), np.uint64), width)
    packed: list[PackedMask] = []
    for index, rle in enumerate(track):
        if rle is not None and (rle.height, rle.width) != (height, width):
            raise InputError(
                f"{what}, frame {index}: a mask of {rle.width} x {rle.height} pixels; the clip has {width} x {height}. "
                "Give masks of the clip's own size: resize the model's output before it is encoded."
            )
        packed.append(nothing if rle is None else pack_rle(rle))
    return packed


def union_track(
    tracks: Sequence[Sequence[MaskRle | None]], height: int, width: int, *, what: str = "mask track"
) -> list[PackedMask]:
    """The pixels of any of several objects, frame by frame. All tracks must have the same frames; at least one is needed.

    Raises:
        InputError: as `pack_track`.
    """
    packed = [pack_track(track, height, width, what=what) for track in tracks]
    if len(packed) == 1:
        return packed[0]
    frames = zip(*packed, strict=True)
    return [_with_boundary(np.bitwise_or.reduce([mask.rows for mask in masks]), width) for masks in frames]


def _with_boundary(rows: UInt64[np.ndarray, "h words"], width: int) -> PackedMask:
    from sightline.evaluate.video.bit_kernels import trace_boundary  # noqa: PLC0415

    boundary = np.empty_like(rows)
    area, boundary_area = trace_boundary(rows, width, boundary)
    return PackedMask(width=width, rows=rows, boundary=boundary, area=area, boundary_area=boundary_area)


def _num_words(width: int) -> int:
    return -(-width // WORD_PIXELS)
