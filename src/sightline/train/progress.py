"""What is shown and written of each update: a progress bar for people, a line in the log where there is no terminal."""

import resource
import sys
import time
from collections.abc import Mapping
from typing import Any

import torch
from loguru import logger
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn


class Rates:
    """Units a second, and the share of the time that was spent waiting for batches, since the last reading."""

    def __init__(self) -> None:
        self._begin = self._idle_since = time.perf_counter()
        self._waited = 0.0
        self._units: dict[str, int] = {}

    def batch_came(self) -> None:
        """The next batch is there: what went by since the last update was waiting."""
        self._waited += time.perf_counter() - self._idle_since

    def update_done(self, counts: Mapping[str, int]) -> None:
        for kind, count in counts.items():
            self._units[kind] = self._units.get(kind, 0) + count

    def idle(self) -> None:
        """From here on nothing but waiting happens until `batch_came`."""
        self._idle_since = time.perf_counter()

    def read(self, num_processes: int) -> dict[str, float]:
        """`<kind>_per_s` over all processes, taken as alike, and `stall` (0..1); starts anew."""
        elapsed = max(time.perf_counter() - self._begin, 1e-9)
        rates = {f"{kind}_per_s": num_processes * count / elapsed for kind, count in self._units.items()}
        rates["stall"] = min(self._waited / elapsed, 1.0)
        self._begin, self._waited, self._units = time.perf_counter(), 0.0, {}
        return rates


def memory_gb() -> float:
    """The most memory used so far, in 10^9 bytes: of the GPU where there is one, else of this process."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 1e9
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 1e9


class Bar:
    """A bar on the terminal, or lines in the log where there is none.

    Args:
        console: where it is drawn; None: nowhere.
        first: updates that were made before.
    """

    def __init__(self, console: Console | None, *, first: int, max_steps: int) -> None:
        self.drawn = console is not None and console.is_terminal
        columns = (
            TextColumn("step"),
            MofNCompleteColumn(),
            BarColumn(bar_width=20),
            TimeRemainingColumn(),
            TextColumn("{task.fields[told]}"),
        )
        self.progress = Progress(*columns, console=console, disable=not self.drawn)
        self.task = self.progress.add_task("train", total=max_steps, completed=first, told="")
        self.max_steps = max_steps

    def __enter__(self) -> "Bar":
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def show(self, step: int, numbers: Mapping[str, float]) -> None:
        self.progress.update(self.task, completed=step, told=told(numbers))

    def say(self, step: int, numbers: Mapping[str, float]) -> None:
        """A line for the log; the terminal has it only where no bar is drawn."""
        logger.log("DEBUG" if self.drawn else "INFO", "step {}/{}: {}", step, self.max_steps, told(numbers))


def told(numbers: Mapping[str, float]) -> str:
    """The few numbers worth a place on one line: loss, what the evaluation gave, rates, memory."""
    names = [name for name in numbers if name in ("loss", "memory_gb") or _is_mean(name) or name.endswith("_per_s")]
    return "  ".join(f"{_label(name)} {numbers[name]:.4g}{' GB' if name == 'memory_gb' else ''}" for name in names)


def _is_mean(name: str) -> bool:
    """Whether it is an evaluation's own number; those of single task sets, "eval/TASKSET/METRIC", would fill the line."""
    return name.startswith("eval/") and name.count("/") == 1


def _label(name: str) -> str:
    labels: dict[str, Any] = {"memory_gb": "memory"}
    return labels.get(name, name.removeprefix("eval/").replace("_per_s", "/s"))
