"""Outlines run along pixel edges and give their mask back when filled."""

import re

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.report.outlines import outline_path


def fill(path: str, height: int, width: int) -> np.ndarray:
    """Even-odd filling: each vertical edge flips all pixels to its right."""
    filled = np.zeros((height, width), bool)
    for x0, y0, moves in re.findall(r"M(\d+) (\d+)([hv\d-]*)z", path):
        corners = [(int(x0), int(y0))]
        for direction, length in re.findall(r"([hv])(-?\d+)", moves):
            x, y = corners[-1]
            corners.append((x + int(length), y) if direction == "h" else (x, y + int(length)))
        for (x, y), (next_x, next_y) in zip(corners, corners[1:] + corners[:1], strict=True):
            assert x == next_x or y == next_y
            if x == next_x:
                filled[min(y, next_y) : max(y, next_y), x:] ^= True
    return filled


def test_one_pixel_has_the_outline_of_its_square():
    mask = np.zeros((2, 2), bool)
    mask[0, 1] = True
    assert outline_path(mask) == "M1 0v1h1v-1z"


def test_an_empty_mask_has_no_outline():
    assert outline_path(np.zeros((3, 4), bool)) == ""


@settings(max_examples=150, deadline=None)
@given(st.integers(1, 9), st.integers(1, 9), st.randoms(use_true_random=False))
def test_filling_the_outline_gives_the_mask_back(height: int, width: int, random):
    mask = np.array([[random.random() < 0.6 for _ in range(width)] for _ in range(height)])
    assert (fill(outline_path(mask), height, width) == mask).all()
