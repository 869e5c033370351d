"""From objects to the numbers of a benchmark's table, and to files: per object, per frame, and the summary.

Every mean over objects counts each object once, however long its video is. Where a protocol divides objects into seen and unseen,
the headline is the mean of the four means.
"""

import csv
import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float

from sightline.evaluate.video.clip_statistics import ObjectStatistics, object_statistics, set_statistics
from sightline.evaluate.video.region_boundary import FrameScores
from sightline.evaluate.vos.protocols import ObjectScores
from sightline.files import write_whole
from sightline.types import Record

LVOS_ROUNDING = 4


class VosSummary(Record):
    """`summary.json`: the protocol, how many objects of how many videos, and the table's columns, 0..1 (decay -1..1); None where a
    column has nothing to average. `categories` has columns of its own for each category, `notes` what a reader should know."""

    protocol: str
    num_videos: int
    num_objects: int
    num_frames: int
    columns: dict[str, float | None]
    official_quirks: bool = False
    categories: dict[str, dict[str, float | None]] = {}
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Split:
    """Videos (LVOS) or, by object, categories (YouTube-VOS) that training has not seen."""

    unseen: frozenset[str]
    category_of: Mapping[tuple[str, str], str]

    def is_unseen(self, scores: ObjectScores) -> bool:
        return scores.video in self.unseen or self.category_of.get((scores.video, scores.object_id), "") in self.unseen


def summarise(
    protocol: str, objects: Sequence[ObjectScores], *, split: Split | None = None, official_quirks: bool = False
) -> VosSummary:
    """The columns of the protocol's own table. `official_quirks`: decay with the official overflow beyond 255 frames."""
    if protocol in ("davis2017", "davis2016"):
        columns = _davis(objects, official_quirks=official_quirks)
    elif protocol == "mose2":
        columns = _mose2(objects)
    else:
        columns = _means(objects)
        if split is not None:
            columns |= _seen_and_unseen(objects, split)
        if protocol == "lvos":
            columns["V"] = _mean([lvos_variation(each) for each in objects])
    return VosSummary(
        protocol=protocol,
        num_videos=len({each.video for each in objects}),
        num_objects=len(objects),
        num_frames=sum(len(each.frames) for each in objects),
        columns={name: None if math.isnan(value) else value for name, value in columns.items()},
        official_quirks=official_quirks,
    )


def statistics_of(scores: ObjectScores, *, official_quirks: bool = False) -> ObjectStatistics:
    """Mean, recall and decay of one object."""
    return object_statistics(FrameScores(region=scores.region, boundary=scores.boundary), official_overflow=official_quirks)


def lvos_variation(scores: ObjectScores) -> float:
    """LVOS's V: the root of J&F's variance over the frames, which is rounded to four decimals as in the official program."""
    both = (scores.region + scores.boundary) / 2
    return math.sqrt(round(float(np.mean((both - both.mean()) ** 2)), LVOS_ROUNDING)) if both.size else math.nan


def disappearances(scores: ObjectScores) -> list[slice]:
    """Stretches of frames without the object that begin after the first scored frame."""
    starts, ends = _stretches(scores.empty, of=True)
    return [slice(start, end) for start, end in zip(starts, ends, strict=True) if start > 0]


def reappearances(scores: ObjectScores) -> list[slice]:
    """Stretches of frames with the object that follow one without it."""
    starts, ends = _stretches(scores.empty, of=False)
    return [slice(start, end) for start, end in zip(starts, ends, strict=True) if start > 0]


def write_tables(folder: Path, objects: Sequence[ObjectScores], *, official_quirks: bool = False) -> None:
    """Write `objects.csv` and `frames.csv` below `folder`, each whole or not at all."""
    rows = [("video", "object", "frames", "J", "F", "J&F", "J recall", "F recall", "J decay", "F decay")]
    lines: list[tuple[object, ...]] = [*rows]
    for each in objects:
        found = statistics_of(each, official_quirks=official_quirks)
        numbers = (found.region.mean, found.boundary.mean, found.mean, found.region.recall, found.boundary.recall)
        lines.append((each.video, each.object_id, len(each.frames), *numbers, found.region.decay, found.boundary.decay))
    write_whole(folder / "objects.csv", to_csv(lines))
    frames: list[tuple[object, ...]] = [("video", "object", "frame", "J", "F", "in annotation")]
    for each in objects:
        values = zip(each.frames, each.region, each.boundary, each.empty, strict=True)
        frames += [(each.video, each.object_id, name.removesuffix(".png"), j, f, int(not empty)) for name, j, f, empty in values]
    write_whole(folder / "frames.csv", to_csv(frames))


def _davis(objects: Sequence[ObjectScores], *, official_quirks: bool) -> dict[str, float]:
    found = set_statistics([statistics_of(each, official_quirks=official_quirks) for each in objects])
    return {
        "J&F": found.mean,
        "J mean": found.region_mean,
        "J recall": found.region_recall,
        "J decay": found.region_decay,
        "F mean": found.boundary_mean,
        "F recall": found.boundary_recall,
        "F decay": found.boundary_decay,
    }


def _means(objects: Sequence[ObjectScores]) -> dict[str, float]:
    j, f = _mean([_mean(each.region) for each in objects]), _mean([_mean(each.boundary) for each in objects])
    return {"J&F": (j + f) / 2, "J": j, "F": f}


def _mose2(objects: Sequence[ObjectScores]) -> dict[str, float]:
    j, f = _mean([_mean(each.region) for each in objects]), _mean([_mean(each.boundary) for each in objects])
    adaptive = _mean([_mean(each.boundary_adaptive) for each in objects])
    gone, back = ([_of_stretches(each, kind(each)) for each in objects] for kind in (disappearances, reappearances))
    return {
        "J&F adaptive": (j + adaptive) / 2,
        "J": j,
        "F adaptive": adaptive,
        "J&F adaptive, disappeared": _mean([value for value in gone if value is not None]),
        "J&F adaptive, reappeared": _mean([value for value in back if value is not None]),
        "F": f,
        "J&F": (j + f) / 2,
    }


def _of_stretches(scores: ObjectScores, stretches: Sequence[slice]) -> float | None:
    """J and adaptive F in the mean over the stretches of one object, each counting once; None where there is none."""
    if not stretches:
        return None
    j = _mean([_mean(scores.region[stretch]) for stretch in stretches])
    return (j + _mean([_mean(scores.boundary_adaptive[stretch]) for stretch in stretches])) / 2


def _seen_and_unseen(objects: Sequence[ObjectScores], split: Split) -> dict[str, float]:
    parts = {
        "seen": [each for each in objects if not split.is_unseen(each)],
        "unseen": [each for each in objects if split.is_unseen(each)],
    }
    columns = {f"{name} {part}": value for part, some in parts.items() for name, value in _means(some).items() if name != "J&F"}
    return {"G": _mean(list(columns.values())), **columns}


def _stretches(empty: Sequence[bool], *, of: bool) -> tuple[list[int], list[int]]:
    """First place and place after the last of each run of frames whose `empty` is `of`."""
    marks = np.concatenate([[False], np.asarray(empty, dtype=bool) == of, [False]])
    edges = np.flatnonzero(marks[1:] != marks[:-1])
    return edges[::2].tolist(), edges[1::2].tolist()


def _mean(values: Sequence[float] | Float[np.ndarray, " n"]) -> float:
    return float(np.mean(values)) if len(values) else math.nan


def to_csv(rows: Sequence[Sequence[object]]) -> bytes:
    """The bytes of a CSV file."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
