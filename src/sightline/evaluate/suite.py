"""Several models on several task sets, one after the other: what `sightline eval` does before it scores."""

import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sightline.errors import InputError
from sightline.evaluate.choosing import Chosen, choose_all
from sightline.evaluate.predict import predict
from sightline.evaluate.run import set_names
from sightline.evaluate.spread import spread
from sightline.models import Model, ModelOptions, NotApplicable
from sightline.taskset.store import TaskSet

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Suite:
    """The task sets that models are asked, where the runs go (`OUT/{model}/{task set}`, by `run.set_names`), and how; `workers`: by
    how many processes each model."""

    tasksets: Sequence[TaskSet]
    out: Path
    limit: int | None
    max_errors: float
    on_progress: Progress | None = None
    workers: int = 1

    def ask(self, models: Sequence[str], options: ModelOptions) -> tuple[list[Path], list[str]]:
        """Every model every task set. Returns the runs, by task set and in the order of the models, and why what was left out was.

        A model goes when it has answered them all: checkpoints are never in memory two at a time.

        Raises:
            InputError: as `choose_all`, `spread` and `predict`; or two task sets that cannot be told apart.
        """
        runs: set[Path] = set()
        _ = self._called  # before anything is asked
        skipped = [f"{taskset.path} has no examples: see its ledger.jsonl." for taskset in self.tasksets if not len(taskset)]
        waiting = [spread(chosen, options, self.workers) for chosen in choose_all(models, options)]
        names = [model.name for model in waiting]
        while waiting:
            for run, why_not in self._ask_one(waiting.pop(0)):
                if why_not is None:
                    runs.add(run)
                else:
                    skipped.append(why_not)
            gc.collect()  # models refer to themselves
        folders = [self._folder(name, taskset) for taskset in self.tasksets for name in names]
        return [folder for folder in folders if folder in runs], skipped

    def _ask_one(self, chosen: Chosen) -> Iterator[tuple[Path, str | None]]:
        for taskset in self.tasksets:
            if not len(taskset):
                continue
            folder, label = self._folder(chosen.name, taskset), f"{chosen.name} on {taskset.manifest.name}"
            try:
                self._predict(chosen.answering(taskset), taskset, folder, label)
            except NotApplicable as error:
                yield folder, f"{label}: {error}"
            else:
                yield folder, None

    def _predict(self, model: Model, taskset: TaskSet, folder: Path, label: str) -> None:
        def note(done: int, total: int) -> None:
            if self.on_progress:
                self.on_progress(label, done, total)

        predict(taskset, model, folder, limit=self.limit, max_errors=self.max_errors, on_progress=note)

    def _folder(self, name: str, taskset: TaskSet) -> Path:
        return self.out / name / self._called[taskset.path]

    @cached_property
    def _called(self) -> dict[Path, str]:
        """What each task set's runs are called, by its path."""
        sets = [(taskset.manifest.name, str(taskset.path)) for taskset in self.tasksets]
        names = set_names(sets)
        for name, (_, path) in zip(names, sets, strict=True):
            if names.count(name) > 1:
                raise InputError(f"two task sets are called {name}, one of them {path}: evaluate them into two folders.")
        return dict(zip((taskset.path for taskset in self.tasksets), names, strict=True))
