"""A training of a tiny model by two processes that share its weights; it is killed while it saves the step it is told.

    python -m tests.train.vlm.dividing FOLDER MODEL TASKSET KILLED_AT [OVERRIDE]...

FOLDER as `small.trained` has it. KILLED_AT 0: not at all. The second process is started by Lightning with the same command.
"""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

import sightline  # noqa: F401 - before transformers
from sightline.train import checkpoints, zero
from tests.train.vlm.small import trained

ROOT = Path(__file__).parents[3]
TWO = ("trainer.devices=2", "trainer.strategy=fsdp2")


def main() -> None:
    torch.set_num_threads(1)
    zero.KEPT_WHOLE = 0  # every parameter of a tiny model is small
    folder, model, taskset = map(Path, sys.argv[1:4])
    killed_at = int(sys.argv[4])
    publish = checkpoints.Checkpoints.publish

    def killed(self, step, state, *, metrics=None):
        if step == killed_at:
            os.kill(os.getpid(), signal.SIGKILL)
        return publish(self, step, state, metrics=metrics)

    checkpoints.Checkpoints.publish = killed
    trained(folder, model, taskset, *TWO, *sys.argv[5:])


def by_two(folder: Path, model: Path, taskset: Path, *overrides: str, killed_at: int = 0) -> tuple[int, str]:
    """Exit code and what was said."""
    command = [sys.executable, "-m", "tests.train.vlm.dividing", folder, model, taskset, killed_at, *overrides]
    done = subprocess.run([str(each) for each in command], cwd=ROOT, capture_output=True, text=True, check=False)
    return done.returncode, done.stderr[-3000:]


def asked(taskset: Path) -> tuple[str, ...]:
    return (
        f"validation.tasksets=[{taskset}]",
        "validation.num_examples=3",
        "validation.max_new_tokens=4",
        "evaluation={every: 2, metric: joint_accuracy}",
    )


def weights(folder: Path) -> dict[str, Any]:
    import transformers  # noqa: PLC0415

    return transformers.AutoModelForImageTextToText.from_pretrained(folder, dtype=torch.float32).state_dict()


if __name__ == "__main__":
    main()
