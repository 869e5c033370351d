"""The commands of docs/train-sam2.md in processes of their own: killed and gone on with, swept and compared."""

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import sightline  # noqa: F401 - mends torchvision before transformers and lightning look at it

for package in ("torch", "transformers", "hydra", "lightning"):
    pytest.importorskip(package, reason="needs the models and train extras")

from sightline.cli import run  # noqa: E402
from sightline.train.sam2.run import train_sam2  # noqa: E402
from tests.train.sam2.small import OVERRIDES, composed  # noqa: E402
from tests.train.sam2.test_run import losses_of  # noqa: E402
from tests.train.sam2.trees import write_json  # noqa: E402

pytestmark = pytest.mark.slow
STEPS = 8
MIXED = ("prompts.kind=mixed", "prompts.num_clicks=1", f"trainer.max_steps={STEPS}", "checkpoints.every=2", "preflight=false")


def start(overrides: Sequence[str]) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "sightline", "train", "sam2", "--config-name", "tiny", *overrides]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def kill_after(process: subprocess.Popen[str], num_steps: int) -> int:
    """SIGKILL once the process has told of so many steps: somewhere in what follows, whatever that is. Its exit code."""
    with process:
        assert process.stderr is not None
        for line in process.stderr:
            num_steps -= f"/{STEPS}: loss" in line
            if num_steps == 0:
                process.send_signal(signal.SIGKILL)
                break
        process.stderr.read()
        return process.wait()


def test_a_training_that_is_killed_again_and_again_has_the_losses_of_an_undisturbed_one(tmp_path):
    whole, part = tmp_path / "whole", tmp_path / "part"
    train_sam2(composed(whole, *MIXED), quiet=True)
    values = {each.partition("=")[0]: each for each in (*OVERRIDES, *MIXED)}
    given = [*values.values(), f"data.train_path={write_json(part)}", f"run.dir={part / 'run'}"]
    rng = np.random.default_rng()
    moments = [int(rng.integers(1, 4)) for _ in range(2)]
    for number, moment in enumerate(moments):
        process = start([*given, *(["resume=last"] if number else [])])
        assert kill_after(process, moment) == -signal.SIGKILL, moments
        assert not list((part / "run").glob("weights/step-*")), moments
    with start([*given, "resume=last"]) as last:
        _, said = last.communicate()
    assert last.returncode == 0, said[-3000:]
    assert losses_of(part / "run") == losses_of(whole / "run"), moments
    assert not list((part / "run/checkpoints").glob(".*"))


def test_a_memory_study_is_swept_and_compared_by_two_commands(tmp_path, capfd):
    path = write_json(tmp_path)
    values = {each.partition("=")[0]: each for each in (*OVERRIDES, "trainer.max_steps=1", "evaluation.every=1", "preflight=false")}
    study = tmp_path / "study=a"  # a sign that means something in overrides
    data = [f"data.train_path={path}", f"data.val_path={path}", f"run.dir='{study}'"]
    sweep = ["train", "sam2", "--config-name", "tiny", "-m", "model.num_maskmem=1,99,7", *values.values(), *data]
    assert run(sweep) == 2
    shown = capfd.readouterr()
    assert "model.num_maskmem 99: the checkpoint has learnt 7 places in time" in shown.err
    assert "1 of 3 runs failed: " in shown.err
    assert "1_num_maskmem-99. What they said stands above." in shown.err
    with (study / "comparison.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [(line["run"], line["step"], line["metric"]) for line in lines] == [
        ("0_num_maskmem-1", "1", "J&F"),
        ("2_num_maskmem-7", "1", "J&F"),
    ]
    assert all(0 <= float(line["best"]) <= 1 and float(line["loss"]) > 0 for line in lines)
    compared = [f"data.val_path={path}", f"model.checkpoint_path={study}", f"output_dir={tmp_path / 'compared'}"]
    assert run(["eval", "sam2", *compared, "baselines=[copy-first-mask,flow-warp]", "device=cpu", "--json"]) == 0
    told = json.loads(capfd.readouterr().out)
    assert list(told["models"]) == ["0_num_maskmem-1", "2_num_maskmem-7", "flow-warp", "copy-first-mask"]
    page = Path(told["comparison"]).read_text()
    assert page.count('<section id="sequence-') == 2
    assert "J&amp;F of each sequence" in page
