"""cIoU, gIoU and their companions for referring masks in pictures, by protocol.

An expression adds the pixels I in both masks and U in either. cIoU is sum I / sum U over the set, gIoU the mean of I / U (the
"g" of referring segmentation: not generalised IoU). The protocols differ where a mask is empty:

| | sightline, grefcoco | sa2va, lisa |
|---|---|---|
| no target, and the model said so | IoU 1, adds nothing to U | as its mask |
| no target, and a mask | IoU 0, U grows by the mask | IoU 0, the same |
| a target, and the model said there is none | IoU 0, I 0, U is that of the masks | as its mask |
| both masks empty, without being said | IoU 0 | IoU 1 |

`sightline` and `grefcoco` differ in 0/0: the former gives nan, the latter N-acc = T-acc = 0 where no expression is without a
target. `sa2va` adds 1e-5 to U under IoU and 1e-10 under cIoU; `lisa` adds 1e-5 to the number of masks under gIoU as well.
Sources: henghuiding/ReLA `gres_model/evaluation/refer_evaluation.py`, bytedance/Sa2VA
`projects/sa2va/evaluation/dataset/RES.py`, dvlab-research/LISA `train_ds.py` (`validate`).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, UInt8

from sightline.errors import InputError
from sightline.evaluate.video.packed import pack_mask, pack_rle
from sightline.evaluate.video.region_boundary import count_both
from sightline.geometry.masks import rle_area, union_masks
from sightline.types import MaskRle

PRECISIONS = (0.7, 0.8, 0.9)


@dataclass(frozen=True)
class MaskOverlap:
    """One expression: pixels in both masks, in either, in the truth (0: no target), and whether the model said "no target"."""

    intersection: int
    union: int
    truth_area: int
    said_none: bool


@dataclass(frozen=True)
class MaskSetScore:
    """Of `n` expressions, `n_no_target` of them without a target; all 0..1, nan for 0/0 but where the protocol says 0.

    `no_target_accuracy` (N-acc) is over those without a target, `target_accuracy` (T-acc) and `precision` (the share with
    IoU >= t, by t) over the others. The protocols `sa2va` and `lisa` have only the first two numbers; the rest is nan or empty.
    """

    cumulative_iou: float
    mean_iou: float
    n: int
    n_no_target: int
    no_target_accuracy: float = np.nan
    target_accuracy: float = np.nan
    precision: dict[float, float] = field(default_factory=dict)


def overlap_masks(
    truth: Bool[np.ndarray, "h w"], predicted: Bool[np.ndarray, "h w"] | None, *, said_none: bool | None = None
) -> MaskOverlap:
    """One expression's masks compared; `truth` is the union of all objects that are meant.

    `said_none`: whether the model's answer was "no target". None: it was if its mask is missing or empty. A model that gave no
    readable answer has no mask and said nothing: False.

    Raises:
        InputError: the masks are of two sizes.
    """
    packed = pack_mask(truth)
    found = pack_mask(np.zeros_like(truth) if predicted is None else predicted)
    common = count_both(packed, found)
    said = found.area == 0 if said_none is None else said_none
    return MaskOverlap(common, packed.area + found.area - common, packed.area, said)


def overlap_rles(truth: MaskRle | None, predicted: MaskRle | None, *, said_none: bool | None = None) -> MaskOverlap:
    """As `overlap_masks`, of run-length codes; None is an empty mask.

    Raises:
        InputError: the masks are of two sizes, or a code is broken.
    """
    true_mask, found = (None if rle is None else pack_rle(rle) for rle in (truth, predicted))
    common = 0 if true_mask is None or found is None else count_both(true_mask, found)
    true_area, found_area = (0 if mask is None else mask.area for mask in (true_mask, found))
    said = found_area == 0 if said_none is None else said_none
    return MaskOverlap(common, true_area + found_area - common, true_area, said)


def overlap_codes(truth: MaskRle | None, predicted: MaskRle | None, *, said_none: bool) -> MaskOverlap:
    """As `overlap_rles`, by arithmetic on the runs: nothing is decoded, whatever the size of the picture.

    Raises:
        InputError: the masks are of two sizes, or a code is broken.
    """
    areas = [0 if rle is None else rle_area(rle) for rle in (truth, predicted)]
    common = 0
    if truth is not None and predicted is not None:
        if (truth.height, truth.width) != (predicted.height, predicted.width):
            raise InputError(
                f"a predicted mask of {predicted.width} x {predicted.height} pixels for a true one of {truth.width} x "
                f"{truth.height}. Masks are compared pixel by pixel: write predictions in the size of the annotation."
            )
        common = sum(areas) - rle_area(union_masks((truth, predicted)))
    return MaskOverlap(common, sum(areas) - common, areas[0], said_none)


def sightline_terms(overlap: MaskOverlap) -> tuple[float, int, int]:
    """What an expression adds by protocol `sightline`: its IoU (to gIoU), and pixels to the sums I and U of cIoU."""
    if overlap.truth_area == 0:
        return float(overlap.said_none), 0, 0 if overlap.said_none else overlap.union
    common = 0 if overlap.said_none else overlap.intersection
    return common / overlap.union, common, overlap.union


def score_masks(overlaps: Sequence[MaskOverlap], *, protocol: str = "sightline") -> MaskSetScore:
    """The set's scores by one of `PROTOCOLS`.

    Raises:
        InputError: no protocol of that name.
    """
    if protocol not in PROTOCOLS:
        raise InputError(f"no protocol {protocol!r} for referring masks; there are {', '.join(PROTOCOLS)}.")
    return PROTOCOLS[protocol](overlaps)


def official_polygon_sum(parts: Sequence[Bool[np.ndarray, "h w"]]) -> Bool[np.ndarray, "h w"]:
    """The mask that LISA's and Sa2VA's RefCOCO evaluation makes of an object's overlapping polygons; use the union otherwise.

    The polygons' bitmaps are added, and the sum is run-length encoded as it is. The encoder starts a run wherever the value
    changes, column by column, and every other run is read as object: an overlap (2) becomes background, and where a column goes
    from 2 to 0 all that follows is inverted until the next change of that kind.
    """
    total: UInt8[np.ndarray, "h w"] = np.stack(parts).sum(axis=0, dtype=np.uint8)
    starts = np.diff(total.T.ravel(), prepend=np.uint8(0)) != 0
    return (np.cumsum(starts) % 2 == 1).reshape(total.T.shape).T


def _score_grefcoco(overlaps: Sequence[MaskOverlap]) -> MaskSetScore:
    found = _score_sightline(overlaps)
    if found.n_no_target:
        return found
    return MaskSetScore(
        cumulative_iou=found.cumulative_iou,
        mean_iou=found.mean_iou,
        n=found.n,
        n_no_target=0,
        no_target_accuracy=0.0,
        target_accuracy=0.0,
        precision=found.precision,
    )


def _score_sightline(overlaps: Sequence[MaskOverlap]) -> MaskSetScore:
    terms = [sightline_terms(each) for each in overlaps]
    ious = [iou for iou, _, _ in terms]
    intersection, union = (sum(term[place] for term in terms) for place in (1, 2))
    absent = [each.said_none for each in overlaps if each.truth_area == 0]
    present = [not each.said_none for each in overlaps if each.truth_area]
    of_targets = [iou for iou, each in zip(ious, overlaps, strict=True) if each.truth_area]
    return MaskSetScore(
        cumulative_iou=intersection / union if union else np.nan,
        mean_iou=_mean(ious),
        n=len(overlaps),
        n_no_target=len(absent),
        no_target_accuracy=_mean(absent),
        target_accuracy=_mean(present),
        precision={threshold: _mean([iou >= threshold for iou in of_targets]) for threshold in PRECISIONS},
    )


def _score_sa2va(overlaps: Sequence[MaskOverlap], *, added_count: float = 0.0) -> MaskSetScore:
    ious = [each.intersection / (each.union + 1e-5) + (each.union == 0) for each in overlaps]
    return MaskSetScore(
        cumulative_iou=sum(each.intersection for each in overlaps) / (sum(each.union for each in overlaps) + 1e-10),
        mean_iou=sum(ious) / (len(ious) + added_count) if ious else np.nan,
        n=len(overlaps),
        n_no_target=sum(each.truth_area == 0 for each in overlaps),
    )


def _score_lisa(overlaps: Sequence[MaskOverlap]) -> MaskSetScore:
    return _score_sa2va(overlaps, added_count=1e-5)


def _mean(values: Sequence[float] | Sequence[bool]) -> float:
    return float(np.mean(values)) if values else np.nan


PROTOCOLS: dict[str, Callable[[Sequence[MaskOverlap]], MaskSetScore]] = {
    "sightline": _score_sightline,
    "grefcoco": _score_grefcoco,
    "sa2va": _score_sa2va,
    "lisa": _score_lisa,
}
