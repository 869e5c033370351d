"""What subtraction points at, on pictures of a few flat squares."""

import numpy as np
import pytest

from sightline.tasks.subtraction import pointed_at, subtraction_hits


def square(x: int, y: int, side: int, *, shade: int, on: np.ndarray | None = None) -> np.ndarray:
    rgb = np.zeros((60, 80, 3), np.uint8) if on is None else on.copy()
    rgb[y : y + side, x : x + side, 1] = shade
    return rgb


BLACK = np.zeros((60, 80, 3), np.uint8)


def test_equal_pictures_have_no_point() -> None:
    assert list(pointed_at(BLACK, BLACK)) == []
    assert not subtraction_hits(BLACK, BLACK, np.ones((60, 80), dtype=bool))


def test_one_square_is_pointed_at_in_its_middle_by_all() -> None:
    points = set(pointed_at(BLACK, square(20, 10, 9, shade=200)))
    # rows 10 to 18, columns 20 to 28: the middle is (14, 24)
    assert points == {(14, 24)}


@pytest.mark.parametrize(("shade", "found"), [(15, False), (16, True)])
def test_without_a_blur_the_lowest_threshold_is_16(shade: int, found: bool) -> None:
    # of two squares; the stronger is what Otsu's threshold leaves
    after = square(50, 30, 5, shade=200, on=square(10, 10, 15, shade=shade))
    place = np.zeros((60, 80), dtype=bool)
    place[10:25, 10:25] = True
    assert subtraction_hits(BLACK, after, place) is found


def test_the_largest_the_strongest_and_the_deepest_region_are_all_pointed_at() -> None:
    after = square(5, 5, 13, shade=100)  # 169 pixels, sum 16,900, 7 deep in (11, 11)
    after[50:55] = 100  # 400 pixels, sum 40,000, 3 deep; its middle row is 52
    after[30:35, 5:75] = 118  # 350 pixels, sum 41,300, 3 deep; its middle row is 32
    rows = {row for row, _ in pointed_at(BLACK, after)}
    assert rows == {11, 32, 52}


def test_what_goes_beyond_the_border_is_not_deeper_for_it() -> None:
    after = BLACK.copy()
    after[:10] = 200  # along the whole upper border
    assert {row for row, _ in pointed_at(BLACK, after)} <= {4, 5}


def test_a_blur_joins_what_lies_in_stripes() -> None:
    after = square(60, 40, 5, shade=60)
    place = np.zeros((60, 80), dtype=bool)
    place[5:20, 5:20] = True
    # Stripes of 15 pixels with gaps of one. Half a pixel of blur weighs e**-2 / (1 + 2 * e**-2) = 0.11 next to the middle, so that
    # a gap has twice that.
    after[5:20, 5:20:2] = 90  # 19: the lowest threshold joins them
    assert subtraction_hits(BLACK, after, place)
    after[5:20, 5:20:2] = 60  # 13 is not enough
    assert not subtraction_hits(BLACK, after, place)


def test_otsus_threshold_finds_what_differs_more_than_all_the_rest() -> None:
    place = np.zeros((60, 80), dtype=bool)
    place[5:20, 5:20] = True
    for shade, found in ((120, True), (70, False)):
        after = np.full((60, 80, 3), 70, np.uint8)
        after[place] = shade
        assert subtraction_hits(BLACK, after, place) is found
