"""A training of a tiny model by two processes that share its weights; it is killed while it saves the step it is told.

    python -m tests.train.vlm.dividing FOLDER MODEL TASKSET KILLED_AT [OVERRIDE]...

FOLDER as `small.trained` has it. KILLED_AT 0: not at all. The second process is started by Lightning with the same command.
"""

import os
import signal
import sys
from pathlib import Path

import torch

import sightline  # noqa: F401 - before transformers
from sightline.train import checkpoints
from tests.train.vlm.small import trained

TWO = ("trainer.devices=2", "trainer.strategy=fsdp2")


def main() -> None:
    torch.set_num_threads(1)
    folder, model, taskset = map(Path, sys.argv[1:4])
    killed_at = int(sys.argv[4])
    publish = checkpoints.Checkpoints.publish

    def killed(self, step, state, *, metrics=None):
        if step == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return publish(self, step, state, metrics=metrics)

    checkpoints.Checkpoints.publish = killed
    trained(folder, model, taskset, *TWO, *sys.argv[5:])


if __name__ == "__main__":
    main()
