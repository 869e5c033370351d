"""Batches loaded ahead come in order, also where OpenCV has worked with threads before."""

import subprocess
import sys

import pytest

pytest.importorskip("torch", reason="needs the models extra")

BLURRED = """
import cv2, numpy as np
from torch.utils.data import Dataset
from sightline.train.loaders import loaded_ahead

class Squares(Dataset):
    def __getitem__(self, number):
        return number * number, cv2.getNumThreads()

cv2.setNumThreads(4)
cv2.GaussianBlur(np.zeros((2000, 2000, 3), np.uint8), (31, 31), 0)  # starts the threads
print([tuple(each) for each in loaded_ahead(Squares(), range(3, 6), num_workers=WORKERS)], cv2.getNumThreads())
"""


@pytest.mark.parametrize(("num_workers", "threads"), [(0, 4), (2, 1)])
def test_batches_come_in_order_and_opencvs_threads_are_left_alone(num_workers, threads):
    script = BLURRED.replace("WORKERS", str(num_workers))
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.strip() == f"{[(9, threads), (16, threads), (25, threads)]} 4"
