"""Kills real trainings of a tiny model with SIGKILL, at a counted call of a function, and lets them go on.

    python -m tests.train.vlm.killing FOLDER MODEL TASKSET KILLS SEED anywhere|save

The counterpart of `tests.train.killing`, which does the same to the engine alone. Prints the exit code of each process.
"""

import os
import sys
from pathlib import Path

import numpy as np
import torch

import sightline  # noqa: F401 - before transformers
from tests.train.killing import CallCounter, kill_at
from tests.train.vlm.small import trained

LORA = ("model.parts.vision.how=frozen", "model.parts.language_model.how=lora")
HARD = ("model.lora.dropout=0.2", *LORA, "trainer.max_steps=6", "checkpoints.every=1", "trainer.accumulate=2")


def main() -> None:
    folder, model, taskset = map(Path, sys.argv[1:4])
    kills, seed, where = int(sys.argv[4]), int(sys.argv[5]), sys.argv[6]
    torch.set_num_threads(1)
    run = ("validation.num_examples=2", f"validation.tasksets=[{taskset}]", "evaluation.every=3", "validation.max_new_tokens=4")
    rng = np.random.default_rng(seed)
    counter = CallCounter(where, lambda _: None)
    sys.setprofile(counter)
    trained(folder / "undisturbed", model, taskset, *HARD, *run)
    sys.setprofile(None)
    for _ in range(kills):
        at = int(rng.integers(1, counter.count * 2 // 3))
        print(_forked(folder / "killed", model, taskset, run, (where, at)), flush=True)  # noqa: T201 - the test reads it
    print(_forked(folder / "killed", model, taskset, run, None), flush=True)  # noqa: T201


def _forked(folder: Path, model: Path, taskset: Path, run: tuple[str, ...], kill: tuple[str, int] | None) -> int:
    child = os.fork()
    if child == 0:
        if kill is not None:
            sys.setprofile(kill_at(*kill))
        begun = (folder / "run" / "run.json").is_file()
        trained(folder, model, taskset, *HARD, *run, *(["resume=last"] if begun else []))
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    main()
