"""`sightline train sam2` and `demo-clips`."""

import json
from pathlib import Path

import pytest

from sightline.cli import run


def test_demo_clips_says_where_they_are(tmp_path: Path, capsys):
    assert run(["demo-clips", "--out", str(tmp_path), "--train", "1", "--validation", "1", "--json"]) == 0
    written = json.loads(capsys.readouterr().out)
    assert written == {"train": str(tmp_path / "train.json"), "val": str(tmp_path / "val.json")}
    assert all(Path(path).is_file() for path in written.values())


def test_the_help_lists_the_configurations(capsys):
    assert run(["train", "sam2", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "dice_loss_only: The mask loss without the focal term." in shown
    assert "memory_reset:" in shown


def test_the_resolved_settings_are_shown_and_nothing_is_trained(tmp_path, capsys, monkeypatch):
    yaml = pytest.importorskip("yaml")
    pytest.importorskip("hydra", reason="needs the train extra")
    monkeypatch.chdir(tmp_path)
    assert run(["train", "sam2", "--config-name", "tiny", "--show-config", "data.train_path=x.json", "rates.lr=0.5"]) == 0
    shown = yaml.safe_load(capsys.readouterr().out)
    assert (shown["rates"]["lr"], shown["data"]["clips"]["image_size"], shown["model"]["fresh"]) == (0.5, 128, "tiny")
    assert not list(tmp_path.iterdir())


def test_an_unknown_key_is_named_with_the_nearest(capsys):
    pytest.importorskip("hydra", reason="needs the train extra")
    assert run(["train", "sam2", "data.train_path=x.json", "trainer.max_step=3"]) == 2
    assert "did you mean 'trainer.max_steps'?" in capsys.readouterr().err


def test_a_sweep_shows_each_combination_with_a_folder_of_its_own(tmp_path, capsys):
    pytest.importorskip("hydra", reason="needs the train extra")
    given = ["data.train_path=x.json", f"run.dir={tmp_path}", "rates.lr=1e-3,1e-4"]
    assert run(["train", "sam2", "--config-name", "tiny", "-m", "--show-config", *given]) == 0
    shown = capsys.readouterr().out
    assert f"# {tmp_path}/0_lr=0.001" in shown or f"# {tmp_path}/0_lr=1e-3" in shown
    assert shown.count("max_steps: 200") == 2
