"""COCO-style JSON: pictures, annotations and categories of one file, an annotation parsed when its picture is asked for.

    {"images": [{"id": 9001, "file_name": "COCO_train2014_000000009001.jpg", "height": 480, "width": 640}],
     "annotations": [{"id": 4001, "image_id": 9001, "category_id": 18, "bbox": [96.0, 120.0, 64.0, 80.0],
                      "segmentation": [[96, 120, 160, 120, 160, 200]], "area": 2560.0, "iscrowd": 0}],
     "categories": [{"id": 18, "name": "dog"}]}

`bbox` is x, y, width, height. `segmentation` is in any form of `datasets.segmentations`, or empty: then the box is all there is.
"""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import msgspec

from sightline.datasets.coco.json_slices import decode_mapped
from sightline.datasets.coco.segmentations import Segmentation, region
from sightline.errors import InputError
from sightline.files import inside
from sightline.geometry.boxes import Box
from sightline.types import LedgerEntry, MaskRle, Record, Track

COCO_NAME = re.compile(r"(COCO_(train|val|test)20\d\d_)?(?P<number>\d{12})")
NAMED = 3
Id = int | str


class Open(Record, forbid_unknown_fields=False):
    """A record of a file that has more fields than we read."""


class Picture(Open):
    id: Id
    file_name: str
    height: int
    width: int
    video_id: Id | None = None
    frame_id: int | None = None
    order_in_video: int | None = None
    is_labeled: bool | None = None
    is_det_keyframe: bool | None = None

    def labelled(self) -> bool | None:
        """Whether someone looked for objects in it; None where the file does not say. `is_det_keyframe` is the older name."""
        return self.is_det_keyframe if self.is_labeled is None else self.is_labeled


class Annotation(Open):
    id: Id
    category_id: Id
    image_id: Id | None = None
    bbox: list[float] | None = None
    segmentation: Segmentation | None = None
    iscrowd: int | bool = 0
    instance_id: Id | None = None
    track_id: Id | None = None


class Category(Open):
    id: Id
    name: str


class _Key(Open):
    id: Id
    image_id: Id | None = None
    video_id: Id | None = None


class _File(Open):
    annotations: list[msgspec.Raw] | None = None
    images: list[Picture] = []
    videos: list[msgspec.Raw] = []
    categories: list[Category] = []


class CocoFile:
    """One file. `images`, `videos` (undecoded) and `categories` are as they stand there.

    Args:
        path: the file.
        by: "image_id" or "video_id", which groups the annotations.

    Raises:
        FileNotFoundError, InputError: as `JsonSlices`; also an annotation's id that stands twice, or one without `by`.
    """

    def __init__(self, path: Path, by: str = "image_id") -> None:
        self.path = path
        content: _File = decode_mapped(path, _File)
        self.images = content.images
        self.videos = content.videos
        self.categories = {category.id: category.name for category in content.categories}
        self._annotations: dict[Id, list[msgspec.Raw]] = {}
        seen: set[Id] = set()
        for index, raw in enumerate(content.annotations or ()):
            key: _Key = self.decode(raw, _Key, f"annotation {index}")
            owner = key.image_id if by == "image_id" else key.video_id
            if owner is None:
                raise InputError(f"{path}: annotation {key.id} has no {by}.")
            if key.id in seen:
                raise InputError(f"{path}: annotation id {key.id} stands twice; each annotation needs its own.")
            seen.add(key.id)
            self._annotations.setdefault(owner, []).append(raw)

    def owners(self) -> list[Id]:
        """The pictures or videos that have annotations."""
        return list(self._annotations)

    def annotations(self, owner: Id, kind: Any = Annotation) -> list[Any]:  # noqa: ANN401 - a record of any annotation
        """What is annotated in a picture (or video), as `kind`.

        Raises:
            InputError: an annotation of another form.
        """
        return [self.decode(raw, kind, f"an annotation of {owner}") for raw in self._annotations.get(owner, [])]

    def decode(self, raw: msgspec.Raw, kind: Any, what: str) -> Any:  # noqa: ANN401
        """A part of the file as `kind`; InputError names the file and `what`."""
        try:
            return msgspec.json.decode(raw, type=kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InputError(f"{self.path}, {what}: {error}") from error


def picture_tracks(annotations: Iterable[Annotation], picture: Picture, file: CocoFile) -> tuple[list[Track], list[LedgerEntry]]:
    """The objects of one picture as tracks of one frame, and what could not be used of them."""
    tracks, problems = [], []
    for annotation in annotations:
        mask, box, refused = shape(annotation, picture, unit=f"{Path(picture.file_name).stem}/{annotation.id}")
        problems += refused
        if mask is None and box is None:
            continue
        tracks.append(
            Track(
                object_id=str(annotation.id),
                category=file.categories.get(annotation.category_id),
                masks=(mask,) if mask else (),
                boxes=(box,) if box else (),
                crowd=bool(annotation.iscrowd),
            )
        )
    return tracks, problems


def shape(annotation: Annotation, picture: Picture, unit: str) -> tuple[MaskRle | None, Box | None, list[LedgerEntry]]:
    """The mask and the box (exclusive ends) of an annotation, each None where there is none, and what was refused."""
    problems = []
    box, mask = None, None
    try:
        box = xywh_box(annotation.bbox)
    except InputError as error:
        problems.append(LedgerEntry(unit=unit, reason="bad_box", detail=str(error)))
    try:
        mask = region(annotation.segmentation, height=picture.height, width=picture.width) if annotation.segmentation else None
    except InputError as error:
        problems.append(LedgerEntry(unit=unit, reason="bad_mask", detail=str(error)))
    return mask, box, problems


def xywh_box(numbers: Sequence[float] | None) -> Box | None:
    """Corner and size as a box with exclusive ends; None for none.

    Raises:
        InputError: not four numbers, or a side that is not positive.
    """
    if not numbers:
        return None
    if len(numbers) != 4 or not (0 < numbers[2] < float("inf") and 0 < numbers[3] < float("inf")):
        raise InputError(f"a box {list(numbers)[:8]}; expected x, y, width and height, the last two above 0.")
    x, y, width, height = map(float, numbers)
    return x, y, x + width, y + height


def media_folder(root: Path, folders: Sequence[str], names: Sequence[str]) -> str | None:
    """The first of `folders` (from the root) in which one of the first few `names` lies; None if there is no such folder."""
    for folder in folders:
        if any(inside(root, joined(folder, name)).is_file() for name in names[:NAMED]):
            return folder
    return None


def joined(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def coco_identity(file_name: str) -> str:
    """The name of a COCO picture in every year's edition ("coco/000000009001"), or "" for any other picture."""
    found = COCO_NAME.fullmatch(Path(file_name).stem)
    return f"coco/{found['number']}" if found else ""
