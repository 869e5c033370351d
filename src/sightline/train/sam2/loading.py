"""The steps of a run one after the other, loaded ahead by worker processes.

Step k is always the k-th, with the same clips: the order comes from the plan, and workers only share the work. A clip that cannot
be loaded never becomes another clip: training stops and says which, or the step goes on without it and a ledger says so.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from torch.utils.data import Dataset

from sightline.errors import InputError
from sightline.train.loaders import loaded_ahead
from sightline.train.sam2.batches import Batch, join, load
from sightline.train.sam2.prepared import Prepared
from sightline.train.sam2.windows import WindowPlan
from sightline.types import LedgerEntry

OnBadClip = Literal["stop", "skip"]


@dataclass(frozen=True)
class Loaded:
    """What came of a step: the batch of the clips that could be loaded (None if there is none), and an entry for each other."""

    step: int
    batch: Batch | None
    skipped: tuple[LedgerEntry, ...] = ()


class Steps(Dataset[Loaded]):
    """Steps by number, for a loader of torch.

    Args:
        plan: what each step has.
        rows: which rows of it are loaded here, as `windows.rows_of` says.
        prepared_bytes: how much of what was read each process that loads may keep, made ready for the network.
    """

    def __init__(self, plan: WindowPlan, rows: Sequence[int], *, prepared_bytes: int = 0) -> None:
        self.plan = plan
        self.rows = tuple(rows)
        self.prepared = Prepared(prepared_bytes)

    def __getitem__(self, step: int) -> Loaded:
        batches: list[Batch] = []
        skipped: list[LedgerEntry] = []
        for row in self.rows:
            place = f"step {step}, row {row}"
            try:
                window = self.plan.window(step, row)
                place = f"{place}, {window}"
                batches.append(load(self.plan.videos, window, self.plan.options, prepared=self.prepared))
            except (InputError, FileNotFoundError) as error:
                skipped.append(LedgerEntry(unit=place, reason="clip_not_loaded", detail=str(error)))
        return Loaded(step=step, batch=join(batches) if batches else None, skipped=tuple(skipped))


def load_steps(
    plan: WindowPlan,
    rows: Sequence[int],
    steps: range,
    *,
    num_workers: int = 0,
    on_bad_clip: OnBadClip = "stop",
    prepared_bytes: int = 0,
) -> Iterator[Loaded]:
    """The steps in order, one `Loaded` each.

    Args:
        plan: what each step has.
        rows: which rows of it this process loads.
        steps: from the first step of this run (after resuming: the one that comes next) to the last + 1.
        num_workers: processes that load ahead; 0: none, the steps are loaded when they are asked for.
        on_bad_clip: "stop": an error; "skip": the clip is left out of its step, and stands in `Loaded.skipped`.
        prepared_bytes: as for `Steps`.

    Raises:
        InputError: a clip cannot be loaded, and `on_bad_clip` is "stop"; the message names step, clip and file.
    """
    if num_workers < 0:
        raise InputError(f"num_workers {num_workers}: expected 0 or more.")
    for loaded in loaded_ahead(Steps(plan, rows, prepared_bytes=prepared_bytes), steps, num_workers=num_workers):
        if loaded.skipped and on_bad_clip == "stop":
            first = loaded.skipped[0]
            raise InputError(f"{first.unit}: {first.detail} To go on without such clips, set on_bad_clip=skip.")
        yield loaded
