"""Pair accuracy: twins that differ in one thing (mirrored, swapped, asked the other way round) count only if all are right.

A model that ignores that thing gets one of two right and no pair: the chance level of a yes/no question falls from 1/2 to 1/4.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PairAccuracy:
    """The share, 0..1, of `n` pairs (or larger sets) all of whose examples are right; nan where n is 0.

    `num_single` ids had one example only, so that nothing was paired; they do not count.
    """

    value: float
    n: int
    num_single: int


def pair_accuracy(examples: Iterable[tuple[str, bool]]) -> PairAccuracy:
    """`examples`: the pair's id, and whether the example was answered rightly; every example that asks, answered or not."""
    outcomes: dict[str, list[bool]] = {}
    for pair_id, correct in examples:
        outcomes.setdefault(pair_id, []).append(correct)
    pairs = [all(outcome) for outcome in outcomes.values() if len(outcome) > 1]
    value = float(np.mean(pairs)) if pairs else np.nan
    return PairAccuracy(value=value, n=len(pairs), num_single=len(outcomes) - len(pairs))
