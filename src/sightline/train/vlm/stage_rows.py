"""The rows of one stage of a plan: the order of its samples, cut into windows, and each window's samples put into rows.

A window is packed or sorted by itself, and its rows (or steps, where a row is a sample) change places within it.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int32, Int64

from sightline.train.vlm.batching import Batching
from sightline.train.vlm.group_packing import pack_together
from sightline.train.vlm.order import Share, epoch_length, row_keys, stage_order
from sightline.train.vlm.packing import WINDOW, Packs, grouped, pack
from sightline.train.vlm.prefix import pack_shared


@dataclass(frozen=True)
class Rows:
    samples: Int64[np.ndarray, " n"]
    starts: Int64[np.ndarray, " rows_and_one"]

    def first(self, count: int) -> "Rows":
        return Rows(self.samples[: self.starts[count]], self.starts[: count + 1])

    @property
    def count(self) -> int:
        return self.starts.size - 1


@dataclass(frozen=True)
class StageRows:
    """A stage that is being planned."""

    shares: tuple[Share, ...]
    lengths: Int32[np.ndarray, " m"]
    batching: Batching
    seed: int
    number: int
    groups: Int64[np.ndarray, " m"] | None = None
    repeated: Int32[np.ndarray, " m"] | None = None

    def rows(self, steps: int | None, epochs: int) -> Rows:
        """The rows of `steps` steps; without, those of whole epochs, the last step filled up from the next one."""
        per_step = self.batching.rows_per_step
        whole = None if steps is not None else epoch_length(self.shares, epochs=epochs)
        if whole is not None and self.batching.mode != "packed":
            whole = -(-whole // per_step) * per_step
        length = self._guess(steps * per_step) if steps is not None else (whole or 0) + self._window
        while True:
            rows, num_whole = self._form(length, whole)
            wanted = steps * per_step if steps is not None else -(-num_whole // per_step) * per_step
            if rows.count >= wanted:
                return rows.first(wanted)
            length += max(self._window, length // 4 // self._window * self._window)

    def _form(self, length: int, whole: int | None) -> tuple[Rows, int]:
        """The rows of the first `length` samples, and how many of them hold the first `whole`."""
        order = stage_order(self.shares, seed=self.seed, stage=self.number, length=length, groups=self.groups)
        window = self._window
        turn = 0 if whole is None else whole
        at = np.array([*range(0, turn, window), *range(turn, length, window), length], np.int64)
        match self.batching.mode:
            case "padded":
                return Rows(order, np.arange(length + 1)), whole or 0
            case "grouped":
                row_of, first_row = _by_length(self.lengths[order], at)
                unit = self.batching.rows_per_step
            case "packed":
                row_of, first_row = self._packed(order, at)
                unit = 1
        rank = _shuffled(first_row, unit, row_keys(int(first_row[-1]), seed=self.seed, stage=self.number))
        in_rows, starts = grouped(rank[row_of], int(first_row[-1]))
        num_whole = 0 if whole is None else int(first_row[int(np.searchsorted(at, whole))])
        return Rows(order[in_rows], starts), num_whole

    def _packed(self, order: Int64[np.ndarray, " n"], at: Int64[np.ndarray, " w"]) -> Packs:
        capacity, lengths = self.batching.tokens_per_sample, self.lengths[order]
        if self.groups is None:
            return pack(lengths, at, capacity=capacity)
        if self.repeated is None:
            return pack_together(lengths, at, capacity=capacity)
        return pack_shared(lengths, self.repeated[order], self.groups[order], at, capacity=capacity)

    @property
    def _window(self) -> int:
        """Samples of a window; whole steps of them where rows are samples."""
        per_step = self.batching.rows_per_step
        return WINDOW if self.batching.mode == "packed" else max(WINDOW // per_step, 1) * per_step

    def _guess(self, num_rows: int) -> int:
        """About how many samples fill `num_rows` rows, in whole windows, rather too many."""
        if self.batching.mode != "packed":
            samples = num_rows
        else:
            total = sum(share.weight * float(self.lengths[share.samples].sum()) for share in self.shares)
            mean = total / sum(share.weight * share.samples.size for share in self.shares)
            samples = int(1.01 * num_rows * self.batching.tokens_per_sample / mean)
        return (samples // self._window + 1) * self._window


def _by_length(
    lengths: Int32[np.ndarray, " n"], bounds: Int64[np.ndarray, " w"]
) -> tuple[Int32[np.ndarray, " n"], Int64[np.ndarray, " w"]]:
    """Each sample a row; the rows of a window by length."""
    window = np.repeat(np.arange(bounds.size - 1), np.diff(bounds))
    row_of = np.empty(lengths.size, np.int32)
    row_of[np.lexsort((lengths, window))] = np.arange(lengths.size, dtype=np.int32)
    return row_of, bounds


def _shuffled(first_row: Int64[np.ndarray, " w"], unit: int, keys: np.ndarray) -> Int32[np.ndarray, " rows"]:
    """The new number of each row: within their window, runs of `unit` rows change places."""
    window = np.repeat(np.arange(first_row.size - 1), np.diff(first_row))
    place = np.arange(first_row[-1]) - first_row[window]
    key = keys[first_row[window] + place // unit * unit]
    rank = np.empty(window.size, np.int32)
    rank[np.lexsort((place, key, window))] = np.arange(window.size, dtype=np.int32)
    return rank
