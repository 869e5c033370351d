"""Spans of time: intersection over union of half-open [start, end), in seconds or frames alike."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SpanEnds = tuple[float, float] | tuple[int, int]
THRESHOLDS = (0.3, 0.5, 0.7)


@dataclass(frozen=True)
class SpanSetScore:
    """Of `n` queries: mean tIoU, and by threshold the share with tIoU >= t; nan where n is 0."""

    mean_tiou: float
    recall: dict[float, float]
    n: int


def span_iou(truth: SpanEnds | None, predicted: SpanEnds | None) -> float:
    """tIoU, 0..1: common length / length of both together. None, or an end that is not after the start, is an empty span.

    Both empty 1, one empty 0, apart 0. Equal to TubeDETR's (antoyang/TubeDETR `datasets/vidstg_eval.py`), which knows no empty
    spans.
    """
    a, b = non_empty(truth), non_empty(predicted)
    if a is None or b is None:
        return float(a is b)
    common = max(min(a[1], b[1]) - max(a[0], b[0]), 0.0)
    return common / ((a[1] - a[0]) + (b[1] - b[0]) - common)


def non_empty(span: SpanEnds | None) -> SpanEnds | None:
    """The span, or None where its end is not after its start."""
    return span if span is not None and span[1] > span[0] else None


def score_spans(truths: Sequence[SpanEnds | None], predicted: Sequence[SpanEnds | None]) -> SpanSetScore:
    """Every query counts, answered (None: not) or not."""
    tious = np.array([span_iou(*pair) for pair in zip(truths, predicted, strict=True)], dtype=np.float64)
    if tious.size == 0:
        return SpanSetScore(mean_tiou=np.nan, recall=dict.fromkeys(THRESHOLDS, np.nan), n=0)
    recall = {threshold: float(np.mean(tious >= threshold)) for threshold in THRESHOLDS}
    return SpanSetScore(mean_tiou=float(np.mean(tious)), recall=recall, n=len(tious))
