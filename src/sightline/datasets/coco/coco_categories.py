"""Objects of a CocoVID file that does not number them: what can be told from the categories alone.

The masks of a category are one mask in each frame. In the first frame that shows it, the parts of that mask which are still apart
after an opening by an ellipse of 5x5 pixels are its objects (its own parts, where nothing is left after it). A category of one
object is that object in all frames. Of several, each later part belongs to the object whose last known mask it meets; a frame in
which a part meets none of them or more than one says nothing of any, and they are unknown there. Boxes are not used, crowds are
left out. Opening and parts of the first frame are those of the earlier pipeline, which kept no objects in later frames.
"""

from collections.abc import Sequence

import cv2
import numpy as np
from jaxtyping import Bool

from sightline.datasets.clips.frame_folders import problem
from sightline.datasets.coco.coco_json import Annotation, CocoFile, Id, Picture
from sightline.datasets.coco.coco_tracks import Video
from sightline.datasets.coco.segmentations import region
from sightline.errors import InputError
from sightline.geometry.masks import check_rle, decode_mask, encode_mask, union_masks
from sightline.types import LedgerEntry, MaskRle, Track

OPENING_PIXELS = 5
Mask = Bool[np.ndarray, "h w"]


def category_tracks(file: CocoFile, video: Video, clip_id: str) -> tuple[list[Track], list[LedgerEntry]]:
    """The objects of each category in order of their first frame, and what could not be used. Ids are `{category}-{number}`."""
    problems: list[LedgerEntry] = []
    shown: dict[Id, list[MaskRle | None]] = {}
    known: set[int] = set()
    for frame, picture in enumerate(video.pictures):
        annotations = [each for each in file.annotations(picture.id) if not each.iscrowd]
        if bool(annotations) if (labelled := picture.labelled()) is None else labelled:
            known.add(frame)
        for category, rle in _unions(annotations, picture, clip_id, problems).items():
            shown.setdefault(category, [None] * len(video.pictures))[frame] = rle
    tracks = []
    for category, masks in shown.items():
        name = file.categories.get(category)
        for number, (own, certain) in enumerate(_objects(masks, known), start=1):
            tracks.append(
                Track(
                    object_id=f"{name or category}-{number}",
                    category=name,
                    masks=own,
                    annotated=None if len(certain) == len(masks) else tuple(sorted(certain)),
                )
            )
    return tracks, problems


def _unions(annotations: Sequence[Annotation], picture: Picture, clip_id: str, problems: list[LedgerEntry]) -> dict[Id, MaskRle]:
    """Each category's mask in one frame; what was refused goes to `problems`."""
    codes: dict[Id, list[MaskRle]] = {}
    for annotation in annotations:
        try:
            rle = region(annotation.segmentation, height=picture.height, width=picture.width) if annotation.segmentation else None
            if rle is not None:
                check_rle(rle)
                codes[annotation.category_id] = [union_masks([*codes.get(annotation.category_id, []), rle])]
        except InputError as error:
            problems.append(problem(f"{clip_id}/{picture.id}/{annotation.id}", "bad_mask", str(error)))
    return {category: merged for category, (merged,) in codes.items()}


def _objects(masks: Sequence[MaskRle | None], known: set[int]) -> list[tuple[tuple[MaskRle | None, ...], set[int]]]:
    """The masks of each object of a category over the frames, and the frames in which they are certain."""
    first = next((frame for frame, rle in enumerate(masks) if rle is not None and decode_mask(rle).any()), None)
    if first is None:
        return []
    start = _first_parts(_decoded(masks[first]))
    certain = known | {frame for frame, rle in enumerate(masks) if rle is not None}
    if len(start) == 1:
        return [((*masks[:first], encode_mask(start[0]), *masks[first + 1 :]), certain)]
    found: list[list[MaskRle | None]] = [[None] * len(masks) for _ in start]
    last = list(start)
    for own, part in zip(found, start, strict=True):
        own[first] = encode_mask(part)
    for frame in sorted(each for each in certain if each > first):
        rle = masks[frame]
        here = [np.zeros_like(part) for part in start] if rle is None else _follow(_parts(_decoded(rle)), last)
        if here is None:
            certain = certain - {frame}
            continue
        for number, mask in enumerate(here):
            if mask.any():
                found[number][frame], last[number] = encode_mask(mask), mask
    return [(tuple(own), certain) for own in found]


def _follow(parts: Sequence[Mask], last: Sequence[Mask]) -> list[Mask] | None:
    """The parts that meet each object; None where one meets no object, or several."""
    here = [np.zeros_like(mask) for mask in last]
    for part in parts:
        met = [number for number, mask in enumerate(last) if mask.shape == part.shape and (mask & part).any()]
        if len(met) != 1:
            return None
        here[met[0]] |= part
    return here


def _first_parts(mask: Mask) -> list[Mask]:
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (OPENING_PIXELS, OPENING_PIXELS))
    opened = cv2.morphologyEx(mask.astype(np.uint8), cv2.MORPH_OPEN, kernel).astype(bool)
    return _parts(opened) or _parts(mask)


def _parts(mask: Mask) -> list[Mask]:
    """The connected parts of a mask, corners included, in order of their first pixel."""
    count, labels = cv2.connectedComponents(mask.astype(np.uint8))
    return [np.asarray(labels == label) for label in range(1, count)]


def _decoded(rle: MaskRle | None) -> Mask:
    assert rle is not None, "a frame without a mask"
    return decode_mask(rle)
