"""One example as a picture: its pictures in a row, the accepted mask outlined, the true point marked."""

from pathlib import Path

import cv2
import numpy as np
from jaxtyping import UInt8

from sightline import media
from sightline.files import write_whole
from sightline.tasks.pictures import side_by_side
from sightline.taskset.store import TaskSet
from sightline.types import Example, Points

TRUTH = (0, 158, 115)  # bluish green of the Okabe-Ito palette
RIM = (255, 255, 255)


def draw_example(taskset: TaskSet, example: Example, path: Path) -> None:
    """Write a PNG of the example to `path`."""
    pictures = [taskset.read_rgb(image).copy() for image in example.question.images]
    truth = example.truth
    if truth.mask is not None:
        panel = example.question.panels[truth.panel_index]
        canvas = pictures[panel.image_index]
        mask = taskset.read_mask(truth.mask)
        contours, _ = cv2.findContours(mask.astype(np.uint8), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE, offset=(panel.x, panel.y))
        cv2.drawContours(canvas, contours, -1, TRUTH, 2)
        for x, y in truth.answer.points if isinstance(truth.answer, Points) else ():
            cv2.circle(canvas, (int(x), int(y)), 7, RIM, -1)
            cv2.circle(canvas, (int(x), int(y)), 5, TRUTH, -1)
    row: UInt8[np.ndarray, "h w 3"] = pictures[0]
    for picture in pictures[1:]:
        row = side_by_side(row, picture)
    write_whole(path, media.encode_png(row))
