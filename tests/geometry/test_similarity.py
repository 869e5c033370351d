import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.geometry.boxes import mask_to_box
from sightline.geometry.similarity import Similarity

DOUBLE = Similarity(scale=2.0, dx=1.0, dy=-2.0, width=8, height=6)


def test_points_and_boxes_are_scaled_about_the_centre_and_shifted():
    # The centre (4, 3) goes to (4 + 1, 3 - 2); (5, 3), one to its right, two further.
    assert DOUBLE.point(4.0, 3.0) == (5.0, 1.0)
    assert DOUBLE.point(5.0, 3.0) == (7.0, 1.0)
    assert DOUBLE.box((3.0, 3.0, 5.0, 4.0)) == (3.0, 1.0, 7.0, 3.0)  # (3, 3) -> (3, 1); (5, 4) -> (7, 3)


def test_each_pixel_of_a_mask_becomes_a_block_and_what_leaves_the_frame_is_cropped():
    mask = np.zeros((6, 8), dtype=bool)
    mask[3, 3] = True  # covers [3, 4) x [3, 4): goes to [3, 5) x [1, 3)
    mask[0, 0] = True  # goes to x = 2 * (0 - 4) + 4 + 1 = -3: out of the frame
    expected = np.zeros((6, 8), dtype=bool)
    expected[1:3, 3:5] = True
    assert np.array_equal(DOUBLE.mask(mask), expected)


def test_a_picture_moves_as_its_mask_does():
    mask = np.zeros((40, 60), dtype=bool)
    mask[12:25, 20:44] = True
    moved = Similarity(scale=1.06, dx=1.5, dy=-0.7, width=60, height=40)
    picture = moved.picture(np.repeat(mask[:, :, None], 3, axis=2).astype(np.uint8) * 255)
    # linear between pixel centres: more than half where the centre came from inside
    assert np.array_equal(picture[..., 0] >= 128, moved.mask(mask))


@given(
    scale=st.floats(1.0, 1.2),
    shares=st.tuples(st.floats(-1, 1), st.floats(-1, 1)),
    corner=st.tuples(st.integers(8, 20), st.integers(6, 15)),
    x=st.floats(0, 40),
    y=st.floats(0, 30),
)
def test_source_undoes_point_and_a_moved_masks_box_is_the_moved_box_to_half_a_pixel(scale, shares, corner, x, y):
    margin = (scale - 1) / 2
    moved = Similarity(scale=scale, dx=shares[0] * margin * 40, dy=shares[1] * margin * 30, width=40, height=30)
    assert moved.source(*moved.point(x, y)) == pytest.approx((x, y), abs=1e-9)
    mask = np.zeros((30, 40), dtype=bool)
    left, top = corner
    mask[top : top + 9, left : left + 12] = True
    exact = moved.box((float(left), float(top), left + 12.0, top + 9.0))
    assert mask_to_box(moved.mask(mask)) == pytest.approx(exact, abs=0.5 + 1e-9)


def test_the_window_is_what_is_still_shown_and_lies_in_the_picture():
    assert DOUBLE.window() == (1.5, 2.5, 5.5, 5.5)  # (0 - 1 - 4) / 2 + 4 = 1.5; (8 - 1 - 4) / 2 + 4 = 5.5; likewise 2.5, 5.5


def test_a_shift_beyond_the_margin_is_our_mistake():
    with pytest.raises(AssertionError, match="what the picture does not hold"):
        Similarity(scale=1.1, dx=5.1, dy=0.0, width=100, height=100)  # margin: .05 * 100 = 5
