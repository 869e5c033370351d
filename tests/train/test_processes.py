"""Several processes train what one trains."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

import sightline  # noqa: F401 - mends torchvision before lightning looks at it

pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("lightning", reason="needs the train extra")

from sightline.train.metrics import read_metrics
from sightline.train.settings import (
    CheckpointSettings,
    EngineSettings,
    EvaluationSettings,
    ScheduleSettings,
    TrainerSettings,
)
from tests.train.line import Line, run_line

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_two_processes_train_what_one_does_and_go_on_together(tmp_path):
    one = EngineSettings(
        trainer=TrainerSettings(max_steps=6, log_every=1, accelerator="cpu", accumulate=2),
        schedule=ScheduleSettings(shape="constant"),  # so that the first part's rates do not depend on where it ends
        evaluation=EvaluationSettings(every=3, metric="error", mode="min"),
        checkpoints=CheckpointSettings(every=2),
    )
    run_line(tmp_path / "one", one, line=Line(dropout=0.0))
    for max_steps in (3, 6):  # a first part, and the rest after resuming
        two = replace(one, trainer=replace(one.trainer, devices=2, strategy="ddp", max_steps=max_steps))
        command = [sys.executable, "-m", "tests.train.line", str(tmp_path / "two"), msgspec.json.encode(two).decode()]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-3000:]
        assert done.stdout.split()[:2] == [str(max_steps), "all"]
    one_rows, two_rows = (read_metrics(tmp_path / name / "metrics.csv") for name in ("one", "two"))
    assert [row["step"] for row in two_rows] == [1, 2, 3, 4, 5, 6]
    for name in ("loss", "loss/square", "loss/size", "grad_norm", "eval/error"):
        assert [row.get(name, 0.0) for row in two_rows] == pytest.approx([row.get(name, 0.0) for row in one_rows], rel=1e-4)
    assert (tmp_path / "two/train.rank1.log").exists()
    assert sorted(path.name for path in (tmp_path / "two/checkpoints").glob("step-*")) == ["step-00000004", "step-00000006"]
