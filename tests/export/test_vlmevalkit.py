"""VLMEvalKit TSV, read as its loader does: one row an example, lists as Python reads them."""

import ast
import base64
import csv
import io
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline import media
from sightline.dialects import get_dialect
from sightline.export.vlmevalkit import export_vlmevalkit
from sightline.taskset.store import TaskSet

QWEN3 = get_dialect("qwen3")


def table(path: Path) -> list[dict[str, str]]:
    csv.field_size_limit(sys.maxsize)
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


@pytest.mark.parametrize(("task", "count"), [("t1_multi", 2), ("t1_concat", 1), ("t2b", 2)])
def test_every_row_has_its_pictures_question_and_answer(tasksets: Path, tmp_path: Path, task: str, count: int) -> None:
    taskset = TaskSet(tasksets / f"{task}-train")
    export_vlmevalkit([taskset.path], tmp_path, dialect=QWEN3)
    rows = table(tmp_path / f"{task}-train.tsv")
    assert [row["index"] for row in rows] == [str(number) for number in range(len(taskset))]
    for row, example in zip(rows, taskset, strict=True):
        codes = ast.literal_eval(row["image"]) if row["image"].startswith("[") else [row["image"]]
        assert len(codes) == count
        for code, image in zip(codes, example.question.images, strict=True):
            rgb = np.asarray(Image.open(io.BytesIO(base64.b64decode(code))).convert("RGB"))
            assert media.pixel_digest(rgb) == image.digest
        assert (row["id"], row["category"], row["split"]) == (example.id, example.tier, "train")
        assert "\n" in row["question"] or count == 1  # line breaks survive quoting
        assert (row["answer"] == "NOT_VISIBLE") == (not example.truth.visible)


def test_with_a_root_pictures_are_named_by_path(tasksets: Path, tmp_path: Path) -> None:
    export_vlmevalkit([tasksets / "t2b-train"], tmp_path, dialect=QWEN3, media_root=tasksets.parent)
    row = table(tmp_path / "t2b-train.tsv")[0]
    assert "image" not in row
    assert all(Path(path).is_file() for path in ast.literal_eval(row["image_path"]))
