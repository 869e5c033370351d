"""Which clips of a split are built."""

import pytest

from sightline.errors import InputError
from sightline.tasks.crossview import CrossViewOptions
from sightline.tasks.segment import SegmentOptions
from sightline.taskset.units import open_units
from sightline.types import Example
from tests.davis_tree import write_tree
from tests.train.sam2.trees import write_json


def test_the_named_clips_are_the_units_and_their_ids(tmp_path):
    write_json(tmp_path)
    assert open_units("coco-video", tmp_path, "videos", SegmentOptions()).ids() == ["left", "right"]
    units = open_units("coco-video", tmp_path, "videos", SegmentOptions(), only=("right",))
    assert (len(units), units.ids()) == (1, ["right"])
    (example,) = units[0].outcomes("segment")
    assert isinstance(example, Example)
    assert example.group == "right"


def test_a_clip_that_is_not_there_is_named_with_the_nearest(tmp_path):
    root = write_tree(tmp_path / "davis")
    with pytest.raises(InputError, match=r"split 'train': no clip 'dual' among its 1; it has duel\."):
        open_units("davis", root, "train", SegmentOptions(), only=("dual",))


def test_scenes_are_not_chosen_by_name(tmp_path):
    with pytest.raises(InputError, match="only a: single clips can be chosen"):
        open_units("sightline", tmp_path, "train", CrossViewOptions(), only=("a",))
