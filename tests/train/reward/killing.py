"""Kills real trainings by rewards with SIGKILL, at a counted call of a function, and lets them go on.

    python -m tests.train.reward.killing FOLDER MODEL TRAIN VALIDATION KILLS SEED anywhere|save

As `tests.train.vlm.killing`. Prints the exit code of each process.
"""

import os
import sys
from pathlib import Path

import numpy as np
import torch

import sightline  # noqa: F401 - before transformers
from tests.train.killing import CallCounter, kill_at
from tests.train.reward.small import trained

LORA = ("model.parts.vision.how=frozen", "model.parts.language_model.how=lora", "model.lora.dropout=0.2")
HARD = (*LORA, "loss.inner_epochs=2", "loss.beta=0.1", "trainer.accumulate=2", "trainer.max_steps=6", "evaluation.every=3")


def main() -> None:
    folder, model, train, validation = map(Path, sys.argv[1:5])
    kills, seed, where = int(sys.argv[5]), int(sys.argv[6]), sys.argv[7]
    torch.set_num_threads(1)
    held = (f"validation.tasksets=[{validation}]", "validation.num_examples=4")
    rng = np.random.default_rng(seed)
    counter = CallCounter(where, lambda _: None)
    sys.setprofile(counter)
    trained(model, [train], folder / "undisturbed", *HARD, *held)
    sys.setprofile(None)
    for _ in range(kills):
        at = int(rng.integers(1, counter.count * 2 // 3))
        print(_forked(folder / "killed", model, train, held, (where, at)), flush=True)  # noqa: T201 - the test reads it
    print(_forked(folder / "killed", model, train, held, None), flush=True)  # noqa: T201


def _forked(run: Path, model: Path, train: Path, held: tuple[str, ...], kill: tuple[str, int] | None) -> int:
    child = os.fork()
    if child == 0:
        if kill is not None:
            sys.setprofile(kill_at(*kill))
        begun = (run / "run.json").is_file()
        trained(model, [train], run, *HARD, *held, *(["resume=last"] if begun else []))
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    main()
