"""A model that several processes ask, each with weights of its own.

    sightline eval tasks/spatial_qa-test --model hf:FOLDER --workers 4 --out runs

Questions are dealt out in the batches that one process would make, so that each is answered beside the same neighbours; the journal
puts the answers in order, and the run has the bytes that one process writes. With several GPUs the workers take them in turn. A
worker that dies ends the run with an error: what was answered is in files, and the same command asks the rest.
"""

import multiprocessing
import os
import signal
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing.sharedctypes import Synchronized
from pathlib import Path
from typing import Any

import msgspec

from sightline.dialects import Dialect
from sightline.errors import InputError
from sightline.evaluate.choosing import Chosen, choose
from sightline.models import Model, ModelOptions
from sightline.models.model import Replies, Reply, Streaming, replies_of
from sightline.models.options import split_name
from sightline.models.placement import gpu_of
from sightline.models.tracking.shown import clips_of
from sightline.taskset.store import TaskSet
from sightline.types import Question, Record
from sightline.worker_process import settle_worker

AHEAD = 2  # batches under way or ready for each worker
Batch = list[tuple[Question, Reply]]


class Job(Record):
    """What a worker opens when its first questions come."""

    spec: str
    options: ModelOptions
    taskset: str
    workers: int


def spread(chosen: Chosen, options: ModelOptions, workers: int) -> Chosen:
    """`chosen`, asked by so many processes; itself where that is one.

    Raises:
        InputError: a server, which answers many requests at once by itself, or a model that is spread over all GPUs.
    """
    if workers == 1:
        return chosen
    if "openai" in split_name(chosen.spec)[1].split(":", 2)[:2]:
        raise InputError(
            f"--workers {workers}: {chosen.spec!r} is a server, which is asked by one process, --concurrency requests at a time. "
            "Leave --workers out."
        )
    if options.device == "auto":
        raise InputError(f"--workers {workers}: --device auto spreads one model over all GPUs. Leave one of the two out.")
    return Chosen(
        chosen.name, chosen.spec, lambda taskset: Spread(chosen.answering(taskset), chosen.spec, options, workers=workers)
    )


class Spread:
    """`model` as `workers` processes have it, each of which opens `spec` anew; a `Streaming` model."""

    def __init__(self, model: Model, spec: str, options: ModelOptions, *, workers: int) -> None:
        self._model, self._spec, self._options, self._workers = model, spec, options, workers

    @property
    def name(self) -> str:
        return self._model.name

    @property
    def dialect(self) -> Dialect | None:
        return self._model.dialect

    @property
    def batch_size(self) -> int:
        return self._model.batch_size

    def describe(self) -> dict[str, Any]:
        """As the model's: how many processes ask it changes the speed alone."""
        return self._model.describe()

    def check(self, taskset: TaskSet) -> None:
        self._model.check(taskset)

    def answer(self, questions: Sequence[Question], taskset: TaskSet) -> Sequence[Reply]:
        """In this process: a batch is what one worker answers."""
        return self._model.answer(questions, taskset)

    def replies(self, questions: Iterable[Question], taskset: TaskSet) -> Replies:
        """Every question with its reply, a batch at a time, in the order in which they are ready.

        Raises:
            InputError: a worker died, or what the model raises.
        """
        job = Job(spec=self._spec, options=self._options, taskset=str(taskset.path), workers=self._workers)
        batches = self._batches(questions)
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(self._workers, context, initializer=_start, initargs=(job, context.Value("i", 0))) as pool:
            pending: set[Future[Batch]] = set()
            try:
                while True:
                    for batch in islice(batches, AHEAD * self._workers - len(pending)):
                        pending.add(pool.submit(_answer, batch))
                    if not pending:
                        return
                    done, pending = wait(pending, return_when=FIRST_COMPLETED)
                    yield from (each.result() for each in done if each.exception() is None)
                    for each in done:
                        each.result()
            except BrokenProcessPool as error:
                raise InputError(
                    f"one of {self._workers} processes that ask {self.name!r} died (out of memory?). What was answered is kept: "
                    "the same command goes on, also with other --workers."
                ) from error
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _batches(self, questions: Iterable[Question]) -> Iterator[list[Question]]:
        """What one process answers together: the questions about a clip where the model gives geometry of clips."""
        if self.dialect is None and isinstance(self._model, Streaming):
            yield from clips_of(questions, self.batch_size)
            return
        waiting = iter(questions)
        while batch := list(islice(waiting, self.batch_size)):
            yield batch


_job: Job
_number: int
_opened: tuple[Model, TaskSet] | None = None


def _start(job: Job, started: "Synchronized[int]") -> None:
    """Only notes what to open: what goes wrong in a pool's initialiser loses its message."""
    global _job, _number
    settle_worker()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent says that it was stopped
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, (os.cpu_count() or 1) // job.workers)))
    with started.get_lock():
        _job, _number = job, started.value
        started.value += 1


def _answer(batch: list[Question]) -> Batch:
    global _opened  # noqa: PLW0603 - weights are loaded once a process
    if _opened is None:
        taskset = TaskSet(Path(_job.taskset))
        options = _job.options
        if ":" in _job.spec and options.device in (None, "cuda"):
            options = msgspec.structs.replace(options, device=gpu_of(_number) or options.device)
        _opened = choose(_job.spec, options).answering(taskset), taskset
    model, taskset = _opened
    return [pair for some in replies_of(model, batch, taskset) for pair in some]
