"""Average precision and recall of object tracks, as YouTube-VIS is scored: COCO's matching with the overlap of whole tracks.

The overlap of two tracks is the pixels in both over the pixels in either, each added up over all frames; a missing mask is an empty
one, and two tracks without a pixel overlap by 0. A track's area is the mean over the frames in which it has one; small and large
begin at other areas than COCO's. A crowd takes any number of found tracks out of the count and is not counted itself; unlike in
COCO its overlap is an ordinary one. What a category without a counted track has to say is left out of every mean.
Source: youtubevos/cocoapi, `ytvoseval.py`. One difference: there an annotation with the id 0 is never found, because 0 means
"unmatched"; here its id does not matter.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALLS = np.linspace(0.0, 1.0, 101)
MAX_FOUND = 100
SMALL_AREA, LARGE_AREA, ANY_AREA = 128.0**2, 256.0**2, 1e5**2
SIZES: Mapping[str, tuple[float, float]] = {
    "all": (0.0, ANY_AREA),
    "small": (0.0, SMALL_AREA),
    "medium": (SMALL_AREA, LARGE_AREA),
    "large": (LARGE_AREA, ANY_AREA),
}


@dataclass(frozen=True, eq=False)
class Tracks:
    """One category in one video: `overlaps` 0..1 of each found track with each annotated one. The found ones stand best first and
    are at most `MAX_FOUND`; areas in pixels."""

    overlaps: Float[np.ndarray, "found annotated"]
    scores: Float[np.ndarray, " found"]
    found_areas: Float[np.ndarray, " found"]
    areas: Float[np.ndarray, " annotated"]
    crowd: Bool[np.ndarray, " annotated"]


@dataclass(frozen=True, eq=False)
class Matched:
    """What became of the found tracks of one video at each threshold. `ignored` ones are neither right nor wrong."""

    scores: Float[np.ndarray, " found"]
    hit: Bool[np.ndarray, "thresholds found"]
    ignored: Bool[np.ndarray, "thresholds found"]
    num_counted: int


@dataclass(frozen=True, eq=False)
class Curve:
    """Precision at 101 recalls, and the recall that is reached, at each threshold."""

    precision: Float[np.ndarray, "thresholds recalls"]
    recall: Float[np.ndarray, " thresholds"]


def match(tracks: Tracks, sizes: tuple[float, float]) -> Matched:
    """Give each found track, best first, the free annotated track that it overlaps most, at each threshold.

    Args:
        sizes: least and largest area; annotated tracks outside are not counted, and found ones that match nothing neither.
    """
    low, high = sizes
    ignored = tracks.crowd | (tracks.areas < low) | (tracks.areas > high)
    match_of = np.stack([_match_at(tracks.overlaps, ignored, tracks.crowd, at) for at in THRESHOLDS])
    hit = match_of >= 0
    outside = (tracks.found_areas < low) | (tracks.found_areas > high)
    on_ignored = np.append(ignored, False)[match_of]  # the place -1 stands for no match
    return Matched(
        scores=tracks.scores, hit=hit, ignored=on_ignored | (~hit & outside), num_counted=int(np.count_nonzero(~ignored))
    )


def curve(videos: Sequence[Matched], max_found: int = MAX_FOUND) -> Curve | None:
    """One category over all its videos, of each the best `max_found`; None where no annotated track counts."""
    num_counted = sum(video.num_counted for video in videos)
    if num_counted == 0:
        return None
    scores = np.concatenate([video.scores[:max_found] for video in videos])
    order = np.argsort(-scores, kind="stable")
    hit = np.concatenate([video.hit[:, :max_found] for video in videos], axis=1)[:, order]
    ignored = np.concatenate([video.ignored[:, :max_found] for video in videos], axis=1)[:, order]
    right = np.cumsum(hit & ~ignored, axis=1).astype(np.float64)
    wrong = np.cumsum(~hit & ~ignored, axis=1).astype(np.float64)
    precision = np.zeros((len(THRESHOLDS), len(RECALLS)))
    recall = np.zeros(len(THRESHOLDS))
    if scores.size:
        recalls = right / num_counted
        recall = recalls[:, -1]
        exact = right / (wrong + right + np.spacing(1))
        falling = np.maximum.accumulate(exact[:, ::-1], axis=1)[:, ::-1]
        for row in range(len(THRESHOLDS)):
            places = np.searchsorted(recalls[row], RECALLS, side="left")
            reached = places < scores.size
            precision[row, reached] = falling[row, places[reached]]
    return Curve(precision=precision, recall=recall)


def columns(categories: Sequence[Sequence[Tracks]]) -> dict[str, float]:
    """The benchmark's twelve figures, 0..1, over categories, each given by its videos; nan where nothing counts."""
    curves = {
        size: [found for videos in categories if (found := curve([match(video, SIZES[size]) for video in videos]))]
        for size in SIZES
    }
    matched = [[match(video, SIZES["all"]) for video in videos] for videos in categories]
    fewer = {limit: [found for videos in matched if (found := curve(videos, limit))] for limit in (1, 10)}
    return {
        "AP": _precision(curves["all"]),
        "AP50": _precision(curves["all"], slice(0, 1)),
        "AP75": _precision(curves["all"], slice(5, 6)),
        **{f"AP {size}": _precision(curves[size]) for size in ("small", "medium", "large")},
        "AR1": _recall(fewer[1]),
        "AR10": _recall(fewer[10]),
        "AR100": _recall(curves["all"]),
        **{f"AR {size}": _recall(curves[size]) for size in ("small", "medium", "large")},
    }


def _match_at(
    overlaps: Float[np.ndarray, "found annotated"],
    ignored: Bool[np.ndarray, " annotated"],
    crowd: Bool[np.ndarray, " annotated"],
    threshold: float,
) -> Int[np.ndarray, " found"]:
    """The annotated track of each found one, -1 for none. Ignored ones are taken only if nothing else fits; of two equal
    overlaps the later track is taken."""
    match_of = np.full(len(overlaps), -1)
    taken = np.zeros(overlaps.shape[1], dtype=bool)
    for found, row in enumerate(overlaps):
        free = (~taken | crowd) & (row >= min(threshold, 1 - 1e-10))
        for among in (free & ~ignored, free & ignored):
            if among.any():
                best = np.flatnonzero(among & (row == row[among].max()))[-1]
                match_of[found], taken[best] = best, True
                break
    return match_of


def _precision(curves: Sequence[Curve], thresholds: slice = slice(None)) -> float:
    if not curves:
        return float("nan")
    # categories last, so that the sum is taken in the official order and ends on the same bits
    return float(np.mean(np.stack([each.precision[thresholds] for each in curves], axis=-1).ravel()))


def _recall(curves: Sequence[Curve]) -> float:
    return float(np.mean(np.stack([each.recall for each in curves], axis=-1).ravel())) if curves else float("nan")
