"""Boxes over time: box IoU frame by frame, and vIoU of tubes (a span of time with a box in each of its frames).

Source of the tubes: VidSTG as scored by antoyang/TubeDETR `datasets/vidstg_eval.py`, at 5 frames a second and 200 frames at
most; frame numbers are those of the video. vIoU is the box IoU summed over the sampled frames in both spans, divided by the
number of sampled frames in either span. TubeDETR divides by those between the earlier start and the later end instead. That
comes to the same: the two differ only for spans that lie apart, which have no frame in common, so that vIoU is 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from sightline.errors import InputError
from sightline.evaluate.referring_boxes import score_box
from sightline.evaluate.video.spans import SpanEnds, non_empty, span_iou
from sightline.geometry.boxes import Box

THRESHOLDS = (0.3, 0.5)


@dataclass(frozen=True, eq=False)
class TrackOverlap:
    """Box IoU, 0..1, in each of the `n` labelled frames, 1 where the object is rightly absent.

    `mean` is over all of them, `mean_present` over the `n_present` in which there is a box on either side; nan where there are
    none.
    """

    per_frame: Float[np.ndarray, " n"]
    mean: float
    mean_present: float
    n: int
    n_present: int


@dataclass(frozen=True)
class Tube:
    """A span of frame numbers [start, end), None where nothing is meant or found, and boxes by frame number."""

    span: tuple[int, int] | None
    boxes: Mapping[int, Box] = field(default_factory=dict)


@dataclass(frozen=True)
class TubeScore:
    """Of one query, 0..1: overlap in time, in time and space, and in space alone (`gt_viou`: mean over the true frames)."""

    tiou: float
    viou: float
    gt_viou: float


@dataclass(frozen=True)
class TubeSetScore:
    """Means over `n` queries, and by threshold the share of queries ABOVE it (not at it); nan where n is 0."""

    mean_tiou: float
    mean_viou: float
    mean_gt_viou: float
    viou_above: dict[float, float]
    gt_viou_above: dict[float, float]
    n: int


def score_box_track(
    truth: Sequence[Box | None], predicted: Sequence[Box | None], *, labelled: Sequence[bool] | None = None
) -> TrackOverlap:
    """Box IoU frame by frame: both absent 1, one absent 0.

    `labelled`: which frames are annotated at all; the others do not count, since None there does not mean absent. Default: all.
    """
    frames = zip(truth, predicted, labelled or [True] * len(truth), strict=True)
    pairs = [(true, found) for true, found, counts in frames if counts]
    ious = [float(found is None) if true is None else score_box(true, found) for true, found in pairs]
    present = [iou for iou, (true, found) in zip(ious, pairs, strict=True) if not (true is None and found is None)]
    return TrackOverlap(
        per_frame=np.array(ious, dtype=np.float64),
        mean=_mean(ious),
        mean_present=_mean(present),
        n=len(ious),
        n_present=len(present),
    )


def score_tube(truth: Tube, predicted: Tube, *, sampled: Sequence[int]) -> TubeScore:
    """One query. `sampled`: the frame numbers that the score looks at; a frame without a predicted box overlaps by 0.

    0/0: vIoU is 1, as tIoU is, with nothing meant and nothing found, and 0 where the spans hold no sampled frame; `gt_viou` is
    0 where no sampled frame has a true box.
    """
    spans = [span for span in (non_empty(truth.span), non_empty(predicted.span)) if span is not None]
    num_union = sum(any(_within(frame, span) for span in spans) for frame in sampled)
    ious = {
        frame: score_box(truth.boxes[frame], predicted.boxes.get(frame))
        for frame in sampled
        if frame in truth.boxes and _within(frame, truth.span)
    }
    common = sum(iou for frame, iou in ious.items() if _within(frame, predicted.span))
    viou = common / max(num_union, 1) if spans else 1.0
    return TubeScore(tiou=span_iou(truth.span, predicted.span), viou=viou, gt_viou=sum(ious.values()) / max(len(ious), 1))


def sample_frames(start: int, end: int, *, video_fps: float, fps: float = 5.0, most: int = 200) -> list[int]:
    """The frame numbers of [start, end) that VidSTG is scored on: `fps` a second, and of these `most`, evenly, if there are more.

    A frame is taken when frame * fps / video_fps passes a whole number that the frame taken before had not reached; the first
    always.

    Raises:
        InputError: `video_fps` below `fps`.
    """
    if video_fps < fps:
        raise InputError(f"a video of {video_fps} frames a second cannot be sampled at {fps}; give a lower rate.")
    rate = fps / video_fps
    frames = [start]
    for frame in range(start, end):
        if int(frame * rate) > int(frames[-1] * rate):
            frames.append(frame)
    return frames if len(frames) <= most else [frames[index * len(frames) // most] for index in range(most)]


def score_tubes(scores: Sequence[TubeScore]) -> TubeSetScore:
    """A set's scores; VidSTG gives those of its declarative and its interrogative sentences apart."""
    vious, gt_vious = [score.viou for score in scores], [score.gt_viou for score in scores]
    return TubeSetScore(
        mean_tiou=_mean([score.tiou for score in scores]),
        mean_viou=_mean(vious),
        mean_gt_viou=_mean(gt_vious),
        viou_above={threshold: _mean([viou > threshold for viou in vious]) for threshold in THRESHOLDS},
        gt_viou_above={threshold: _mean([viou > threshold for viou in gt_vious]) for threshold in THRESHOLDS},
        n=len(scores),
    )


def _within(frame: int, span: SpanEnds | None) -> bool:
    return span is not None and span[0] <= frame < span[1]


def _mean(values: Sequence[float] | Sequence[bool]) -> float:
    return float(np.mean(values)) if values else np.nan
