"""Saved masks of two trackers on two small videos, with pictures."""

from pathlib import Path

import numpy as np
from PIL import Image

from sightline.evaluate.vos.protocols import Folders
from sightline.evaluate.vos.run import score_folder
from sightline.report.vos.page import TrackerRun

HEIGHT, WIDTH, FRAMES = 40, 60, 6


def _save(path: Path, labels: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(labels)
    image.putpalette([value for index in range(256) for value in (index, 0, 255 - index)])
    image.save(path)


def write_trackers(root: Path) -> Path:
    """Two videos of one object each; `good` is right but for frame 3 of "calm", `poor` lags behind by two columns a frame."""
    for video in ("calm", "fast"):
        for frame in range(FRAMES):
            truth, good, poor = (np.zeros((HEIGHT, WIDTH), np.uint8) for _ in range(3))
            left = 5 + 4 * frame
            truth[10:30, left : left + 20] = 1
            good[:] = truth
            if (video, frame) == ("calm", 3):
                good[:, :] = 0
            poor[10:30, left - 2 * frame // 2 : left + 20 - frame] = 1
            for name, labels in (("gt", truth), ("good", good), ("poor", poor)):
                _save(root / name / video / f"{frame:05d}.png", labels)
            picture = np.full((HEIGHT, WIDTH, 3), 40 * frame, np.uint8)
            (root / "images" / video).mkdir(parents=True, exist_ok=True)
            Image.fromarray(picture).save(root / "images" / video / f"{frame:05d}.jpg")
    return root


def scored_runs(root: Path, *names: str) -> list[TrackerRun]:
    folders = [Folders(predicted=root / name, truth=root / "gt") for name in names]
    return [TrackerRun(name, score_folder(each, "sav"), each) for name, each in zip(names, folders, strict=True)]
