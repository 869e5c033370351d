"""Found tracks against a YouTube-VIS annotation: results as that benchmark's server takes them.

    annotation   {"videos": [{"id": 1, "width": 1280, "height": 720, "length": 2, "file_names": [...]}],
                  "categories": [{"id": 1, "name": "person"}],
                  "annotations": [{"id": 1, "video_id": 1, "category_id": 1, "iscrowd": 0, "areas": [900, null],
                                   "segmentations": [{"size": [720, 1280], "counts": ...}, null]}]}
    results      [{"video_id": 1, "category_id": 1, "score": 0.9, "segmentations": [{"size": .., "counts": ".."}, null]}]

An annotation without `areas` has those of its masks. What the official program leaves out or miscounts without a word (a category
that the annotation does not list, a number of masks that is not the video's, masks of another size) is an error here.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
from jaxtyping import Float
from pycocotools import mask as coco

from sightline.datasets.coco.coco_json import CocoFile, Id, Open
from sightline.datasets.coco.json_slices import decode_mapped
from sightline.datasets.coco.segmentations import Segmentation, region
from sightline.errors import InputError
from sightline.evaluate.vos.ytvis import MAX_FOUND, Tracks
from sightline.geometry.masks import rle_area


class _Video(Open):
    id: Id
    width: int
    height: int
    file_names: list[str] = []
    length: int | None = None
    name: str = ""

    def num_frames(self) -> int:
        return len(self.file_names) or self.length or 0

    def title(self) -> str:
        """As the reader of such files names its clips."""
        return self.name or (self.file_names[0].rpartition("/")[0] if self.file_names else "") or str(self.id)


class _Annotated(Open):
    id: Id
    category_id: Id
    segmentations: list[Segmentation | None]
    areas: list[float | None] | None = None
    iscrowd: int | bool = 0


class _FoundKey(Open):
    video_id: Id
    category_id: Id
    score: float


class _Found(Open):
    segmentations: list[Segmentation | None]


@dataclass(frozen=True)
class TrackRow:
    """One annotated track, and the found track of its category that overlaps it most (0 and nan where there is none)."""

    video: str
    object_id: str
    category: str
    area: float
    crowd: bool
    overlap: float
    score: float


@dataclass(frozen=True)
class YtvisScores:
    """The tracks of each category (by name, in order of their ids) in its videos, and a row for each annotated track."""

    categories: dict[str, list[Tracks]]
    rows: list[TrackRow]
    num_videos: int
    num_frames: int


@dataclass(frozen=True, eq=False)
class _Track:
    """The codes of one track, None where it has no pixel; `sizes` are their pixels."""

    codes: Sequence[dict[str, Any] | None]
    sizes: Sequence[int]


def score_ytvis(results: Path, annotation: Path, *, on_progress: Callable[[int, int], None] | None = None) -> YtvisScores:
    """Compare all found tracks with all annotated ones of the same video and category.

    `on_progress` is called with (videos done, videos in all).

    Raises:
        FileNotFoundError: one of the files is not there.
        InputError: a file of another form, an unknown video or category, a score that is no number, or masks that do not fit.
    """
    file = CocoFile(annotation, by="video_id")
    videos = sorted((file.decode(raw, _Video, "a video") for raw in file.videos), key=lambda video: _order(video.id))
    if not file.owners() or not file.categories:
        raise InputError(
            f"{annotation} has no annotations or no categories: the files of valid and test have none. Score on a split with them."
        )
    found = _read_results(results, {video.id for video in videos}, set(file.categories))
    order = sorted(file.categories, key=_order)
    scores = YtvisScores(
        {file.categories[category]: [] for category in order}, [], len(videos), sum(v.num_frames() for v in videos)
    )
    if len(scores.categories) < len(order):
        raise InputError(f"{annotation}: two of its {len(order)} categories have the same name. Give each its own.")
    for number, video in enumerate(videos):
        _score_video(file, video, found.pop(video.id, []), scores)
        if on_progress is not None:
            on_progress(number + 1, len(videos))
    return scores


def _read_results(path: Path, videos: set[Id], categories: set[Id]) -> dict[Id, list[tuple[_FoundKey, msgspec.Raw, str]]]:
    """The found tracks of each video in the file's order, their masks not yet read."""
    found: dict[Id, list[tuple[_FoundKey, msgspec.Raw, str]]] = {}
    for index, raw in enumerate(decode_mapped(path, list[msgspec.Raw])):
        where = f"{path}, result {index}"
        key: _FoundKey = _decode(raw, _FoundKey, where)
        if key.video_id not in videos or key.category_id not in categories:
            raise InputError(
                f"{where}: video {key.video_id}, category {key.category_id}; the annotation does not list "
                "both. Are they of one split?"
            )
        if not math.isfinite(key.score):
            raise InputError(f"{where}: the score {key.score}; expected a finite number.")
        found.setdefault(key.video_id, []).append((key, raw, where))
    return found


def _score_video(file: CocoFile, video: _Video, results: list[tuple[_FoundKey, msgspec.Raw, str]], scores: YtvisScores) -> None:
    annotated: list[_Annotated] = file.annotations(video.id, _Annotated)
    present = {each.category_id for each in annotated} | {key.category_id for key, _, _ in results}
    for category, name in file.categories.items():
        if category not in present:
            continue
        truths = [each for each in annotated if each.category_id == category]
        best = sorted((each for each in results if each[0].category_id == category), key=lambda each: -each[0].score)[:MAX_FOUND]
        true_tracks = [_track(each.segmentations, video, f"{file.path}, annotation {each.id}") for each in truths]
        said_tracks = [_track(_decode(raw, _Found, where).segmentations, video, where) for _, raw, where in best]
        tracks = Tracks(
            overlaps=_overlaps(said_tracks, true_tracks),
            scores=np.array([key.score for key, _, _ in best], dtype=np.float64),
            found_areas=np.array([_mean_area(track.sizes) for track in said_tracks], dtype=np.float64),
            areas=np.array(
                [_mean_area(each.areas or track.sizes) for each, track in zip(truths, true_tracks, strict=True)], dtype=np.float64
            ),
            crowd=np.array([bool(each.iscrowd) for each in truths], dtype=bool),
        )
        scores.categories[name].append(tracks)
        scores.rows.extend(_row(video.title(), name, each, tracks, place) for place, each in enumerate(truths))


def _row(video: str, category: str, truth: _Annotated, tracks: Tracks, place: int) -> TrackRow:
    overlaps = tracks.overlaps[:, place]
    best = int(overlaps.argmax()) if overlaps.size and overlaps.max() > 0 else None
    return TrackRow(
        video=video,
        object_id=str(truth.id),
        category=category,
        area=float(tracks.areas[place]),
        crowd=bool(truth.iscrowd),
        overlap=0.0 if best is None else float(overlaps[best]),
        score=math.nan if best is None else float(tracks.scores[best]),
    )


def _track(segmentations: Sequence[Segmentation | None], video: _Video, where: str) -> _Track:
    if len(segmentations) != video.num_frames():
        raise InputError(
            f"{where}: {len(segmentations)} masks for a video of {video.num_frames()} frames. Write null where there is none."
        )
    codes, sizes = [], []
    for frame, written in enumerate(segmentations):
        try:
            rle = region(written, height=video.height, width=video.width) if written else None
            size = rle_area(rle) if rle else 0
        except InputError as error:
            raise InputError(f"{where}, frame {frame}: {error}") from error
        if rle and (rle.height, rle.width) != (video.height, video.width):
            raise InputError(
                f"{where}, frame {frame}: a mask of {rle.width}x{rle.height} pixels in a video of {video.width}x{video.height}. "
                "Write masks in the video's size."
            )
        codes.append({"size": [rle.height, rle.width], "counts": rle.counts.encode("ascii")} if rle and size else None)
        sizes.append(size)
    return _Track(codes, sizes)


def _overlaps(found: Sequence[_Track], annotated: Sequence[_Track]) -> Float[np.ndarray, "found annotated"]:
    overlaps = np.zeros((len(found), len(annotated)))
    for row, said in enumerate(found):
        for column, true in enumerate(annotated):
            both = sum(_common(a, b) for a, b in zip(said.codes, true.codes, strict=True) if a and b)
            either = sum(said.sizes) + sum(true.sizes) - both
            overlaps[row, column] = both / either if either else 0.0
    return overlaps


def _common(a: dict[str, Any], b: dict[str, Any]) -> int:
    return int(cast(Any, coco).area(cast(Any, coco).merge([a, b], True)))


def _mean_area(areas: Sequence[float | int | None]) -> float:
    """The mean of those that are not 0 or unknown; 0 where there is none."""
    known = [area for area in areas if area]
    return float(np.array(known).mean()) if known else 0.0


def _order(identity: Id) -> tuple[str, Id]:
    """Numbers by their size, then texts."""
    return type(identity).__name__, identity


def _decode(raw: msgspec.Raw, kind: Any, where: str) -> Any:  # noqa: ANN401 - a record of any kind
    try:
        return msgspec.json.decode(raw, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{where}: {error}") from error
