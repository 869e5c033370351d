"""Binary masks: bool arrays in memory, COCO compressed run-length code in files.

The code lists the lengths of runs of equal pixels, column by column, starting with background. Each number (from the fourth on:
its difference from the number two places before) is written in groups of five bits, lowest first, as one character each: 48 + bits,
+ 32 if more groups follow; bit 16 of the last group is the sign. A 2x2 mask set only at row 0, column 1 has runs 2, 1, 1: "211".

The string is read here, in linear time, and not by pycocotools, whose C code believes every string: wrong lengths there write
outside the bitmap.
"""

import hashlib
from collections.abc import Sequence
from typing import Any, cast

import cv2
import numpy as np
from jaxtyping import Bool, Int, UInt8
from pycocotools import mask as coco

from sightline.errors import InputError
from sightline.geometry.boxes import Box
from sightline.types import MaskRle

GREY_THRESHOLD = 128
MAX_MASK_PIXELS = 100_000_000
MAX_GROUPS = 6  # 30 bits: more than any run of MAX_MASK_PIXELS needs, and all that pycocotools itself can read


def threshold_grey(grey: UInt8[np.ndarray, "h w"], at: int = GREY_THRESHOLD) -> Bool[np.ndarray, "h w"]:
    """A grey mask picture as a mask: set where the value is `at` or more."""
    return grey >= at


def encode_mask(mask: Bool[np.ndarray, "h w"]) -> MaskRle:
    """The run-length code of a mask; equal masks have equal codes."""
    columns = cv2.transpose(np.ascontiguousarray(mask, dtype=np.uint8))  # in numpy the reordering takes longer than the coding
    code = coco.encode(np.asarray(columns.T, np.uint8))
    counts = cast(bytes, code["counts"])  # its type stubs say str
    return MaskRle(height=mask.shape[0], width=mask.shape[1], counts=counts.decode("ascii"))


def decode_mask(rle: MaskRle, *, max_pixels: int = MAX_MASK_PIXELS) -> Bool[np.ndarray, "h w"]:
    """The mask of a code.

    Raises:
        InputError: the code is refused by `check_rle`.
    """
    runs = check_rle(rle, max_pixels=max_pixels)
    by_column = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(rle.width, rle.height)
    return np.ascontiguousarray(by_column.T)


def check_rle(rle: MaskRle, *, max_pixels: int = MAX_MASK_PIXELS) -> Int[np.ndarray, " r"]:
    """The run lengths of a code, which are sound: none negative, and their sum is height * width.

    Raises:
        InputError: a size below 1 or above `max_pixels` pixels, a character that no code has, a number cut off or too long,
            a negative run, or a wrong sum. Nothing of the mask's size is allocated before.
    """
    if rle.height < 1 or rle.width < 1 or rle.height * rle.width > max_pixels:
        raise _refused(rle, f"the size must be at least 1 x 1 and at most {max_pixels:,} pixels")
    runs = _read_runs(rle)
    if (runs < 0).any():
        raise _refused(rle, f"run {int(np.argmax(runs < 0))} has the negative length {int(runs[runs < 0][0])}")
    if (total := int(runs.sum())) != rle.height * rle.width:
        raise _refused(rle, f"the runs add up to {total:,} pixels, expected {rle.height * rle.width:,}")
    return runs


def mask_id(rle: MaskRle) -> str:
    """32 hexadecimal digits that name a code: BLAKE2b of height, width and counts."""
    return hashlib.blake2b(f"{rle.height} {rle.width} {rle.counts}".encode(), digest_size=16).hexdigest()


def rle_area(rle: MaskRle) -> int:
    """The number of set pixels.

    Raises:
        InputError: the code is refused by `check_rle`.
    """
    return int(check_rle(rle)[1::2].sum())


def rle_box(rle: MaskRle) -> Box | None:
    """The tight box of a code, as `mask_to_box` gives for its bitmap, but without the bitmap; None for an empty mask.

    Raises:
        InputError: the code is refused by `check_rle`.
    """
    runs = check_rle(rle)
    ends = np.cumsum(runs)
    is_object = (np.arange(len(runs)) % 2 == 1) & (runs > 0)
    if not is_object.any():
        return None
    first_columns, first_rows = np.divmod((ends - runs)[is_object], rle.height)
    last_columns, last_rows = np.divmod(ends[is_object] - 1, rle.height)
    # A run that goes on into the next column holds the last row of the one and the first row of the other.
    wraps = bool((first_columns < last_columns).any())
    y0, y1 = (0, rle.height) if wraps else (int(first_rows.min()), int(last_rows.max()) + 1)
    return float(first_columns.min()), float(y0), float(last_columns.max() + 1), float(y1)


def union_masks(codes: Sequence[MaskRle]) -> MaskRle:
    """The code of all pixels that are set in at least one of the masks, which are of one size; at least one is given.

    Raises:
        InputError: a code is refused by `check_rle`, or the sizes differ.
    """
    if len(codes) == 1:
        return codes[0]
    for rle in codes:
        check_rle(rle)
    first = codes[0]
    if any((rle.height, rle.width) != (first.height, first.width) for rle in codes):
        raise InputError(f"masks of {sorted({(rle.width, rle.height) for rle in codes})} pixels: expected one size for all.")
    listed: Any = [{"size": [rle.height, rle.width], "counts": rle.counts.encode("ascii")} for rle in codes]
    merged = cast(bytes, coco.merge(listed)["counts"])  # its type stubs say str
    return MaskRle(height=first.height, width=first.width, counts=merged.decode("ascii"))


def common_area(a: MaskRle, b: MaskRle) -> int:
    """The number of pixels that are set in both masks, which are of one size.

    Raises:
        InputError: a code is refused by `check_rle`, or the sizes differ.
    """
    check_rle(a)
    check_rle(b)
    if (a.height, a.width) != (b.height, b.width):
        raise InputError(f"masks of {a.width}x{a.height} and {b.width}x{b.height} pixels: expected one size for both.")
    listed: Any = [{"size": [rle.height, rle.width], "counts": rle.counts.encode("ascii")} for rle in (a, b)]
    return int(coco.area(coco.merge(listed, intersect=True)))


def dilate_mask(mask: Bool[np.ndarray, "h w"], radius: int) -> Bool[np.ndarray, "h w"]:
    """The mask grown by OpenCV's elliptic kernel of 2 * radius + 1 pixels a side; radius 0 is the mask itself."""
    assert radius >= 0, f"dilation radius {radius}"
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1))
    return cv2.dilate(mask.astype(np.uint8), kernel).astype(bool)


def _read_runs(rle: MaskRle) -> Int[np.ndarray, " r"]:
    """The numbers of the string, signs and differences undone, not yet checked against the size."""
    groups = np.frombuffer(rle.counts.encode("utf-8", "surrogatepass"), dtype=np.uint8).astype(np.int64) - 48
    if groups.size == 0:
        raise _refused(rle, "there are no counts")
    if ((groups < 0) | (groups > 63)).any():
        strange = next(character for character in rle.counts if not 48 <= ord(character) <= 111)
        raise _refused(rle, f"{strange!r} at character {rle.counts.index(strange)} is not between '0' and 'o'")
    last = np.flatnonzero(groups < 32)
    if last.size == 0 or last[-1] != groups.size - 1:
        raise _refused(rle, "the last number is cut off")
    first = np.concatenate(([0], last[:-1] + 1))
    lengths = last - first + 1
    if lengths.max() > MAX_GROUPS:
        raise _refused(rle, f"a number has {int(lengths.max())} characters, at most {MAX_GROUPS} are used")
    shifts = 5 * (np.arange(groups.size) - np.repeat(first, lengths))
    runs = np.add.reduceat((groups & 31) << shifts, first)
    runs -= np.where(groups[last] & 16, np.int64(1) << (5 * lengths), 0)
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    return runs


def _refused(rle: MaskRle, reason: str) -> InputError:
    return InputError(
        f"mask code of {rle.width} x {rle.height}, counts {rle.counts[:24]!r} ({len(rle.counts):,} characters): {reason}. "
        "Expected a COCO compressed RLE; write the mask again (pycocotools.mask.encode)."
    )
