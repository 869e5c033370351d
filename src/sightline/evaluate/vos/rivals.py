"""Several runs of trackers on the same annotated videos: J&F of each with its interval, and paired differences to one of them.

An object's J&F is the mean of its J and its F over the frames that count (of MOSEv2 the F with a radius that follows the object).
Every object counts once; intervals and p are those of `evaluate.compare`, by bootstrap over videos.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from jaxtyping import Float

from sightline.errors import InputError
from sightline.evaluate.compare import PairedMean, two_sided_p
from sightline.evaluate.metrics import Metric, draw_groups, with_interval
from sightline.evaluate.vos.protocols import ObjectScores

ObjectKey = tuple[str, str]


def frame_scores(scores: ObjectScores) -> Float[np.ndarray, " frames"]:
    """J&F, 0..1, of an object in each of its frames."""
    return (scores.region + (scores.boundary_adaptive if scores.boundary_adaptive.size else scores.boundary)) / 2


def object_scores(objects: Sequence[ObjectScores]) -> dict[ObjectKey, float]:
    """J&F, 0..1, of each object that has a frame, by video and object."""
    return {(each.video, each.object_id): float(frame_scores(each).mean()) for each in objects if each.frames}


def sequence_scores(objects: Sequence[ObjectScores]) -> dict[str, float]:
    """The mean over the objects of each video, by its name."""
    of: dict[str, list[float]] = {}
    for (video, _), score in object_scores(objects).items():
        of.setdefault(video, []).append(score)
    return {video: math.fsum(scores) / len(scores) for video, scores in of.items()}


def overall(objects: Sequence[ObjectScores]) -> Metric:
    """J&F over all objects, with its interval."""
    scores = object_scores(objects)
    values, videos, num_videos = np.array(list(scores.values())), _videos(list(scores)), len({video for video, _ in scores})
    return with_interval(
        float(values.mean()) if len(values) else math.nan, len(values), _drawn(values, videos, num_videos), num_groups=num_videos
    )


def paired(a: Sequence[ObjectScores], b: Sequence[ObjectScores]) -> PairedMean:
    """J&F of two runs object by object; the difference is A minus B.

    Raises:
        InputError: the runs do not have the same objects, or none.
    """
    scores_a, scores_b = object_scores(a), object_scores(b)
    check_same(scores_a, scores_b)
    keys = list(scores_a)
    values_a, values_b = np.array([scores_a[key] for key in keys]), np.array([scores_b[key] for key in keys])
    difference, videos, num_videos = values_a - values_b, _videos(keys), len({video for video, _ in keys})
    drawn = _drawn(difference, videos, num_videos)
    differing = np.count_nonzero(np.bincount(videos, weights=difference, minlength=num_videos))
    return PairedMean(
        n=len(keys),
        num_groups=num_videos,
        a=float(values_a.mean()),
        b=float(values_b.mean()),
        difference=with_interval(float(difference.mean()), len(keys), drawn, num_groups=num_videos),
        p=two_sided_p(drawn, int(differing)) if num_videos > 1 else None,
    )


def check_same(a: Mapping[ObjectKey, float], b: Mapping[ObjectKey, float]) -> None:
    """Raise InputError unless two runs have scores of the same objects, and of one at least."""
    if a.keys() != b.keys() or not a:
        odd = sorted(a.keys() ^ b.keys())[:3]
        named = ", ".join(f"{video}/{object_id}" for video, object_id in odd) or "no object at all"
        raise InputError(f"two runs cannot be compared: they do not share {named}. Score both against the same annotation.")


def _videos(keys: Sequence[ObjectKey]) -> np.ndarray:
    """The number of each object's video."""
    number = {video: place for place, video in enumerate(dict.fromkeys(video for video, _ in keys))}
    return np.array([number[video] for video, _ in keys], dtype=np.int64)


def _drawn(values: Float[np.ndarray, " n"], videos: np.ndarray, num_videos: int) -> Float[np.ndarray, " draws"]:
    """The mean over objects in each draw of videos."""
    count, total = np.bincount(videos, minlength=num_videos), np.bincount(videos, weights=values, minlength=num_videos)
    draws = draw_groups(num_videos)
    with np.errstate(invalid="ignore"):
        return draws @ total.astype(np.float64) / (draws @ count.astype(np.float64))
