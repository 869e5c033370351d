"""Kills real trainings of a tiny Sa2VA with SIGKILL, at a counted call of a function, and lets them go on.

    python -m tests.train.sa2va.killing FOLDER EXPRESSIONS KILLS SEED anywhere|save

The counterpart of `tests.train.vlm.killing`. Prints the exit code of each process.
"""

import os
import sys
from pathlib import Path

import numpy as np

import sightline  # noqa: F401 - before transformers

# isort: split
import torch

from sightline.demo.wording import prepare
from tests.train.killing import CallCounter, kill_at
from tests.train.sa2va.small import trained

HARD = (
    "model.parts.language_model.how=lora",
    "model.lora={rank: 4, alpha: 8.0, dropout: 0.2}",
    "losses.points=32",
    "mode.name=consistent",
    "trainer.accumulate=2",
)


def main() -> None:
    folder = Path(sys.argv[1])
    lesson = prepare(Path(sys.argv[2]), sizes=(3, 1))
    kills, seed, where = int(sys.argv[3]), int(sys.argv[4]), sys.argv[5]
    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    counter = CallCounter(where, lambda _: None)
    sys.setprofile(counter)
    trained(folder / "undisturbed", lesson, *HARD)
    sys.setprofile(None)
    for _ in range(kills):
        at = int(rng.integers(1, max(counter.count * 2 // 3, 2)))
        print(_forked(folder / "killed", lesson, (where, at)), flush=True)  # noqa: T201 - the test reads it
    print(_forked(folder / "killed", lesson, None), flush=True)  # noqa: T201 - the test reads it


def _forked(folder: Path, lesson, kill: tuple[str, int] | None) -> int:
    child = os.fork()
    if child == 0:
        if kill is not None:
            sys.setprofile(kill_at(*kill))
        begun = (folder / "run" / "run.json").is_file()
        trained(folder, lesson, *HARD, *(["resume=last"] if begun else []))
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


if __name__ == "__main__":
    main()
