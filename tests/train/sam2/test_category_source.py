"""A source whose objects are told from categories, by the explicit option alone."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torch")

from sightline.errors import InputError
from sightline.geometry.masks import encode_mask
from sightline.train.sam2.videos import Videos, VideoSource
from tests.datasets.referring.refer_trees import save_json


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A video of two frames, in each two squares of one category without numbers."""
    mask = np.zeros((20, 40), dtype=bool)
    mask[4:14, 2:12] = mask[4:14, 20:30] = True
    code = {"size": [20, 40], "counts": encode_mask(mask).counts}
    images, annotations = [], []
    for order in (0, 1):
        (tmp_path / "images" / "7_").mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 20)).save(tmp_path / "images" / "7_" / f"{order}.png")
        name = f"7_/{order}.png"
        images.append({"id": order, "video_id": "7_", "order_in_video": order, "file_name": name, "height": 20, "width": 40})
        annotations.append({"id": order, "image_id": order, "category_id": 1, "segmentation": code})
    content = {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "grasper"}]}
    save_json(tmp_path / "annotations/train.json", content)
    return tmp_path / "annotations/train.json"


def test_with_the_option_parts_of_a_category_are_objects(file: Path) -> None:
    (clip,) = [Videos([VideoSource(file, instances="category")]).clip(0)]
    assert [track.object_id for track in clip.tracks] == ["grasper-1", "grasper-2"]
    assert all(track.masks[1] is not None for track in clip.tracks)


def test_without_it_a_mask_without_number_is_an_object_of_its_frame(file: Path) -> None:
    clip = Videos([VideoSource(file)]).clip(0)
    assert [track.object_id for track in clip.tracks] == ["annotation-0", "annotation-1"]


def test_formats_with_numbers_refuse_it(file: Path) -> None:
    with pytest.raises(InputError, match=r"data\.instances=category is for CocoVID files, the format is 'davis'"):
        Videos([VideoSource(file.parent.parent, "davis", "train", instances="category")])
    video = {"id": 1, "width": 4, "height": 4, "file_names": ["a/0.jpg"]}
    save_json(file.parent / "vis.json", {"videos": [video], "annotations": [], "categories": []})
    with pytest.raises(InputError, match="this one has the form of YouTube-VIS"):
        Videos([VideoSource(file.parent / "vis.json", instances="category")])
