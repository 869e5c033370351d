"""ReVOS: pixel accuracy A and robustness R beside J and F, and the table of its referring and reasoning expressions.

Source: cilinyan/VISA and bytedance/Sa2VA, `tools/eval/eval_revos.py` with `third_parts/revos/utils/metircs.py`. In each frame A
is the share of pixels on which prediction and truth agree, and R = max(0, 1 - wrongly predicted pixels / (pixels of any object
+ 1e-6)), so R is 1 where nothing is predicted wrongly and 0 where something is in a frame without objects. An expression's
value is the mean over all frames; "overall" is the mean of the referring and the reasoning row, and expressions of no object
(type 2) are in neither.

What the official code gets wrong, and published figures contain:
- The masks of several objects are added in 8 bits. Where two overlap the truth is 2, which A never finds equal to a predicted
  1, and which R, computing 1 - 2 = 255, takes for 255 wrong pixels. `official_overlap` repeats that; otherwise the truth is the
  union.
- Every expression's percentages are rounded to two decimals before they are averaged. `official_rounding` repeats that.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from sightline.errors import InputError
from sightline.evaluate.video.packed import PackedMask
from sightline.evaluate.video.referring import TrackMasks, pack_prediction, pack_truth
from sightline.evaluate.video.region_boundary import count_both, score_frames
from sightline.geometry.masks import decode_mask
from sightline.types import MaskRle

REFERRING, REASONING, NO_OBJECT = 0, 1, 2
"""`type_id` of an expression in the data set's files."""
COLUMNS = ("region", "boundary", "accuracy", "robustness")


@dataclass(frozen=True)
class RevosScore:
    """J, F, A and R, 0..1 each: of one expression over its `n` frames, or of a row of the table over its `n` expressions."""

    region: float
    boundary: float
    accuracy: float
    robustness: float
    n: int

    @property
    def mean(self) -> float:
        """J&F."""
        return (self.region + self.boundary) / 2


@dataclass(frozen=True)
class RevosTable:
    """The rows of the published table; a row without expressions is nan, and `overall` with it."""

    referring: RevosScore
    reasoning: RevosScore
    overall: RevosScore


def score_revos_expression(
    truth: Sequence[TrackMasks],
    predicted: TrackMasks,
    foreground: Sequence[int],
    *,
    size: tuple[int, int],
    official_overlap: bool = False,
) -> RevosScore:
    """J, F, A and R of one expression.

    Args:
        truth: the track of each object that is meant, over the clip's frames.
        predicted: the answered track.
        foreground: pixels of any object in each frame (`foreground_area`).
        size: height and width of the clip.
        official_overlap: overlapping objects as the official code has them (see above).

    Raises:
        InputError: a track of another length, a mask of another size, or a broken mask code.
    """
    num_frames, num_pixels = len(foreground), size[0] * size[1]
    true_masks = pack_truth(truth, num_frames=num_frames, size=size)
    found = pack_prediction(predicted, num_frames=num_frames, size=size)
    scores = score_frames(true_masks, found)
    if official_overlap:
        pairs = [_added_errors(truth, predicted, index, size=size) for index in range(num_frames)]
    else:
        pairs = [_errors(*masks) for masks in zip(true_masks, found, strict=True)]
    return RevosScore(
        region=float(np.mean(scores.region)),
        boundary=float(np.mean(scores.boundary)),
        accuracy=float(np.mean([(num_pixels - unlike) / num_pixels for unlike, _ in pairs])),
        robustness=float(np.mean([robustness(wrong, area) for (_, wrong), area in zip(pairs, foreground, strict=True)])),
        n=num_frames,
    )


def robustness(num_wrong: int, foreground: int) -> float:
    """R of one frame, 0..1, of its wrongly predicted pixels and the pixels of any object; 0/0 is 1."""
    return max(1 - num_wrong / (foreground + 1e-6), 0.0)


def foreground_area(masks: Sequence[MaskRle], *, official_overlap: bool = False) -> int:
    """The pixels of any object in one frame. With `official_overlap` those of several count as often as they are covered.

    Raises:
        InputError: masks of two sizes, or a broken mask code.
    """
    if not masks:
        return 0
    covered = _added(masks, (masks[0].height, masks[0].width))
    return int(covered.sum()) if official_overlap else int(np.count_nonzero(covered))


def revos_table(scores: Sequence[tuple[int, RevosScore]], *, official_rounding: bool = False) -> RevosTable:
    """The table of (type, score) of every expression.

    Raises:
        InputError: a type that ReVOS does not have.
    """
    for kind, _ in scores:
        if kind not in (REFERRING, REASONING, NO_OBJECT):
            raise InputError(f"ReVOS type_id {kind!r}: expected 0 (referring), 1 (reasoning) or 2 (no object).")
    referring, reasoning = (
        _row([score for kind, score in scores if kind == asked], official_rounding=official_rounding)
        for asked in (REFERRING, REASONING)
    )
    columns = {name: (getattr(referring, name) + getattr(reasoning, name)) / 2 for name in COLUMNS}
    return RevosTable(referring, reasoning, RevosScore(**columns, n=referring.n + reasoning.n))


def _row(scores: Sequence[RevosScore], *, official_rounding: bool) -> RevosScore:
    table = np.array([[getattr(score, name) for name in COLUMNS] for score in scores], dtype=np.float64).reshape(-1, len(COLUMNS))
    if official_rounding:
        table = np.round(100 * table, 2) / 100
    means = table.mean(axis=0) if len(scores) else np.full(len(COLUMNS), np.nan)
    return RevosScore(*(float(mean) for mean in means), n=len(scores))


def _errors(truth: PackedMask, found: PackedMask) -> tuple[int, int]:
    """Pixels on which the two differ, and those among them that are wrongly predicted."""
    common = count_both(truth, found)
    return truth.area + found.area - 2 * common, found.area - common


def _added_errors(truth: Sequence[TrackMasks], predicted: TrackMasks, index: int, *, size: tuple[int, int]) -> tuple[int, int]:
    """The same as the official code counts it: truths added in 8 bits, and 1 - truth in 8 bits as well."""
    added = _added([mask for track in truth if (mask := track[index]) is not None], size)
    found = _added([] if (mask := predicted[index]) is None else [mask], size)
    wrong = (np.uint8(1) - added) * found
    return int(np.count_nonzero(added != found)), int(wrong.sum(dtype=np.int64))


def _added(masks: Sequence[MaskRle], size: tuple[int, int]) -> UInt8[np.ndarray, "h w"]:
    total = np.zeros(size, np.uint8)
    for mask in masks:
        if (mask.height, mask.width) != size:
            raise InputError(
                f"masks of {mask.width} x {mask.height} and {size[1]} x {size[0]} pixels for one frame; expected one size."
            )
        total += decode_mask(mask)
    return total
