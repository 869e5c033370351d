"""A training of the tiny Sa2VA by two processes; one of them is killed where it is told.

    python -m tests.train.sa2va.two RANK:publish|losses:NUMBER [OVERRIDE]...

The process RANK dies before it publishes the checkpoint of step NUMBER, or while it computes its losses for the NUMBER-th time;
`none` kills nothing. Lightning starts the second process with the same command.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

import sightline  # noqa: F401 - before transformers
from sightline.demo.learning import Lesson
from sightline.train.checkpoints import Checkpoints
from sightline.train.config.compose import compose
from sightline.train.sa2va.module import Sa2VaTraining
from sightline.train.sa2va.run import train_sa2va
from tests.train.sa2va.small import composed

ROOT = Path(__file__).parents[3]
NONE = "none"


def main() -> None:
    torch.set_num_threads(1)
    if sys.argv[1] != NONE:
        rank, where, at = sys.argv[1].split(":")
        if int(os.environ.get("LOCAL_RANK", "0")) == int(rank):
            _kill(where, int(at))
    train_sa2va(compose("sa2va", sys.argv[2:], config_name="tiny"), quiet=True)


def by_two(root: Path, lesson: Lesson, *overrides: str, killed: str = NONE) -> tuple[int, str]:
    """Exit code and what was said."""
    given = composed(root, lesson, "data.batch_size=2", *overrides, "trainer.devices=2").overrides
    command = [sys.executable, "-m", "tests.train.sa2va.two", killed, *given]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr[-3000:]


def _kill(where: str, at: int) -> None:
    publish, losses = Checkpoints.publish, Sa2VaTraining.losses
    calls = iter(range(1, 1_000_000))

    def die() -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    def publish_or_die(self: Checkpoints, step: int, state: Any, **given: Any) -> Any:
        if step == at:
            die()
        return publish(self, step, state, **given)

    def losses_or_die(self: Sa2VaTraining, batch: Any, number: int) -> Any:
        if next(calls) == at:
            die()
        return losses(self, batch, number)

    if where == "publish":
        Checkpoints.publish = publish_or_die
    else:
        Sa2VaTraining.losses = losses_or_die


if __name__ == "__main__":
    main()
