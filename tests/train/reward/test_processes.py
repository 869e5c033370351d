"""Two processes ask the same questions, draw the same answers and make the same updates as one."""

import subprocess
import sys

import pytest

pytest.importorskip("torch", reason="needs the models extra")
for package in ("transformers", "hydra", "lightning"):
    pytest.importorskip(package, reason="needs the models and train extras")

from sightline.train.metrics import read_metrics  # noqa: E402
from tests.train.reward.small import overrides  # noqa: E402


@pytest.mark.slow
def test_two_processes_train_as_one_does(tmp_path, start):
    found = []
    for devices in (1, 2):
        run = tmp_path / f"by-{devices}"
        given = overrides(start.model, [start.train], run, f"trainer.devices={devices}", "trainer.max_steps=3")
        command = [sys.executable, "-m", "sightline", "train", "reward", "--config-name", "demo", *given]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        found.append(read_metrics(run / "metrics.csv"))
    assert [row["step"] for row in found[1]] == [1, 2, 3]
    for one, two in zip(*found, strict=True):
        for name in ("reward", "reward of hit", "reward of format", "groups without spread", "answer tokens"):
            assert two[name] == pytest.approx(one[name]), name
        assert two["grad_norm"] == pytest.approx(one["grad_norm"], rel=1e-3)
        assert two["entropy"] == pytest.approx(one["entropy"], rel=1e-4)
    assert found[0][0]["grad_norm"] > 0
