"""`index.html`: the tables and where their numbers come from, as plain HTML, around an empty gallery.

Every number is a link to the examples it counts, and its `(n)` to those it is out of. Without scripts the links do nothing and the
tables say the same.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

from sightline import __version__
from sightline.evaluate.summary import HEADLINE, Summary
from sightline.evaluate.table import LABELS, NOTHING, format_cell, format_metric
from sightline.report.links import Behind, behind, behind_tier, gallery_url
from sightline.report.markup import Html, element, join
from sightline.report.runs import AnsweredSet, Collection, Run
from sightline.report.sources import sources
from sightline.types import STATUSES

HOW_TO_READ = "Each cell: value [95 % interval] (n); the value opens the examples it counts, n all that were asked."


@dataclass(frozen=True)
class Column:
    """One column of a table: its title, the text of a run's cell, and the examples behind it. No text: the run lacks it."""

    title: str
    text: Callable[[Summary], str | None]
    behind: Behind


def page(collection: Collection, summaries: Sequence[Summary], *, title: str, assets: Html, sampling: Html) -> str:
    """The whole page. `summaries` are in the order of `collection.runs`; `assets` the tags of scripts and styles."""
    by_run = dict(zip((run.folder for run in collection.runs), summaries, strict=True))
    template = Template((files("sightline.report") / "page.html").read_text(encoding="utf-8"))
    interval = " / ".join(dict.fromkeys(f"protocol {summary.protocol}, intervals: {summary.interval}" for summary in summaries))
    return template.substitute(
        title=join(title),
        subtitle=join(
            f"{_count(len(summaries), 'run')} of {_count(len(collection.models), 'model')}; {interval}; Sightline {__version__}."
        ),
        assets=assets,
        tables=join(*(_tables(collection, answered, by_run) for answered in collection.sets)),
        sources=sources(collection, summaries),
        sampling=sampling,
    )


def _tables(collection: Collection, answered: AnsweredSet, summaries: Mapping[Path, Summary]) -> Html:
    """One task set: the headline table, and the rest folded away."""
    of_set = [summaries[run.folder] for run in answered.runs]
    manifest = answered.taskset.manifest
    first = of_set[0]
    size = f"{_count(first.num_examples, 'example')} in {_count(first.num_groups, 'scene')}"
    about = f"{manifest.task}, {manifest.split}: {size}"
    headline = HEADLINE.get(manifest.task, ("joint_accuracy",))
    rest = [name for name in LABELS if name not in headline and all(_applies(name, summary) for summary in of_set)]
    tiers = sorted({tier for summary in of_set for tier in summary.tiers})

    def table(columns: Sequence[Column]) -> Html:
        return _table(collection, answered, of_set, columns)

    return join(
        element("h3", answered.name),
        element("p", f"{about}. {HOW_TO_READ}", class_="note"),
        table([_metric_column(name) for name in headline]),
        _folded("Right answers by tier, %", table([_tier_column(tier) for tier in tiers])),
        _folded("More metrics", table([_metric_column(name) for name in rest])),
        _folded("Statuses", table([_metric_column(f"num_{status}", title=status) for status in STATUSES])),
    )


def _applies(name: str, summary: Summary) -> bool:
    """Whether it is a metric that means something in the task: an overlap does only where boxes or masks are asked."""
    if name.startswith("num_"):
        return False
    return not name.startswith(("iou_", "acc_iou_")) or summary.metrics[name].n > 0


def _metric_column(name: str, *, title: str | None = None) -> Column:
    return Column(title or LABELS[name], lambda summary: format_cell(name, summary), behind(name))


def _tier_column(tier: str) -> Column:
    def text(summary: Summary) -> str | None:
        return format_metric(tier, summary.tiers[tier]) if tier in summary.tiers else None

    return Column(tier, text, behind_tier(tier))


def _folded(title: str, content: Html) -> Html:
    return element("details", element("summary", title), content)


def _table(collection: Collection, answered: AnsweredSet, summaries: Sequence[Summary], columns: Sequence[Column]) -> Html:
    head = element("tr", element("th", "Model", scope="col"), *(element("th", column.title, scope="col") for column in columns))
    rows = [
        element(
            "tr", _row_head(collection, run, summary), *(_cell(collection, answered, run, summary, column) for column in columns)
        )
        for run, summary in zip(answered.runs, summaries, strict=True)
    ]
    table = element("table", element("thead", head), element("tbody", *rows))
    return element("div", table, class_="scroll", tabindex="0", role="region", aria_label=f"results on {answered.name}")


def _row_head(collection: Collection, run: Run, summary: Summary) -> Html:
    model = collection.models[run.model_index]
    partial = f" partial: {summary.num_scored} of {summary.num_examples}" if summary.num_missing else ""
    return element("th", element("span", model.letter, class_=f"key {paint(run.model_index)}"), f" {model.label}",
                   *([element("span", partial, class_="trouble")] if partial else []), scope="row")  # fmt: skip


def _cell(collection: Collection, answered: AnsweredSet, run: Run, summary: Summary, column: Column) -> Html:
    text = column.text(summary)
    if text is None:
        return element("td", NOTHING, class_="none")
    label = collection.models[run.model_index].label
    shown, _, count = text.rpartition(" (")
    value, _, interval = shown.partition(" [")
    behind_it = column.behind
    return element(
        "td",
        element("a", value, class_="examples", href=gallery_url(answered.name, label, behind_it.counted)),
        element(
            "span",
            f" [{interval} " if interval else " ",
            element("a", f"({count}", class_="examples n", href=gallery_url(answered.name, label, behind_it.asked)),
            class_="behind",
        ),
    )


def _count(number: int, name: str) -> str:
    return f"{number} {name}{'s' if number != 1 else ''}"


def paint(model_index: int) -> str:
    """The style class of a model's colour; `overlay.js` counts the same way."""
    return f"run-{model_index % 7}"
