"""Samples into packs of at most so many tokens: best fit, longest first, in windows of consecutive samples.

In a window the samples are taken from the longest to the shortest; each goes where the least room is left that holds it, or into
a new pack. A sample never splits, and no pack reaches over a window, so that the packs of a window depend on its samples alone.
Longest-first best fit fills nearly as well as the best packing (Johnson 1973: at most 11/9 of its packs, and 6/9 more).
"""

from typing import NamedTuple, no_type_check

import numpy as np
from jaxtyping import Int32, Int64

from sightline.evaluate.video.bit_kernels import compiled

WINDOW = 4096


class Packs(NamedTuple):
    """Pack `row_of[i]` holds sample i. Packs are numbered through; those of window w begin at `first_row[w]`."""

    row_of: Int32[np.ndarray, " n"]
    first_row: Int64[np.ndarray, " windows_and_one"]


def pack(lengths: Int32[np.ndarray, " n"], bounds: Int64[np.ndarray, " windows_and_one"], *, capacity: int) -> Packs:
    """Pack each window `lengths[bounds[w]:bounds[w + 1]]` by itself. All lengths are from 1 to `capacity`."""
    row_of = np.empty(lengths.size, np.int32)
    first_row = np.zeros(bounds.size, np.int64)
    _pack(lengths, bounds, capacity, row_of, first_row)
    return Packs(row_of, first_row)


def grouped(row_of: Int32[np.ndarray, " n"], num_rows: int) -> tuple[Int64[np.ndarray, " n"], Int64[np.ndarray, " rows_and_one"]]:
    """The samples in the order of their rows (as they come, within one), and where each row begins in that order."""
    starts = np.zeros(num_rows + 1, np.int64)
    np.cumsum(np.bincount(row_of, minlength=num_rows), out=starts[1:])
    order = np.empty(row_of.size, np.int64)
    _fill(row_of, starts[:-1].copy(), order)
    return order, starts


@compiled
@no_type_check
def _fill(row_of: np.ndarray, places: np.ndarray, order: np.ndarray) -> None:
    for sample in range(row_of.size):
        row = row_of[sample]
        order[places[row]] = sample
        places[row] += 1


@compiled
@no_type_check
def _pack(lengths: np.ndarray, bounds: np.ndarray, capacity: int, row_of: np.ndarray, first_row: np.ndarray) -> None:
    leaves = 1
    while leaves <= capacity:
        leaves *= 2
    widest = 0
    for window in range(bounds.size - 1):
        widest = max(widest, bounds[window + 1] - bounds[window])
    # a binary tree over the amounts of room: has[leaves + room] says whether some pack has just that much left
    has = np.zeros(2 * leaves, np.bool_)
    newest = np.full(capacity + 1, -1, np.int32)  # a pack with that much room, and below it the others
    below = np.empty(widest, np.int32)
    ordered = np.empty(widest, np.int64)
    seats = np.empty(capacity + 2, np.int64)
    num_rows = 0
    for window in range(bounds.size - 1):
        start, end = bounds[window], bounds[window + 1]
        _longest_first(lengths, start, end, seats, ordered)
        has[:] = False
        newest[:] = -1
        opened = 0
        for place in range(end - start):
            sample = ordered[place]
            length = lengths[sample]
            room = _least_room(has, leaves, length)
            if room < 0:
                row = opened
                opened += 1
                room = capacity
            else:
                row = newest[room]
                newest[room] = below[row]
                if newest[room] < 0:
                    _clear(has, leaves + room)
            row_of[sample] = num_rows + row
            left = room - length
            below[row] = newest[left]
            newest[left] = row
            _mark(has, leaves + left)
        num_rows += opened
        first_row[window + 1] = num_rows


@compiled
@no_type_check
def _longest_first(lengths: np.ndarray, start: int, end: int, seats: np.ndarray, ordered: np.ndarray) -> None:
    """Counting sort; equal lengths stay in their order."""
    capacity = seats.size - 2
    seats[:] = 0
    for sample in range(start, end):
        seats[capacity - lengths[sample] + 1] += 1
    for place in range(1, seats.size):
        seats[place] += seats[place - 1]
    for sample in range(start, end):
        seat = capacity - lengths[sample]
        ordered[seats[seat]] = sample
        seats[seat] += 1


@compiled
@no_type_check
def _least_room(has: np.ndarray, leaves: int, length: int) -> int:
    """The least room of at least `length` that some pack has; -1 where none has."""
    node = leaves + length
    if not has[node]:
        while node > 1 and (node % 2 == 1 or not has[node + 1]):
            node //= 2
        if node <= 1:
            return -1
        node += 1
        while node < leaves:
            node = 2 * node if has[2 * node] else 2 * node + 1
    return node - leaves


@compiled
@no_type_check
def _mark(has: np.ndarray, node: int) -> None:
    while node >= 1 and not has[node]:
        has[node] = True
        node //= 2


@compiled
@no_type_check
def _clear(has: np.ndarray, node: int) -> None:
    has[node] = False
    while node > 1:
        node //= 2
        if has[2 * node] or has[2 * node + 1]:
            return
        has[node] = False
