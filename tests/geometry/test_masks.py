import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from pycocotools import mask as coco

from sightline.errors import InputError
from sightline.geometry.boxes import mask_to_box
from sightline.geometry.masks import (
    check_rle,
    decode_mask,
    dilate_mask,
    encode_mask,
    mask_id,
    rle_area,
    rle_box,
    threshold_grey,
    union_masks,
)
from sightline.types import MaskRle

masks = hnp.arrays(bool, hnp.array_shapes(min_dims=2, max_dims=2, max_side=40))


def rle(counts, height=2, width=2):
    return MaskRle(height=height, width=width, counts=counts)


def test_the_code_is_column_by_column_from_background():
    # Columns of the mask: (0, 0), (1, 0). Runs: 2 background, 1 object, 1 background.
    assert encode_mask(np.array([[False, True], [False, False]])) == rle("211")


def test_a_mask_that_starts_with_the_object_has_an_empty_first_run():
    assert encode_mask(np.ones((2, 2), dtype=bool)) == rle("04")


def test_long_runs_take_several_characters():
    # 100 = 3 * 32 + 4: lowest five bits 4, more follow: chr(48 + 32 + 4) = "T"; then 3: chr(48 + 3) = "3".
    assert encode_mask(np.zeros((10, 10), dtype=bool)).counts == "T3"
    # 16 needs a second character, because bit 16 of the last one is the sign: chr(48 + 32 + 16) = "`", then "0".
    assert encode_mask(np.zeros((4, 4), dtype=bool)).counts == "`0"


def test_numbers_from_the_fourth_on_are_differences_to_two_before():
    # Runs 1, 2, 3, 4, 5, 1 of a 16-pixel column: 1, 2, 3, then 4 - 2 = 2, 5 - 3 = 2, 1 - 4 = -3 = 0b11101 = 29: chr(48 + 29) = "M".
    mask = np.repeat([False, True, False, True, False, True], [1, 2, 3, 4, 5, 1]).reshape(16, 1)
    code = encode_mask(mask)
    assert code.counts == "12322M"
    assert check_rle(code).tolist() == [1, 2, 3, 4, 5, 1]
    assert (decode_mask(code) == mask).all()


@given(masks)
def test_decoding_undoes_encoding(mask):
    code = encode_mask(mask)
    assert (decode_mask(code) == mask).all()
    assert rle_area(code) == mask.sum()
    assert rle_box(code) == mask_to_box(mask)


@pytest.mark.filterwarnings("ignore:__array__ implementation")  # pycocotools with numpy 2
@given(masks)
def test_decoding_agrees_with_pycocotools(mask):
    code = encode_mask(mask)
    official = coco.decode({"size": [code.height, code.width], "counts": code.counts.encode()})
    assert (decode_mask(code) == official.astype(bool)).all()


def test_a_code_with_runs_of_length_zero_is_read_as_its_bitmap():
    # Runs 1, 0, 1, 1, 1 (written 1, 0, 1, 1-0 = 1, 1-1 = 0): only the pixel row 0, column 1 is set.
    code = rle("10110")
    assert decode_mask(code).tolist() == [[False, True], [False, False]]
    assert rle_box(code) == (1.0, 0.0, 2.0, 1.0)
    assert rle_area(code) == 1


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (rle(""), "no counts"),
        (rle("21 1"), "' ' at character 2"),
        (rle("21p"), "'p' at character 2"),  # chr(48 + 64)
        (rle("2é1"), "'é' at character 1"),
        (rle("2\udc801"), "at character 1"),
        (rle("2\x001"), "at character 1"),
        (rle("21Q"), "cut off"),  # "Q" = 48 + 32 + 1: more must follow
        (rle("P" * 6 + "1"), "a number has 7 characters"),
        (rle("5O"), "run 1 has the negative length -1"),  # "O" = 48 + 31: -1
        (rle("22N1"), "run 2 has the negative length -2"),
        (rle("210"), "add up to 3 pixels, expected 4"),
        (rle("212"), "add up to 5 pixels, expected 4"),
        (rle("4", height=0), "size must be"),
        (rle("4", height=-2, width=-2), "size must be"),
        (rle("4", height=10**9, width=10**9), "at most 100,000,000 pixels"),
    ],
)
def test_a_malformed_code_is_refused_with_its_reason(code, reason):
    for read in (check_rle, decode_mask, rle_area, rle_box):
        with pytest.raises(InputError, match=re.escape(reason)):
            read(code)


def test_a_size_over_the_callers_limit_is_refused():
    code = encode_mask(np.zeros((10, 10), dtype=bool))
    assert check_rle(code, max_pixels=100).tolist() == [100]
    with pytest.raises(InputError, match="at most 99 pixels"):
        decode_mask(code, max_pixels=99)


@given(st.text(st.characters(min_codepoint=46, max_codepoint=113), max_size=30), st.integers(1, 8), st.integers(1, 8))
def test_any_text_is_either_refused_or_a_mask_of_its_size(counts, height, width):
    code = rle(counts, height=height, width=width)
    try:
        mask = decode_mask(code)
    except InputError:
        return
    assert mask.shape == (height, width)
    assert rle_box(code) == mask_to_box(mask)


def test_a_megabyte_of_counts_is_refused():
    with pytest.raises(InputError, match="1,000,000 characters"):
        check_rle(rle("1" * 1_000_000))


def test_the_mask_id_names_size_and_code():
    ids = {mask_id(rle("04")), mask_id(rle("211")), mask_id(rle("04", height=4, width=1)), mask_id(rle("04", height=1, width=4))}
    assert len(ids) == 4
    assert all(re.fullmatch("[0-9a-f]{32}", name) for name in ids)
    # Pinned: ids stand in files, so they must not change. `printf '2 2 211' | b2sum -l 128`
    assert mask_id(rle("211")) == "a99be31044eb403e6297e3803b015457"


def test_grey_is_set_from_128():
    grey = np.array([[0, 127, 128, 255]], dtype=np.uint8)
    assert threshold_grey(grey).tolist() == [[False, False, True, True]]
    assert threshold_grey(grey, at=1).tolist() == [[False, True, True, True]]


def test_dilation_grows_a_pixel_into_the_elliptic_kernel():
    mask = np.zeros((5, 5), dtype=bool)
    mask[2, 2] = True
    assert (dilate_mask(mask, 0) == mask).all()
    # OpenCV's ellipse of radius 1 is a plus; that of radius 2 has one pixel in its first and last row and full rows between.
    assert dilate_mask(mask, 1).astype(int).tolist() == [
        [0, 0, 0, 0, 0],
        [0, 0, 1, 0, 0],
        [0, 1, 1, 1, 0],
        [0, 0, 1, 0, 0],
        [0, 0, 0, 0, 0],
    ]
    assert dilate_mask(mask, 2).sum() == 17  # 1 + 5 + 5 + 5 + 1


def test_dilation_stops_at_the_border_and_keeps_its_argument():
    mask = np.zeros((3, 3), dtype=bool)
    mask[0, 0] = True
    assert dilate_mask(mask, 1).astype(int).tolist() == [[1, 1, 0], [1, 0, 0], [0, 0, 0]]
    assert mask.sum() == 1


@given(st.lists(hnp.arrays(bool, (5, 7)), min_size=1, max_size=3))
def test_a_union_has_the_code_of_all_pixels_together(masks):
    together = np.logical_or.reduce(masks)
    assert union_masks([encode_mask(mask) for mask in masks]) == encode_mask(together)


def test_a_union_of_broken_codes_or_of_two_sizes_is_refused():
    whole = encode_mask(np.ones((2, 2), dtype=bool))
    with pytest.raises(InputError, match="the runs add up to"):
        union_masks([whole, MaskRle(height=2, width=2, counts="1")])
    with pytest.raises(InputError, match="expected one size for all"):
        union_masks([whole, encode_mask(np.ones((2, 3), dtype=bool))])
