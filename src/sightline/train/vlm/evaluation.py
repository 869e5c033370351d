"""Held-out task sets while a model trains: the model in memory is asked and scored as `sightline predict` and `score` do it.

RUN/evaluation/step-00000200/<task set>/    a run like any other: predictions, scores, summary
RUN/samples.jsonl                           some answers of each evaluation, for people

    {"step": 200, "taskset": "t1_multi-validation", "id": "..", "said": "[(0.4, 0.7)]", "truth": "[(0.42, 0.71)]", "correct": true}
"""

import shutil
from collections.abc import Iterator
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
from sightline.files import write_whole
from sightline.models.huggingface import HuggingFace, huggingface
from sightline.taskset.store import TaskSet
from sightline.train.vlm.lora import merged
from sightline.train.vlm.pack import Isolation, isolate
from sightline.train.vlm.settings import VlmSettings

SAMPLES = "samples.jsonl"


class Shown(msgspec.Struct, frozen=True):
    """One line of `samples.jsonl`."""

    step: int
    taskset: str
    id: str
    said: str
    truth: str
    correct: bool


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
        self.model = huggingface(settings.model.path, msgspec.structs.replace(settings.model.options, name="trained", **own))
        self.tasksets = {taskset.path.name: taskset for taskset in map(TaskSet, map(Path, self.settings.tasksets))}
        if len(self.tasksets) < len(self.settings.tasksets):
            raise InputError("validation.tasksets: two folders of one name; scores are kept by name. Rename one.")
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
                lines += self._shown(place / name, taskset, step)
        _keep(self.run / SAMPLES, lines, step)
        metrics = dict.fromkeys(metric for values in found.values() for metric in values)
        means = {metric: _mean([values[metric] for values in found.values() if metric in values]) for metric in metrics}
        single = {f"{name}/{metric}": value for name, values in found.items() for metric, value in values.items()}
        return means | (single if len(found) > 1 else {})

    def _score(self, live: HuggingFace, taskset: TaskSet, folder: Path) -> dict[str, float]:
        limit = self.settings.num_examples or None
        predict(taskset, live, folder, limit=limit)
        score_run(folder, taskset=taskset.path, partial=limit is not None)
        summary = summarise(folder, taskset=taskset.path)
        wanted = {*HEADLINE.get(taskset.manifest.task, summary.metrics), (self.metric or "").rpartition("/")[2]}
        return {name: metric.value for name, metric in summary.metrics.items() if name in wanted and metric.value is not None}

    def _shown(self, folder: Path, taskset: TaskSet, step: int) -> Iterator[Shown]:
        pairs = zip(answered(folder, taskset), read_scores(folder), strict=False)
        for (example, prediction), score in islice(pairs, self.settings.num_shown):
            truth = render(example, self.model.dialect).answer
            yield Shown(step, taskset.path.name, example.id, prediction.text or "", truth, bool(score.correct))


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


def _keep(path: Path, lines: list[Shown], step: int) -> None:
    """Lines of this step and later ones are written anew: the run may have gone back to an earlier checkpoint."""
    before = [msgspec.json.decode(line, type=Shown) for line in path.read_bytes().splitlines()] if path.exists() else []
    kept = [line for line in before if line.step < step]
    write_whole(path, b"".join(msgspec.json.encode(line) + b"\n" for line in (*kept, *lines)))


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
