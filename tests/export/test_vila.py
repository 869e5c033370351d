"""RoboRefer / VILA JSON: no tokens, lists, and depth that pairs with the pictures."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline import media
from sightline.dialects import get_dialect
from sightline.export.vila import disparity_picture, export_vila
from sightline.tasks.crossview import CrossViewOptions
from sightline.taskset.build import BuildRequest, build
from sightline.taskset.store import TaskSet
from tests.x3_tree import HEIGHT, WIDTH, write_object

ROBOREFER = get_dialect("roborefer")


def test_rows_have_lists_of_pictures_and_no_tokens(tasksets: Path, tmp_path: Path) -> None:
    export_vila([tasksets / "t1_multi-train", tasksets / "t1_concat-train"], tmp_path, dialect=ROBOREFER)
    for name, count in (("t1_multi-train", 2), ("t1_concat-train", 1)):
        rows = json.loads((tmp_path / f"{name}.json").read_text())
        for row, example in zip(rows, TaskSet(tasksets / name), strict=True):
            assert len(row["image"]) == count
            assert "depth" not in row
            human, gpt = row["conversations"]
            assert "<" not in human["value"]
            # the second wording of t1_multi: picture, sentence, picture, question
            assert human["value"].startswith("image 1\nOne object") == (count == 2)
            assert ("somewhere else:\nimage 2\n" in human["value"]) == (count == 2)
            assert gpt["value"] == "NOT_VISIBLE" or gpt["value"].startswith("[(0.")
            assert (gpt["value"] == "NOT_VISIBLE") == (not example.truth.visible)


def test_depth_pairs_with_pictures_and_rows_without_it_are_left_out(tmp_path: Path) -> None:
    root = tmp_path / "data"
    folder = write_object(root, "train", "den", 1, [(2, 2, 8, 8), (4, 4, 10, 10), (5, 5, 11, 11)])
    depth = np.linspace(1000, 3000, HEIGHT * WIDTH).reshape(HEIGHT, WIDTH).astype(np.uint16)
    for stem in ("01_000010", "02_000020"):  # the third view has none
        Image.fromarray(depth).save(folder / f"{stem}_depth.png")
        Image.fromarray(depth).save(folder / f"{stem}_inpainted_depth.png")
    request = BuildRequest(reader="x3", root=str(root), splits=("train",), tasks=("t2b",), options=CrossViewOptions(pairs="all"))
    build(request, tmp_path / "tasks")
    exported = export_vila([tmp_path / "tasks" / "t2b-train"], tmp_path / "out", dialect=ROBOREFER, depth=True)
    assert exported.rows == {"t2b-train.json": 2}
    assert exported.left_out == {"no_depth": 1}
    assert "03_000030" in (tmp_path / "out" / "left_out.jsonl").read_text()
    for row in json.loads((tmp_path / "out" / "t2b-train.json").read_text()):
        assert len(row["depth"]) == len(row["image"]) == 2
        for name in row["depth"]:
            header = media.probe(tmp_path / "out" / "depth" / name)
            assert (header.mode, header.width, header.height) == ("RGB", WIDTH, HEIGHT)
            grey = media.read_rgb(tmp_path / "out" / "depth" / name)[:, :, 0]
            assert (grey[0, 0], grey[-1, -1]) == (255, 0)  # 1 m is the nearest, 3 m the farthest


def test_disparity_is_min_max_of_one_over_depth() -> None:
    picture = disparity_picture(np.array([[1.0, 2.0], [4.0, 0.0]]))
    assert picture is not None
    # 1/d: 1, 1/2, 1/4 -> (1 - 1/4) / (3/4) = 1 -> 255; (1/4) / (3/4) = 1/3 -> 85; 0; no depth -> 0
    assert picture[:, :, 0].tolist() == [[255, 85], [0, 0]]
    assert (picture == picture[:, :, :1]).all()


@pytest.mark.parametrize("depth", [np.zeros((2, 2)), np.full((2, 2), 1.5)])
def test_depth_of_fewer_than_two_values_has_no_min_max(depth: np.ndarray) -> None:
    assert disparity_picture(depth) is None
