import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import InputError
from sightline.geometry.resize import scale_box, scale_point, smart_resize

QWEN25 = {"factor": 28, "min_pixels": 56 * 56, "max_pixels": 14 * 14 * 4 * 1280}  # 3,136 .. 1,003,520


@pytest.mark.parametrize(
    ("size", "resized"),
    [
        ((640, 480), (644, 476)),  # 640 / 28 = 22.86 -> 23 * 28 = 644; 480 / 28 = 17.14 -> 17 * 28 = 476
        ((56, 56), (56, 56)),
        ((70, 98), (56, 112)),  # 2.5 -> 2 and 3.5 -> 4: halves go to the even multiple
        # 1932 * 1092 is too much: shrink = sqrt(1920 * 1080 / 1003520) = 1.43748;
        # 1920 / 1.43748 / 28 = 47.70 -> 47 * 28 = 1316; 1080 / 1.43748 / 28 = 26.83 -> 26 * 28 = 728
        ((1920, 1080), (1316, 728)),
        # 28 * 28 is too little: grow = sqrt(3136 / 600) = 2.28619; 20 * 2.28619 / 28 = 1.63 -> 56; 30 * 2.28619 / 28 = 2.45 -> 84
        ((20, 30), (56, 84)),
        # Rounds to 1008 x 0, area 0: grow = sqrt(3136 / 10000) = 0.56; 560 / 28 = 20 -> 560; 5.6 / 28 = 0.2 -> 28
        ((1000, 10), (560, 28)),
        # 20000 x 100 rounds to 19992 x 112: shrink = sqrt(2e6 / 1003520) = 1.41173;
        # 20000 / 1.41173 / 28 = 505.96 -> 505 * 28 = 14140; 100 / 1.41173 / 28 = 2.53 -> 56
        ((20000, 100), (14140, 56)),
    ],
)
def test_smart_resize_of_sizes_worked_by_hand(size, resized):
    assert smart_resize(*size, **QWEN25) == resized


def test_smart_resize_never_shrinks_a_side_to_nothing():
    # 4000 x 20 rounds to 4004 x 28; limit 10,000: shrink = sqrt(80000 / 10000) = 2.828;
    # 4000 / 2.828 / 28 = 50.5 -> 1400; 20 / 2.828 / 28 = 0.25 -> 0, kept at one factor: 28.
    assert smart_resize(4000, 20, factor=28, min_pixels=56 * 56, max_pixels=10_000) == (1400, 28)


def test_smart_resize_with_the_factor_of_qwen3():
    # 640 x 480 are multiples of 32 already.
    assert smart_resize(640, 480, factor=32, min_pixels=256 * 256, max_pixels=4096 * 4096) == (640, 480)


def test_an_aspect_ratio_of_200_is_resized_and_more_is_refused():
    assert smart_resize(2000, 10, **QWEN25)[1] == 28
    for size in ((2001, 10), (10, 2001), (0, 5), (5, 0)):
        with pytest.raises(InputError, match=f"{size[0]} x {size[1]}"):
            smart_resize(*size, **QWEN25)


@given(st.integers(28, 4000), st.integers(28, 4000))
def test_smart_resize_gives_multiples_within_the_limits_and_treats_sides_alike(width, height):
    columns, rows = smart_resize(width, height, **QWEN25)
    assert columns % 28 == rows % 28 == 0
    assert QWEN25["min_pixels"] <= columns * rows <= QWEN25["max_pixels"]
    assert smart_resize(height, width, **QWEN25) == (rows, columns)


def test_resizing_multiplies():
    assert scale_point(101.5, 77.5, (640, 480), (320, 480)) == (50.75, 77.5)
    assert scale_point(640.0, 480.0, (640, 480), (644, 476)) == (644.0, 476.0)  # the far corner stays the far corner
    assert scale_box((10.0, 20.0, 30.0, 40.0), (100, 100), (200, 50)) == (20.0, 10.0, 60.0, 20.0)


sides = st.tuples(st.integers(1, 5000), st.integers(1, 5000))


@given(st.floats(-100, 6000), st.floats(-100, 6000), sides, sides)
def test_scaling_there_and_back_is_the_same_point(x, y, source, target):
    there = scale_point(x, y, source, target)
    assert scale_point(*there, target, source) == pytest.approx((x, y))
