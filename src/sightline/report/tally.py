"""What a run's examples are counted by while the gallery is written: kind of error, claim against truth, place of the object."""

from collections import Counter
from dataclasses import dataclass, field

from sightline.evaluate.taxonomy import ErrorKind
from sightline.types import Example, Points, Score

GRID = 4  # the view is cut into GRID x GRID cells

Claim = tuple[bool, bool | None]
"""Whether the object is visible, and whether the model said so (None: neither)."""


@dataclass
class Tally:
    """Counts over all scored examples of a run. `places` and `hits` are by cell, of the visible objects that have a place."""

    kinds: Counter[ErrorKind] = field(default_factory=Counter)
    claims: Counter[Claim] = field(default_factory=Counter)
    places: Counter[int] = field(default_factory=Counter)
    hits: Counter[int] = field(default_factory=Counter)

    def add(self, example: Example, score: Score, kind: ErrorKind) -> None:
        """Count one example."""
        self.kinds[kind] += 1
        self.claims[score.visible, score.said_visible] += 1
        cell = truth_cell(example)
        if cell is not None:
            self.places[cell] += 1
            self.hits[cell] += score.correct


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


def cell_name(cell: int) -> str:
    """The cell in words, as the page's address holds it: "row 1, column 4"."""
    return f"row {cell // GRID + 1}, column {cell % GRID + 1}"
