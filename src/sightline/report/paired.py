"""Each run of a task set against the first one given, example by example: difference, interval, p, wins and losses."""

from collections.abc import Callable, Sequence

from sightline.evaluate.compare import Paired, compare
from sightline.evaluate.table import NOTHING, format_metric
from sightline.report.links import Behind
from sightline.report.markup import Html, element, join
from sightline.report.tables import Column, SummarisedRun, folded, table

OUTCOME = "correct"
NOTE = (
    "Right answers, in percentage points; p from the same bootstrap as the interval (at least 2 ** (1 - scenes that differ)). "
    "The difference opens the examples on which the two runs differ."
)
COUNTS = {
    "won": ("Only this right", lambda paired: paired.only_a),
    "lost": ("Only {first} right", lambda paired: paired.only_b),
    "both": ("Both right", lambda paired: paired.both_right),
    "neither": ("Both wrong", lambda paired: paired.both_wrong),
}


def paired_table(set_name: str, runs: Sequence[SummarisedRun]) -> Html:
    """The folded table, nothing where there is only one run.

    A run with another number of scores than the first has dashes: only the same examples can be compared.
    """
    if len(runs) < 2:
        return join()
    first, *others = runs
    compared = {
        run.run.folder: compare(run.run.folder, first.run.folder).outcomes[OUTCOME]
        for run in others
        if run.summary.num_scored == first.summary.num_scored
    }

    def column(title: str, versus: str, text: Callable[[Paired], str]) -> Column:
        against = {"vs": first.label}

        def of_run(run: SummarisedRun) -> str | None:
            paired = compared.get(run.run.folder)
            return None if paired is None else text(paired)

        return Column(title, of_run, Behind(against, against | {"versus": versus}))

    name = f"{first.letter} {first.label}"
    columns = [
        column(f"Minus {first.letter}, points", "differ", lambda paired: format_metric("difference", paired.difference)),
        column("p", "differ", _p),
        *(
            column(title.format(first=first.letter), versus, lambda paired, count=count: f"{count(paired)} ({paired.n})")
            for versus, (title, count) in COUNTS.items()
        ),
    ]
    return folded(f"Against {name}", element("p", NOTE, class_="note"), table(set_name, others, columns))


def _p(paired: Paired) -> str:
    return f"{NOTHING if paired.p is None else f'{paired.p:.3f}'} ({paired.n})"
