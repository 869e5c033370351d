"""RoboRefer / VILA JSON: no tokens, lists, and depth that pairs with the pictures."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline import media, picture_header
from sightline.depth_codecs import CODECS, read_u8x3_minmax
from sightline.dialects import get_dialect
from sightline.errors import InputError
from sightline.export.vila import disparity_picture, export_vila
from sightline.tasks.crossview import CrossViewOptions
from sightline.taskset.build import BuildRequest, build
from sightline.taskset.depth import depth_picture
from sightline.taskset.store import TaskSet
from tests.depth_folder import ramp, write_depth_folder
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
            header = picture_header.probe(tmp_path / "out" / "depth" / name)
            assert (header.mode, header.width, header.height) == ("RGB", WIDTH, HEIGHT)
            grey = media.read_rgb(tmp_path / "out" / "depth" / name)[:, :, 0]
            assert (grey[0, 0], grey[-1, -1]) == (255, 0)  # 1 m is the nearest, 3 m the farthest


@pytest.mark.parametrize("codec", CODECS)
def test_depth_maps_of_a_network_pair_with_pictures_too(tasksets: Path, tmp_path: Path, codec: str) -> None:
    names = ("t1_multi-train", "t1_concat-train")
    needed = [
        depth_picture(example.question, index)
        for name in names
        for example in TaskSet(tasksets / name)
        for index in range(len(example.question.images))
    ]
    folder = write_depth_folder(tmp_path / "depth", needed, codec=codec)
    exported = export_vila([tasksets / name for name in names], tmp_path / "out", dialect=ROBOREFER, depth_from=folder)
    assert not exported.left_out
    for name, width in zip(names, (WIDTH, 2 * WIDTH), strict=True):
        rows = json.loads((tmp_path / "out" / f"{name}.json").read_text())
        assert len(rows) == len(TaskSet(tasksets / name)) > 0
        for row in rows:
            assert len(row["depth"]) == len(row["image"])
            for path in row["depth"]:
                picture = read_u8x3_minmax(tmp_path / "out" / "depth" / path)
                assert picture.shape == (HEIGHT, width, 3)
                assert (picture[0, 0, 0], picture[-1, -1, 0]) == ((255, 0) if CODECS[codec].metric else (0, 255))
    note = json.loads((tmp_path / "out" / "t1_multi-train.export.json").read_text())
    assert note["options"]["depth_from"]["codec"] == codec


def test_a_row_whose_pictures_do_not_all_have_a_map_is_left_out(tasksets: Path, tmp_path: Path) -> None:
    taskset = TaskSet(tasksets / "t2b-train")
    first = taskset[0].question
    folder = write_depth_folder(tmp_path / "depth", [depth_picture(first, index) for index in range(2)])
    exported = export_vila([taskset.path], tmp_path / "out", dialect=ROBOREFER, depth_from=folder)
    rows = json.loads((tmp_path / "out" / "t2b-train.json").read_text())
    assert first.id in [row["id"] for row in rows]
    assert exported.left_out == {"no_depth": len(taskset) - len(rows)}
    assert len(rows) < len(taskset)


def test_one_depth_in_metres_and_nothing_else_is_no_map_either(tasksets: Path, tmp_path: Path) -> None:
    taskset = TaskSet(tasksets / "t2b-train")
    images = [depth_picture(example.question, index) for example in taskset for index in range(2)]
    folder = write_depth_folder(
        tmp_path / "depth", images, codec="metric_f32", values=lambda image: np.where(ramp(image) < 2, ramp(image) * 0, 1.5)
    )
    exported = export_vila([taskset.path], tmp_path / "out", dialect=ROBOREFER, depth_from=folder)
    assert exported.left_out == {"no_depth": len(taskset)}


def test_both_kinds_of_depth_are_refused(tasksets: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="--depth is the data set's own depth, --depth-from a network's"):
        export_vila([tasksets / "t2b-train"], tmp_path, dialect=ROBOREFER, depth=True, depth_from=tmp_path)


def test_disparity_is_min_max_of_one_over_depth() -> None:
    picture = disparity_picture(np.array([[1.0, 2.0], [4.0, 0.0]]))
    assert picture is not None
    # 1/d: 1, 1/2, 1/4 -> (1 - 1/4) / (3/4) = 1 -> 255; (1/4) / (3/4) = 1/3 -> 85; 0; no depth -> 0
    assert picture[:, :, 0].tolist() == [[255, 85], [0, 0]]
    assert (picture == picture[:, :, :1]).all()


@pytest.mark.parametrize("depth", [np.zeros((2, 2)), np.full((2, 2), 1.5)])
def test_depth_of_fewer_than_two_values_has_no_min_max(depth: np.ndarray) -> None:
    assert disparity_picture(depth) is None
