"""Held-out task sets while a model trains: the model in memory is asked and scored as `sightline predict` and `score` do it.

RUN/evaluation/step-00000200/<task set>/    a run like any other: predictions, scores, summary
RUN/samples.jsonl                           some answers of each evaluation, for people (`shown`)
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from sightline.errors import InputError
from sightline.evaluate.predict import predict
from sightline.evaluate.run import read_scores
from sightline.evaluate.score import answered, score_run
from sightline.evaluate.summary import HEADLINE, summarise
from sightline.export.rendered import render
from sightline.models.architectures import HeldModel, open_for_training
from sightline.taskset.store import TaskSet
from sightline.train.vlm.lora import merged
from sightline.train.vlm.pack import Isolation, isolate
from sightline.train.vlm.settings import VlmSettings
from sightline.train.vlm.shown import SAMPLES, Shown, keep


class Held:
    """Task sets that a model is asked while it trains.

    Args:
        run: the run's folder.

    Raises:
        FileNotFoundError: no such task set.
        InputError: two of one name, or one that the model cannot answer (masks).
    """

    def __init__(self, settings: VlmSettings, run: Path) -> None:
        self.settings = settings.validation
        self.metric = settings.evaluation.metric
        self.run = run
        own = {"batch_size": self.settings.batch_size, "max_new_tokens": self.settings.max_new_tokens}
        checkpoint = open_for_training(Path(settings.model.path), settings.model.options, settings.view)
        self.model = checkpoint.asked(msgspec.structs.replace(settings.model.options, name="trained", **own))
        self.tasksets = held_tasksets(self.settings.tasksets)
        for taskset in self.tasksets.values():
            self.model.check(taskset)

    def ask(self, model: Any, step: int, *, isolation: Isolation) -> dict[str, float]:  # noqa: ANN401
        """The headline metrics of the tasks, and `evaluation.metric`. Where there are several task sets, "METRIC" is the mean over
        those that have it, and "TASKSET/METRIC" that of one."""
        found: dict[str, dict[str, float]] = {}
        place = self.run / "evaluation" / f"step-{step:08d}"
        if place.exists():  # of a process that was killed before it could keep the checkpoint
            shutil.rmtree(place)
        lines: list[Shown] = []
        with _answering(model, isolation) as plain:
            live = self.model.holding(plain, revision=f"step-{step:08d}")
            for name, taskset in self.tasksets.items():
                found[name] = self._score(live, taskset, place / name)
                lines += self._shown(place / name, name, step)
        if lines:
            keep(self.run / SAMPLES, lines, step=step)
        metrics = dict.fromkeys(metric for values in found.values() for metric in values)
        means = {metric: _mean([values[metric] for values in found.values() if metric in values]) for metric in metrics}
        single = {f"{name}/{metric}": value for name, values in found.items() for metric, value in values.items()}
        return means | (single if len(found) > 1 else {})

    def _score(self, live: HeldModel, taskset: TaskSet, folder: Path) -> dict[str, float]:
        limit = self.settings.num_examples or None
        predict(taskset, live, folder, limit=limit)
        score_run(folder, taskset=taskset.path, partial=limit is not None)
        summary = summarise(folder, taskset=taskset.path)
        wanted = {*HEADLINE.get(taskset.manifest.task, summary.metrics), (self.metric or "").rpartition("/")[2]}
        return {name: metric.value for name, metric in summary.metrics.items() if name in wanted and metric.value is not None}

    def _shown(self, folder: Path, name: str, step: int) -> Iterator[Shown]:
        taskset = self.tasksets[name]
        pairs = zip(answered(folder, taskset), read_scores(folder), strict=False)
        for (example, prediction), score in islice(pairs, self.settings.num_shown):
            truth = render(example, self.model.dialect).answer
            yield Shown(step, name, example.id, prediction.text or "", truth, bool(score.correct))


def held_tasksets(folders: Sequence[str]) -> dict[str, TaskSet]:
    """Each task set by its folder's name, or by its parent's and its own, `x3/t2a-validation`, where two have the same.

    Raises:
        FileNotFoundError: no such task set.
        InputError: two that are called the same even so.
    """
    paths = [Path(folder).absolute() for folder in folders]
    own = [path.name for path in paths]
    names = [f"{path.parent.name}/{path.name}" if own.count(path.name) > 1 else path.name for path in paths]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"validation.tasksets: two folders are called {name}; scores are kept by name. Rename one of them.")
    return {name: TaskSet(path) for name, path in zip(names, paths, strict=True)}


@contextmanager
def _answering(model: Any, isolation: Isolation) -> Iterator[Any]:  # noqa: ANN401
    """The model as it answers: with plain attention and LoRA in its weights. Afterwards it is as it was."""
    has_lora = any("lora_" in name for name, _ in model.named_parameters())
    plain = merged(model) if has_lora else model
    declared = plain.generation_config
    isolate(plain, "none")
    try:
        yield plain
    finally:
        plain.generation_config = declared
        isolate(model, isolation)


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
