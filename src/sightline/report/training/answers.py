"""What a model answered while it trained: pictures with the truth and the answer, for each evaluation that is shown.

The answers are those of the run's `samples.jsonl`; where they lie comes from the evaluation's own run beside it. Where the task set
has been moved or changed since, the words alone are shown, and the page says so.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby
from pathlib import Path

from sightline.errors import InputError
from sightline.evaluate.run import read_predictions, read_run
from sightline.files import inside
from sightline.report.answer_overlay import answer_pictures
from sightline.report.markup import Html, element, join, shorten
from sightline.report.pictures import Pictures
from sightline.report.training.run import TrainingRun
from sightline.taskset.store import TaskSet
from sightline.train.vlm.shown import Shown
from sightline.types import Prediction

LEGEND = (
    "Green: the truth (solid: its mask or box, dashed: the dilated mask, cross: its point). Orange disc or box: the answer; "
    "hollow at the edge: it lies outside the picture."
)


@dataclass(frozen=True)
class Asked:
    """A task set as it was asked in one evaluation. `folder` is the evaluation's run."""

    folder: Path
    ids: frozenset[str]

    @cached_property
    def predictions(self) -> Mapping[str, Prediction]:
        """The shown ones by id. They are the first, so little is read."""
        found: dict[str, Prediction] = {}
        for prediction in read_predictions(self.folder):
            if prediction.id in self.ids:
                found[prediction.id] = prediction
                if len(found) == len(self.ids):
                    break
        return found


class Answers:
    """Draws answers of runs; each picture is written once.

    Args:
        pictures: where previews go.
        limit: evaluations that are shown of a run: the last, the best, and others evenly between.
    """

    def __init__(self, pictures: Pictures, *, limit: int) -> None:
        self._pictures = pictures
        self._limit = limit
        self._tasksets: dict[str, TaskSet | str] = {}

    def draw(self, run: TrainingRun) -> Html | None:
        """A fold for each evaluation, the last one open; None where the run has no answers."""
        steps = sorted({each.step for each in run.shown})
        if not steps:
            return None
        chosen = chosen_steps(steps, best=run.best_step, limit=self._limit)
        few = f" Shown are {len(chosen)} of {len(steps)} evaluations." if len(chosen) < len(steps) else ""
        folds = [self._evaluation(run, step, is_open=step == chosen[-1]) for step in reversed(chosen)]
        return join(element("p", LEGEND + few, class_="note"), *folds)

    def _evaluation(self, run: TrainingRun, step: int, *, is_open: bool) -> Html:
        shown = [each for each in run.shown if each.step == step]
        right = sum(each.correct for each in shown)
        best = ", the best" if step == run.best_step else ""
        title = element("summary", f"After step {step:,}{best}: {right} of these {len(shown)} right")
        parts = [self._of_set(run, name, list(each)) for name, each in groupby(shown, key=lambda line: line.taskset)]
        return element("details", title, *parts, open="" if is_open else None)

    def _of_set(self, run: TrainingRun, name: str, shown: Sequence[Shown]) -> Html:
        folder = inside(run.folder, f"evaluation/step-{shown[0].step:08d}/{name}")
        taskset, asked = self._opened(folder), Asked(folder, frozenset(each.id for each in shown))
        note = [element("p", f"Without pictures: {taskset}", class_="note")] if isinstance(taskset, str) else []
        cards = [_card(each, self._drawn(taskset, asked, each)) for each in shown]
        return join(element("h4", name), *note, element("div", *cards, class_="answers"))

    def _drawn(self, taskset: TaskSet | str, asked: Asked, shown: Shown) -> Iterable[Html]:
        if isinstance(taskset, str) or shown.id not in asked.predictions:
            return ()
        return answer_pictures(taskset, taskset[shown.id], asked.predictions[shown.id], self._pictures)

    def _opened(self, folder: Path) -> TaskSet | str:
        """The task set that was asked, or why there is none to draw from."""
        if not (folder / "run.json").is_file():
            return f"the evaluation's folder {folder.name} is gone."
        info = read_run(folder)
        if info.taskset_path not in self._tasksets:
            self._tasksets[info.taskset_path] = _open(Path(info.taskset_path), info.taskset_fingerprint)
        return self._tasksets[info.taskset_path]


def chosen_steps(steps: Sequence[int], *, best: int | None, limit: int) -> list[int]:
    """At most `limit` (two or more) of ascending steps: the last, the best if it is one of them, and others evenly between."""
    if len(steps) <= limit:
        return list(steps)
    kept = {steps[-1], *({best} & set(steps))}
    rest = [step for step in steps if step not in kept]
    room = limit - len(kept)
    return sorted(kept | {rest[round(place * (len(rest) - 1) / max(1, room - 1))] for place in range(room)})


def _open(path: Path, fingerprint: str) -> TaskSet | str:
    try:
        taskset = TaskSet(path)
    except (FileNotFoundError, InputError) as error:
        return str(error)
    return taskset if taskset.manifest.fingerprint == fingerprint else f"{path} has been built anew since."


def _card(shown: Shown, pictures: Iterable[Html]) -> Html:
    verdict = element("span", "right" if shown.correct else "wrong", class_=f"chip {'right' if shown.correct else 'wrong'}")
    texts = (("said", shown.said), ("truth", shown.truth))
    words = [element("p", element("b", name), f" {shorten(text, limit=300)[0]}", class_="said") for name, text in texts]
    caption = element("figcaption", verdict, f" {shown.id}", *words)
    return element("figure", element("div", *pictures, class_="pair"), caption)
