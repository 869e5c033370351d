"""Samples into packs so that those of one group, which show the same pictures, stand together.

The samples come group after group (`order`). In a window a pack takes the next ones in turn while there is room for two more of any
length. Then it takes the pair that fills it best: one of the next `AHEAD` in turn, and with it the longest of the window that still
fits, the earliest of its length; and so on until nothing fits. So packs follow the order but for their last places, and are nearly
full. As in `packing`, no pack reaches over a window, and the packs of a window depend on its samples alone.
"""

from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Int32, Int64

from sightline.evaluate.video.bit_kernels import compiled
from sightline.train.vlm.packing import Packs

AHEAD = 16
SPARE = 512
"""One token of so many may stay free; a better pair is not looked for."""


def pack_together(lengths: Int32[np.ndarray, " n"], bounds: Int64[np.ndarray, " windows_and_one"], *, capacity: int) -> Packs:
    """Pack each window `lengths[bounds[w]:bounds[w + 1]]` by itself. All lengths are from 1 to `capacity`."""
    row_of = np.full(lengths.size, -1, np.int32)
    first_row = np.zeros(bounds.size, np.int64)
    _pack(lengths, bounds, capacity, row_of, first_row)
    return Packs(row_of, first_row)


class _Left(NamedTuple):
    """What is left of a window. `tree` is over lengths, binary: leaf `length` says how many there are, inner nodes hold
    sums. `earliest[length]` is the first sample of a length that may be left, `after[sample]` the next of its length."""

    lengths: np.ndarray
    row_of: np.ndarray
    tree: np.ndarray
    earliest: np.ndarray
    after: np.ndarray


@compiled
@no_type_check
def _pack(lengths: np.ndarray, bounds: np.ndarray, capacity: int, row_of: np.ndarray, first_row: np.ndarray) -> None:
    leaves = 1
    while leaves <= capacity:
        leaves *= 2
    count = np.zeros(2 * leaves, np.int32)
    earliest = np.empty(capacity + 1, np.int64)
    after = np.empty(lengths.size, np.int64)
    left = _Left(lengths, row_of, count, earliest, after)
    num_rows = 0
    for window in range(bounds.size - 1):
        start, turn, end = bounds[window], bounds[window], bounds[window + 1]
        earliest[:] = -1
        for sample in range(end - 1, start - 1, -1):
            after[sample] = earliest[lengths[sample]]
            earliest[lengths[sample]] = sample
            _add(count, lengths[sample], 1)
        longest = _longest(count, capacity)
        while turn < end:
            if row_of[turn] >= 0:
                turn += 1
                continue
            room = capacity
            while turn < end and room >= 2 * longest:
                if row_of[turn] < 0:
                    row_of[turn] = num_rows
                    room -= lengths[turn]
                    _add(count, lengths[turn], -1)
                turn += 1
            while room > 0:
                taken = _pair(left, turn, end, room, num_rows, capacity)
                if taken == 0:
                    break
                room -= taken
            num_rows += 1
        first_row[window + 1] = num_rows


@compiled
@no_type_check
def _pair(left: _Left, turn: int, end: int, room: int, row: int, capacity: int) -> int:
    """Put the two samples into a row that fill its room best, or one; how many tokens they have, 0 where none fits."""
    first, beside, best, seen = -1, 0, 0, 0
    for sample in range(turn, end):
        length = left.lengths[sample]
        if left.row_of[sample] >= 0:
            continue
        seen += 1
        if length <= room:
            _add(left.tree, length, -1)
            other = _longest(left.tree, room - length)
            _add(left.tree, length, 1)
            if length + other > best:
                first, beside, best = sample, other, length + other
        if seen == AHEAD or (room - best) * SPARE <= capacity:
            break
    if first < 0:
        best = _longest(left.tree, room)
        if best == 0:
            return 0
        first = _taken(left, best)
    left.row_of[first] = row
    _add(left.tree, left.lengths[first], -1)
    if beside > 0:
        left.row_of[_taken(left, beside)] = row
        _add(left.tree, beside, -1)
    return best


@compiled
@no_type_check
def _taken(left: _Left, length: int) -> int:
    """The first sample of a length that is left."""
    sample = left.earliest[length]
    while left.row_of[sample] >= 0:
        sample = left.after[sample]
    left.earliest[length] = left.after[sample]
    return sample


@compiled
@no_type_check
def _add(count: np.ndarray, length: int, number: int) -> None:
    node = count.size // 2 + length
    while node >= 1:
        count[node] += number
        node //= 2


@compiled
@no_type_check
def _longest(count: np.ndarray, most: int) -> int:
    """The greatest length of at most `most` that is left; 0 where there is none."""
    leaves = count.size // 2
    node = leaves + most
    if count[node] == 0:
        while node > 1 and (node % 2 == 0 or count[node - 1] == 0):
            node //= 2
        if node <= 1:
            return 0
        node -= 1
        while node < leaves:
            node = 2 * node + 1 if count[2 * node + 1] > 0 else 2 * node
    return node - leaves
