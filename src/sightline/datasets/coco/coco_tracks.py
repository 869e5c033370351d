"""The objects of a video in COCO-style JSON as tracks. The two forms stand in `datasets.coco_video`."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from sightline.datasets.clips.frame_folders import problem
from sightline.datasets.coco.coco_json import Annotation, CocoFile, Id, Open, Picture, shape
from sightline.datasets.coco.segmentations import Segmentation
from sightline.errors import InputError
from sightline.geometry.boxes import Box
from sightline.types import LedgerEntry, MaskRle, Track


class Video(Open):
    """One video. In CocoVID `file_names` and `pictures` are those of its images, in order of time."""

    id: Id
    name: str = ""
    width: int | None = None
    height: int | None = None
    file_names: list[str] = []
    pictures: list[Picture] = []

    def title(self) -> str:
        """Its name, or the folder of its pictures, or its id."""
        folder = self.file_names[0].rpartition("/")[0] if self.file_names else ""
        return self.name or folder or str(self.id)

    def of_pictures(self, pictures: Sequence[Picture], path: Path) -> "Video":
        """This video with its pictures, in order; InputError (naming the file `path`) if two have one place in it."""
        places = [picture.order_in_video if picture.frame_id is None else picture.frame_id for picture in pictures]
        known = [place for place in places if place is not None]
        if len(set(known)) < len(pictures):
            raise InputError(
                f"{path}, video {self.id}: {len(pictures)} images with {len(set(known))} places in time; expected a frame_id (or "
                "order_in_video) of its own for each."
            )
        ordered = [picture for _, picture in sorted(zip(known, pictures, strict=True), key=lambda pair: pair[0])]
        first = ordered[0] if ordered else None
        return msgspec.structs.replace(
            self,
            pictures=ordered,
            file_names=[picture.file_name for picture in ordered],
            width=self.width or (first.width if first else None),
            height=self.height or (first.height if first else None),
        )


def videos_with_pictures(file: CocoFile) -> list[Video]:
    """The videos of a CocoVID file with their pictures in order of time; where the file lists no videos, those of its images.

    Raises:
        InputError: an image of no video, or of one that the file does not list; two images with one place in time.
    """
    listed: list[Video] = [file.decode(raw, Video, f"video {index}") for index, raw in enumerate(file.videos)]
    of: dict[Id, list[Picture]] = {video.id: [] for video in listed}
    for picture in file.images:
        if picture.video_id is None or (listed and picture.video_id not in of):
            raise InputError(f"{file.path}: image {picture.id} is of video {picture.video_id}, which the file does not list.")
        of.setdefault(picture.video_id, []).append(picture)
    videos = listed or [Video(id=identity) for identity in of]
    return [video.of_pictures(of[video.id], file.path) for video in videos]


class _Whole(Open):
    """An annotation of YouTube-VIS: one object over all frames."""

    id: Id
    category_id: Id
    segmentations: list[Segmentation | None] = []
    bboxes: list[list[float] | None] = []
    iscrowd: int | bool = 0


class _Shapes:
    """The masks and boxes of one object, as they are gathered."""

    def __init__(self, frames: int) -> None:
        self.masks: list[MaskRle | None] = [None] * frames
        self.boxes: list[Box | None] = [None] * frames
        self.unknown: set[int] = set()

    def put(self, frame: int, annotation: Annotation, picture: Picture, unit: str) -> list[LedgerEntry]:
        """Take the mask and box of one frame; what was refused makes the frame unknown."""
        self.masks[frame], self.boxes[frame], refused = shape(annotation, picture, unit)
        if refused or (self.masks[frame] is None and self.boxes[frame] is None):
            self.unknown.add(frame)
        return refused

    def there(self) -> set[int]:
        """The frames in which the object has a mask or a box."""
        return {frame for frame, (mask, box) in enumerate(zip(self.masks, self.boxes, strict=True)) if mask or box}

    def track(self, object_id: str, category: str | None, known: set[int], *, crowd: bool) -> Track:
        """As a track. An object with masks is unknown where it has a box only."""
        masked = any(self.masks)
        bare = {frame for frame, (mask, box) in enumerate(zip(self.masks, self.boxes, strict=True)) if masked and box and not mask}
        annotated = known - bare - {frame for frame in self.unknown if not self.masks[frame]}
        return Track(
            object_id=object_id,
            category=category,
            masks=tuple(self.masks) if masked else (),
            boxes=tuple(self.boxes) if any(self.boxes) else (),
            annotated=None if len(annotated) == len(self.masks) else tuple(sorted(annotated)),
            crowd=crowd,
        )


def frame_tracks(file: CocoFile, video: Video, clip_id: str) -> tuple[list[Track], list[LedgerEntry]]:
    """The objects of a CocoVID video in order of their first frame, and what could not be used."""
    shapes: dict[str, _Shapes] = {}
    first: dict[str, Annotation] = {}
    problems: list[LedgerEntry] = []
    annotated: set[int] = set()
    taken: set[tuple[str, int]] = set()
    for frame, picture in enumerate(video.pictures):
        annotations = file.annotations(picture.id)
        if bool(annotations) if (labelled := picture.labelled()) is None else labelled:
            annotated.add(frame)
        for annotation in annotations:
            instance = annotation.track_id if annotation.instance_id is None else annotation.instance_id
            name = f"annotation-{annotation.id}" if instance is None else str(instance)
            unit = f"{clip_id}/{Path(picture.file_name).stem}/{annotation.id}"
            if instance is None:
                problems.append(problem(unit, "no_instance_id", "no instance_id or track_id: an object of this frame alone"))
            if (name, frame) in taken:
                problems.append(
                    problem(unit, "object_twice", f"instance {name} has two annotations in this frame; the first is used")
                )
                continue
            taken.add((name, frame))
            first.setdefault(name, annotation)
            problems += shapes.setdefault(name, _Shapes(len(video.pictures))).put(frame, annotation, picture, unit)
    tracks = [
        found.track(name, file.categories.get(first[name].category_id), annotated | found.there(), crowd=bool(first[name].iscrowd))
        for name, found in shapes.items()
    ]
    return _usable(tracks), problems


def video_tracks(file: CocoFile, video: Video, clip_id: str) -> tuple[list[Track], list[LedgerEntry]]:
    """The objects of a YouTube-VIS video in the file's order, and what could not be used."""
    tracks: list[Track] = []
    problems: list[LedgerEntry] = []
    count = len(video.file_names)
    for whole in file.annotations(video.id, _Whole):
        unit = f"{clip_id}/{whole.id}"
        if any(len(listed) not in {0, count} for listed in (whole.segmentations, whole.bboxes)):
            detail = f"{len(whole.segmentations)} masks and {len(whole.bboxes)} boxes for {count} frames"
            problems.append(problem(unit, "masks_do_not_fit", detail))
            continue
        shapes = _Shapes(count)
        segmentations, boxes = whole.segmentations or [None] * count, whole.bboxes or [None] * count
        for frame, (segmentation, box) in enumerate(zip(segmentations, boxes, strict=True)):
            if segmentation is not None or box is not None:
                annotation = Annotation(id=whole.id, category_id=whole.category_id, bbox=box, segmentation=segmentation)
                picture = Picture(id=frame, file_name=video.file_names[frame], height=video.height or 0, width=video.width or 0)
                problems += shapes.put(frame, annotation, picture, f"{clip_id}/{Path(picture.file_name).stem}/{whole.id}")
        category = file.categories.get(whole.category_id)
        tracks.append(shapes.track(str(whole.id), category, set(range(count)), crowd=bool(whole.iscrowd)))
    return _usable(tracks), problems


def _usable(tracks: list[Track]) -> list[Track]:
    """Those with a mask or a box somewhere."""
    return [track for track in tracks if track.masks or track.boxes]
