"""Masks of video referring in one file, `mask_dict.json` of MeViS and ReVOS: a list of codes for each annotation.

    {"5": [{"size": [480, 640], "counts": "..."}, null, ...]}       one entry a frame, null where the object is not in it

The file has up to a gigabyte; a list is parsed when its clip is asked for.
"""

from collections.abc import Iterator
from pathlib import Path

from sightline.datasets.coco.json_slices import JsonSlices
from sightline.datasets.coco.segmentations import Code, code
from sightline.datasets.referring.expressions import Video
from sightline.errors import InputError
from sightline.types import LedgerEntry, MaskRle, Track

NAMED = 3
Masks = JsonSlices[list[Code | None]]


def open_masks(path: Path) -> Masks:
    """A `mask_dict.json`, of which no mask is parsed yet."""
    return JsonSlices(path, list[Code | None])


def check_joins(masks: Masks, videos: dict[str, Video], expressions: Path) -> None:
    """Raise InputError if not one of the annotations that the expressions name has masks: the files are of different releases."""
    named = [number for video in videos.values() for said in video.expressions.values() for number in said.annotations()]
    if named and not any(number in masks for number in named):
        raise InputError(
            f"{masks.path} has the masks of none of the {len(set(named)):,} annotations that {expressions} names (the first is "
            f"{named[0]}). The two files are of different releases; take both from one."
        )


def video_tracks(masks: Masks | None, video: Video, clip_id: str) -> tuple[list[Track], list[LedgerEntry]]:
    """The objects that the expressions of a video mean, and what could not be used; nothing without masks."""
    if masks is None:
        return [], []
    annotation_of, problems = _object_annotations(video, clip_id)
    tracks = []
    for track, lost in _tracks(masks, annotation_of, len(video.frames), clip_id):
        tracks += [track] if track else []
        problems += lost
    return tracks, problems


def _object_annotations(video: Video, clip_id: str) -> tuple[dict[str, str], list[LedgerEntry]]:
    """The annotation of each object that the expressions of a video mean, and the expressions whose ids do not fit.

    Of an object with two annotations the first counts; an expression that names another is a problem, as is one with more objects
    than annotations.
    """
    annotation_of: dict[str, str] = {}
    problems = []
    for name, said in video.expressions.items():
        objects, annotations = said.objects() or [], said.annotations()
        pairs = list(zip(objects, annotations, strict=False))
        strange = [f"{mine} as {its}" for mine, its in pairs if annotation_of.setdefault(mine, its) != its]
        if len(objects) != len(annotations):
            strange.append(f"{len(objects)} objects with {len(annotations)} annotations")
        if strange:
            detail = f"expression {name} has {', '.join(strange[:NAMED])}"
            problems.append(LedgerEntry(unit=f"{clip_id}/{name}", reason="ids_do_not_join", detail=detail))
    return annotation_of, problems


def _tracks(
    masks: Masks, annotation_of: dict[str, str], frames: int, clip_id: str
) -> Iterator[tuple[Track | None, list[LedgerEntry]]]:
    """The track of each object in the order given, None where there are no masks for it, and what could not be used.

    A list with fewer entries than the clip has frames counts as far as it goes; frames beyond it are unknown. A frame whose mask is
    no sound run lengths is unknown as well.
    """
    for object_id, number in annotation_of.items():
        if number not in masks:
            gone = f"object {object_id}: {masks.path.name} has no annotation {number}"
            yield None, [LedgerEntry(unit=f"{clip_id}/{object_id}", reason="masks_missing", detail=gone)]
            continue
        yield _track(object_id, masks[number], frames, unit=f"{clip_id}/{object_id}")


def _track(object_id: str, written: list[Code | None], frames: int, *, unit: str) -> tuple[Track, list[LedgerEntry]]:
    problems = []
    if len(written) != frames:
        detail = f"object {object_id}: {len(written)} masks for {frames} frames; the first {min(len(written), frames)} are used"
        problems.append(LedgerEntry(unit=unit, reason="masks_do_not_fit", detail=detail, action="altered"))
    known: list[int] = []
    found: list[MaskRle | None] = [None] * frames
    for frame, each in enumerate(written[:frames]):
        try:
            found[frame] = code(each) if each is not None else None
            known.append(frame)
        except InputError as error:
            problems.append(LedgerEntry(unit=unit, reason="bad_mask", detail=f"frame {frame}: {error}"))
    annotated = None if len(known) == frames else tuple(known)
    return Track(object_id=object_id, masks=tuple(found), annotated=annotated), problems
