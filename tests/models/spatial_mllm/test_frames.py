"""Frames of any number and size, or a reason why not."""

import numpy as np
import pytest

from sightline.errors import InputError
from sightline.models.spatial_mllm.frames import FrameRule, joined_pictures, prepare_frames

RULE = FrameRule(min_pixels=1, max_pixels=112 * 112)


def frames(count: int, width: int = 60, height: int = 70, seed: int = 0) -> list[np.ndarray]:
    return list(np.random.default_rng(seed).integers(0, 256, (count, height, width, 3), dtype=np.uint8))


@pytest.mark.parametrize(("count", "steps"), [(1, 1), (2, 1), (3, 2), (5, 3)])
def test_an_odd_number_of_frames_repeats_the_last_for_both_encoders(count: int, steps: int) -> None:
    found = prepare_frames(frames(count), RULE)
    assert found.grid_thw == (steps, 4, 4)  # 70 x 60 pixels are 2.5 x 2.1 cells of 28
    assert found.patches.shape == (steps * 16, 3 * 2 * 14 * 14)
    assert len(found.geometry_frames) == 2 * steps
    if count % 2:
        assert np.array_equal(found.geometry_frames[-1], found.geometry_frames[-2])


def test_patches_of_16_pixels_come_with_frames_of_as_many_patches_of_14() -> None:
    found = prepare_frames(frames(2, width=100, height=70), FrameRule(min_pixels=1, max_pixels=10**5, patch_size=16))
    assert found.grid_thw == (1, 4, 6)  # 96 x 64
    assert found.patches.shape == (24, 3 * 2 * 16 * 16)
    assert found.geometry_frames.shape == (2, 3, 4 * 14, 6 * 14)


def test_a_patch_holds_its_own_pixels() -> None:
    picture = np.zeros((56, 84, 3), np.uint8)
    picture[14:28, 42:56, 1] = 255  # patch row 1, column 3, green: block column 1, and in it row 1, column 1
    rule = FrameRule(min_pixels=1, max_pixels=10**5, mean=(0.0, 0.0, 0.0), deviation=(1.0, 1.0, 1.0))
    found = prepare_frames([picture], rule)
    assert np.flatnonzero(found.patches.any(axis=1)).tolist() == [1 * 4 + 3]
    values = found.patches[7].reshape(3, 2, 14, 14)
    assert (values[1] == 1).all()
    assert not values[[0, 2]].any()


def test_frames_of_several_sizes_are_refused() -> None:
    with pytest.raises(InputError, match="found 50 x 70, 60 x 70 in 2 frames"):
        prepare_frames([*frames(1), *frames(1, width=50)], RULE)
    with pytest.raises(InputError, match="found none in 0 frames"):
        prepare_frames([], RULE)


def test_pictures_of_one_record_are_one_sequence_of_one_size() -> None:
    one, same, other = (prepare_frames(frames(1, width=width), RULE) for width in (60, 62, 100))
    assert joined_pictures([one, same]).shape == (4, 3, 56, 56)
    with pytest.raises(InputError, match="found 56 x 56, 112 x 56"):
        joined_pictures([one, other])
