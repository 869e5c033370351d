"""Two real processes give what one gives for the same clips."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import sightline  # noqa: F401 - mends torchvision before transformers and lightning look at it

torch = pytest.importorskip("torch", reason="needs the models extra")
for package in ("transformers", "hydra", "lightning"):
    pytest.importorskip(package, reason="needs the models and train extras")

from safetensors.torch import load_file  # noqa: E402

from sightline.train.sam2.building import build_model  # noqa: E402
from tests.train.sam2.small import composed, settings  # noqa: E402


def trained(root: Path, *overrides: str) -> dict[str, Any]:
    given = composed(root, *overrides).overrides
    command = [sys.executable, "-m", "sightline", "train", "sam2", "--config-name", "tiny", "--json", *given]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (weights,) = (root / "run/weights").iterdir()
    return load_file(weights / "sam2_video/model.safetensors")


@pytest.mark.slow
def test_two_processes_end_with_the_weights_of_one(tmp_path: Path):
    options = (
        "prompts.kind=mixed",
        "prompts.num_clicks=1",
        "data.clips.late_objects=1.0",
        "preflight=false",
        "trainer.max_steps=3",
        "adamw.epsilon=0.01",  # far above the rounding of gradients that are 0, which AdamW would blow up to whole steps
    )
    one = trained(tmp_path / "one", *options)
    two = trained(tmp_path / "two", *options, "trainer.devices=2")
    start = build_model(settings(tmp_path / "one", *options).model, seed=0).state_dict()
    moved = max(float((one[name] - start[name]).abs().max()) for name in one)
    apart = max(float((one[name] - two[name]).abs().max()) for name in one)
    assert moved > 1e-3  # it did learn
    assert apart < 1e-3 * moved
