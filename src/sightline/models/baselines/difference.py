"""The pixel-difference baseline: it points at the largest region where two plain pictures differ.

For the difference task this is nearly an oracle as long as nothing but the object was changed, which is why it stands in every
table. For the other tasks it compares the reference view with the asked one (resized to its size) and knows nothing of the mark.
"""

import cv2
import numpy as np
from jaxtyping import Bool, UInt8

from sightline.models.baselines.baseline import asked_panel, deepest_pixel
from sightline.models.baselines.forms import region_answer
from sightline.taskset.store import TaskSet
from sightline.types import Answer, NotVisible, Panel, Question

MIN_DIFFERENCE = (
    16  # of 255, in the channel that differs most: above JPEG noise at usual qualities (some 10), below any visible edit
)
MIN_PIXELS = 4  # a smaller region is noise
SETTINGS: dict[str, int | float] = {"min_difference": MIN_DIFFERENCE, "min_pixels": MIN_PIXELS}


def difference(question: Question, taskset: TaskSet) -> Answer:
    """The largest connected region that differs, or its deepest pixel; not visible where nothing does."""
    panel = asked_panel(question)
    after = taskset.read_rgb(panel.source)
    before = taskset.read_rgb(_other_panel(question, panel).source)
    if before.shape != after.shape:
        before = cv2.resize(before, (after.shape[1], after.shape[0]), interpolation=cv2.INTER_AREA)
    region = largest_region(differing_pixels(before, after), min_pixels=MIN_PIXELS)
    if region is None:
        return NotVisible()
    row, column, _ = deepest_pixel(region)
    return region_answer(question, panel, region, pixel=(row, column))


def require_second_view(question: Question) -> str | None:
    """What a comparison of two views lacks to answer this question; None if it can."""
    if any(panel.role in ("reference", "before") for panel in question.panels):
        return None
    return "it shows no second view to compare with"


def differing_pixels(before: UInt8[np.ndarray, "h w 3"], after: UInt8[np.ndarray, "h w 3"]) -> Bool[np.ndarray, "h w"]:
    """Pixels of which some channel differs by at least `MIN_DIFFERENCE`."""
    return cv2.absdiff(before, after).max(axis=2) >= MIN_DIFFERENCE


def largest_region(mask: Bool[np.ndarray, "h w"], *, min_pixels: int) -> Bool[np.ndarray, "h w"] | None:
    """The largest 8-connected region of the mask, or None if it has fewer than `min_pixels` pixels."""
    num_labels, labels, statistics, _ = cv2.connectedComponentsWithStats(mask.astype(np.uint8), connectivity=8)
    if num_labels == 1:
        return None
    areas = statistics[1:, cv2.CC_STAT_AREA]
    largest = int(areas.argmax())
    return labels == largest + 1 if areas[largest] >= min_pixels else None


def _other_panel(question: Question, asked: Panel) -> Panel:
    return next(panel for panel in question.panels if panel.role in ("reference", "before") and panel is not asked)
