import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from sightline.geometry.boxes import box_area, box_centre, clip_box, mask_to_box, pairwise_iou


def test_the_box_of_one_pixel_is_one_by_one():
    mask = np.zeros((4, 7), dtype=bool)
    mask[2, 5] = True
    assert mask_to_box(mask) == (5.0, 2.0, 6.0, 3.0)


def test_the_box_of_a_full_mask_is_the_picture():
    assert mask_to_box(np.ones((3, 8), dtype=bool)) == (0.0, 0.0, 8.0, 3.0)


def test_an_empty_mask_has_no_box():
    assert mask_to_box(np.zeros((3, 8), dtype=bool)) is None


@given(hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=12)))
def test_the_box_is_smallest_index_to_largest_plus_one(mask):
    rows, columns = np.nonzero(mask)
    expected = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) if rows.size else None
    assert mask_to_box(mask) == expected


def test_centre_and_area():
    assert box_centre((2.0, 1.0, 5.0, 3.0)) == (3.5, 2.0)
    assert box_area((2.0, 1.0, 5.0, 3.0)) == 6.0  # 3 x 2
    assert box_area((5.0, 1.0, 2.0, 3.0)) == 0.0
    assert box_area((5.0, 3.0, 2.0, 1.0)) == 0.0  # both ends reversed: not -3 x -2


@pytest.mark.parametrize(
    ("box", "clipped"),
    [
        ((1.0, 1.0, 3.0, 2.0), (1.0, 1.0, 3.0, 2.0)),
        ((-5.0, -1.0, 3.0, 2.0), (0.0, 0.0, 3.0, 2.0)),
        ((1.0, 1.0, 99.0, 99.0), (1.0, 1.0, 10.0, 8.0)),
        ((-math.inf, 1.0, math.inf, 2.0), (0.0, 1.0, 10.0, 2.0)),
        ((10.0, 0.0, 12.0, 4.0), None),  # touches the right border only
        ((-3.0, 0.0, 0.0, 4.0), None),
        ((3.0, 1.0, 1.0, 2.0), None),  # reversed
        ((3.0, 1.0, 3.0, 2.0), None),  # no width
        ((math.nan, 1.0, 3.0, 2.0), None),
        ((1.0, 1.0, math.nan, 2.0), None),
    ],
)
def test_clipping_keeps_what_is_inside(box, clipped):
    assert clip_box(box, 10, 8) == clipped


def test_iou_of_worked_pairs():
    a = np.array([[0.0, 0, 4, 4], [1, 1, 1, 1]])
    b = np.array([[2.0, 2, 6, 6], [0, 0, 4, 4], [4, 0, 8, 4], [1, 1, 1, 1], [3, 3, 1, 1]])
    # [0,4]^2 with [2,6]^2: common 2 x 2 = 4, union 16 + 16 - 4 = 28. Touching: 0. A box without area inside: 0 / 16.
    # Two boxes without area: 0 / 0, by definition 0. Reversed ends have no area.
    assert pairwise_iou(a, b).tolist() == [[4 / 28, 1.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.0]]


def test_iou_with_no_boxes_has_no_entries():
    assert pairwise_iou(np.zeros((0, 4)), np.zeros((3, 4))).shape == (0, 3)


whole = st.integers(0, 9).map(float)


@given(hnp.arrays(np.float64, (2, 4), elements=whole))
def test_iou_of_whole_pixel_boxes_is_that_of_their_masks(boxes):
    boxes = np.concatenate([np.minimum(boxes[:, :2], boxes[:, 2:]), np.maximum(boxes[:, :2], boxes[:, 2:])], axis=1)
    a, b = np.zeros((9, 9), dtype=bool), np.zeros((9, 9), dtype=bool)
    for mask, (x0, y0, x1, y1) in zip((a, b), boxes.astype(int), strict=True):
        mask[y0:y1, x0:x1] = True
    expected = (a & b).sum() / (a | b).sum() if (a | b).any() else 0.0
    assert pairwise_iou(boxes[:1], boxes[1:])[0, 0] == pytest.approx(expected)
