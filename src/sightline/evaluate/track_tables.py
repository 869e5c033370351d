"""Tables of a run on a segment task set: J, F, J&F, recall and decay of each video and object, J and F of each frame.

    FOLDER/videos.csv     video, objects, frames, J, F, J&F: means over the video's objects
           objects.csv    video, object, frames, J, F, J&F, recalls, decays
           frames.csv     video, object, frame, J, F, in annotation
           tables.json    all of it, with the means over objects

Means over a set are over its objects, as in DAVIS. The frames that the task set scores count: never the one on which an object is
given, but the last one, which DAVIS leaves out.
"""

import math
from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from sightline.errors import InputError
from sightline.evaluate.measured import says_nothing, usable
from sightline.evaluate.over_time import score_masks_of
from sightline.evaluate.run_tracks import object_name
from sightline.evaluate.score import answered
from sightline.evaluate.video.clip_statistics import set_statistics
from sightline.evaluate.vos.protocols import ObjectScores
from sightline.evaluate.vos.table import statistics_of, to_csv, write_tables
from sightline.files import write_json, write_whole
from sightline.taskset.store import TaskSet
from sightline.types import Example, MaskTrack, Prediction, Record


class TrackColumns(Record):
    """Means over the `num_objects` objects of all videos, 0..1 (decay -1..1); None where nothing could be averaged."""

    num_videos: int
    num_objects: int
    num_frames: int
    columns: dict[str, float | None]


def tracked_objects(run: Path, taskset: TaskSet) -> list[ObjectScores]:
    """J and F of each object of a run, frame by frame, in the task set's order.

    Raises:
        InputError: an example asks for something else than a mask track.
    """
    return [_scores(example, prediction) for example, prediction in answered(run, taskset)]


def write_track_tables(folder: Path, objects: Sequence[ObjectScores]) -> TrackColumns:
    """Write the four files of a run's objects, each whole or not at all."""
    videos = {video: list(some) for video, some in groupby(objects, key=lambda each: each.video)}
    columns = _columns(objects)
    folder.mkdir(parents=True, exist_ok=True)
    write_tables(folder, objects)
    rows = [_video_row(video, some) for video, some in videos.items()]
    write_whole(folder / "videos.csv", to_csv([tuple(rows[0]), *(tuple(row.values()) for row in rows)] if rows else []))
    tables = {"set": columns, "videos": rows, "objects": [_object_row(each) for each in objects]}
    write_json(folder / "tables.json", tables)
    return columns


def _columns(objects: Sequence[ObjectScores]) -> TrackColumns:
    found = set_statistics([statistics_of(each) for each in objects])
    columns = {
        "J&F": found.mean,
        "J": found.region_mean,
        "J recall": found.region_recall,
        "J decay": found.region_decay,
        "F": found.boundary_mean,
        "F recall": found.boundary_recall,
        "F decay": found.boundary_decay,
    }
    return TrackColumns(
        num_videos=len({each.video for each in objects}),
        num_objects=len(objects),
        num_frames=sum(len(each.frames) for each in objects),
        columns={name: _told(value) for name, value in columns.items()},
    )


def _scores(example: Example, prediction: Prediction) -> ObjectScores:
    """J and F in each frame that counts; 0 throughout for an answer that cannot be read."""
    truth, clip, reading = example.truth.answer, example.question.clip, prediction.reading
    if not isinstance(truth, MaskTrack) or clip is None:
        raise InputError(f"example {example.id!r} of task {example.question.task!r}: expected a mask track to be asked for.")
    scored = example.truth.scored_frames
    scored = tuple(range(len(truth.frames))) if scored is None else scored
    answer = usable(reading)
    found = (None,) * len(truth.frames) if says_nothing(reading) else answer.frames if isinstance(answer, MaskTrack) else None
    if found is None:
        region = boundary = np.zeros(len(scored))
    else:
        values = score_masks_of(example, truth, found)
        region, boundary = values.region, values.boundary
    names = {panel.image_index: panel.view_id for panel in example.question.panels}
    return ObjectScores(
        video=example.group,
        object_id=object_name(example),
        frames=tuple(names[clip.image_indices[at]] for at in scored),
        region=region,
        boundary=boundary,
        empty=tuple(truth.frames[at] is None for at in scored),
    )


def _video_row(video: str, objects: Sequence[ObjectScores]) -> dict[str, Any]:
    found = set_statistics([statistics_of(each) for each in objects])
    frames = sum(len(each.frames) for each in objects)
    return {
        "video": video,
        "objects": len(objects),
        "frames": frames,
        "J": found.region_mean,
        "F": found.boundary_mean,
        "J&F": found.mean,
    }


def _object_row(scores: ObjectScores) -> dict[str, Any]:
    found = statistics_of(scores)
    return {
        "video": scores.video,
        "object": scores.object_id,
        "J": found.region.mean,
        "F": found.boundary.mean,
        "J&F": found.mean,
        "J recall": found.region.recall,
        "F recall": found.boundary.recall,
        "J decay": _told(found.region.decay),
        "F decay": _told(found.boundary.decay),
        "frames": list(scores.frames),
        "frame J": scores.region.tolist(),
        "frame F": scores.boundary.tolist(),
        "in annotation": [not empty for empty in scores.empty],
    }


def _told(value: float) -> float | None:
    return None if math.isnan(value) else value
