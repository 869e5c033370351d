"""A table of the page: a row for each run, a link behind each number to the examples it counts, and behind `(n)` to all asked."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sightline.evaluate.summary import Summary
from sightline.evaluate.table import NOTHING
from sightline.report.links import Behind, gallery_url
from sightline.report.markup import Html, element
from sightline.report.runs import AnsweredSet, Collection, Run

DEGRADED = ("error", "truncated")
"""Statuses that say less of the model than of how it was asked: a server without an answer, too few new tokens."""


@dataclass(frozen=True)
class SummarisedRun:
    """A run, its summary, and its model's label and letter; `paint` is the style class of the model's colour."""

    run: Run
    summary: Summary
    label: str
    letter: str

    @property
    def paint(self) -> str:
        """`overlay.js` counts the same way."""
        return f"run-{self.run.model_index % 7}"


@dataclass(frozen=True)
class Column:
    """A column: its title, the text of a run's cell ("value [interval] (n)", None if it has none), and the examples behind it, None
    where the gallery cannot show just those."""

    title: str
    text: Callable[[SummarisedRun], str | None]
    behind: Behind | None


def summarised_runs(collection: Collection, answered: AnsweredSet, summaries: Sequence[Summary]) -> tuple[SummarisedRun, ...]:
    """The runs of one task set; `summaries` are in the order of `collection.runs`."""
    by_folder = dict(zip((run.folder for run in collection.runs), summaries, strict=True))
    models = [collection.models[run.model_index] for run in answered.runs]
    return tuple(
        SummarisedRun(run, by_folder[run.folder], model.label, model.letter)
        for run, model in zip(answered.runs, models, strict=True)
    )


def table(set_name: str, runs: Sequence[SummarisedRun], columns: Sequence[Column]) -> Html:
    """The table in a box that scrolls sideways."""
    head = element("tr", element("th", "Model", scope="col"), *(element("th", column.title, scope="col") for column in columns))
    rows = [element("tr", _row_head(run), *(_cell(set_name, run, column) for column in columns)) for run in runs]
    content = element("table", element("thead", head), element("tbody", *rows))
    return element("div", content, class_="scroll", tabindex="0", role="region", aria_label=f"results on {set_name}")


def troubles(summary: Summary) -> list[str]:
    """What makes the numbers of a run doubtful, in words; nothing if all was asked and answered."""
    found = [f"partial: {summary.num_scored} of {summary.num_examples}"] if summary.num_missing else []
    return found + [f"{count} {status}" for status in DEGRADED if (count := summary.statuses.get(status))]


def folded(title: str, *content: Html) -> Html:
    """Content under a title that opens it."""
    return element("details", element("summary", title), *content)


def _row_head(run: SummarisedRun) -> Html:
    trouble = [element("span", f" {words}", class_="trouble") for words in troubles(run.summary)]
    return element("th", element("span", run.letter, class_=f"key {run.paint}"), f" {run.label}", *trouble, scope="row")


def _cell(set_name: str, run: SummarisedRun, column: Column) -> Html:
    text = column.text(run)
    if text is None:
        return element("td", NOTHING, class_="none")
    shown, _, count = text.rpartition(" (")
    value, _, interval = shown.partition(" [")
    behind = column.behind
    if behind is None:
        return element("td", value, element("span", f" [{interval} ({count}" if interval else f" ({count}", class_="behind"))
    return element(
        "td",
        element("a", value, class_="examples", href=gallery_url(set_name, run.label, behind.counted)),
        element(
            "span",
            f" [{interval} " if interval else " ",
            element("a", f"({count}", class_="examples n", href=gallery_url(set_name, run.label, behind.asked)),
            class_="behind",
        ),
    )
