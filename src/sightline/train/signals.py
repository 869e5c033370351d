"""Signals that ask a run to stop: the update that is being made is finished and saved, then the process exits with 0."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

WATCHED = (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)


class StopRequest:
    """The name of the signal that came, None as long as none did."""

    name: str | None = None


@contextmanager
def watched(request: StopRequest) -> Iterator[Callable[[], None]]:
    """Note the signals in `request` instead of dying of them. A second Ctrl-C stops at once. Only in the main thread.

    Yields what puts these handlers in place again, after somebody else (Lightning) put theirs.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: None
        return
    owner = os.getpid()

    def handle(number: int, frame: FrameType | None) -> None:  # noqa: ARG001 - the signature of handlers
        if os.getpid() != owner:  # a forked loader process, which has nothing to save
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        elif number == signal.SIGINT and request.name is not None:
            raise KeyboardInterrupt
        else:
            request.name = signal.Signals(number).name

    def arm() -> None:
        for number in WATCHED:
            signal.signal(number, handle)

    before = {number: signal.getsignal(number) for number in WATCHED}
    arm()
    try:
        yield arm
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
