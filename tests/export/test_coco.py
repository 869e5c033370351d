"""COCO JSON: read by pycocotools, its masks and boxes are those of the task set."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import mask as coco_masks
from pycocotools.coco import COCO

from sightline import media
from sightline.errors import InputError
from sightline.export.coco import export_coco
from sightline.tasks.crossview import CrossViewOptions
from sightline.taskset.build import BuildRequest, build
from sightline.taskset.store import TaskSet


@pytest.fixture(scope="module")
def targets(tree: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Box and mask targets of the training scenes."""
    out = tmp_path_factory.mktemp("targets")
    request = BuildRequest(
        reader="x3", root=str(tree), splits=("train",), tasks=("t2b_box", "t2b_mask"), options=CrossViewOptions(pairs="all")
    )
    build(request, out)
    return out


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # of pycocotools with numpy 2
@pytest.mark.parametrize("task", ["t2b_box", "t2b_mask"])
def test_pycocotools_reads_the_same_boxes_and_masks(targets: Path, tmp_path: Path, task: str) -> None:
    taskset = TaskSet(targets / f"{task}-train")
    exported = export_coco(taskset.path, tmp_path)
    coco: Any = COCO(tmp_path / f"{task}-train.json")
    by_example = {name: note for note in coco.anns.values() for name in note["example_ids"]}
    assert set(by_example) == set(taskset.index["id"])
    assert exported.rows == {f"{task}-train.json": len(coco.anns)}
    for example in taskset:
        note = by_example[example.id]
        mask = coco_masks.decode(note["segmentation"]).astype(bool)
        assert example.truth.mask is not None
        assert np.array_equal(mask, taskset.read_mask(example.truth.mask))
        x0, y0, x1, y1 = example.truth.box or (0, 0, 0, 0)
        assert note["bbox"] == [x0, y0, x1 - x0, y1 - y0]
        assert note["area"] == mask.sum() == coco_masks.area(note["segmentation"])
        assert coco.cats[note["category_id"]]["name"] == example.label
        image = coco.imgs[note["image_id"]]
        assert media.pixel_digest(media.read_rgb(tmp_path / image["file_name"])) == example.question.images[1].digest


def test_a_task_of_points_is_refused_with_the_choice(tasksets: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"asks for a point.*t2b_mask"):
        export_coco(tasksets / "t2b-train", tmp_path)
    assert not (tmp_path / "t2b-train.json").exists()


def test_the_file_carries_the_fingerprint(targets: Path, tmp_path: Path) -> None:
    export_coco(targets / "t2b_box-train", tmp_path, media_root=targets.parent.parent)
    written = json.loads((tmp_path / "t2b_box-train.json").read_text())
    assert written["info"]["version"] == TaskSet(targets / "t2b_box-train").manifest.fingerprint
    assert (targets.parent.parent / written["images"][0]["file_name"]).is_file()
