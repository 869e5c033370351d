"""Batches by their numbers, loaded ahead by processes; the same for every training."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import cv2
import torch
from torch.utils.data import DataLoader, Dataset


def loaded_ahead(batches: "Dataset[Any]", numbers: Sequence[int], *, num_workers: int) -> Iterator[Any]:
    """`batches[number]` of each number, in order; `num_workers` processes load ahead, 0: none.

    Raises:
        what `batches` raises, from a process, too.
    """
    loader = DataLoader(
        batches,
        sampler=numbers,
        batch_size=None,
        num_workers=num_workers,
        worker_init_fn=_start_worker if num_workers else None,
    )
    with _without_threads():
        loaded = iter(loader)  # starts the processes
    yield from loaded


@contextmanager
def _without_threads() -> Iterator[None]:
    """OpenCV without threads of its own: a process that is forked off has none of them, and would wait for them for ever."""
    before = cv2.getNumThreads()
    cv2.setNumThreads(1)
    try:
        yield
    finally:
        cv2.setNumThreads(before)


def _start_worker(number: int) -> None:  # noqa: ARG001 - torch's signature
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
