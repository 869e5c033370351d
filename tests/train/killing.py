"""Kills real training processes with SIGKILL, at a counted call of a function: any moment of a run, without a clock.

    python -m tests.train.killing FOLDER KILLS SEED anywhere|save

Each process is forked from this one, which has loaded torch already, and goes on where the last one was killed; when a run gets
through, the next one starts. Prints the calls of an undisturbed run and one line for each kill: how many checkpoints there were,
and how many half-written ones.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from sightline.train.checkpoints import Checkpoints
from sightline.train.settings import CheckpointSettings, EngineSettings, EvaluationSettings, TrainerSettings
from tests.train.line import run_line

SETTINGS = EngineSettings(
    trainer=TrainerSettings(max_steps=12, log_every=1, accelerator="cpu"),
    evaluation=EvaluationSettings(every=5, metric="error", mode="min"),
    checkpoints=CheckpointSettings(every=2),
)


def main() -> None:
    folder, kills, seed, where = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
    torch.set_num_threads(1)
    rng = np.random.default_rng(seed)
    calls = _calls(folder / "counted", where)
    print("calls", calls, flush=True)  # noqa: T201 - the test reads it
    number = killed = 0
    while killed < kills:
        run = folder / f"killed-{number}"
        ended = _forked(run, where, int(rng.integers(1, calls // 2)))
        if ended == 0:  # it was through before its call came: the next one starts anew
            number += 1
            continue
        killed += 1
        checkpoints = Checkpoints(run / "checkpoints")
        steps = len(checkpoints.all())
        half = len(list(checkpoints.folder.glob(".step-*.partial"))) if checkpoints.folder.exists() else 0
        print("killed", ended, "saved", steps, "half", half, flush=True)  # noqa: T201 - the test reads it
    print("end", _forked(folder / f"killed-{number}", where, 0), flush=True)  # noqa: T201 - the test reads it


def _calls(folder: Path, where: str) -> int:
    counter = CallCounter(where, lambda _: None)
    sys.setprofile(counter)
    run_line(folder, SETTINGS, resume="last")
    sys.setprofile(None)
    return counter.count


def _forked(folder: Path, where: str, at: int) -> int:
    """Run on, and be killed at a call; the exit code, as a shell gives it."""
    child = os.fork()
    if child == 0:
        if at:
            sys.setprofile(kill_at(where, at))
        run_line(folder, SETTINGS, resume="last")
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def kill_at(where: str, at: int) -> "CallCounter":
    """A profiler that ends this process, without a chance to clean up, at call number `at`."""
    return CallCounter(where, lambda count: os.kill(os.getpid(), signal.SIGKILL) if count == at else None)


class CallCounter:
    """Counts calls, of everything or of what happens while a checkpoint is published."""

    def __init__(self, where: str, then: Callable[[int], None]) -> None:
        self.inside = self.always = where == "anywhere"
        self.count = 0
        self.then = then

    def __call__(self, frame, event: str, argument) -> None:  # noqa: ARG002 - the signature of profilers
        if not self.always and frame.f_code.co_name == "publish":
            self.inside = event == "call" or (self.inside and event != "return")
        if self.inside:
            self.count += 1
            self.then(self.count)


if __name__ == "__main__":
    main()
