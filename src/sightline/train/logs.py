"""What a run says: `train.log` in its folder, and short lines on the terminal of the first process.

Lightning's own talk is not shown; its warnings go to the log.
"""

import logging
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from loguru import logger
from rich.console import Console

FILE_FORMAT = "{time:YYYY-MM-DD HH:mm:ss.SSS} | {level: <7} | {extra[rank]} | {message}"
LINE_FORMAT = "{time:HH:mm:ss} {message}"
_default_sink = [0]  # Loguru's own; put back after a run, under a new number
TALKATIVE = ("lightning.pytorch", "lightning.fabric", "lightning", "pytorch_lightning")


@contextmanager
def run_log(folder: Path, *, rank: int, console: Console | None) -> Iterator[None]:
    """Send what is logged with Loguru to `train.log` (`train.rank1.log`, ... for further processes) and to the console."""
    name = "train.log" if rank == 0 else f"train.rank{rank}.log"
    logger.configure(extra={"rank": rank})
    had_default = _remove_default()
    sinks = [logger.add(folder / name, format=FILE_FORMAT, level="DEBUG", diagnose=False, backtrace=False)]
    if console is not None:
        sinks.append(logger.add(_lines(console), format=LINE_FORMAT, level="INFO", diagnose=False, backtrace=False))
    with _quiet_lightning():
        try:
            yield
        finally:
            for sink in sinks:
                logger.remove(sink)
            if had_default:
                _default_sink[0] = logger.add(sys.stderr)


class _ToLoguru(logging.Handler):
    """Python's log records as Loguru's."""

    def emit(self, record: logging.LogRecord) -> None:
        logger.log(record.levelname if record.levelname in ("WARNING", "ERROR", "CRITICAL") else "DEBUG", record.getMessage())


def _lines(console: Console) -> Callable[[str], None]:
    """Lines that rich prints above its progress bar."""
    return lambda message: console.print(message, end="", markup=False, highlight=False, soft_wrap=True)


def _remove_default() -> bool:
    """Take Loguru's own sink to the terminal away; whether there was one."""
    try:
        logger.remove(_default_sink[0])
    except ValueError:  # somebody removed it before
        return False
    return True


@contextmanager
def _quiet_lightning() -> Iterator[None]:
    handler = _ToLoguru(level=logging.WARNING)
    before = []
    for name in TALKATIVE:
        each = logging.getLogger(name)
        before.append((each, each.handlers, each.level, each.propagate))
        each.handlers, each.propagate = [handler], False
        each.setLevel(logging.WARNING)
    try:
        yield
    finally:
        for each, handlers, level, propagate in before:
            each.handlers, each.propagate = handlers, propagate
            each.setLevel(level)
