"""Each run of a task set against the baseline's, example by example: difference, interval, p, wins and losses."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sightline.evaluate.compare import Paired, compare
from sightline.evaluate.table import NOTHING, format_metric
from sightline.report.links import Behind
from sightline.report.markup import Html, element, join
from sightline.report.runs import Model
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


@dataclass(frozen=True)
class Rivalry:
    """The runs of one task set against that of `baseline`; without one there, or without another run, there is nothing to show.

    A run with another number of scores than the baseline has dashes: only the same examples can be compared.
    """

    set_name: str
    runs: Sequence[SummarisedRun]
    baseline: Model

    @cached_property
    def first(self) -> SummarisedRun | None:
        """The baseline's run, None where it did not answer this task set."""
        return next((run for run in self.runs if run.label == self.baseline.label), None)

    @cached_property
    def others(self) -> list[SummarisedRun]:
        """The runs that are compared."""
        return [run for run in self.runs if run is not self.first] if self.first else []

    @cached_property
    def compared(self) -> dict[Path, Paired]:
        """What comparing gave, by run folder."""
        if self.first is None:
            return {}
        return {
            run.run.folder: compare(run.run.folder, self.first.run.folder).outcomes[OUTCOME]
            for run in self.others
            if run.summary.num_scored == self.first.summary.num_scored
        }

    @property
    def columns(self) -> list[Column]:
        """The difference and its p, for the table of all runs."""
        if not self.others:
            return []
        return [
            self._column(
                f"Right minus {self.baseline.letter}, points",
                "differ",
                lambda paired: format_metric("difference", paired.difference),
            ),
            self._column("p", "differ", _p),
        ]

    def details(self) -> Html:
        """Folded: the same with wins, losses and ties; or that the baseline did not answer."""
        if self.first is None:
            words = f"{self.baseline.letter} {self.baseline.label} did not answer this task set: no run is compared with it here."
            return element("p", words, class_="note")
        if not self.others:
            return join()
        columns = [
            *self.columns,
            *(
                self._column(
                    title.format(first=self.first.letter), versus, lambda paired, count=count: f"{count(paired)} ({paired.n})"
                )
                for versus, (title, count) in COUNTS.items()
            ),
        ]
        title = f"Against {self.first.letter} {self.first.label}"
        return folded(title, element("p", NOTE, class_="note"), table(self.set_name, self.others, columns))

    def _column(self, title: str, versus: str, text: Callable[[Paired], str]) -> Column:
        against = {"vs": self.baseline.label}

        def of_run(run: SummarisedRun) -> str | None:
            paired = self.compared.get(run.run.folder)
            return None if paired is None else text(paired)

        return Column(title, of_run, Behind(against, against | {"versus": versus}))


def _p(paired: Paired) -> str:
    return f"{NOTHING if paired.p is None else f'{paired.p:.3f}'} ({paired.n})"
