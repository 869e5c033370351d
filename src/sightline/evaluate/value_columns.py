"""What scores measure beyond the common flags, gathered as columns: their values by name, and which of them are twins."""

from array import array
from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from sightline.types import Score


class ValueColumns:
    """The values of scores as columns, which are as long as their last value so far."""

    def __init__(self) -> None:
        self._columns: dict[str, array[float]] = {}

    def add(self, row: int, values: Mapping[str, float]) -> None:
        for name, value in values.items():
            column = self._columns.setdefault(name, array("d"))
            column.extend([np.nan] * (row - len(column)))
            column.append(value)

    def columns(self, num_rows: int) -> dict[str, Float[np.ndarray, " n"]]:
        found = {name: np.full(num_rows, np.nan) for name in self._columns}
        for name, column in self._columns.items():
            found[name][: len(column)] = column
        return found


class Twins:
    """Sets of twins by `pair_id`: the row of the first, how many there are, and whether all so far are right."""

    def __init__(self) -> None:
        self._sets: dict[str, tuple[int, int, bool]] = {}

    def add(self, row: int, score: Score) -> None:
        if score.pair_id is not None:
            first, count, right = self._sets.get(score.pair_id, (row, 0, True))
            self._sets[score.pair_id] = (first, count + 1, right and score.correct)

    def flags(self, num_rows: int) -> dict[str, Float[np.ndarray, " n"]]:
        """A single example with a `pair_id` is no pair."""
        flags = {"pair": np.zeros(num_rows), "pair_right": np.zeros(num_rows)}
        for first, count, right in self._sets.values():
            if count > 1:
                flags["pair"][first], flags["pair_right"][first] = 1, right
        return flags
