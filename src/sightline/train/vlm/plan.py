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

import numpy as np
from jaxtyping import Int32, Int64

from sightline.errors import InputError
from sightline.train.vlm.admission import Table
from sightline.train.vlm.batching import Batching
from sightline.train.vlm.order import Share, epoch_length
from sightline.train.vlm.prefix import row_tokens
from sightline.train.vlm.stage_rows import Rows, StageRows


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
    planned: list[Rows] = []
    first_steps = [0]
    for number, stage in enumerate(stages):
        shares = tuple(Share(part.positions + offsets[part.table], part.weight) for part in stage.parts)
        _check_samples(stage, shares, lengths, batching)
        steps = None if stage.until_step is None else stage.until_step - first_steps[-1]
        rows = StageRows(shares, lengths, batching, seed, number, groups, repeated).rows(steps, stage.epochs)
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


def _groups(tables: Sequence[Table], offsets: Int64[np.ndarray, " t"]) -> Int64[np.ndarray, " m"]:
    """The group of every sample over all tables; no two tables share one."""
    own = [np.arange(table.tokens.size) if table.groups is None else table.groups for table in tables]
    return np.concatenate([numbers + offset for numbers, offset in zip(own, offsets, strict=False)])


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
