"""`sightline demo-geometry` leaves what the ablation of Spatial-MLLM starts from, and keeps it."""

import json

import pytest

import sightline  # noqa: F401 - mends torchvision before transformers looks at it
from sightline.cli import run


def test_it_leaves_task_sets_and_two_checkpoints_and_makes_nothing_twice(tmp_path, capsys):
    pytest.importorskip("torch", reason="needs the models extra")
    pytest.importorskip("transformers", reason="needs the models extra")
    given = [
        "demo-geometry",
        "--out",
        str(tmp_path),
        "--train",
        "2",
        "--validation",
        "1",
        "--steps",
        "1",
        "--workers",
        "1",
        "--json",
    ]
    assert run(given) == 0
    made = json.loads(capsys.readouterr().out)
    error = made.pop("depth_error_m")
    assert error > 0
    assert {name: path.removeprefix(f"{tmp_path}/") for name, path in made.items()} == {
        "train": "tasks/spatial_qa-train",
        "val": "tasks/spatial_qa-val",
        "model": "start",
        "fresh": "start-fresh",
    }
    weights = (tmp_path / "start" / "model.safetensors").stat().st_mtime_ns
    assert run(given) == 0
    assert json.loads(capsys.readouterr().out)["depth_error_m"] is None
    assert (tmp_path / "start" / "model.safetensors").stat().st_mtime_ns == weights
    assert run([*given[:-1], "--seed", "1"]) == 2
    assert "seed=1" in capsys.readouterr().err
