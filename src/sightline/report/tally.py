"""What examples are counted by while the gallery is written.

Of a run: kind of error, claim against truth, place of the object, error by bins. Of a task set: tiers, labels, bins.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sightline.evaluate.taxonomy import ErrorKind
from sightline.report.confusions import Referring
from sightline.report.markup import show_hidden
from sightline.types import Example, Points, Score

GRID = 4  # the view is cut into GRID x GRID cells

Claim = tuple[bool, bool | None]
"""Whether the object is visible, and whether the model said so (None: neither)."""
Part = tuple[str, str]
"""The name of a binning (`report.bins`) and of one of its bins."""
Errors = dict[Part, list[float]]


@dataclass
class Tally:
    """Counts over all scored examples of a run. `places` and `hits` are by cell, of the visible objects that have a place; `far`
    and `lacking` are the distances (`Score.l2_norm`) and the missing overlaps (1 - `Score.iou`) by binning and bin; `referring`
    counts answers with masks to questions in words."""

    kinds: Counter[ErrorKind] = field(default_factory=Counter)
    claims: Counter[Claim] = field(default_factory=Counter)
    places: Counter[int] = field(default_factory=Counter)
    hits: Counter[int] = field(default_factory=Counter)
    far: Errors = field(default_factory=lambda: defaultdict(list))
    lacking: Errors = field(default_factory=lambda: defaultdict(list))
    referring: Referring = field(default_factory=Referring)

    def add(self, example: Example, score: Score, kind: ErrorKind, bins: Mapping[str, str]) -> None:
        """Count one example; `bins` is its bin in each binning."""
        self.kinds[kind] += 1
        self.claims[score.visible, score.said_visible] += 1
        cell = truth_cell(example)
        if cell is not None:
            self.places[cell] += 1
            self.hits[cell] += score.correct
        for part in bins.items():
            if score.l2_norm is not None:
                self.far[part].append(score.l2_norm)
            if score.iou is not None:
                self.lacking[part].append(1 - score.iou)


@dataclass
class Contents:
    """Counts over all examples of a task set, whoever answered them. `unlabelled` have no label; `bins` are by binning and bin."""

    tiers: Counter[str] = field(default_factory=Counter)
    labels: Counter[str] = field(default_factory=Counter)
    unlabelled: int = 0
    bins: Counter[Part] = field(default_factory=Counter)

    def add(self, example: Example, bins: Mapping[str, str]) -> None:
        """Count one example; `bins` is its bin in each binning."""
        self.tiers[show_hidden(example.tier)] += 1
        if example.label:
            self.labels[show_hidden(example.label)] += 1
        else:
            self.unlabelled += 1
        self.bins.update(bins.items())


@dataclass
class Counts:
    """All that was counted: of each run by its folder, of each task set by its name in the report."""

    runs: dict[Path, Tally] = field(default_factory=dict)
    sets: dict[str, Contents] = field(default_factory=dict)


def truth_cell(example: Example) -> int | None:
    """The cell of the view, row by row from the top left, that holds the middle of the true box, or the true point; None without.

    The last column and row hold the right and lower edge of the view too.
    """
    truth = example.truth
    panel = example.question.panels[truth.panel_index]
    if truth.box is not None:
        x, y = (truth.box[0] + truth.box[2]) / 2, (truth.box[1] + truth.box[3]) / 2
    elif isinstance(truth.answer, Points) and truth.answer.points:
        x, y = truth.answer.points[0][0] - panel.x, truth.answer.points[0][1] - panel.y
    else:
        return None
    column, row = int(GRID * x / panel.source.width), int(GRID * y / panel.source.height)
    return min(GRID - 1, max(0, row)) * GRID + min(GRID - 1, max(0, column))


def truth_side(example: Example) -> int | None:
    """0 if the true point (else the middle of the true box) lies in the left half of its view, 1 if in the right; None without."""
    truth = example.truth
    panel = example.question.panels[truth.panel_index]
    if isinstance(truth.answer, Points) and truth.answer.points:
        x = truth.answer.points[0][0] - panel.x
    elif truth.box is not None:
        x = (truth.box[0] + truth.box[2]) / 2
    else:
        return None
    return int(x >= panel.source.width / 2)


def cell_name(cell: int) -> str:
    """The cell in words, as the page's address holds it: "row 1, column 4"."""
    return f"row {cell // GRID + 1}, column {cell % GRID + 1}"
