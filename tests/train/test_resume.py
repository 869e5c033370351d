"""Exact resumption: processes are killed anywhere, and the losses are those of a run that nobody disturbed, bit for bit."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("hydra", reason="needs the train extra")

from sightline.train.checkpoints import Checkpoints
from sightline.train.metrics import read_metrics

ROOT = Path(__file__).parents[2]
EXACT = ("step", "loss", "loss/square", "loss/size", "grad_norm", "lr", "eval/error")


@pytest.mark.slow
@pytest.mark.parametrize("where", ["anywhere", "save"])
def test_runs_that_are_killed_at_any_moment_have_the_losses_of_an_undisturbed_one(tmp_path, where):
    command = [sys.executable, "-m", "tests.train.killing", str(tmp_path), "25", "1", where]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    lines = [line.split() for line in done.stdout.splitlines()]
    killed = [line for line in lines if line[0] == "killed"]
    assert [line[1] for line in killed] == ["-9"] * 25
    assert lines[-1] == ["end", "0"]
    if where == "save":
        assert any(line[-1] != "0" for line in killed), "some were killed while a checkpoint was half-written"
    undisturbed = rows(tmp_path / "counted")
    assert [row[0] for row in undisturbed] == list(range(1, 13))
    runs = sorted(tmp_path.glob("killed-*"))
    assert runs
    for run in runs:
        assert rows(run) == undisturbed
        assert weights(run) == weights(tmp_path / "counted")
        assert not list((run / "checkpoints").glob(".*"))


def rows(run: Path) -> list[tuple[float | None, ...]]:
    return [tuple(row.get(name) for name in EXACT) for row in read_metrics(run / "metrics.csv")]


def weights(run: Path) -> dict[str, list]:
    newest = Checkpoints(run / "checkpoints").newest()
    assert newest is not None
    return {name: value.tolist() for name, value in newest.load()["model"].items()}
