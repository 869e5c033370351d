"""A picture's tiles are those that the reference cuts."""

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the models extra")

from safetensors.torch import load_file

from sightline.models.sa2va.tiles import cut, grid_of


@pytest.mark.parametrize("name", ["image_square", "image_tiled_two_seg"])
def test_tiles_are_the_reference_ones(name: str, golden: Path) -> None:
    case = load_file(golden / "end_to_end" / f"{name}.safetensors")
    tiles = cut(case["image_uint8"].numpy(), side=448, most=12)
    assert len(tiles) == json.loads((golden / "end_to_end" / "cases.json").read_text())[name]["num_tiles"]
    assert np.array_equal(tiles[:, ::7, ::7], case["tiles_uint8_every_7th_pixel"].numpy())


@pytest.mark.parametrize(
    ("size", "grid"),
    [
        ((448, 448), (1, 1)),
        ((635, 635), (2, 2)),  # 403,225 pixels: more than half of 4 x 448 x 448 = 802,816, less than half of 9 times that
        ((800, 400), (2, 1)),  # 320,000: 4 x 2 would need more than 802,816
        ((1400, 700), (4, 2)),
        ((100, 5000), (1, 12)),
    ],
)
def test_the_grid_has_the_nearest_aspect_and_is_large_for_large_pictures_only(size: tuple[int, int], grid: tuple[int, int]) -> None:
    assert grid_of(*size, side=448, most=12) == grid
