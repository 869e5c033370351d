"""`sightline train sam2` and `demo-clips`."""

import importlib.util
import json
import signal
import sys
from pathlib import Path

import pytest

from sightline.cli import run
from sightline.cli.sweep import waited


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
    assert f"# {tmp_path}/0_lr-1e-3" in shown
    assert shown.count("max_steps: 150") == 2


@pytest.mark.parametrize("family", ["sam2", "vlm"])
def test_without_hydra_it_says_what_to_install(family, capsys, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "hydra" else find(name, *more))
    assert run(["train", family]) == 2
    assert "train needs hydra, not installed here. Run: pip install 'sightline[models,train]'." in capsys.readouterr().err


def test_without_torch_the_settings_are_shown_and_training_says_what_to_install(tmp_path, capsys, monkeypatch):
    pytest.importorskip("hydra", reason="needs the train extra")
    find = importlib.util.find_spec
    gone = ("torch", "lightning")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name in gone else find(name, *more))
    given = ["train", "sam2", "--config-name", "tiny", "data.train_path=x.json", f"run.dir={tmp_path / 'run'}"]
    assert run([*given, "--show-config"]) == 0
    assert run(given) == 2
    missing = [name for name in ("torch", "transformers", "lightning") if name in gone or find(name) is None]
    assert f"train needs {' and '.join(missing)}, not installed here" in capsys.readouterr().err


def test_ctrl_c_waits_for_the_run_that_saves_itself(tmp_path):
    saved = tmp_path / "saved"
    script = f"import os, pathlib, signal; os.kill(os.getppid(), signal.SIGINT); pathlib.Path({str(saved)!r}).touch(); exit(3)"
    assert waited([sys.executable, "-c", script]) == (3, signal.SIGINT)
    assert saved.exists()
    assert waited([sys.executable, "-c", ""]) == (0, None)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGUSR1])
def test_the_signals_of_a_batch_system_reach_the_run(number):
    lines = (
        "import os, signal, sys",
        f"signal.signal({number:d}, lambda *_: sys.exit(5))",  # as a run does that saves itself
        f"os.kill(os.getppid(), {number:d})",
        "signal.sigtimedwait([], 60)",
    )
    before = signal.getsignal(number)
    assert waited([sys.executable, "-c", "\n".join(lines)]) == (5, number)
    assert signal.getsignal(number) is before


def test_the_help_lists_the_configurations_of_vlms(capsys):
    assert run(["train", "vlm", "--help"]) == 0
    shown = capsys.readouterr().out
    for name in ("config:", "lora:", "curriculum:", "demo:"):
        assert name in shown


def test_runs_of_a_sweep_stand_beside_each_other(tmp_path):
    from sightline.train.comparison import compare_runs, comparison_csv  # noqa: PLC0415

    for name, loss in (("0_lr=1", 0.5), ("1_lr=2", 0.25)):
        folder = tmp_path / name / "checkpoints"
        folder.mkdir(parents=True)
        (folder.parent / "metrics.csv").write_text(f"step,loss\n1,3.0\n8,{loss}\n")
    pointer = {"checkpoint": "step-00000008", "metric": "hit_exact", "value": 0.75}
    (tmp_path / "1_lr=2/checkpoints/best.json").write_text(json.dumps(pointer))
    folders = [tmp_path / name for name in ("0_lr=1", "1_lr=2", "2_lr=3")]
    lines = compare_runs(folders, [folder.name for folder in folders])
    assert [(line.step, line.loss, line.metric, line.best, line.best_step) for line in lines] == [
        (8, 0.5, None, None, None),
        (8, 0.25, "hit_exact", 0.75, 8),
    ]
    assert comparison_csv(lines).decode().splitlines()[2].startswith("1_lr=2,8,0.25,hit_exact,0.75,8,")


def test_the_end_of_a_run_is_told_with_the_means_and_a_row_for_each_task_set(tmp_path, capsys):
    from types import SimpleNamespace  # noqa: PLC0415

    from sightline.cli.train import _print_end  # noqa: PLC0415

    metrics = {
        "hit_exact": 0.25,
        "l2_norm_mean": 0.125,
        "x3/t2b/hit_exact": 0.5,
        "rooms/hit_exact": 0.0,
        "rooms/l2_norm_mean": 0.125,
    }
    outcome = SimpleNamespace(reason="all steps", step=9)
    _print_end(SimpleNamespace(metrics=metrics, outcome=outcome, weights=None, run=tmp_path))  # pyright: ignore[reportArgumentType]
    first, *table, run, look = capsys.readouterr().out.splitlines()
    assert first == "all steps after step 9: hit_exact 25.0 %, l2_norm_mean 0.125"
    rows = [line.split("│")[1:-1] for line in table if line.startswith("│")]
    assert [[cell.strip() for cell in row] for row in rows] == [["x3/t2b", "50.0 %", "–"], ["rooms", "0.0 %", "0.125"]]
    assert run == f"run: {tmp_path}"
    assert look == f"to look at it: sightline report {tmp_path} --out {tmp_path}/report"
