"""Parquet that Hugging Face `datasets` loads: read back as it would be."""

import io
import json
from pathlib import Path

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from sightline import media
from sightline.dialects import get_dialect
from sightline.export.parquet import export_parquet
from sightline.geometry.masks import decode_mask
from sightline.taskset.store import TaskSet
from sightline.types import MaskRle, Truth

ROBOREFER = get_dialect("roborefer")


def test_every_column_comes_back(tasksets: Path, tmp_path: Path) -> None:
    taskset = TaskSet(tasksets / "t1_multi-train")
    exported = export_parquet([taskset.path], tmp_path, dialect=ROBOREFER)
    table = pq.read_table(tmp_path / "t1_multi-train.parquet")
    assert exported.rows == {"t1_multi-train.parquet": len(taskset)}
    for row, example in zip(table.to_pylist(), taskset, strict=True):
        assert (row["id"], row["tier"], row["group"], row["split"]) == (example.id, example.tier, example.group, "train")
        assert msgspec.json.decode(row["target"], type=Truth) == example.truth
        assert row["prompt"].count("<image>") == len(row["images"]) == 2
        assert row["answer"] == "NOT_VISIBLE" or row["answer"].startswith("[(0.")
        for picture, image in zip(row["images"], example.question.images, strict=True):
            rgb = np.asarray(Image.open(io.BytesIO(picture["bytes"])).convert("RGB"))
            assert media.pixel_digest(rgb) == image.digest
            assert picture["path"] == f"{image.digest}.png"
        masks = {name: decode_mask(msgspec.convert(rle, MaskRle)) for name, rle in json.loads(row["masks"]).items()}
        assert set(masks) == {name for name in (example.truth.mask, example.truth.mask_dilated) if name}
        for name, mask in masks.items():
            assert np.array_equal(mask, taskset.read_mask(name))


def test_the_schema_names_the_task_set_and_how_datasets_reads_it(tasksets: Path, tmp_path: Path) -> None:
    export_parquet([tasksets / "t2b-train"], tmp_path, dialect=ROBOREFER)
    metadata = pq.read_schema(tmp_path / "t2b-train.parquet").metadata
    origin = json.loads(metadata[b"sightline"])
    assert origin["taskset_fingerprint"] == TaskSet(tasksets / "t2b-train").manifest.fingerprint
    assert origin["dialect"] == "roborefer"
    features = json.loads(metadata[b"huggingface"])["info"]["features"]
    assert list(features) == pq.read_schema(tmp_path / "t2b-train.parquet").names
    assert features["images"]["feature"] == {"_type": "Image"}


def test_it_is_loaded_by_datasets(tasksets: Path, tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="Hugging Face datasets is not installed")
    export_parquet([tasksets / "t2b-train"], tmp_path, dialect=ROBOREFER)
    files = {"train": str(tmp_path / "t2b-train.parquet")}
    rows = datasets.load_dataset("parquet", data_files=files, cache_dir=str(tmp_path / "cache"))["train"]
    example = TaskSet(tasksets / "t2b-train")[0]
    assert rows[0]["id"] == example.id
    assert [media.pixel_digest(np.asarray(picture.convert("RGB"))) for picture in rows[0]["images"]] == [
        image.digest for image in example.question.images
    ]
