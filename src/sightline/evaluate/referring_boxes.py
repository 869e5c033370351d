"""Scores of boxes for referring expressions in pictures: one box, or any number of them, none included.

Boxes are (x0, y0, x1, y1) in pixels with exclusive ends. A box without area, with reversed ends or with a number that is not finite
is no box: it overlaps nothing.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sightline.evaluate.assignment import best_matching
from sightline.geometry.boxes import Box, box_area, box_centre, pairwise_iou

THRESHOLDS = (0.1, 0.3, 0.5, 0.7, 0.9)
MAIN_THRESHOLD = 0.5


@dataclass(frozen=True)
class BoxSetScore:
    """Of `n` expressions of one box each: Acc@t by threshold t and mean IoU, 0..1; nan where n is 0."""

    accuracy: dict[float, float]
    mean_iou: float
    n: int


@dataclass(frozen=True)
class Matched:
    """One expression of several boxes: matched pairs, predicted boxes without a partner, true boxes without one."""

    true_positives: int
    false_positives: int
    false_negatives: int

    @property
    def f1(self) -> float:
        """0..1; 1 where there is no box on either side."""
        asked = 2 * self.true_positives + self.false_positives + self.false_negatives
        return 2 * self.true_positives / asked if asked else 1.0


@dataclass(frozen=True)
class MatchedSetScore:
    """Of `n` expressions: mean F1, share of those with F1 = 1, and of the `n_no_target` without a true box the share that got none.

    nan where the denominator is 0.
    """

    f1: float
    perfect: float
    no_target_accuracy: float
    n: int
    n_no_target: int


def score_box(truth: Box, predicted: Box | None) -> float:
    """Intersection over union, 0..1; 0 where nothing, or no box, was predicted."""
    if predicted is None or not _is_box(predicted):
        return 0.0
    return float(pairwise_iou(np.array([truth], dtype=np.float64), np.array([predicted], dtype=np.float64))[0, 0])


def score_boxes(truths: Sequence[Box], predicted: Sequence[Box | None], *, thresholds: Sequence[float] = THRESHOLDS) -> BoxSetScore:
    """Acc@t = share with IoU >= t (InternVL `evaluate_grounding.py`, VLMEvalKit `refcoco.py`), over every expression that asks."""
    ious = np.array([score_box(*pair) for pair in zip(truths, predicted, strict=True)], dtype=np.float64)
    if ious.size == 0:
        return BoxSetScore(accuracy=dict.fromkeys(thresholds, np.nan), mean_iou=np.nan, n=0)
    accuracy = {threshold: float(np.mean(ious >= threshold)) for threshold in thresholds}
    return BoxSetScore(accuracy=accuracy, mean_iou=float(np.mean(ious)), n=len(ious))


def centre_hit(truth: Box, predicted: Box | None, *, missing_at_origin: bool = False) -> bool:
    """Center_ACC: whether the predicted box's centre lies in the true one, edges included (lmms-eval `tasks/refcoco/utils_rec.py`).

    `missing_at_origin`: as in that scorer, nothing predicted is a box at (0, 0), so that it hits a true box that touches the
    picture's corner. Otherwise it is a miss, as is a box with reversed ends.
    """
    if predicted is None and missing_at_origin:
        predicted = (0.0, 0.0, 0.0, 0.0)
    elif predicted is None or not _is_box(predicted):
        return False
    x, y = box_centre(predicted)
    return truth[0] <= x <= truth[2] and truth[1] <= y <= truth[3]


def match_boxes(truth: Sequence[Box], predicted: Sequence[Box], *, threshold: float = MAIN_THRESHOLD) -> Matched:
    """One-to-one matching of the largest total IoU; a pair counts where its IoU is at least `threshold`.

    Pairs below it gain nothing, so that they do not keep better ones apart.
    """
    boxes = [box for box in predicted if _is_box(box)]
    hits = 0
    if truth and boxes:
        ious = pairwise_iou(np.array(truth, dtype=np.float64), np.array(boxes, dtype=np.float64))
        gains = np.where(ious >= threshold, ious, 0.0)
        hits = sum(bool(ious[pair] >= threshold) for pair in best_matching(gains))
    return Matched(true_positives=hits, false_positives=len(predicted) - hits, false_negatives=len(truth) - hits)


def box_set_iou(truth: Sequence[Box], predicted: Sequence[Box]) -> float:
    """The overlap of two sets of boxes, 0..1: IoU summed over the best one-to-one matching / the number of boxes of the larger set.

    Of one box on either side it is their IoU. 0 where one set, or both, is empty.
    """
    if not truth or not predicted:
        return 0.0
    if len(truth) == len(predicted) == 1:
        return score_box(truth[0], predicted[0])
    boxes = [box if _is_box(box) else (0.0, 0.0, 0.0, 0.0) for box in predicted]
    ious = pairwise_iou(np.array(truth, dtype=np.float64), np.array(boxes, dtype=np.float64))
    return sum(float(ious[pair]) for pair in best_matching(ious)) / max(len(truth), len(predicted))


def score_matched(matched: Sequence[Matched]) -> MatchedSetScore:
    """Every expression counts once, however many boxes it has."""
    absent = [each for each in matched if each.true_positives + each.false_negatives == 0]
    return MatchedSetScore(
        f1=_mean([each.f1 for each in matched]),
        perfect=_mean([each.f1 == 1 for each in matched]),
        no_target_accuracy=_mean([each.false_positives == 0 for each in absent]),
        n=len(matched),
        n_no_target=len(absent),
    )


def _is_box(box: Box) -> bool:
    return all(map(math.isfinite, box)) and box_area(box) > 0


def _mean(values: Sequence[float] | Sequence[bool]) -> float:
    return float(np.mean(values)) if values else np.nan
