"""Tables of the page of trainings: runs side by side, what differs between them, parts, stages, settings, what was left out."""

import json
from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from sightline.evaluate.table import is_share
from sightline.report.curves import told
from sightline.report.markup import Html, element, join
from sightline.report.tables import folded
from sightline.report.training.run import TrainingRun
from sightline.train.checkpoints import Pointer

NUM_OBJECTS = 500
OF_THE_PLACE = ("resume", "run.dir", "run.root", "run.name")
"""Settings that say where a run lies and not what it does."""


def runs_table(runs: Sequence[TrainingRun]) -> Html:
    """A row for each run: how far it is, its last loss, its best evaluation, speed, memory, what happened to it."""
    speeds = _speeds(runs)
    titles = ["steps", "last loss", "best evaluation", *(f"{name.removesuffix('_per_s')}/s" for name in speeds)]
    titles += ["stall", "padding", "peak memory", "went on", "left out"]
    rows = [[_name(run), *(_cell(text) for text in _row(run, speeds))] for run in runs]
    return table("the runs", ["run", *titles], rows)


def differences_table(runs: Sequence[TrainingRun]) -> Html | None:
    """The settings that are not the same in all runs; None where there are none."""
    keys = dict.fromkeys(key for run in runs for key in run.settings if key not in OF_THE_PLACE)
    differing = [key for key in keys if len({_plain(run.settings.get(key)) for run in runs}) > 1]
    if not differing:
        return None
    rows = [[_name(run), *(_cell(_plain(run.settings.get(key))) for key in differing)] for run in runs]
    return table("what differs", ["run", *differing], rows)


def parts_table(run: TrainingRun) -> Html | None:
    """What is trained of each part of the model; None where the run does not say."""
    if not run.parts:
        return None
    rows = [
        [_head(part.name), *map(_cell, (part.how, told(part.lr) if part.num_trained else "–"))]
        + [_cell(f"{number:,}") for number in (part.num_tensors, part.num_parameters, part.num_trained)]
        for part in run.parts
    ]
    return table("parts of the model", ["part", "how", "rate", "tensors", "parameters", "trained"], rows)


def stages_table(run: TrainingRun) -> Html | None:
    """The curriculum; None where there is one stage only."""
    if not run.stages:
        return None
    rows = [[_head(each.name), _cell(f"{each.first:,}"), _cell(f"{each.last:,}")] for each in run.stages]
    return table("stages", ["stage", "first step", "last step"], rows)


def objects_table(run: TrainingRun) -> Html | None:
    """The first `NUM_OBJECTS` held-out objects as the best evaluation scored them, or the last; None where there are none."""
    scored = run.scored_objects()
    if scored is None:
        return None
    step, header, rows = scored
    more = f", the first {NUM_OBJECTS:,} of {len(rows):,}" if len(rows) > NUM_OBJECTS else ""
    cells = [[_head(row[0]), *map(_cell, row[1:])] for row in rows[:NUM_OBJECTS]]
    return folded(f"After step {step:,}{more}", table("held-out objects", header, cells))


def left_out(run: TrainingRun) -> Html | None:
    """How many units of the data were left out, when, and why; None where there is no ledger."""
    counted = run.left_out()
    if not counted:
        return None
    rows = [[_head(reason), _cell(words), _cell(f"{count:,}")] for words, each in counted.items() for reason, count in each.items()]
    return table("left out", ["reason", "when", "units"], rows)


def history(run: TrainingRun) -> Html:
    """When the run was started and went on, with what had changed, by which versions, on which data."""
    record = run.record
    went_on = [
        f"{each.at[:19].replace('T', ' ')}, after step {each.step:,}"
        + (f"; changed: {'; '.join(each.changed)}" if each.changed else "")
        for each in record.resumed
    ]
    facts = {
        "configuration": f"{record.family}/{record.config}; {' '.join(record.overrides) or 'no overrides'}",
        "started": record.started[:19].replace("T", " "),
        **{f"went on, {number}": words for number, words in enumerate(went_on, start=1)},
        "versions": ", ".join(f"{name} {version}" for name, version in record.versions.items()),
        "git": record.git or "not in a checkout",
        **{f"fingerprint of {name}": digest for name, digest in record.fingerprints.items()},
    }
    pairs = (Html(element("dt", name) + element("dd", value)) for name, value in facts.items())
    return element("dl", *pairs, class_="facts")


def settings_table(run: TrainingRun) -> Html:
    """All settings, folded."""
    rows = [[_head(key), element("td", _plain(value), class_="setting")] for key, value in run.settings.items()]
    return folded("All settings", table("settings", ["key", "value"], rows))


def table(label: str, titles: Sequence[str], rows: Sequence[Sequence[Html]]) -> Html:
    """A table of finished cells in a box that scrolls sideways."""
    head = element("tr", *(element("th", title, scope="col") for title in titles))
    content = element("table", element("thead", head), element("tbody", *(element("tr", *row) for row in rows)))
    return element("div", content, class_="scroll", tabindex="0", role="region", aria_label=label)


def _row(run: TrainingRun, speeds: Sequence[str]) -> Iterator[str]:
    yield f"{run.step:,} of {run.max_steps:,}"
    yield told(float(run.numbers["loss"].values[-1])) if "loss" in run.numbers else "–"
    best = run.best
    yield "–" if best is None or best.value is None else f"{best.metric} {_score(best)}, step {run.best_step:,}"
    yield from (_median(run, name) for name in speeds)
    yield from (_mean_percent(run, name) for name in ("stall", "padding"))
    yield f"{run.numbers['memory_gb'].values.max():.2f} GB" if "memory_gb" in run.numbers else "–"
    times = len(run.record.resumed)
    yield "–" if not times else f"{times} time{'s' if times > 1 else ''}"
    yield f"{sum(count for each in run.left_out().values() for count in each.values()):,}"


def _score(best: Pointer) -> str:
    assert best.metric is not None, "a best evaluation has a metric"
    assert best.value is not None, "asked for by the caller"
    share = is_share(best.metric.rpartition("/")[2]) and 0 <= best.value <= 1
    return f"{100 * best.value:.1f} %" if share else told(best.value)


def _speeds(runs: Sequence[TrainingRun]) -> list[str]:
    return list(dict.fromkeys(name for run in runs for name in run.told("*_per_s")))


def _median(run: TrainingRun, name: str) -> str:
    return told(float(np.median(run.numbers[name].values))) if name in run.numbers else "–"


def _mean_percent(run: TrainingRun, name: str) -> str:
    return f"{100 * run.numbers[name].values.mean():.1f} %" if name in run.numbers else "–"


def _name(run: TrainingRun) -> Html:
    return element("th", element("span", run.letter, class_=f"key {run.paint}"), f" {run.name}", scope="row")


def _head(words: str) -> Html:
    return element("th", words, scope="row")


def _cell(words: str) -> Html:
    return element("td", words)


def _plain(value: object) -> str:
    if isinstance(value, str):
        return value
    return "–" if value is None else json.dumps(value, ensure_ascii=False)


def named(parts: Mapping[str, Html | None]) -> Html:
    """Each part that is there under its heading."""
    return join(*(join(element("h3", title), content) for title, content in parts.items() if content is not None))
