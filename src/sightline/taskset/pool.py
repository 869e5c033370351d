"""Shards built by several processes at a time.

A module of its own because each worker imports it first: what only the whole build needs (Arrow above all) is not loaded there.
"""

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

from sightline.errors import InputError
from sightline.taskset.engine import Bounds
from sightline.taskset.shards import ShardBuilder, ShardDone, ShardJob
from sightline.worker_process import settle_worker


def run_shards(job: ShardJob, todo: Sequence[Bounds], workers: int | None) -> Iterator[ShardDone]:
    """Build shards, in this process if one worker is enough; they are given in the order in which they are finished.

    Raises:
        InputError: a worker died.
    """
    workers = workers or os.cpu_count() or 1
    if workers <= 1 or len(todo) <= 1:
        builder = ShardBuilder(job)
        yield from (builder.build(*bounds) for bounds in todo)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(todo)), context, initializer=_start_worker, initargs=(job,)) as pool:
        futures = [pool.submit(_build_in_worker, *bounds) for bounds in todo]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            raise InputError(
                "a build worker died (out of memory?). Nothing finished is lost: run the same command again, with fewer --workers."
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


_builder: ShardBuilder


def _start_worker(job: ShardJob) -> None:
    """Open the reader once a process."""
    global _builder  # noqa: PLW0603 - one builder a worker process, as the pool's initialiser must leave it somewhere
    settle_worker()
    _builder = ShardBuilder(job)


def _build_in_worker(shard: int, first: int, last: int) -> ShardDone:
    return _builder.build(shard, first, last)
