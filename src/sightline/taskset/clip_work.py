"""One function over the clips of a split, by several processes, its results in the order of the clips.

Each process opens the reader once. Only a few chunks are under way at a time, so memory does not grow with the data set.
"""

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any, TypeVar

from sightline.datasets import ClipReader, clip_format
from sightline.errors import InputError
from sightline.types import Clip, LedgerEntry, Record
from sightline.worker_process import keep_freed_memory, settle_worker

AHEAD = 4  # chunks under way for each process
T = TypeVar("T")
Work = Callable[[Clip, Path], T]
"""What is done with a clip and the root of its paths: a function of a module, or a `functools.partial` of one."""


class ClipSource(Record):
    """Clips of a data set: a clip reader's name, the root and the split."""

    reader: str
    root: str
    split: str

    def open(self) -> ClipReader:
        """The reader.

        Raises:
            FileNotFoundError, InputError: no such reader, root or split.
        """
        return clip_format(self.reader)(Path(self.root), self.split)


def chunks_of(count: int, size: int) -> list[range]:
    """The numbers below `count` in runs of `size`."""
    return [range(first, min(first + size, count)) for first in range(0, count, size)]


def over_clips(
    source: ClipSource, work: Work[T], chunks: Sequence[range], *, workers: int | None
) -> Iterator[tuple[range, list[T]]]:
    """The results for the clips of each chunk, chunks in the order given; `workers` None: as many as there are processors.

    A clip whose annotation cannot be read comes to `work` without frames, and with the reason `clip_unreadable` in its problems.

    Raises:
        FileNotFoundError, InputError: the data set cannot be opened, `work` raises it, or a process died.
    """
    workers = min(workers or os.cpu_count() or 1, len(chunks))
    if workers <= 1:
        keep_freed_memory()
        worker = _Worker(source, work)
        yield from ((chunk, worker.run(chunk)) for chunk in chunks)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, context, initializer=_start, initargs=(source, work)) as pool:
        try:
            yield from _in_order(pool, chunks, ahead=AHEAD * workers)
        except BrokenProcessPool as error:
            raise InputError("a worker process died (out of memory?). Run the same command again, with fewer --workers.") from error
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _in_order(pool: ProcessPoolExecutor, chunks: Sequence[range], *, ahead: int) -> Iterator[tuple[range, list[Any]]]:
    waiting: deque[tuple[range, Future[list[Any]]]] = deque()
    for chunk in chunks:
        waiting.append((chunk, pool.submit(_run, chunk)))
        if len(waiting) >= ahead:
            done, future = waiting.popleft()
            yield done, future.result()
    for done, future in waiting:
        yield done, future.result()


class _Worker:
    def __init__(self, source: ClipSource, work: Work[Any]) -> None:
        self._reader = source.open()
        self._ids = self._reader.clip_ids()
        self._work = work

    def run(self, chunk: range) -> list[Any]:
        return [self._work(self._read(index), self._reader.root) for index in chunk]

    def _read(self, index: int) -> Clip:
        try:
            return self._reader[index]
        except InputError as error:
            name = self._ids[index]
            entry = LedgerEntry(unit=name, reason="clip_unreadable", detail=str(error))
            return Clip(clip_id=name, split=self._reader.split, frames=(), problems=(entry,))


_worker: _Worker


def _start(source: ClipSource, work: Work[Any]) -> None:
    """Open the reader once a process."""
    global _worker  # noqa: PLW0603 - one a process, as the pool's initialiser must leave it somewhere
    settle_worker()
    _worker = _Worker(source, work)


def _run(chunk: range) -> list[Any]:
    return _worker.run(chunk)
