"""Pictures become the network's input as in the reference."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="needs the models extra")

from safetensors.numpy import load_file

from sightline.errors import InputError
from sightline.models.vggt.pictures import prepare_pictures, prepared_size

CASES = ("crop_wide", "crop_rgba", "crop_tall", "pad_wide", "pad_tall", "crop_mixed")


@pytest.mark.parametrize("name", CASES)
def test_pictures_are_prepared_as_in_the_reference(golden: Path, name: str) -> None:
    tensors = load_file(golden / "image_preparation.safetensors")
    facts: dict[str, Any] = json.loads((golden / "image_preparation.json").read_text())[name]
    pictures = [tensors[key] for key in sorted(tensors) if key.startswith(f"{name}.input")]
    found = prepare_pictures(pictures, mode=facts["mode"])
    assert list(found.shape) == facts["output_shape"]
    steps = np.rint(found.astype(np.float64) * 255).astype(np.int64)
    assert np.array_equal(found, steps.astype(np.float32) / np.float32(255))
    assert steps.sum() == facts["sum_of_values_times_255"]
    expected, every = (tensors[f"{name}.output"], 1) if f"{name}.output" in tensors else (tensors[f"{name}.output_every_13th"], 13)
    assert np.array_equal(steps[:, :, ::every, ::every], expected)


def test_sizes_are_the_reference_ones(golden: Path) -> None:
    facts = json.loads((golden / "image_preparation.json").read_text())
    for size in facts["sizes_only"]:
        picture = np.zeros((size["height"], size["width"], 3), np.uint8)
        assert list(prepare_pictures([picture], mode=size["mode"]).shape[2:]) == size["result"]
    rows = prepare_pictures([np.zeros((480, 640, 3), np.uint8)], mode="pad")[0, 0, :, 0]
    inside = np.flatnonzero(rows == 0)
    expected = facts["pad_480x640_white_rows"]
    assert (inside[0], inside[-1]) == (expected["first_image_row"], expected["last_image_row"])


def test_halves_of_a_patch_go_to_the_even_number() -> None:
    # 518 wide: 37 columns, so a height of k + 0.5 patches is (k + 0.5) / 37 of the width
    assert prepared_size(74, 5, mode="crop") == (518, 28)  # 2.5 patches
    assert prepared_size(74, 7, mode="crop") == (518, 56)  # 3.5 patches
    assert prepared_size(5, 74, mode="pad") == (28, 518)


def test_a_picture_without_a_row_of_patches_is_refused() -> None:
    with pytest.raises(InputError, match="1000 x 9 pixels is too narrow"):
        prepare_pictures([np.zeros((9, 1000, 3), np.uint8)])
    with pytest.raises(InputError, match="no pictures"):
        prepare_pictures([])
