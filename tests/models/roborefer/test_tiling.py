"""Pictures become the tiles that RoboRefer was trained on, with every Pillow."""

import numpy as np
import pytest
from PIL import Image

from sightline.errors import InputError
from sightline.models.roborefer.tiling import TilingRule, check_depth, known_mode, resize_in_two


def noise(width: int, height: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_tiles_lie_row_by_row_and_the_whole_picture_comes_last() -> None:
    quarters = np.zeros((20, 30, 3), np.uint8)  # 3 x 2 squares of 10 pixels, each of one grey: 0, 40, 80 / 120, 160, 200
    for row in range(2):
        for column in range(3):
            quarters[10 * row : 10 * row + 10, 10 * column : 10 * column + 10] = 40 * (3 * row + column)
    tiles = TilingRule("dynamic", 10).cut(quarters)
    assert tiles.shape == (7, 3, 10, 10)
    # (grey / 255 - 0.5) / 0.5
    assert tiles[:6, 0, 5, 5].tolist() == pytest.approx([40 * n / 127.5 - 1 for n in range(6)], abs=1e-6)
    whole = np.asarray(Image.fromarray(resize_in_two(quarters, 10, 10))) / 127.5 - 1
    assert tiles[6].transpose(1, 2, 0) == pytest.approx(whole, abs=1e-6)


def test_one_tile_has_no_thumbnail() -> None:
    assert TilingRule("dynamic", 112).num_tiles(100, 104) == 1
    assert TilingRule("dynamic", 112).cut(noise(100, 104)).shape == (1, 3, 112, 112)


def test_of_equally_near_grids_the_larger_one_needs_a_picture_that_fills_half_of_it() -> None:
    rule = TilingRule("dynamic", 100, max_tiles=4)
    # 1x1 and 2x2 are both square; half of 2x2 is 20,000 pixels
    assert rule.grid(141, 141) == (1, 1)  # 19,881
    assert rule.grid(142, 142) == (2, 2)  # 20,164


def test_resize_is_one_tile_of_any_shape() -> None:
    rule = TilingRule("resize", 28)
    assert (rule.grid(900, 100), rule.num_tiles(900, 100), rule.num_slots(900, 100)) == ((1, 1), 1, 1)


def test_several_scales_are_squares_and_then_the_grid() -> None:
    rule = TilingRule("dynamic_s2", 28, scales=(28, 56, 84))
    # 1 + 4 + 5x2
    assert (rule.grid(128, 48), rule.num_tiles(128, 48), rule.num_slots(128, 48)) == ((5, 2), 15, 1)
    picture = noise(128, 48)
    tiles = rule.cut(picture)
    assert tiles.shape == (15, 3, 28, 28)
    middle = resize_in_two(picture, 56, 56) / 127.5 - 1
    assert tiles[2].transpose(1, 2, 0) == pytest.approx(middle[:28, 28:], abs=1e-6)  # the second of the 2x2


def test_the_width_is_resized_before_the_height() -> None:
    picture = noise(96, 140)  # grows one way and shrinks the other, where Pillow's own order has changed
    image = Image.fromarray(picture).resize((112, 140), Image.Resampling.BICUBIC).resize((112, 112), Image.Resampling.BICUBIC)
    assert np.array_equal(resize_in_two(picture, 112, 112), np.asarray(image))
    other = Image.fromarray(picture).resize((96, 112), Image.Resampling.BICUBIC).resize((112, 112), Image.Resampling.BICUBIC)
    assert not np.array_equal(resize_in_two(picture, 112, 112), np.asarray(other))


@pytest.mark.parametrize(
    ("said", "message"),
    [
        ({"min_tiles": 0}, "1 <= min_tiles"),
        ({"min_tiles": 5, "max_tiles": 4}, "tiles from 5 to 4"),
        ({"mode": "dynamic_s2", "scales": (28,)}, "growing multiples"),
        ({"mode": "dynamic_s2", "scales": (56, 112)}, "beginning with it"),
        ({"mode": "dynamic_s2", "scales": (28, 112)}, "16 tiles, but max_tiles is 12"),
    ],
)
def test_rules_of_no_sense_are_refused(said: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        TilingRule(**({"mode": "dynamic", "side": 28} | said))


def test_an_unknown_mode_is_refused_with_the_nearest() -> None:
    with pytest.raises(InputError, match="Did you mean 'dynamic'"):
        known_mode("dinamic")


@pytest.mark.parametrize(
    ("depth", "message"),
    [
        (np.zeros((4, 6), np.uint8), r"shape \(4, 6\).*three equal channels.*sightline depth"),
        (np.zeros((4, 6, 1), np.uint8), r"shape \(4, 6, 1\)"),
        (np.zeros((4, 6, 3), np.float32), "float32"),
        (np.zeros((6, 4, 3), np.uint8), "4 x 6 pixels, but its picture has 6 x 4"),
    ],
)
def test_depth_of_another_kind_or_size_is_refused(depth: np.ndarray, message: str) -> None:
    with pytest.raises(InputError, match=message):
        check_depth(noise(6, 4), depth, where="sample 'a'")
    assert check_depth(noise(6, 4), noise(6, 4), where="sample 'a'").shape == (4, 6, 3)
