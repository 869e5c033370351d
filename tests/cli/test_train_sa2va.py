"""`sightline train sa2va` and `demo-expressions`."""

import json

import pytest

import sightline  # noqa: F401 - mends torchvision before transformers looks at it
from sightline.cli import run


def test_demo_expressions_leaves_what_the_training_needs_and_the_settings_can_be_shown(tmp_path, capsys):
    pytest.importorskip("torch", reason="needs the models extra")
    pytest.importorskip("transformers", reason="needs the models extra")
    yaml = pytest.importorskip("yaml")
    pytest.importorskip("hydra", reason="needs the train extra")
    given = ["--train", "2", "--validation", "1", "--workers", "1", "--json"]
    assert run(["demo-expressions", "--out", str(tmp_path), *given]) == 0
    written = json.loads(capsys.readouterr().out)
    assert {key: path.removeprefix(f"{tmp_path}/") for key, path in written.items()} == {
        "train": "tasks/refer_mask_track-train",
        "val": "tasks/refer_mask_track-valid_u",
        "model": "tiny",
        "sam2": "sam2",
    }
    weights = (tmp_path / "tiny" / "model.safetensors").stat().st_mtime_ns
    assert run(["demo-expressions", "--out", str(tmp_path), *given]) == 0
    assert (tmp_path / "tiny" / "model.safetensors").stat().st_mtime_ns == weights
    capsys.readouterr()
    places = [f"model.path={written['model']}", f"data.path={written['train']}"]
    assert run(["train", "sa2va", "--config-name", "tiny", "--show-config", *places, "mode.name=consistent"]) == 0
    shown = yaml.safe_load(capsys.readouterr().out)
    assert (shown["mode"]["name"], shown["data"]["expressions"], shown["model"]["embeddings"]) == ("consistent", 3, True)


def test_an_unknown_key_is_named_with_the_nearest(capsys):
    pytest.importorskip("hydra", reason="needs the train extra")
    assert run(["train", "sa2va", "model.path=x", "data.path=y", "data.num_frame=3"]) == 2
    assert "num_frames" in capsys.readouterr().err
