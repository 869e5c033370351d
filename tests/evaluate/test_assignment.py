"""The matching against every possible matching of small sets."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.evaluate.assignment import best_matching


def best_total(gains: np.ndarray) -> float:
    """The largest total of all matchings, by trying them."""
    if gains.shape[0] > gains.shape[1]:
        gains = gains.T
    return max(
        sum(gains[row, column] for row, column in enumerate(order)) for order in permutations(range(gains.shape[1]), len(gains))
    )


@given(shape=st.tuples(st.integers(1, 5), st.integers(1, 5)), seed=st.integers(0, 2**32 - 1), tied=st.booleans())
def test_no_matching_gains_more(shape, seed, tied):
    rng = np.random.default_rng(seed)
    gains = rng.integers(-2, 3, shape).astype(np.float64) if tied else rng.normal(size=shape)
    pairs = best_matching(gains)
    rows, columns = zip(*pairs, strict=True)
    assert len(set(rows)) == len(set(columns)) == len(pairs) == min(shape)
    assert list(rows) == sorted(rows)
    assert sum(gains[pair] for pair in pairs) == pytest.approx(best_total(gains), abs=1e-12)


def test_a_larger_gain_is_left_where_two_smaller_ones_are_more():
    assert best_matching(np.array([[0.9, 0.8], [0.7, 0.0]])) == [(0, 1), (1, 0)]


@pytest.mark.parametrize("shape", [(0, 0), (0, 3), (3, 0)])
def test_nothing_is_matched_with_nothing(shape):
    assert best_matching(np.zeros(shape)) == []
