"""The runs of a report, grouped by the task set that they answer; each model has one letter in all of them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import count, product
from pathlib import Path
from string import ascii_uppercase

from sightline.errors import InputError
from sightline.evaluate.run import RunInfo, read_run, set_names
from sightline.report.markup import show_hidden
from sightline.taskset.store import TaskSet

TAKEN = frozenset("TR")  # truth and reference


@dataclass(frozen=True)
class Model:
    """A column of the comparison: the same letter and label wherever this model answers."""

    label: str
    letter: str


@dataclass(frozen=True)
class Run:
    """One run folder. `model_index` is a position in `Collection.models`, `set_index` one in `Collection.sets`."""

    folder: Path
    info: RunInfo
    model_index: int
    set_index: int


@dataclass(frozen=True)
class AnsweredSet:
    """A task set under the name that the report knows it by, with the runs that answer it."""

    name: str
    taskset: TaskSet
    runs: tuple[Run, ...]


@dataclass(frozen=True)
class Collection:
    """All that a report is made from. `baseline` is the model against which the others are compared."""

    sets: tuple[AnsweredSet, ...]
    models: tuple[Model, ...]
    baseline: Model

    @property
    def runs(self) -> tuple[Run, ...]:
        """All runs, in the order of their task sets."""
        return tuple(run for answered in self.sets for run in answered.runs)


def collect(folders: Sequence[Path], *, baseline: str | None = None) -> Collection:
    """Read `run.json` of each run and open the task sets.

    Two runs of one task set by models of the same name (other options, another dialect) are two models: "name", "name #2".
    `baseline` is such a name; without one it is the model of the first run.

    Raises:
        FileNotFoundError: a run or its task set is not there, or the run is not scored.
        InputError: no runs, one run twice, a task set that is not the one the run answered, or a baseline that none of them is of.
    """
    if not folders:
        raise InputError("no runs given: a report needs at least one. Give the folders that `sightline predict` wrote.")
    resolved = [folder.resolve() for folder in folders]
    if len(set(resolved)) < len(resolved):
        twice = next(folder for folder in resolved if resolved.count(folder) > 1)
        raise InputError(f"run {twice} is given twice: give each run once.")
    infos = [read_run(folder) for folder in folders]
    fingerprints = list(dict.fromkeys(info.taskset_fingerprint for info in infos))
    first = [next(info for info in infos if info.taskset_fingerprint == fingerprint) for fingerprint in fingerprints]
    names = _unique([show_hidden(name) for name in set_names([(info.taskset_name, info.taskset_path) for info in first])])
    labels: list[str] = []
    runs: list[Run] = []
    for folder, info in zip(folders, infos, strict=True):
        set_index = fingerprints.index(info.taskset_fingerprint)
        label = _free_label(info.model, {labels[run.model_index] for run in runs if run.set_index == set_index})
        if label not in labels:
            labels.append(label)
        runs.append(Run(folder, info, labels.index(label), set_index))
    sets = tuple(
        AnsweredSet(name, _open_taskset(of_set[0]), of_set)
        for index, name in enumerate(names)
        if (of_set := tuple(run for run in runs if run.set_index == index))
    )
    models = tuple(Model(label, letter) for label, letter in zip(labels, _letters(), strict=False))
    return Collection(sets, models, _baseline(models, baseline))


def _baseline(models: Sequence[Model], name: str | None) -> Model:
    if name is None:
        return models[0]
    for model in models:
        if model.label == show_hidden(name):
            return model
    raise InputError(
        f"no run of a model called {name!r} to compare with: --baseline takes one of {', '.join(model.label for model in models)}."
    )


def _unique(names: Sequence[str]) -> list[str]:
    taken: list[str] = []
    for name in names:
        taken.append(_free_label(name, set(taken)))
    return taken


def _free_label(name: str, taken: set[str]) -> str:
    candidates = (name if number == 1 else f"{name} #{number}" for number in count(1))
    return next(shown for candidate in candidates if (shown := show_hidden(candidate)) not in taken)


def _letters() -> Iterator[str]:
    """A, B, ... without those taken, then AA, AB, ..."""
    free = [letter for letter in ascii_uppercase if letter not in TAKEN]
    for length in count(1):
        yield from ("".join(letters) for letters in product(free, repeat=length))


def _open_taskset(run: Run) -> TaskSet:
    info = run.info
    taskset = TaskSet(Path(info.taskset_path))
    if taskset.manifest.fingerprint != info.taskset_fingerprint:
        raise InputError(
            f"{info.taskset_path} is no longer the task set that run {run.folder} answered: fingerprint "
            f"{taskset.manifest.fingerprint}, expected {info.taskset_fingerprint}. Restore it, or predict again."
        )
    return taskset
