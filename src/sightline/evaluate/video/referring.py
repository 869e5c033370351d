"""Referring J&F: one mask track for each expression of a clip (MeViS, Ref-YouTube-VOS, Ref-DAVIS17, ReVOS).

Sources: henghuiding/MeViS `tools/metrics.py`, bytedance/Sa2VA `tools/eval/eval_mevis.py`. An expression's J and F are means
over all frames of the clip, the first and last too, with both-empty frames counting 1. A set's are plain means over its
expressions. An expression may mean several objects; the truth is their union.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from sightline.errors import InputError
from sightline.evaluate.video.packed import PackedMask, pack_track, union_track
from sightline.evaluate.video.region_boundary import score_frames
from sightline.types import MaskRle

TrackMasks = Sequence[MaskRle | None]


@dataclass(frozen=True)
class ExpressionScore:
    """J and F, 0..1, of one expression: means over its `n` frames."""

    region: float
    boundary: float
    n: int

    @property
    def mean(self) -> float:
        """J&F."""
        return (self.region + self.boundary) / 2


@dataclass(frozen=True)
class ReferringScore:
    """J and F, 0..1, of a set: means over its `n` expressions; nan where there is none."""

    region: float
    boundary: float
    n: int

    @property
    def mean(self) -> float:
        """J&F."""
        return (self.region + self.boundary) / 2


def score_expression(
    truth: Sequence[TrackMasks], predicted: TrackMasks | None, *, num_frames: int, size: tuple[int, int]
) -> ExpressionScore:
    """J and F of one expression.

    Args:
        truth: the track of each object that is meant, over the clip's frames; none where nothing in the clip is meant.
        predicted: the answered track; None where no answer is there, which scores 0 as a missing folder does in the MeViS scorer.
        num_frames: of the clip, at least 1.
        size: height and width of the clip.

    Raises:
        InputError: a track of another length, a mask of another size, or a broken mask code.
    """
    true_masks = pack_truth(truth, num_frames=num_frames, size=size)
    if predicted is None:
        return ExpressionScore(region=0.0, boundary=0.0, n=num_frames)
    scores = score_frames(true_masks, pack_prediction(predicted, num_frames=num_frames, size=size))
    return ExpressionScore(region=float(np.mean(scores.region)), boundary=float(np.mean(scores.boundary)), n=num_frames)


def mean_over_expressions(scores: Sequence[ExpressionScore]) -> ReferringScore:
    """The set's score: every expression counts once, however long its clip."""
    if not scores:
        return ReferringScore(region=np.nan, boundary=np.nan, n=0)
    region, boundary = (float(np.mean([getattr(score, name) for score in scores])) for name in ("region", "boundary"))
    return ReferringScore(region=region, boundary=boundary, n=len(scores))


def mean_over_passes(passes: Mapping[str, Sequence[ExpressionScore]]) -> ReferringScore:
    """Ref-DAVIS17 by its own protocol: each annotator's wordings are one pass over the objects, and the passes are averaged.

    The same as the mean over all expressions where each object has one expression in every pass. `n` counts expressions.
    """
    rows = [mean_over_expressions(scores) for scores in passes.values()]
    if not rows:
        return mean_over_expressions(())
    return ReferringScore(
        region=float(np.mean([row.region for row in rows])),
        boundary=float(np.mean([row.boundary for row in rows])),
        n=sum(row.n for row in rows),
    )


def pack_truth(truth: Sequence[TrackMasks], *, num_frames: int, size: tuple[int, int]) -> list[PackedMask]:
    """The union of the objects' masks in each frame, to be used for several predictions.

    Raises:
        InputError: as `score_expression`.
    """
    for track in truth:
        _check_length(track, num_frames, "true mask track")
    return union_track(truth or [[None] * num_frames], *size, what="true mask track")


def pack_prediction(predicted: TrackMasks, *, num_frames: int, size: tuple[int, int]) -> list[PackedMask]:
    """The predicted masks, one a frame.

    Raises:
        InputError: as `score_expression`.
    """
    _check_length(predicted, num_frames, "predicted mask track")
    return pack_track(predicted, *size, what="predicted mask track")


def _check_length(track: TrackMasks, num_frames: int, what: str) -> None:
    if len(track) != num_frames or num_frames < 1:
        raise InputError(
            f"a {what} of {len(track)} frames for a clip of {num_frames}. Every frame of the clip counts (at least one): give one "
            "mask a frame, null where the object is not in it."
        )
