"""Which samples are trained on at which step, computed ahead as arrays.

A step is a global batch: `rows_per_step` rows over all processes. A row is a pack of samples ("packed") or one sample, drawn at
random ("padded") or beside others of about its length ("grouped"). Step k is a pure function of the seed and k: nothing is
counted on while training, so that going on needs the number of the next step alone, and neither workers nor processes change
which samples it has. The processes divide a step's rows among themselves (`rows_of`), even in their tokens.

Stages follow each other at cumulative steps: stages until steps 40, 100 and 200 are 40, 60 and 100 steps long. Each has a mixture
of its own and starts in the order of its own samples.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import numpy as np
from jaxtyping import Int32, Int64

from sightline.errors import InputError
from sightline.train.vlm.admission import Table
from sightline.train.vlm.group_packing import pack_together
from sightline.train.vlm.order import Share, epoch_length, row_keys, stage_order
from sightline.train.vlm.packing import WINDOW, Packs, grouped, pack
from sightline.train.vlm.prefix import pack_shared, row_tokens

Mode = Literal["packed", "padded", "grouped"]
PackBy = Literal["length", "group", "prefix"]
PACK_BY: tuple[PackBy, ...] = ("length", "group", "prefix")
MODES: tuple[Mode, ...] = ("packed", "padded", "grouped")


@dataclass(frozen=True)
class Batching:
    """Args:
        mode: packs, single samples at random, or single samples of about one length together.
        tokens_per_sample: the most tokens of a row, and so of a sample.
        rows_per_step: rows of a step over all processes (and over the pieces in which gradients are accumulated).
        pack_by: "length": packs are as full as can be; "group": nearly so, of samples that show the same pictures;
            "prefix": of samples with the same beginning, which is there once (`prefix`).

    Raises:
        InputError: an unknown mode or way of packing, groups of rows that are not packed, or a number below 1.
    """

    mode: Mode = "packed"
    tokens_per_sample: int = 8192
    rows_per_step: int = 8
    pack_by: PackBy = "length"

    def __post_init__(self) -> None:
        if self.mode not in MODES or self.tokens_per_sample < 1 or self.rows_per_step < 1:
            raise InputError(f"{self}: expected a mode of {', '.join(MODES)}, and numbers of at least 1.")
        if self.pack_by not in PACK_BY or (self.pack_by != "length" and self.mode != "packed"):
            raise InputError(f"{self}: expected pack_by of {', '.join(PACK_BY)}; group is for packed rows, and so is prefix.")


@dataclass(frozen=True)
class Part:
    """Samples of table number `table` in a stage: their positions, and how often each comes in an epoch."""

    table: int
    positions: Int64[np.ndarray, " n"]
    weight: float = 1.0


@dataclass(frozen=True)
class Stage:
    """What is trained on up to step `until_step` (counted from the beginning of training), or for a number of epochs."""

    name: str
    parts: tuple[Part, ...]
    until_step: int | None = None
    epochs: int = 1


@dataclass(frozen=True)
class Plan:
    """Row i holds the samples `samples[starts[i]:starts[i + 1]]`, numbered over all tables; `tokens[i]` is its sum of tokens.

    Stage s has the steps from `first_steps[s]` up to `first_steps[s + 1]`. `offsets` are the numbers of the tables' first samples.
    `digest` changes with anything that changes a step.
    """

    batching: Batching
    samples: Int64[np.ndarray, " n"]
    starts: Int64[np.ndarray, " rows_and_one"]
    tokens: Int64[np.ndarray, " rows"]
    first_steps: Int64[np.ndarray, " stages_and_one"]
    offsets: Int64[np.ndarray, " tables_and_one"]
    stage_names: tuple[str, ...]
    digest: str

    @property
    def num_steps(self) -> int:
        return int(self.first_steps[-1])

    def stage(self, step: int) -> int:
        """The number of the stage that a step belongs to."""
        return int(np.searchsorted(self.first_steps, step, side="right")) - 1

    def rows(self, step: int) -> list[Int64[np.ndarray, " _"]]:
        """The samples of each row of a step, over all processes.

        Raises:
            InputError: no such step.
        """
        if not 0 <= step < self.num_steps:
            raise InputError(f"step {step}: the plan has the steps 0 to {self.num_steps - 1}. Raise until_step or epochs.")
        first = step * self.batching.rows_per_step
        return [self.samples[start:end] for start, end in pairwise(self.starts[first : first + self.batching.rows_per_step + 1])]

    def rows_of(self, step: int, *, rank: int, num_processes: int) -> list[Int64[np.ndarray, " _"]]:
        """The rows of a step that process `rank` trains on; all processes together have each row once.

        The longest rows are dealt out to and fro, so that the processes have about equally many tokens.

        Raises:
            InputError: no such step, or rows that cannot be divided evenly.
        """
        rows = self.rows(step)
        if len(rows) % num_processes:
            raise InputError(
                f"rows_per_step {len(rows)} cannot be divided among {num_processes} processes. Give a multiple of {num_processes}."
            )
        first = step * len(rows)
        longest_first = np.argsort(-self.tokens[first : first + len(rows)], kind="stable")
        rounds = longest_first.reshape(-1, num_processes)
        rounds[1::2] = rounds[1::2, ::-1]
        return [rows[row] for row in sorted(rounds[:, rank].tolist())]

    def locate(self, sample: int) -> tuple[int, int]:
        """The table of a sample, and its position there."""
        table = int(np.searchsorted(self.offsets, sample, side="right")) - 1
        return table, int(sample - self.offsets[table])

    def fill(self) -> float:
        """The share of tokens that are not padding: of full rows when packed, else of rows as long as the longest of their step."""
        per_step = self.tokens.reshape(-1, self.batching.rows_per_step)
        if self.batching.mode == "packed":
            room = self.tokens.size * self.batching.tokens_per_sample
        else:
            room = int(per_step.max(axis=1).sum()) * self.batching.rows_per_step
        return float(self.tokens.sum() / room)


def make_plan(tables: Sequence[Table], stages: Sequence[Stage], *, batching: Batching, seed: int = 0) -> Plan:
    """Plan all steps of all stages. Every sample of the stages fits a row (`admission.admit`).

    Raises:
        InputError: no stage, stages whose steps do not rise, a stage without samples, or a negative seed.
    """
    _check(stages, seed)
    offsets = np.cumsum([0, *(table.tokens.size for table in tables)]).astype(np.int64)
    lengths = np.concatenate([table.tokens for table in tables])
    groups = None if batching.pack_by == "length" else _groups(tables, offsets)
    repeated = None
    if batching.pack_by == "prefix":
        repeated = np.concatenate([table.tokens if table.repeated is None else table.repeated for table in tables])
    planned: list[_Rows] = []
    first_steps = [0]
    for number, stage in enumerate(stages):
        shares = tuple(Share(part.positions + offsets[part.table], part.weight) for part in stage.parts)
        _check_samples(stage, shares, lengths, batching)
        steps = None if stage.until_step is None else stage.until_step - first_steps[-1]
        rows = _Stage(shares, lengths, batching, seed, number, groups, repeated).rows(steps, stage.epochs)
        planned.append(rows)
        first_steps.append(first_steps[-1] + (rows.starts.size - 1) // batching.rows_per_step)
    samples = np.concatenate([rows.samples for rows in planned])
    ends = np.cumsum([0, *(rows.samples.size for rows in planned)])
    starts = np.concatenate([np.zeros(1, np.int64), *(rows.starts[1:] + end for rows, end in zip(planned, ends, strict=False))])
    if groups is None or repeated is None:
        tokens = np.add.reduceat(lengths[samples], starts[:-1], dtype=np.int64)
    else:
        tokens = row_tokens(lengths[samples], repeated[samples], groups[samples], starts)
    digest = _digest(tables, samples, starts, first_steps)
    names = tuple(stage.name for stage in stages)
    return Plan(batching, samples, starts, tokens, np.array(first_steps, np.int64), offsets, names, digest)


@dataclass(frozen=True)
class _Rows:
    samples: Int64[np.ndarray, " n"]
    starts: Int64[np.ndarray, " rows_and_one"]

    def first(self, count: int) -> "_Rows":
        return _Rows(self.samples[: self.starts[count]], self.starts[: count + 1])

    @property
    def count(self) -> int:
        return self.starts.size - 1


@dataclass(frozen=True)
class _Stage:
    """A stage that is being planned."""

    shares: tuple[Share, ...]
    lengths: Int32[np.ndarray, " m"]
    batching: Batching
    seed: int
    number: int
    groups: Int64[np.ndarray, " m"] | None = None
    repeated: Int32[np.ndarray, " m"] | None = None

    def rows(self, steps: int | None, epochs: int) -> _Rows:
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

    def _form(self, length: int, whole: int | None) -> tuple[_Rows, int]:
        """The rows of the first `length` samples, and how many of them hold the first `whole`."""
        order = stage_order(self.shares, seed=self.seed, stage=self.number, length=length, groups=self.groups)
        window = self._window
        turn = 0 if whole is None else whole
        at = np.array([*range(0, turn, window), *range(turn, length, window), length], np.int64)
        match self.batching.mode:
            case "padded":
                return _Rows(order, np.arange(length + 1)), whole or 0
            case "grouped":
                row_of, first_row = _by_length(self.lengths[order], at)
                unit = self.batching.rows_per_step
            case "packed":
                row_of, first_row = self._packed(order, at)
                unit = 1
        rank = _shuffled(first_row, unit, row_keys(int(first_row[-1]), seed=self.seed, stage=self.number))
        in_rows, starts = grouped(rank[row_of], int(first_row[-1]))
        num_whole = 0 if whole is None else int(first_row[int(np.searchsorted(at, whole))])
        return _Rows(order[in_rows], starts), num_whole

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


def _groups(tables: Sequence[Table], offsets: Int64[np.ndarray, " t"]) -> Int64[np.ndarray, " m"]:
    """The group of every sample over all tables; no two tables share one."""
    own = [np.arange(table.tokens.size) if table.groups is None else table.groups for table in tables]
    return np.concatenate([numbers + offset for numbers, offset in zip(own, offsets, strict=False)])


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


def _check(stages: Sequence[Stage], seed: int) -> None:
    if seed < 0:
        raise InputError(f"seed {seed}: expected 0 or more.")
    if not stages:
        raise InputError("no stage to plan; expected at least one with a mixture.")
    last = 0
    for stage in stages:
        if stage.until_step is None:
            if stage is not stages[-1]:
                raise InputError(f"stage {stage.name!r}: no until_step; only the last stage may go by epochs.")
            if stage.epochs < 1:
                raise InputError(f"stage {stage.name!r}: {stage.epochs} epochs; expected at least 1.")
        elif stage.until_step <= last:
            raise InputError(
                f"stage {stage.name!r}: until_step {stage.until_step}, but {last} steps are planned before it; until_step counts "
                "from the beginning of training and rises from stage to stage: 40, 100, 200."
            )
        else:
            last = stage.until_step


def _check_samples(stage: Stage, shares: tuple[Share, ...], lengths: Int32[np.ndarray, " n"], batching: Batching) -> None:
    for share in shares:
        if not 0 < share.weight < np.inf:
            raise InputError(f"stage {stage.name!r}: a weight of {share.weight:g}; expected a number above 0.")
        tokens = lengths[share.samples]
        assert not tokens.size or 0 < tokens.min() <= tokens.max() <= batching.tokens_per_sample, "admission was passed over"
    if not epoch_length(shares, epochs=1):
        raise InputError(f"stage {stage.name!r}: its mixture gives not one sample an epoch. Raise a weight, or widen a filter.")


def _digest(tables: Sequence[Table], samples: np.ndarray, starts: np.ndarray, first_steps: list[int]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for table in tables:
        digest.update(f"{table.fingerprint} {table.tokens.size}\0".encode())
    for array in (samples, starts, np.array(first_steps, np.int64)):
        digest.update(np.ascontiguousarray(array, "<i8").data)
    return digest.hexdigest()
