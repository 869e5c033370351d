"""Two processes with workers have the losses and gradients that one has for the same steps."""

import subprocess
import sys

import pytest

pytest.importorskip("torch", reason="needs the models extra")
for package in ("transformers", "hydra", "lightning"):
    pytest.importorskip(package, reason="needs the models and train extras")

from sightline.train.metrics import read_metrics  # noqa: E402
from tests.train.vlm.small import SMALL  # noqa: E402


@pytest.mark.slow
def test_two_processes_train_as_one_does(tmp_path, saved, rooms):
    found = []
    for devices in (1, 2):
        run = tmp_path / f"by-{devices}"
        own = [f"model.path={saved('qwen3_vl')}", f"data.path={rooms['t2a'].path}", f"data.counts_dir={tmp_path / 'counts'}"]
        more = [f"run.dir={run}", f"trainer.devices={devices}", f"data.num_workers={devices - 1}", "trainer.max_steps=3"]
        small = [each for each in SMALL if not each.startswith(("data.num_workers", "trainer.max_steps"))]
        command = [sys.executable, "-m", "sightline", "train", "vlm", *small, *own, *more]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr[-2000:]
        assert done.stdout.count("run: ") == 1  # the first process alone says how it ended
        found.append(read_metrics(run / "metrics.csv"))
    assert [row["step"] for row in found[1]] == [1, 2, 3]
    for one, two in zip(*found, strict=True):
        assert two["loss"] == pytest.approx(one["loss"], rel=1e-5)
        assert two["grad_norm"] == pytest.approx(one["grad_norm"], rel=1e-4)
