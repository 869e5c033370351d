"""Which charts the page of trainings has: of one run every number, of several the same number of each over each other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from sightline.evaluate.table import is_share
from sightline.report.curves import Line, Marks, line_chart
from sightline.report.markup import Html, join
from sightline.report.training.run import NUM_PAINTS, Curve, TrainingRun

SHARES = ("stall", "padding")
OF_SOURCE, OF_TERM, EVALUATED = "loss of ", "loss/", "eval/"
WORDS = {"memory_gb": "Memory, GB", "grad_norm": "Norm of the gradient", "lr": "Learning rate", "loss": "Loss"}
KNOWN = ("stage", *SHARES, *WORDS)
LOSSES, SPEED, EVALUATION = "Loss", "Rates, speed and memory", "Evaluation"


@dataclass(frozen=True, eq=False)
class Chart:
    """A chart that is to be drawn: its section, its title, its curves."""

    section: str
    title: str
    lines: tuple[Line, ...]
    percent: bool = False


def chart_sections(runs: Sequence[TrainingRun]) -> dict[str, Html]:
    """The charts by section, in order; a section without any is not there."""
    charts = [chart for chart in (_of_one(runs[0]) if len(runs) == 1 else _of_several(runs)) if chart.lines]
    marks, last_step = _marks(runs), max(run.step for run in runs)
    sections = dict.fromkeys(chart.section for chart in charts)
    return {
        section: join(
            *(
                line_chart(chart.title, chart.lines, marks=marks, last_step=last_step, percent=chart.percent)
                for chart in charts
                if chart.section == section
            )
        )
        for section in sections
    }


def part_rates(run: TrainingRun) -> dict[str, Curve]:
    """The learning rate of each part that is trained, by step. `lr` is that of the fastest part, and all follow one schedule."""
    trained = [part for part in run.parts if part.num_trained]
    highest = max((part.lr for part in trained), default=0.0)
    if "lr" not in run.numbers or not highest:
        return {}
    curve = run.numbers["lr"]
    return {part.name: Curve(curve.steps, curve.values * (part.lr / highest)) for part in trained}


def _of_one(run: TrainingRun) -> Iterator[Chart]:
    numbers = run.numbers
    terms = run.told(OF_TERM)
    total = {"loss": numbers["loss"]} if "loss" in numbers else {}
    yield Chart(LOSSES, "Loss", _lines(total | ({name: numbers[name] for name in terms} if len(terms) > 1 else {})))
    yield Chart(LOSSES, "Loss by source", _lines({name.removeprefix(OF_SOURCE): numbers[name] for name in run.told(OF_SOURCE)}))
    yield from _evaluations(run)
    yield Chart(SPEED, "Learning rate", _lines(part_rates(run) or {name: numbers[name] for name in ("lr",) if name in numbers}))
    for name in run.told("*_per_s"):
        yield Chart(SPEED, _per_second(name), _lines({name: numbers[name]}))
    yield Chart(SPEED, "Stall and padding", _lines({name: numbers[name] for name in SHARES if name in numbers}), percent=True)
    for name in ("memory_gb", "grad_norm", *_others([run])):
        if name in numbers:
            yield Chart(SPEED, WORDS.get(name, name), _lines({name: numbers[name]}))


def _of_several(runs: Sequence[TrainingRun]) -> Iterator[Chart]:
    names = list(dict.fromkeys(name for run in runs for name in run.numbers))
    yield Chart(LOSSES, "Loss", _over_each_other(runs, "loss"))
    for name in names:
        if name.startswith(OF_SOURCE):
            yield Chart(LOSSES, f"Loss of {name.removeprefix(OF_SOURCE)}", _over_each_other(runs, name))
    for name in names:
        if name.startswith(EVALUATED):
            yield Chart(EVALUATION, name.removeprefix(EVALUATED), _over_each_other(runs, name), percent=_is_share(runs, name))
    for name in ("lr", *(name for name in names if name.endswith("_per_s")), *SHARES, "memory_gb", "grad_norm", *_others(runs)):
        title = WORDS.get(name) or (_per_second(name) if name.endswith("_per_s") else name.capitalize())
        yield Chart(SPEED, title, _over_each_other(runs, name), percent=name in SHARES)


def _evaluations(run: TrainingRun) -> Iterator[Chart]:
    """A chart for each metric: the mean over the task sets, and each of them."""
    names = [name.removeprefix(EVALUATED) for name in run.told(EVALUATED)]
    for metric in dict.fromkeys(name.rpartition("/")[2] for name in names):
        of_metric = {name: run.numbers[EVALUATED + name] for name in names if name.rpartition("/")[2] == metric}
        labelled = {name.rpartition("/")[0] or ("mean" if len(of_metric) > 1 else metric): of_metric[name] for name in of_metric}
        lines = _lines(labelled)
        if run.metric in of_metric:
            place = list(of_metric).index(run.metric)
            lines = (*lines[:place], _with_best(lines[place], run), *lines[place + 1 :])
        yield Chart(EVALUATION, metric, lines, percent=all(_is_share([run], EVALUATED + name) for name in of_metric))


def _with_best(line: Line, run: TrainingRun) -> Line:
    best = run.best
    if best is None or best.value is None or run.best_step is None:
        return line
    return Line(line.label, line.letter, line.paint, line.steps, line.values, (float(run.best_step), best.value))


def _lines(curves: dict[str, Curve]) -> tuple[Line, ...]:
    """Curves of one run, with small letters."""
    return tuple(
        Line(name, _small_letter(number), _paint(number), curve.steps, curve.values)
        for number, (name, curve) in enumerate(curves.items())
    )


def _over_each_other(runs: Sequence[TrainingRun], name: str) -> tuple[Line, ...]:
    lines = []
    for run in runs:
        if name in run.numbers:
            curve = run.numbers[name]
            line = Line(run.name, run.letter, _paint(run.number), curve.steps, curve.values)
            lines.append(_with_best(line, run) if name == f"{EVALUATED}{run.metric}" else line)
    return tuple(lines)


def _marks(runs: Sequence[TrainingRun]) -> Marks:
    """Stages of the first run where all have the same; resumptions of all."""
    alike = len({run.stages for run in runs}) == 1
    stages = tuple((stage.first - 1, stage.name) for stage in runs[0].stages) if alike else ()
    named = "" if len(runs) == 1 else "{} "
    resumed = {
        (each.step, f"{named.format(run.letter)}went on {each.at[:16].replace('T', ' ')}")
        for run in runs
        for each in run.record.resumed
    }
    return Marks(stages, tuple(sorted(resumed)))


def _others(runs: Sequence[TrainingRun]) -> list[str]:
    """Numbers that no chart knows by name: those of kinds of training to come are drawn, too."""
    names = dict.fromkeys(name for run in runs for name in run.numbers)
    return [
        name
        for name in names
        if name not in KNOWN and not name.startswith((OF_SOURCE, OF_TERM, EVALUATED)) and not name.endswith("_per_s")
    ]


def _is_share(runs: Sequence[TrainingRun], name: str) -> bool:
    """Whether an evaluation's numbers are told in percent: by the metric's name, and only if none is below 0 or above 1."""
    if not is_share(name.rpartition("/")[2]):
        return False
    values = np.concatenate([run.numbers[name].values for run in runs if name in run.numbers])
    return bool(values.min() >= 0 and values.max() <= 1)


def _per_second(name: str) -> str:
    return f"{name.removesuffix('_per_s').capitalize()} a second"


def _small_letter(number: int) -> str:
    turn, place = divmod(number, 26)
    return "abcdefghijklmnopqrstuvwxyz"[place] + (str(turn) if turn else "")


def _paint(number: int) -> str:
    """Colour by number; from the eighth curve on they come again, dashed."""
    return f"run-{number % NUM_PAINTS}" + (" dashed" if number >= NUM_PAINTS else "")
