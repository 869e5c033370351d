"""The ledger of a training has each entry once, also where several processes write the same at one time."""

import multiprocessing
from pathlib import Path

from sightline.train.ledger import Ledger
from sightline.types import LedgerEntry

NUM_ENTRIES, NUM_PROCESSES = 200, 3


def _note_all(path: Path) -> None:
    ledger = Ledger(path)
    for number in range(NUM_ENTRIES):
        ledger.add(LedgerEntry(unit=f"batch {number}", reason="not_loaded", detail="gone.png"))


def test_processes_that_note_the_same_leave_it_once(tmp_path):
    path = tmp_path / "ledger.jsonl"
    with multiprocessing.get_context("spawn").Pool(NUM_PROCESSES) as pool:
        pool.map(_note_all, [path] * NUM_PROCESSES, chunksize=1)
    lines = path.read_bytes().splitlines()
    assert len(lines) == len(set(lines)) == NUM_ENTRIES
