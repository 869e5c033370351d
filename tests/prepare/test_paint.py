"""Painting away and the random shapes of the controls."""

import numpy as np
import pytest

from sightline.prepare.paint import Method, grow, inpaint, random_shape


@pytest.mark.parametrize("method", ["telea", "ns"])
def test_only_the_hole_changes_and_it_takes_the_colour_around(method: Method) -> None:
    rgb = np.full((20, 30, 3), (200, 120, 40), np.uint8)
    rgb[8:12, 10:16] = (0, 0, 255)
    hole = np.zeros((20, 30), bool)
    hole[8:12, 10:16] = True
    painted = inpaint(rgb, hole, method=method, radius=3.0)
    assert np.array_equal(painted[~hole], rgb[~hole])
    assert np.abs(painted[hole].astype(int) - (200, 120, 40)).max() <= 2  # the surroundings are one colour


def test_growth_is_a_fraction_of_the_width_and_zero_is_none() -> None:
    mask = np.zeros((40, 100), bool)
    mask[20, 50] = True
    rows, columns = np.nonzero(grow(mask, 0.02))  # radius 2
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (18, 22, 48, 52)
    assert grow(mask, 0.0) is mask
    assert grow(mask, 0.001).sum() == 5  # radius 1, at least: a cross


def test_random_shapes_lie_in_the_free_place_have_about_the_area_and_differ() -> None:
    free = np.ones((200, 300), bool)
    free[50:150, 100:200] = False
    shapes = [random_shape(free, 2000, np.random.default_rng(seed)) for seed in range(20)]
    for shape in shapes:
        assert shape is not None
        assert not (shape & ~free).any()
    areas = [int(shape.sum()) for shape in shapes if shape is not None]
    assert 800 < np.median(areas) < 4000
    assert len(set(areas)) > 10
    again, third = random_shape(free, 2000, np.random.default_rng(3)), shapes[3]
    assert again is not None
    assert third is not None
    assert np.array_equal(again, third)


def test_where_nothing_fits_there_is_no_shape() -> None:
    assert random_shape(np.zeros((20, 20), bool), 50, np.random.default_rng(0)) is None
    checkers = np.indices((40, 40)).sum(axis=0) % 2 == 0
    assert random_shape(checkers, 800, np.random.default_rng(0)) is None


def test_a_shape_shrinks_until_it_fits() -> None:
    free = np.zeros((60, 60), bool)
    free[20:40, 20:40] = True  # 400 pixels: 1000 cannot fit
    shape = random_shape(free, 1000, np.random.default_rng(1))
    assert shape is not None
    assert 0 < shape.sum() < 400
