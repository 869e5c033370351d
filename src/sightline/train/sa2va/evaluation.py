"""Held-out task sets while a model trains: the model in memory is asked and scored as `sightline predict` and `score` do it.

RUN/evaluation/step-00000200/<task set>/    a run like any other: predictions, scores, summary
RUN/samples.jsonl                           some answers of each evaluation, for people (`train.vlm.shown`)
"""

import shutil
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from sightline.evaluate.predict import predict
from sightline.evaluate.run import read_scores
from sightline.evaluate.score import answered, score_run
from sightline.evaluate.summary import HEADLINE, summarise
from sightline.models.checkpoint import open_checkpoint
from sightline.models.options import ModelOptions
from sightline.models.sa2va.asked import Sa2VaModel, Sa2VaSettings
from sightline.models.sa2va.network import Sa2Va
from sightline.taskset.store import TaskSet
from sightline.train.sa2va.settings import Sa2VaTrainSettings
from sightline.train.vlm.evaluation import held_tasksets
from sightline.train.vlm.shown import SAMPLES, Shown, keep


class HeldOut:
    """Task sets of masks that a model is asked while it trains, in the mode of the run.

    Args:
        run: the run's folder.

    Raises:
        FileNotFoundError: no such task set.
        InputError: two of one name, or one that is not about masks.
    """

    def __init__(self, settings: Sa2VaTrainSettings, run: Path) -> None:
        self.settings, self.metric, self.run = settings.validation, settings.evaluation.metric, run
        self.path = Path(settings.model.path)
        self.asked = Sa2VaSettings(settings.mode.mode, words=settings.data.words)
        self.tasksets = held_tasksets(self.settings.tasksets)
        for taskset in self.tasksets.values():
            self._model("cpu").check(taskset)

    def ask(self, network: Sa2Va, step: int) -> dict[str, float]:
        """The headline metrics of the tasks, and `evaluation.metric`. Where there are several task sets, "METRIC" is the mean over
        those that have it, and "TASKSET/METRIC" that of one."""
        place = self.run / "evaluation" / f"step-{step:08d}"
        if place.exists():  # of a process that was killed before it could keep the checkpoint
            shutil.rmtree(place)
        live = self._model(network.language.device.type).holding(network, revision=f"step-{step:08d}")
        found: dict[str, dict[str, float]] = {}
        lines: list[Shown] = []
        for name, taskset in self.tasksets.items():
            found[name] = self._score(live, taskset, place / name)
            lines += self._shown(place / name, name, step)
        if lines:
            keep(self.run / SAMPLES, lines, step=step)
        metrics = dict.fromkeys(metric for values in found.values() for metric in values)
        means = {metric: _mean([values[metric] for values in found.values() if metric in values]) for metric in metrics}
        single = {f"{name}/{metric}": value for name, values in found.items() for metric, value in values.items()}
        return means | (single if len(found) > 1 else {})

    def _model(self, device: str) -> Sa2VaModel:
        own = self.settings
        options = ModelOptions(
            name="trained", batch_size=own.batch_size, max_new_tokens=own.max_new_tokens, device=device, dtype="float32"
        )
        return Sa2VaModel(open_checkpoint(self.path, processor=False), self.asked, options)

    def _score(self, live: Sa2VaModel, taskset: TaskSet, folder: Path) -> dict[str, float]:
        limit = self.settings.num_examples or None
        predict(taskset, live, folder, limit=limit)
        score_run(folder, taskset=taskset.path, partial=limit is not None)
        summary = summarise(folder, taskset=taskset.path)
        wanted = {*HEADLINE.get(taskset.manifest.task, summary.metrics), (self.metric or "").rpartition("/")[2]}
        return {name: metric.value for name, metric in summary.metrics.items() if name in wanted and metric.value is not None}

    def _shown(self, folder: Path, name: str, step: int) -> Iterator[Shown]:
        pairs = zip(answered(folder, self.tasksets[name]), read_scores(folder), strict=False)
        for (example, prediction), score in islice(pairs, self.settings.num_shown):
            expected = "a mask" if example.truth.visible else "not visible"
            yield Shown(step, name, example.id, prediction.text or "", expected, bool(score.correct))


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
