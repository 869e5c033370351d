"""The batches of a run one after the other, put together ahead by worker processes.

An update of `plan.rows_per_step` rows is divided into pieces, one for each process and each of `accumulate` batches, even in their
tokens. Batch n is piece n % accumulate of update n // accumulate. A sample that cannot be read never becomes another one: training
stops and says which, or the row goes on without it and a ledger says so.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from torch.utils.data import Dataset

from sightline.errors import InputError
from sightline.train.loaders import loaded_ahead
from sightline.train.trainable import Processes
from sightline.train.vlm.collate import Batch, Collator
from sightline.train.vlm.curriculum import Training
from sightline.train.vlm.loss import Norm, Per, units
from sightline.train.vlm.samples import Sample
from sightline.types import LedgerEntry

OnMissing = Literal["stop", "skip"]


@dataclass(frozen=True)
class Loaded:
    """What came of a batch: None where no sample of it could be read. `norm` is what its loss is divided by."""

    number: int
    stage: int
    batch: Batch | None
    norm: Norm
    skipped: tuple[LedgerEntry, ...] = ()


class Batches(Dataset[Loaded]):
    """Batches by number, those of one process.

    Args:
        accumulate: batches of an update.
        per: what the loss is the mean over.
    """

    def __init__(self, training: Training, collator: Collator, processes: Processes, *, accumulate: int, per: Per) -> None:
        self.training = training
        self.collator = collator
        self.processes = processes
        self.accumulate = accumulate
        self.per: Per = per

    def __getitem__(self, number: int) -> Loaded:
        plan = self.training.plan
        step, piece = divmod(number, self.accumulate)
        pieces = self.processes.count * self.accumulate
        mine = plan.rows_of(step, rank=piece * self.processes.count + self.processes.rank, num_processes=pieces)
        supervised = [int(self._counted(sample)[1]) for row in plan.rows(step) for sample in row.tolist()]
        norm = Norm(self.per, total=max(units(supervised, self.per), 1), pieces=pieces)
        batch, skipped = self._batch([row.tolist() for row in mine], step)
        return Loaded(number, plan.stage(step), batch, norm, skipped)

    def _batch(self, rows: list[list[int]], step: int) -> tuple[Batch | None, tuple[LedgerEntry, ...]]:
        try:
            read = [[self.training.sample(number) for number in row] for row in rows]
            return self.collator(read, planned=[[int(self._counted(number)[0]) for number in row] for row in rows]), ()
        except (InputError, FileNotFoundError):  # which of them it is, is found one by one; nothing is passed over
            return self._without_bad(rows, step)

    def _without_bad(self, rows: list[list[int]], step: int) -> tuple[Batch | None, tuple[LedgerEntry, ...]]:
        entries: list[LedgerEntry] = []
        kept: list[list[Sample]] = []
        for row in rows:
            good: list[Sample] = []
            for number in row:
                try:
                    sample = self.training.sample(number)
                    self.collator([[sample]], planned=[[int(self._counted(number)[0])]])
                    good.append(sample)
                except (InputError, FileNotFoundError) as error:
                    entries.append(LedgerEntry(unit=f"step {step + 1}", reason="sample_not_loaded", detail=str(error)))
            if good:
                kept.append(good)
        return self.collator(kept) if kept else None, tuple(entries)

    def _counted(self, number: int) -> tuple[int, int]:
        """All and supervised tokens of a sample."""
        table, position = self.training.plan.locate(number)
        counts = self.training.counts[table]
        return int(counts.tokens[position]), int(counts.supervised[position])


def load_batches(batches: Batches, numbers: range, *, num_workers: int = 0, on_missing: OnMissing = "stop") -> Iterator[Loaded]:
    """The batches of these numbers in order.

    Args:
        num_workers: processes that load ahead; 0: none.
        on_missing: "stop": an error; "skip": the sample is left out, and stands in `Loaded.skipped`.

    Raises:
        InputError: a sample cannot be read, and `on_missing` is "stop"; the message names step, sample and file.
    """
    for loaded in loaded_ahead(batches, numbers, num_workers=num_workers):
        if loaded.skipped and on_missing == "stop":
            first = loaded.skipped[0]
            raise InputError(f"{first.unit}: {first.detail} To go on without such samples, set data.on_missing=skip.")
        yield loaded
