"""Requests that wait are answered together: one thread owns the model and takes as many as there are, up to a limit.

A batch begins when the model is free. It waits for more only while others are just being read (`expecting`) or until as many are
there as there were the last time, whose callers usually come again; and never longer than `max_wait_s`. So a lone caller is not
held up at all, and callers in step stay in step. The queue is bounded: what does not fit is refused at once.
"""

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


class Full(Exception):  # noqa: N818 - a state of the queue
    """As many wait as may wait."""


class Closed(Exception):  # noqa: N818
    """The service stops; this was not answered."""


@dataclass(frozen=True)
class Answered(Generic[Answer]):
    """An answer, how many were asked in the same batch, and the seconds it waited and took."""

    value: Answer
    batch_size: int
    waited_s: float
    model_s: float


@dataclass
class Counts:
    """What happened so far. `num_dropped`: given up by their callers before their turn came."""

    num_answered: int = 0
    num_failed: int = 0
    num_dropped: int = 0
    num_batches: int = 0
    largest_batch: int = 0


@dataclass(frozen=True, eq=False)
class _Job(Generic[Asked, Answer]):
    asked: Asked
    future: Future[Answered[Answer]] = field(default_factory=Future)
    arrived: float = field(default_factory=time.monotonic)


@dataclass
class _Place:
    """One of those that are expected."""

    held: bool = True


class Batcher(Generic[Asked, Answer]):
    """`ask` is called in one thread with 1 to `max_batch` questions and gives an answer or an exception for each, in order."""

    def __init__(
        self, ask: Callable[[Sequence[Asked]], Sequence[Answer | Exception]], *, max_batch: int, max_wait_s: float, max_queue: int
    ) -> None:
        self._ask, self.max_batch, self._max_wait_s, self.max_queue = ask, max_batch, max_wait_s, max_queue
        self.counts = Counts()
        self._changed = threading.Condition()
        self._waiting: deque[_Job[Asked, Answer]] = deque()
        self._num_expected = 0
        self._num_usual = 1
        self._closed = False
        self._thread = threading.Thread(target=self._work, name="model", daemon=True)
        self._thread.start()

    @property
    def num_waiting(self) -> int:
        return len(self._waiting)

    @property
    def full(self) -> bool:
        """Whether another one would be refused now."""
        return sum(not job.future.cancelled() for job in tuple(self._waiting)) >= self.max_queue

    @contextmanager
    def expecting(self) -> Iterator[Callable[[Asked], Future[Answered[Answer]]]]:
        """Around the reading of a request. Gives the function that puts it into the queue, from which on it is no longer expected;
        the future that it returns can be cancelled when nobody waits for it any more.

        Raises:
            Full, Closed: it is not taken.
        """
        place = _Place()
        with self._changed:
            self._num_expected += 1

        def submit(asked: Asked) -> Future[Answered[Answer]]:
            job: _Job[Asked, Answer] = _Job(asked)
            with self._changed:
                if self._closed:
                    raise Closed
                self._forget_cancelled()
                if self.full:
                    raise Full
                self._waiting.append(job)
                self._leave(place)
            return job.future

        try:
            yield submit
        finally:
            with self._changed:
                self._leave(place)

    def close(self) -> None:
        """Refuse what waits. The batch that the model works on is not waited for."""
        with self._changed:
            self._closed = True
            left = list(self._waiting)
            self._waiting.clear()
            self._changed.notify()
        for job in left:
            if job.future.set_running_or_notify_cancel():
                job.future.set_exception(Closed())

    def _forget_cancelled(self) -> None:
        """Questions that were taken back hold no place in the queue."""
        kept = [job for job in self._waiting if not job.future.cancelled()]
        self._waiting.clear()
        self._waiting.extend(kept)

    def _leave(self, place: "_Place") -> None:
        if place.held:
            place.held = False
            self._num_expected -= 1
            self._changed.notify()

    def _work(self) -> None:
        while batch := self._next_batch():
            self._answer(batch)

    def _next_batch(self) -> list[_Job[Asked, Answer]]:
        """The jobs whose turn it is; none when the batcher is closed."""
        batch: list[_Job[Asked, Answer]] = []
        with self._changed:
            while not batch and not self._closed:
                self._changed.wait_for(lambda: self._waiting or self._closed)
                self._changed.wait_for(self._complete, timeout=self._max_wait_s)
                self._num_usual = min(len(self._waiting), self.max_batch)
                while self._waiting and len(batch) < self.max_batch:
                    job = self._waiting.popleft()
                    if job.future.set_running_or_notify_cancel():
                        batch.append(job)
                    else:
                        self.counts.num_dropped += 1
        return batch

    def _complete(self) -> bool:
        num_waiting = len(self._waiting)
        return self._closed or num_waiting >= self.max_batch or (self._num_expected == 0 and num_waiting >= self._num_usual)

    def _answer(self, batch: list[_Job[Asked, Answer]]) -> None:
        started = time.monotonic()
        try:
            answers = self._ask([job.asked for job in batch])
        except Exception as error:  # the thread must outlive whatever a model does; each caller is told
            answers = [error] * len(batch)
        model_s = time.monotonic() - started
        failed = sum(isinstance(answer, Exception) for answer in answers)
        self.counts.num_failed += failed
        self.counts.num_answered += len(batch) - failed
        self.counts.num_batches += 1
        self.counts.largest_batch = max(self.counts.largest_batch, len(batch))
        for job, answer in zip(batch, answers, strict=True):
            if isinstance(answer, Exception):
                job.future.set_exception(answer)
            else:
                job.future.set_result(Answered(answer, len(batch), started - job.arrived, model_s))
