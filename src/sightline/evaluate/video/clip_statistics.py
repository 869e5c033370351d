"""Mean, recall and decay of one object's J or F over a clip, and the table of a set of objects (DAVIS).

Source: davisvideochallenge/davis2017-evaluation, `davis2017/utils.py` (`db_statistics`). Recall is the share of frames above 0.5.
Decay is the mean of the first quarter less that of the last; quarters share their border frames.

The official scorer keeps the quarters' borders in 8 bits: from 256 scored frames on (numpy 2) its last quarter wraps around and is
empty (decay nan) or another part of the clip. `official_overflow` does the same, to compare with published figures.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from sightline.evaluate.video.packed import PackedMask
from sightline.evaluate.video.region_boundary import FrameScores, score_frames

RECALL_ABOVE = 0.5
QUARTERS = 4


@dataclass(frozen=True)
class Statistics:
    """Of the `n` scored frames of one object: mean and recall 0..1, decay -1..1. All nan where n is 0."""

    mean: float
    recall: float
    decay: float
    n: int


@dataclass(frozen=True)
class ObjectStatistics:
    """J and F of one object over a clip."""

    region: Statistics
    boundary: Statistics

    @property
    def mean(self) -> float:
        """J&F."""
        return (self.region.mean + self.boundary.mean) / 2


@dataclass(frozen=True)
class SetStatistics:
    """Means over all `n` objects of all clips, each object counting once however long its clip is; nan where n is 0."""

    region_mean: float
    region_recall: float
    region_decay: float
    boundary_mean: float
    boundary_recall: float
    boundary_decay: float
    n: int

    @property
    def mean(self) -> float:
        """J&F."""
        return (self.region_mean + self.boundary_mean) / 2


def statistics(per_frame: Float[np.ndarray, " frames"], *, official_overflow: bool = False) -> Statistics:
    """Mean, recall and decay of one object's values, frames in order of time."""
    if per_frame.size == 0:
        return Statistics(mean=np.nan, recall=np.nan, decay=np.nan, n=0)
    edges = (np.round(np.linspace(1, len(per_frame), QUARTERS + 1) + 1e-10) - 1).astype(np.int64)
    starts, stops = edges[:-1], edges[1:] + 1
    if official_overflow:
        starts, stops = starts % 256, (edges[1:] % 256 + 1) % 256
    quarters = [per_frame[start:stop] for start, stop in zip(starts, stops, strict=True)]
    decay = _mean(quarters[0]) - _mean(quarters[-1])
    return Statistics(
        mean=float(np.mean(per_frame)), recall=float(np.mean(per_frame > RECALL_ABOVE)), decay=decay, n=len(per_frame)
    )


def object_statistics(scores: FrameScores, *, official_overflow: bool = False) -> ObjectStatistics:
    """Mean, recall and decay of J and of F."""
    return ObjectStatistics(
        region=statistics(scores.region, official_overflow=official_overflow),
        boundary=statistics(scores.boundary, official_overflow=official_overflow),
    )


def score_davis_object(
    truth: Sequence[PackedMask], predicted: Sequence[PackedMask], *, official_overflow: bool = False
) -> ObjectStatistics:
    """One object of a clip by the semi-supervised protocol: the first frame (where it was given) and the last are left out."""
    return object_statistics(score_frames(truth[1:-1], predicted[1:-1]), official_overflow=official_overflow)


def set_statistics(objects: Sequence[ObjectStatistics]) -> SetStatistics:
    """The table's row of a set of objects, those of all clips together. As in the official table one nan makes its column nan."""
    return SetStatistics(
        region_mean=_mean(np.array([each.region.mean for each in objects])),
        region_recall=_mean(np.array([each.region.recall for each in objects])),
        region_decay=_mean(np.array([each.region.decay for each in objects])),
        boundary_mean=_mean(np.array([each.boundary.mean for each in objects])),
        boundary_recall=_mean(np.array([each.boundary.recall for each in objects])),
        boundary_decay=_mean(np.array([each.boundary.decay for each in objects])),
        n=len(objects),
    )


def _mean(values: Float[np.ndarray, " n"]) -> float:
    return float(np.mean(values)) if values.size else np.nan
