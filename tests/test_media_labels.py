"""Label pictures: one number a pixel, as video object segmentation stores them."""

import numpy as np
import pytest
from PIL import Image

from sightline.errors import InputError
from sightline.media import read_labels
from tests.davis_tree import save_palette


def test_a_palette_picture_gives_its_indices_and_keeps_void(tmp_path):
    array = np.array([[0, 1, 2], [3, 0, 255]], np.uint8)
    save_palette(tmp_path / "a.png", array)
    assert read_labels(tmp_path / "a.png").tolist() == array.tolist()


def test_black_and_white_is_one_object(tmp_path):
    array = np.array([[0, 255], [255, 0]], np.uint8)
    Image.fromarray(array).save(tmp_path / "grey.png")
    Image.fromarray(array).convert("1").save(tmp_path / "bits.png")
    for name in ("grey.png", "bits.png"):
        assert read_labels(tmp_path / name).tolist() == [[0, 1], [1, 0]]


@pytest.mark.parametrize(
    ("array", "said"),
    [
        (np.array([[0, 1, 2]], np.uint8), "values 0, 1, 2; expected only 0 and 255"),
        (np.array([[0, 130, 255]], np.uint8), "threshold them at 128"),
        (np.zeros((2, 2, 3), np.uint8), "mode RGB; expected a palette PNG"),
        (np.zeros((2, 2, 4), np.uint8), "mode RGBA"),
        (np.zeros((2, 2), np.uint16), "mode I;16"),
    ],
)
def test_what_does_not_say_which_object_it_is_is_refused(tmp_path, array, said):
    path = tmp_path / "a.png"
    Image.fromarray(array).save(path)
    with pytest.raises(InputError, match=said):
        read_labels(path)


def test_real_result_palettes_hold_several_objects(shared_data):
    # osvos_results of DAVIS 2017: soapbox has three objects, kite-surf three, bmx-trees two
    root = shared_data / "davis" / "osvos_results"
    for sequence, number in (("soapbox", 3), ("kite-surf", 3), ("bmx-trees", 2)):
        assert np.unique(read_labels(root / sequence / "00000.png")).tolist() == list(range(number + 1))
