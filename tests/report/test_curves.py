"""Curves: how many steps are drawn as few, which numbers stand at the axis, where letters stand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.report.curves import Line, bin_curve, line_chart, nice_ticks, spread, told


def test_bins_keep_means_and_extremes_of_equal_stretches() -> None:
    steps = np.arange(1.0, 9.0)
    binned = bin_curve(steps, np.array([1.0, 3, 2, 2, 5, 7, 0, 8]), num_bins=4)
    # steps 1 to 8 in four stretches of 7 / 4: 1-2, 3-4, 5-6, 7-8
    assert binned.steps.tolist() == [1.5, 3.5, 5.5, 7.5]
    assert binned.means.tolist() == [2, 2, 6, 4]
    assert binned.least.tolist() == [1, 2, 5, 0]
    assert binned.most.tolist() == [3, 2, 7, 8]


def test_stretches_without_steps_are_left_out_and_few_steps_stay() -> None:
    binned = bin_curve(np.array([1.0, 2, 99, 100]), np.array([1.0, 2, 3, 4]), num_bins=3)
    assert binned.means.tolist() == [1.5, 3.5]
    same = bin_curve(np.array([4.0, 9.0]), np.array([1.0, 2.0]))
    assert same.steps.tolist() == [4, 9]


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
def test_ticks_are_few_round_and_enclose_the_values(low: float, size: float) -> None:
    ticks = nice_ticks(low, low + size)
    assert ticks[0] <= low + 1e-6 * size
    assert ticks[-1] >= low + size - 1e-6 * size
    assert 2 <= len(ticks) <= 8
    assert ticks[1] - ticks[0] == pytest.approx(ticks[-1] - ticks[-2])


@pytest.mark.parametrize(
    ("value", "words"), [(0.0, "0"), (2e-5, "2.00e-05"), (0.012346, "0.01235"), (1234.5, "1,234"), (2.0, "2"), (3e9, "3.00e+09")]
)
def test_numbers_are_told_in_few_characters(value: float, words: str) -> None:
    assert told(value) == words


def test_letters_of_close_ends_stand_below_each_other_and_within_the_chart() -> None:
    assert spread([10.0, 12.0, 50.0], apart=10.0, lowest=100.0) == [10, 20, 50]
    assert spread([95.0, 96.0, 97.0], apart=10.0, lowest=100.0) == [80, 90, 100]


def test_alike_values_and_a_single_step_can_be_drawn() -> None:
    for values in ([0.0, 0.0], [5.0, 5.0], [-3.0, -3.0]):
        line = Line("x", "a", "run-0", np.array([1.0, 2.0]), np.array(values))
        assert "nan" not in line_chart("flat", [line], last_step=2)
    lonely = Line("x", "a", "run-0", np.array([0.0]), np.array([1.0]))
    assert "step 0: 1" in line_chart("one", [lonely], last_step=0)
