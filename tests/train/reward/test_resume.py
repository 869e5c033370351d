"""Exact resumption of a training by rewards: LoRA with dropout, a reference, two updates a round; killed anywhere."""

import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the models extra")
for package in ("transformers", "hydra", "lightning", "peft"):
    pytest.importorskip(package, reason="needs the models and train extras")

from tests.train.reward.small import exact_rows  # noqa: E402

ROOT = Path(__file__).parents[3]


@pytest.mark.slow
@pytest.mark.parametrize("where", ["anywhere", "save"])
def test_a_training_that_is_killed_goes_on_with_the_losses_of_an_undisturbed_one(tmp_path, start, where):
    module = [sys.executable, "-m", "tests.train.reward.killing", tmp_path]
    done = subprocess.run(
        [str(each) for each in (*module, start.model, start.train, start.validation, 5, 3, where)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    codes = done.stdout.splitlines()
    assert codes[-1] == "0"
    assert codes.count("-9") >= 3
    undisturbed = exact_rows(tmp_path / "undisturbed")
    assert len(undisturbed) == 6
    assert len({row["reward"] for row in undisturbed}) > 1
    assert any(row["grad_norm"] > 0 for row in undisturbed)
    assert exact_rows(tmp_path / "killed") == undisturbed
    for name in ("samples.jsonl", "answers.jsonl"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "undisturbed" / name).read_bytes()
    assert not list((tmp_path / "killed/checkpoints").glob(".*"))
