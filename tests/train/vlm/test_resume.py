"""Exact resumption of a whole training: LoRA with dropout, accumulation and evaluation, killed anywhere and while saving."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the models extra")
for package in ("transformers", "hydra", "lightning", "peft"):
    pytest.importorskip(package, reason="needs the models and train extras")

from tests.train.vlm.small import exact_rows  # noqa: E402

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
@pytest.mark.parametrize("where", ["anywhere", "save"])
def test_a_training_that_is_killed_goes_on_with_the_losses_of_an_undisturbed_one(tmp_path, saved, rooms, where):
    command = [sys.executable, "-m", "tests.train.vlm.killing", tmp_path, saved("qwen3_vl"), rooms["t2a"].path, "6", "3", where]
    done = subprocess.run([str(each) for each in command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    codes = done.stdout.splitlines()
    assert codes[-1] == "0"
    assert codes.count("-9") >= 3
    undisturbed = exact_rows(tmp_path / "undisturbed/run")
    assert len(undisturbed) == 6
    assert exact_rows(tmp_path / "killed/run") == undisturbed
    assert (tmp_path / "killed/run/samples.jsonl").read_bytes() == (tmp_path / "undisturbed/run/samples.jsonl").read_bytes()
    assert not list((tmp_path / "killed/run/checkpoints").glob(".*"))
