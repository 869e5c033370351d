"""Which samples of a source are used: filters on its columns, and a share of what is left.

A share is taken by the hash of the sample's position, so that 10 % are the same samples every time and part of any 20 %.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Int64, UInt64

from sightline.errors import InputError
from sightline.train.vlm.samples import Source


@dataclass(frozen=True)
class Selection:
    """Args:
        where: values a column may have, by column.
        between: least and greatest value (None: no bound), by column of numbers; a sample without the number is left out.
        visible: only examples whose object is there (True) or is not there (False); None: all.
        percent: the share that is used of what passes, above 0 to 100.

    Raises:
        InputError: a percentage out of its range.
    """

    where: Mapping[str, tuple[str | int | float | bool, ...]] = field(default_factory=dict)
    between: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)
    visible: bool | None = None
    percent: float = 100.0

    def __post_init__(self) -> None:
        if not 0 < self.percent <= 100:
            raise InputError(f"percent {self.percent:g}: expected above 0 and at most 100.")


def select(source: Source, selection: Selection) -> Int64[np.ndarray, " n"]:
    """The positions of the samples that are used, rising.

    Raises:
        InputError: no such column, or nothing is left; the message names the filter that left nothing.
    """
    positions = np.arange(len(source), dtype=np.int64)
    where = dict(selection.where) | ({} if selection.visible is None else {"visible": (selection.visible,)})
    for name, allowed in where.items():
        values = source.column(name)
        kept = [position for position in positions.tolist() if values[position] in allowed]
        if not kept:
            present = sorted({str(value) for value in values})[:10]
            raise InputError(
                f"{source.name}: no sample is left with {name} in {', '.join(map(str, allowed))}; it is one of "
                f"{', '.join(present)}."
            )
        positions = np.array(kept, np.int64)
    for name, (least, most) in selection.between.items():
        positions = positions[_within(source, name, least, most)[positions]]
        if not positions.size:
            raise InputError(f"{source.name}: no sample is left with {name} from {least} to {most}. Widen the bounds.")
    if selection.percent < 100:
        count = max(1, round(positions.size * selection.percent / 100))
        first = np.argpartition(_scrambled(positions), count - 1)[:count]
        positions = np.sort(positions[first])
    return positions


def _within(source: Source, name: str, least: float | None, most: float | None) -> np.ndarray:
    try:
        numbers = np.array([np.nan if value is None else value for value in source.column(name)], np.float64)
    except (ValueError, TypeError) as error:
        raise InputError(f"{source.name}: the column {name!r} does not hold numbers ({error}); filter it by values.") from error
    return (numbers >= (-np.inf if least is None else least)) & (numbers <= (np.inf if most is None else most))


def _scrambled(positions: Int64[np.ndarray, " n"]) -> UInt64[np.ndarray, " n"]:
    """The 64-bit finaliser of MurmurHash3: different for different positions, in no order."""
    mixed = positions.astype(np.uint64)
    for factor in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        mixed = (mixed ^ (mixed >> np.uint64(33))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(33))
