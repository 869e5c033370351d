"""Several models on several task sets, one after the other: what `sightline eval` does before it scores."""

import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sightline.errors import InputError
from sightline.evaluate.answered_boxes import box_masks, is_box_masks
from sightline.evaluate.predict import predict
from sightline.export.imported import imported_answers, is_imported
from sightline.models import Model, ModelOptions, NotApplicable, get_model
from sightline.taskset.store import TaskSet

Progress = Callable[[str, int, int], None]


@dataclass(frozen=True)
class Chosen:
    """A model that a user named: `answering` gives it for a task set, or raises NotApplicable."""

    name: str
    answering: Callable[[TaskSet], Model]


def choose(spec: str, options: ModelOptions) -> Chosen:
    """What `--model SPEC` means: a model of `models.get_model`, recorded answers (`import:PATH`), or masks of the boxes that
    another run has (`boxes:RUN#CHECKPOINT`).

    Raises:
        FileNotFoundError, InputError: no such model.
    """
    if is_imported(spec):
        answers = imported_answers(spec, options)
        return Chosen(answers.name, answers.answers_to)
    if is_box_masks(spec):
        return Chosen(*box_masks(spec, options))
    model = get_model(spec, options)
    return Chosen(model.name, lambda _: model)


def choose_all(specs: Sequence[str], options: ModelOptions) -> list[Chosen]:
    """Each model once, in the order given.

    Raises:
        FileNotFoundError, InputError: no such model, or two of one name, whose runs would lie in one folder.
    """
    chosen: dict[str, tuple[str, Chosen]] = {}
    for spec in dict.fromkeys(specs):
        one = choose(spec, options)
        if one.name in chosen:
            raise InputError(
                f"--model {chosen[one.name][0]!r} and --model {spec!r} are both called {one.name!r}. Name one of them: "
                f"--model NAME={spec.partition('=')[2] if '=' in spec.partition(':')[0] else spec}"
            )
        chosen[one.name] = spec, one
    return [one for _, one in chosen.values()]


@dataclass(frozen=True)
class Suite:
    """The task sets that models are asked, where the runs go (`OUT/{model}/{task set}`), and how."""

    tasksets: Sequence[TaskSet]
    out: Path
    limit: int | None
    max_errors: float
    on_progress: Progress | None = None

    def ask(self, models: Sequence[str], options: ModelOptions) -> tuple[list[Path], list[str]]:
        """Every model every task set. Returns the runs, by task set and in the order of the models, and why what was left out was.

        A model goes when it has answered them all: checkpoints are never in memory two at a time.

        Raises:
            InputError: as `choose_all` and `predict`.
        """
        runs: set[Path] = set()
        skipped = [f"{taskset.path} has no examples: see its ledger.jsonl." for taskset in self.tasksets if not len(taskset)]
        waiting = choose_all(models, options)
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
        return self.out / name / taskset.manifest.name
