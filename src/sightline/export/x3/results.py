"""The result JSON of the x3 pipeline's evaluator.

    {"metrics": {"total": 3, "gt_not_visible": 1, "visible_gt": 2, "not_visible_accuracy": 1.0, "mean_l2_error": 0.05, ...,
                 "success_002": 0.0, ..., "hit_at_mask": 0.5, "hit_at_mask_count": 1, "hit_at_mask_total": 2},
     "results": [{"id": "T1_MULTI_...", "pred_text": "[(0.150, 0.200)]",
                  "pred_parsed": {"is_not_visible": false, "coord": [0.15, 0.2]},
                  "gt": {"text": "[(0.160, 0.210)]", "is_not_visible": false, "coord": [0.16, 0.21]},
                  "l2_error": 0.0141, "success_l2_010": true, "hit_mask": true}]}

A ratio that is 0/0 is null here; what the original writes there is not known.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from sightline.dialects import Dialect, get_dialect
from sightline.errors import InputError
from sightline.export.x3.prompts import DIALECT
from sightline.export.x3.rows import name_of_ours
from sightline.files import read_json
from sightline.taskset.store import TaskSet
from sightline.types import Question

NAMED = 3
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


class RecordedAnswers:
    """A model that answers what a result JSON says, so that old answers are read and scored like any other run's.

    Args:
        path: the file; only `id` and `pred_text` of its results are used. Ids may be theirs or ours.
        name: the name under which it stands in tables.

    Raises:
        FileNotFoundError: no such file.
        InputError: wrong types in it, no results, or two results for one id.
    """

    batch_size = 256

    def __init__(self, path: Path, name: str) -> None:
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such file. Give a result JSON of the x3 pipeline's evaluator.")
        self.path = path
        self.name = name
        self.texts: dict[str, str] = {}
        for answer in read_json(path, _AnswersOnly).results:
            if answer.id in self.texts:
                raise InputError(f"{path}: two results for {answer.id}. Keep one of them.")
            self.texts[answer.id] = answer.pred_text or ""
        if not self.texts:
            raise InputError(f"{path}: it has no results.")

    @property
    def dialect(self) -> Dialect:
        """The pipeline's models write as RoboRefer does."""
        return get_dialect(DIALECT)

    def describe(self) -> dict[str, Any]:
        return {"kind": "x3-results", "name": self.name, "answers": _digest(self.texts)}

    def check(self, taskset: TaskSet) -> None:
        """Raise InputError unless every example of the task set has a result; other results of the file are not asked for."""
        missing = [example_id for example_id in taskset.index["id"] if self._text(example_id) is None]
        if missing:
            raise InputError(
                f"{self.path}: {len(missing)} of the {len(taskset)} examples of {taskset.path} have no result in it "
                f"(first: {', '.join(missing[:NAMED])}). Give the task set of the file's own rows: `sightline import x3`."
            )

    def answer(self, questions: Sequence[Question], taskset: TaskSet) -> list[str]:
        """The recorded texts."""
        found = [self._text(question.id) for question in questions]
        assert None not in found, f"{taskset.path} was checked"
        return [text or "" for text in found]

    def _text(self, example_id: str) -> str | None:
        name = name_of_ours(example_id)
        theirs = self.texts.get(name.theirs) if name else None
        return self.texts.get(example_id) if theirs is None else theirs


def _digest(texts: dict[str, str]) -> str:
    return hashlib.sha256(msgspec.json.encode(sorted(texts.items()))).hexdigest()[:32]
