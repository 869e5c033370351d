"""The result JSON of the x3 pipeline's evaluator.

    {"metrics": {"total": 3, "gt_not_visible": 1, "visible_gt": 2, "not_visible_accuracy": 1.0, "mean_l2_error": 0.05, ...,
                 "success_002": 0.0, ..., "hit_at_mask": 0.5, "hit_at_mask_count": 1, "hit_at_mask_total": 2},
     "results": [{"id": "T1_MULTI_...", "pred_text": "[(0.150, 0.200)]",
                  "pred_parsed": {"is_not_visible": false, "coord": [0.15, 0.2]},
                  "gt": {"text": "[(0.160, 0.210)]", "is_not_visible": false, "coord": [0.16, 0.21]},
                  "l2_error": 0.0141, "success_l2_010": true, "hit_mask": true}]}

A ratio that is 0/0 is null here; what the original writes there is not known.
"""

from pathlib import Path

import msgspec

from sightline.errors import InputError
from sightline.files import read_json

Coord = tuple[float, float]


class Parsed(msgspec.Struct, frozen=True):
    """What was read in an answer."""

    is_not_visible: bool
    coord: Coord | None = None


class GroundTruth(msgspec.Struct, frozen=True):
    """The truth's text and what it says."""

    text: str
    is_not_visible: bool
    coord: Coord | None = None


class Result(msgspec.Struct, frozen=True):
    """One answer. `l2_error` and `success_l2_010` only for a parsed point on a visible object, `hit_mask` if it also has a mask."""

    id: str
    pred_text: str | None
    pred_parsed: Parsed
    gt: GroundTruth
    l2_error: float | None
    success_l2_010: bool | None
    hit_mask: bool | None


class Metrics(msgspec.Struct, frozen=True):
    """Shares are 0..1. L2 is over parsed points, success over visible objects, hit over parsed points with a mask."""

    total: int
    gt_not_visible: int
    visible_gt: int
    not_visible_accuracy: float | None
    mean_l2_error: float | None
    std_l2_error: float | None
    median_l2_error: float | None
    success_002: float | None
    success_005: float | None
    success_010: float | None
    hit_at_mask: float | None
    hit_at_mask_count: int
    hit_at_mask_total: int


class Results(msgspec.Struct, frozen=True):
    """The whole file."""

    metrics: Metrics
    results: tuple[Result, ...]


class _AnswerOnly(msgspec.Struct, frozen=True):
    id: str
    pred_text: str | None = None


class _AnswersOnly(msgspec.Struct, frozen=True):
    results: tuple[_AnswerOnly, ...]


def read_texts(path: Path) -> dict[str, str]:
    """The answers of a result JSON by their ids; only `id` and `pred_text` of its results are used, no text is an empty one.

    Raises:
        InputError: wrong types in it, no results, or two results for one id.
    """
    texts: dict[str, str] = {}
    for answer in read_json(path, _AnswersOnly).results:
        if answer.id in texts:
            raise InputError(f"{path}: two results for {answer.id}. Keep one of them.")
        texts[answer.id] = answer.pred_text or ""
    if not texts:
        raise InputError(f"{path}: it has no results.")
    return texts
