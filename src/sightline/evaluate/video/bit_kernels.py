"""Compiled loops over masks packed 64 pixels to a word, for `packed` and `region_boundary`, which alone import this module.

Bit i of word k of a row is column 64 k + i; bits beyond the picture's width are 0 in what is stored. Compiled by numba at the first
call (seconds) and kept on disk for later processes: beside this file, or in the user's cache folder where that cannot be written.
Every loop runs without the interpreter's lock, so threads work side by side.

`no_type_check` keeps the tests' runtime type checks from wrapping what numba has to compile.
"""

from collections.abc import Callable
from typing import Any, no_type_check

import numba
import numpy as np
from jaxtyping import Int, UInt8, UInt64

Words = UInt64[np.ndarray, "h words"]
ONE, ALL = np.uint64(1), np.uint64(0xFFFFFFFFFFFFFFFF)
PAIRS, FOURS, BYTES = np.uint64(0x5555555555555555), np.uint64(0x3333333333333333), np.uint64(0x0F0F0F0F0F0F0F0F)
SUM_BYTES, LOW_BYTE = np.uint64(0x0101010101010101), np.uint64(0xFF)
MAX_SHIFT = 63


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function compiled at its first call, and kept on disk where there is a place for it."""
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError as error:  # numba's word for "no folder to keep it in": read-only installation without a home
        if "no locator available" not in str(error):
            raise
        return numba.njit(nogil=True)(function)


@compiled
@no_type_check
def count_bits(word: np.uint64) -> np.int64:
    word = word - ((word >> np.uint64(1)) & PAIRS)
    word = (word & FOURS) + ((word >> np.uint64(2)) & FOURS)
    word = (word + (word >> np.uint64(4))) & BYTES
    return np.int64((word * SUM_BYTES) >> np.uint64(56))


@compiled
@no_type_check
def trace_boundary(rows: Words, width: int, boundary: Words) -> tuple[int, int]:
    """Fill `boundary` with the pixels that differ from a neighbour to the east, south or south-east. Returns (area, how many)."""
    height, words = rows.shape
    last_bit = ONE << np.uint64((width - 1) % 64)
    area, count = 0, 0
    for y in range(height):
        below = min(y + 1, height - 1)
        for k in range(words):
            here, south = rows[y, k], rows[below, k]
            east, south_east = here >> ONE, south >> ONE
            if k + 1 < words:
                east |= rows[y, k + 1] << np.uint64(63)
                south_east |= rows[below, k + 1] << np.uint64(63)
            else:
                east |= here & last_bit
                south_east |= south & last_bit
            edge = (here ^ east) | (here ^ south) | (here ^ south_east)
            boundary[y, k] = edge
            area += count_bits(here)
            count += count_bits(edge)
    return area, count


@compiled
@no_type_check
def count_common(a: Words, b: Words) -> int:
    """The number of pixels set in both masks."""
    common = 0
    for y in range(a.shape[0]):
        for k in range(a.shape[1]):
            common += count_bits(a[y, k] & b[y, k])
    return common


@compiled
@no_type_check
def grow_row(row: UInt64[np.ndarray, " words"], half_width: int, grown: UInt64[np.ndarray, " words"]) -> bool:
    """Fill `grown` with every pixel at most `half_width` columns from a set pixel of `row`. Returns whether there is any.

    A row grown by c and shifted by s <= c + 1 to both sides is the row grown by c + s: a few shifts do for all. Up to 2 c + 1 there
    would be no gap either, but a pixel whose only way leads over a column beyond the last word would be lost.
    """
    words = row.shape[0]
    first, stop = words, 0
    for k in range(words):
        grown[k] = row[k]
        if row[k] != 0:
            first, stop = min(first, k), k + 1
    if stop == 0:
        return False
    reach = 0
    while reach < half_width:
        step = min(reach + 1, half_width - reach, MAX_SHIFT)
        shift, back = np.uint64(step), np.uint64(64 - step)
        first, stop = max(first - 1, 0), min(stop + 1, words)
        before = np.uint64(0)
        for k in range(first, stop):
            here = grown[k]
            after = grown[k + 1] if k + 1 < words else np.uint64(0)
            grown[k] = here | (here << shift) | (before >> back) | (here >> shift) | (after << back)
            before = here
        reach += step
    return True


@compiled
@no_type_check
def count_near(points: Words, targets: Words, half_widths: Int[np.ndarray, " rows"]) -> int:
    """The number of set pixels of `points` with a set pixel of `targets` in the disk around them.

    `half_widths[dy]` is how far the disk reaches to either side, dy rows above or below its centre. Rows of `targets` are grown
    when first needed, and a word of `points` is done as soon as all its pixels are near one: for a good mask that is soon.
    """
    height, words = points.shape
    radius = half_widths.shape[0] - 1
    level_of = np.zeros(radius + 1, np.int64)  # rows of one half width share what was grown
    for dy in range(1, radius + 1):
        level_of[dy] = level_of[dy - 1] + (half_widths[dy] != half_widths[dy - 1])
    grown = np.empty((height, level_of[radius] + 1, words), np.uint64)
    state = np.zeros((height, level_of[radius] + 1), np.uint8)  # 0 not grown yet, 1 empty, 2 grown
    near = 0
    for y in range(height):
        for k in range(words):
            asked = left = points[y, k]
            step = 0
            while left != 0 and step <= 2 * radius:
                dy = (step + 1) >> 1
                row = y + dy if step & 1 else y - dy
                step += 1
                if row < 0 or row >= height:
                    continue
                level = level_of[dy]
                if state[row, level] == 0:
                    state[row, level] = 2 if grow_row(targets[row], half_widths[dy], grown[row, level]) else 1
                if state[row, level] == 2:
                    left &= ~grown[row, level, k]
            near += count_bits(asked ^ left)
    return near


@compiled
@no_type_check
def split_labels(
    labels: UInt8[np.ndarray, "h filled"],
    eights: UInt64[np.ndarray, "h eights"],
    width: int,
    plane_of: Int[np.ndarray, "256"],
    planes: UInt64[np.ndarray, "objects h words"],
) -> None:
    """Fill `planes` [objects, h, words] from a picture of labels; `plane_of[label]` is the plane of a label, -1 for none.

    `labels` is [h, 64 words], filled up beyond `width`; `eights` are the same bytes, eight to a number. Most words are of one
    label, which eight comparisons tell.
    """
    for y in range(labels.shape[0]):
        for k in range(planes.shape[2]):
            first = eights[y, 8 * k]
            differences = first ^ ((first & LOW_BYTE) * SUM_BYTES)
            for part in range(1, 8):
                differences |= eights[y, 8 * k + part] ^ first
            plane = plane_of[labels[y, 64 * k]]
            stop = min(64, width - 64 * k)
            if differences == 0:
                if plane >= 0:
                    planes[plane, y, k] = ALL >> np.uint64(64 - stop)
                continue
            for x in range(stop):
                plane = plane_of[labels[y, 64 * k + x]]
                if plane >= 0:
                    planes[plane, y, k] |= ONE << np.uint64(x)


@compiled
@no_type_check
def fill_runs(runs: Int[np.ndarray, " runs"], rows: Words) -> None:
    """Set in `rows` [h, words] the pixels of run lengths in columns from top to bottom, of which the first is background."""
    height = rows.shape[0]
    y, x = 0, 0
    for index in range(runs.shape[0]):
        if index % 2 == 0:
            ahead = y + runs[index]
            x += ahead // height
            y = ahead % height
            continue
        for _ in range(runs[index]):
            rows[y, x >> 6] |= ONE << np.uint64(x & 63)
            y += 1
            if y == height:
                y = 0
                x += 1
