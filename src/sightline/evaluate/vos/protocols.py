"""One video's objects, frame by frame, by the rules of one benchmark.

A protocol says which objects are scored, in which frames, and what counts as a mistake of the files. J and F themselves are the
same everywhere (`evaluate.video`), but for MOSEv2. Sources: davisvideochallenge/davis2017-evaluation, hkchengrex/vos-benchmark and
facebookresearch/sam2 `sav_dataset`, henghuiding/MOSE-api `MOSEv2`, LingyiHongfd/lvos-evaluation; YouTube-VOS keeps its scorer and
its masks to itself, and is followed as its paper describes it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Float, UInt8

from sightline.errors import InputError
from sightline.evaluate.video.packed import PackedMask, pack_labels, pack_mask
from sightline.evaluate.video.region_boundary import boundary_f, region
from sightline.evaluate.vos.mose2 import score_mose2_frame
from sightline.evaluate.vos.saved import VOID, check_size, has_object_folders, list_frames, objects_of, read_labels, read_object

LVOS_STEP = 5


@dataclass(frozen=True, eq=False)
class ObjectScores:
    """J and F, 0..1, of one object in the frames that count. `empty`: the object is not in the annotation there.

    `boundary_adaptive` is MOSEv2's F with a radius that follows the object's size; empty in the other protocols.
    """

    video: str
    object_id: str
    frames: tuple[str, ...]
    region: Float[np.ndarray, " frames"]
    boundary: Float[np.ndarray, " frames"]
    empty: tuple[bool, ...]
    boundary_adaptive: Float[np.ndarray, " frames"] = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True)
class Folders:
    """Where the masks lie, and the data set's own description of its videos (`meta.json`), where the protocol uses one."""

    predicted: Path
    truth: Path
    meta: Mapping[str, Any] | None = None


Protocol = Callable[[Folders, str], list[ObjectScores]]


def score_davis2017(folders: Folders, video: str) -> list[ObjectScores]:
    """Semi-supervised: the objects are 1 to the largest label of the first frame; first and last frame are left out; 255 is no
    object. A label above the last object is an error, as in the official program."""
    names = list_frames(folders.truth / video)
    first = read_labels(folders.truth, video, names[0])
    count = int(np.where(first == VOID, 0, first).max())
    objects = range(1, count + 1)

    def read(name: str) -> tuple[Sequence[PackedMask], Sequence[PackedMask]]:
        truth, predicted = _read_pair(folders, video, name)
        if (largest := int(predicted.max())) > count:
            raise InputError(
                f"{folders.predicted / video / name} has the label {largest}; the annotation's first frame has {count} objects."
            )
        return pack_labels(truth, objects), pack_labels(predicted, objects)

    return _score(video, [str(number) for number in objects], names[1:-1], read)


def score_davis2016(folders: Folders, video: str) -> list[ObjectScores]:
    """One object: all labels together; first and last frame are left out."""
    names = list_frames(folders.truth / video)

    def read(name: str) -> tuple[Sequence[PackedMask], Sequence[PackedMask]]:
        truth, predicted = _read_pair(folders, video, name)
        return (pack_mask((truth > 0) & (truth != VOID)),), (pack_mask(predicted > 0),)

    return _score(video, ["1"], names[1:-1], read)


def score_sav(folders: Folders, video: str) -> list[ObjectScores]:
    """SA-V and vos-benchmark: first and last annotated frame are left out; an object counts from the frame in which annotation or
    prediction first show it, and only if the annotation shows it in some frame that counts. 255 is an object."""
    if has_object_folders(folders.truth / video):
        return _score_object_folders(folders, video)
    names = list_frames(folders.truth / video)[1:-1]
    pairs = {name: _read_pair(folders, video, name) for name in names}
    shown = {name: (set(objects_of(truth)), set(objects_of(predicted))) for name, (truth, predicted) in pairs.items()}
    found = []
    for label in sorted(set().union(*(truth for truth, _ in shown.values()))):
        start = next(place for place, name in enumerate(names) if label in shown[name][0] | shown[name][1])

        def read(name: str, label: int = label) -> tuple[Sequence[PackedMask], Sequence[PackedMask]]:
            truth, predicted = pairs[name]
            return (pack_mask(truth == label),), (pack_mask(predicted == label),)

        found += _score(video, [str(label)], names[start:], read)
    return found


def _score_object_folders(folders: Folders, video: str) -> list[ObjectScores]:
    found = []
    for object_id in sorted(path.name for path in (folders.truth / video).iterdir() if path.is_dir()):
        names = list_frames(folders.truth / video / object_id)[1:-1]
        masks = {}
        for name in names:
            truth = read_object(folders.truth, video, object_id, name)
            predicted = read_object(folders.predicted, video, object_id, name)
            check_size(truth, predicted, f"{folders.predicted / video / object_id / name}")
            masks[name] = (pack_mask(truth > 0),), (pack_mask(predicted > 0),)
        shown = [place for place, name in enumerate(names) if masks[name][0][0].area or masks[name][1][0].area]
        if any(masks[name][0][0].area for name in names):
            found += _score(video, [object_id], names[shown[0] :], masks.__getitem__)
    return found


def score_mose2(folders: Folders, video: str) -> list[ObjectScores]:
    """MOSEv2: all frames but the first and the last; the objects of `meta.json`, without one all that the annotation shows. J has
    one pixel added to both counts, and a second F has a radius that follows the object's size. No prediction for a video: 0."""
    names = list_frames(folders.truth / video)[1:-1]
    truths = {name: read_labels(folders.truth, video, name) for name in names}
    described = _video_meta(folders, video).get("objects")
    objects = sorted({int(number) for number in described} if described else set().union(*map(objects_of, truths.values())))
    if not (folders.predicted / video).is_dir():
        return [_nothing(video, number, truths) for number in objects]
    rows: dict[int, list[tuple[float, float, float, bool]]] = {number: [] for number in objects}
    for name in names:
        predicted = read_labels(folders.predicted, video, name)
        check_size(truths[name], predicted, f"{folders.predicted / video / name}")
        for number, truth, said in zip(objects, pack_labels(truths[name], objects), pack_labels(predicted, objects), strict=True):
            rows[number].append((*score_mose2_frame(truth, said), truth.area == 0))
    return [
        ObjectScores(
            video=video,
            object_id=str(number),
            frames=tuple(names),
            region=np.array([row[0] for row in found]),
            boundary_adaptive=np.array([row[1] for row in found]),
            boundary=np.array([row[2] for row in found]),
            empty=tuple(row[3] for row in found),
        )
        for number, found in rows.items()
    ]


def score_lvos(folders: Folders, video: str) -> list[ObjectScores]:
    """LVOS: each object over its own `frame_range` of `{split}_meta.json`, every fifth frame, without the first and the last."""
    found = []
    for object_id, described in sorted(_video_meta(folders, video).get("objects", {}).items()):
        span = described["frame_range"]
        frames = [f"{number:08d}.png" for number in range(int(span["start"]), int(span["end"]), LVOS_STEP)]
        counted = [name for place, name in enumerate(frames) if place not in (0, int(span["frame_nums"]) - 1)]

        def read(name: str, label: int = int(object_id)) -> tuple[Sequence[PackedMask], Sequence[PackedMask]]:
            truth, predicted = _read_pair(folders, video, name)
            return (pack_mask(truth == label),), (pack_mask(predicted == label),)

        found += _score(video, [object_id], counted, read)
    return found


def score_youtube_vos(folders: Folders, video: str) -> list[ObjectScores]:
    """YouTube-VOS: each object over the frames that `meta.json` lists for it, without the first, in which its mask is given."""
    found = []
    for object_id, described in sorted(_video_meta(folders, video).get("objects", {}).items()):
        counted = [f"{name}.png" for name in described["frames"][1:]]

        def read(name: str, label: int = int(object_id)) -> tuple[Sequence[PackedMask], Sequence[PackedMask]]:
            truth, predicted = _read_pair(folders, video, name)
            return (pack_mask(truth == label),), (pack_mask(predicted == label),)

        found += _score(video, [object_id], counted, read)
    return found


PROTOCOLS: dict[str, Protocol] = {
    "davis2017": score_davis2017,
    "davis2016": score_davis2016,
    "sav": score_sav,
    "mose2": score_mose2,
    "lvos": score_lvos,
    "ytvos": score_youtube_vos,
}
NEEDS_META = ("lvos", "ytvos")


def _score(
    video: str,
    object_ids: Sequence[str],
    names: Sequence[str],
    read: Callable[[str], tuple[Sequence[PackedMask], Sequence[PackedMask]]],
) -> list[ObjectScores]:
    """J and F of each object in each frame; `read` gives the true and the predicted masks of all objects in a frame."""
    regions, boundaries = np.zeros((len(object_ids), len(names))), np.zeros((len(object_ids), len(names)))
    empty = [[False] * len(names) for _ in object_ids]
    for column, name in enumerate(names):
        for row, (truth, predicted) in enumerate(zip(*read(name), strict=True)):
            regions[row, column], boundaries[row, column] = region(truth, predicted), boundary_f(truth, predicted)
            empty[row][column] = truth.area == 0
    return [
        ObjectScores(
            video=video,
            object_id=object_id,
            frames=tuple(names),
            region=regions[row],
            boundary=boundaries[row],
            empty=tuple(empty[row]),
        )
        for row, object_id in enumerate(object_ids)
    ]


def _nothing(video: str, number: int, truths: Mapping[str, UInt8[np.ndarray, "h w"]]) -> ObjectScores:
    zeros = np.zeros(len(truths))
    return ObjectScores(
        video=video,
        object_id=str(number),
        frames=tuple(truths),
        region=zeros,
        boundary=zeros,
        boundary_adaptive=zeros,
        empty=tuple(not (labels == number).any() for labels in truths.values()),
    )


def _read_pair(folders: Folders, video: str, name: str) -> tuple[UInt8[np.ndarray, "h w"], UInt8[np.ndarray, "h w"]]:
    truth, predicted = read_labels(folders.truth, video, name), read_labels(folders.predicted, video, name)
    check_size(truth, predicted, f"{folders.predicted / video / name}")
    return truth, predicted


def _video_meta(folders: Folders, video: str) -> Mapping[str, Any]:
    if folders.meta is None:
        return {}
    if video not in folders.meta:
        raise InputError(f"the description (--meta) has no video {video!r}. Is it of this split?")
    return folders.meta[video]
