"""Random clips of moving disks that come and go, and predictions that are a little off; always the same ones."""

from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

WIDTH, HEIGHT, FRAMES = 160, 90, 20
RADII = {1: 4, 2: 14, 5: 30}  # labels need not follow each other; MOSEv2's radius rule takes each of its branches
META: dict[str, Any] = {
    video: {"length": FRAMES, "height": HEIGHT, "width": WIDTH, "objects": {str(label): {} for label in RADII}}
    for video in ("calm", "late")
}


def write_clips(root: Path) -> None:
    """Write `gt/{video}/{frame}.png` and `pred/...`; in `late` object 1 is missing from the first frames."""
    rng = np.random.default_rng(5)
    for video in META:
        there = {label: rng.random(FRAMES) < 0.75 for label in RADII}
        if video == "late":
            there[1][:6] = False
        for frame in range(FRAMES):
            truth, predicted = np.zeros((HEIGHT, WIDTH), np.uint8), np.zeros((HEIGHT, WIDTH), np.uint8)
            for label, radius in RADII.items():
                x, y = int(rng.integers(10, WIDTH - 10)), int(rng.integers(10, HEIGHT - 10))
                dx, dy, grow = (int(rng.integers(-3, 4)) for _ in range(3))
                said = rng.random() < 0.85
                if there[label][frame]:
                    draw_disk(truth, label, x, y, radius)
                if said:
                    draw_disk(predicted, label, x + dx, y + dy, radius + grow)
            save_labels(root / "gt" / video / f"{frame:05d}.png", truth)
            save_labels(root / "pred" / video / f"{frame:05d}.png", predicted)


def draw_disk(labels: np.ndarray, label: int, x: int, y: int, radius: int) -> None:
    rows, columns = np.mgrid[: labels.shape[0], : labels.shape[1]]
    labels[(columns - x) ** 2 + (rows - y) ** 2 <= radius**2] = label


def save_labels(path: Path, labels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(labels)
    image.putpalette([value for index in range(256) for value in (index, 0, 255 - index)])
    image.save(path)
