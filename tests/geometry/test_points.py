import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sightline.geometry.points import hits_mask, pixel_index, pixel_indices, truth_point


@pytest.mark.parametrize(
    ("x", "y", "pixel"),
    [
        (0.0, 0.0, (0, 0)),
        (0.999, 0.0, (0, 0)),
        (1.0, 0.0, (0, 1)),
        (2.7, 1.2, (1, 2)),  # floor(2.7) = column 2, floor(1.2) = row 1
        (4.0, 1.5, (1, 3)),  # x == width: last column
        (3.5, 3.0, (2, 3)),  # y == height: last row
        (4.0, 3.0, (2, 3)),
    ],
)
def test_a_point_inside_lies_in_the_pixel_of_its_floor(x, y, pixel):
    assert pixel_index(x, y, 4, 3) == pixel


@pytest.mark.parametrize(
    ("x", "y"),
    [
        (-1e-9, 0.0),
        (0.0, -1e-9),
        (4.0000001, 1.0),
        (1.0, 3.0000001),
        (math.nan, 1.0),
        (1.0, math.nan),
        (math.inf, 1.0),
        (1.0, -math.inf),
    ],
)
def test_a_point_outside_has_no_pixel(x, y):
    assert pixel_index(x, y, 4, 3) is None


@given(
    hnp.arrays(
        np.float64,
        st.tuples(st.integers(0, 20), st.just(2)),
        elements=st.floats(-2, 9) | st.just(math.nan) | st.integers(-1, 6).map(float),
    )
)
def test_many_points_are_judged_as_one_by_one(points):
    index, inside = pixel_indices(points, 5, 4)
    for (x, y), pixel, is_inside in zip(points.tolist(), index.tolist(), inside.tolist(), strict=True):
        assert pixel_index(x, y, 5, 4) == (tuple(pixel) if is_inside else None)


def test_a_point_hits_only_a_set_pixel():
    mask = np.zeros((3, 4), dtype=bool)
    mask[1, 3] = True
    assert hits_mask(mask, 3.0, 1.0)
    assert hits_mask(mask, 4.0, 1.999)  # x == width is column 3
    assert not hits_mask(mask, 2.999, 1.0)
    assert not hits_mask(mask, 4.001, 1.5)
    assert not hits_mask(mask, 1.5, 3.5)


class NoRandomness(np.random.Generator):
    def __init__(self):
        super().__init__(np.random.PCG64(0))

    def integers(self, *_args, **_kwargs):
        raise AssertionError("the centre hits the mask: nothing is to be drawn")


def test_the_truth_point_is_the_box_centre_where_that_hits():
    mask = np.zeros((5, 6), dtype=bool)
    mask[1:4, 2:6] = True  # box (2, 1, 6, 4): centre (4, 2.5), pixel row 2, column 4
    assert truth_point(mask, NoRandomness()) == (4.0, 2.5)


def test_the_truth_point_of_a_one_pixel_mask_is_that_pixels_centre():
    mask = np.zeros((5, 6), dtype=bool)
    mask[4, 5] = True  # box (5, 4, 6, 5)
    assert truth_point(mask, NoRandomness()) == (5.5, 4.5)


def test_the_truth_point_of_a_ring_is_each_of_its_pixel_centres_equally_often():
    mask = np.ones((3, 3), dtype=bool)
    mask[1, 1] = False  # the box centre (1.5, 1.5) is the hole
    rng = np.random.default_rng(1)
    drawn = [truth_point(mask, rng) for _ in range(4000)]
    centres = {(column + 0.5, row + 0.5) for row in range(3) for column in range(3)} - {(1.5, 1.5)}
    assert set(drawn) == centres
    # 8 outcomes, 4000 draws: 500 expected each, standard deviation sqrt(4000 * 1/8 * 7/8) = 21; 5 of those = 105.
    assert all(abs(drawn.count(centre) - 500) < 105 for centre in centres)


def test_the_truth_point_is_the_same_for_the_same_seed():
    mask = np.eye(4, dtype=bool)[:, ::-1].copy()  # box centre (2, 2): row 2, column 2 is not set
    points = {truth_point(mask, np.random.default_rng(7)) for _ in range(3)}
    assert len(points) == 1


@given(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12)), st.integers(0, 2**32))
def test_the_truth_point_always_hits_its_mask(mask, seed):
    if mask.any():
        assert hits_mask(mask, *truth_point(mask, np.random.default_rng(seed)))


def test_an_empty_mask_has_no_truth_point():
    with pytest.raises(AssertionError, match="without pixels"):
        truth_point(np.zeros((2, 2), dtype=bool), np.random.default_rng(0))
