"""Boxes and codes of all labels at once equal those of each label's own mask."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from sightline.geometry.boxes import mask_to_box
from sightline.geometry.label_maps import Region, label_masks, label_regions
from sightline.geometry.masks import encode_mask

PICTURES = arrays(np.uint8, st.tuples(st.integers(1, 7), st.integers(1, 7)), elements=st.sampled_from([0, 1, 2, 255]))


def test_regions_of_a_picture_worked_by_hand() -> None:
    #   columns 0 1 2 3
    labels = np.array([[0, 0, 7, 7], [7, 0, 0, 9]], np.uint8)
    assert label_regions(labels) == {
        7: Region(box=(0.0, 0.0, 4.0, 2.0), area=3),  # (0,1), (2,0), (3,0): columns 0..3, rows 0..1
        9: Region(box=(3.0, 1.0, 4.0, 2.0), area=1),
    }


@given(PICTURES)
def test_each_region_is_that_of_its_own_mask(labels: np.ndarray) -> None:
    regions = label_regions(labels)
    assert set(regions) == set(np.unique(labels).tolist()) - {0}
    for label, region in regions.items():
        assert region.box == mask_to_box(labels == label)
        assert region.area == np.count_nonzero(labels == label)


@given(PICTURES)
def test_each_code_is_that_of_its_own_mask(labels: np.ndarray) -> None:
    masks = label_masks(labels)
    assert set(masks) == set(np.unique(labels).tolist()) - {0}
    for label, rle in masks.items():
        assert rle == encode_mask(labels == label)


@pytest.mark.parametrize("shape", [(1, 1), (3, 1), (1, 3)])
def test_a_picture_without_objects_has_no_region(shape: tuple[int, int]) -> None:
    assert label_regions(np.zeros(shape, np.uint8)) == {}
    assert label_masks(np.zeros(shape, np.uint8)) == {}
