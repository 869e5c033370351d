"""Boxes over the frames of a clip, any number in a frame: what VidSTG's tube scores are where an object may come and go.

A tube of VidSTG is a span of time with a box in each of its frames (`tubes`). Here the frames with a box take the place of the
span: they need not be in one piece, and several objects may be meant. Where they are in one piece and hold one box each, all values
are those of `tubes.score_tube`.

    tiou       frames with boxes on both sides / frames with a box on either side
    viou       overlap summed over the former / the latter's number
    gt_viou    mean overlap over the frames with a true box
    frame_iou  mean overlap over all frames, 1 where no box is rightly there

The overlap of a frame with several boxes is `referring_boxes.box_set_iou`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from sightline.evaluate.referring_boxes import box_set_iou
from sightline.geometry.boxes import Box

FrameBoxes = tuple[Box, ...]


@dataclass(frozen=True)
class BoxSetTrackScore:
    """Of one track over `n` frames, 0..1. 0/0: with no box on either side `viou` and `tiou` are 1 and `gt_viou` is 0."""

    tiou: float
    viou: float
    gt_viou: float
    frame_iou: float
    n: int


def score_box_sets(truth: Sequence[FrameBoxes], predicted: Sequence[FrameBoxes]) -> BoxSetTrackScore:
    """The scores over frames in which the truth is known: at least one, as many on either side."""
    overlaps = np.array([box_set_iou_or_absent(*pair) for pair in zip(truth, predicted, strict=True)], dtype=np.float64)
    true, found = (np.array([bool(boxes) for boxes in frames]) for frames in (truth, predicted))
    either, both = true | found, true & found
    any_box = bool(either.any())
    return BoxSetTrackScore(
        tiou=float(both.sum() / either.sum()) if any_box else 1.0,
        viou=float(overlaps[either].sum() / either.sum()) if any_box else 1.0,
        gt_viou=float(overlaps[true].mean()) if true.any() else 0.0,
        frame_iou=float(overlaps.mean()),
        n=len(overlaps),
    )


def box_set_iou_or_absent(truth: FrameBoxes, predicted: FrameBoxes) -> float:
    """The overlap in one frame, 0..1: 1 where neither side has a box, 0 where one alone has."""
    return box_set_iou(truth, predicted) if truth or predicted else 1.0
