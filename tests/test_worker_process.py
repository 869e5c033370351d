"""What worker processes do first."""

import ctypes
import os
import select
import subprocess
import sys
from pathlib import Path

import pytest

ALLOCATE = """
import resource, sys
import numpy as np
from sightline.worker_process import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
def fill():
    for _ in range(20):
        for array in [np.empty(4_000_000, np.uint8) for _ in range(10)]:
            array.fill(1)
fill()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
fill()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def page_faults(choice: str) -> int:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("MALLOC_")}
    said = subprocess.run([sys.executable, "-c", ALLOCATE, choice], capture_output=True, check=True, text=True, env=environment)
    return int(said.stdout)


@pytest.mark.skipif(not hasattr(ctypes.CDLL(None), "mallopt"), reason="of glibc alone")
def test_memory_of_a_picture_is_kept_for_the_next_one() -> None:
    assert page_faults("keep") < 100


ORPHAN = """
import multiprocessing, os, signal
from sightline.worker_process import settle_worker
def live():
    settle_worker()
    print(os.getpid(), flush=True)
    signal.pause()
if __name__ == "__main__":
    multiprocessing.get_context("spawn").Process(target=live).start()
"""


@pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="of Linux alone")
def test_a_worker_ends_with_its_killed_parent(tmp_path: Path) -> None:
    script = tmp_path / "orphan.py"
    script.write_text(ORPHAN)
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        worker = os.pidfd_open(int(parent.stdout.readline()))
        parent.kill()
        ended, _, _ = select.select([worker], [], [], 30)
    assert ended
    os.close(worker)
