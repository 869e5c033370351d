"""The videos that training cuts its clips from: any clip reader's, or those of one COCO-style JSON.

A video is read when it is first asked for, and its mask codes are kept until others need the room. What would teach the wrong
thing is an error here and not a gap: pictures that are missing, masks of another size, frames twice or out of order, objects in no
frame. A frame without annotation is none of these: it stays in its place in time, and its objects are unknown there.
"""

import difflib
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

import msgspec

from sightline.datasets import CLIP_READERS, ClipReader
from sightline.datasets.coco.coco_files import Kind, form, split_files
from sightline.errors import InputError
from sightline.geometry.masks import rle_area
from sightline.tasks.clips import SeenClip
from sightline.types import Clip, Track

MEGABYTE = 2**20
# Reasons that readers give for what they leave out, and that leave the other frames and objects as right as they are.
HARMLESS = (
    "labels_missing",
    "listed_but_absent",
    "no_instance_id",
    "not_in_meta",
    "bad_object",
    "bad_box",
    "expression_without_object",
)
Instances = Literal["track", "category"]
BY_CATEGORY = "coco-video-categories"
FORMATS: dict[Kind, str] = {"frames": "coco-video", "videos": "youtube-vis"}


@dataclass(frozen=True)
class VideoSource:
    """Where videos are from: a COCO-style video JSON, or a data set's root with its format (a name of `CLIP_READERS`) and split.

    `only` names the videos that are used, where not all are. `instances` "category": a CocoVID file whose annotations do not number
    their objects, which are told from the categories (`datasets.coco.coco_categories`).
    """

    path: Path
    format: str = ""
    split: str = ""
    only: tuple[str, ...] = ()
    instances: Instances = "track"


def open_source(source: VideoSource) -> ClipReader:
    """The clip reader of a source.

    Raises:
        FileNotFoundError: no such file or folder.
        InputError: an unknown format or split, or a JSON of another form.
    """
    if source.path.is_file():
        return _open_json(source.path, source.instances)
    if not source.path.is_dir():
        raise FileNotFoundError(f"{source.path}: no such file or folder (data.train_path, data.val_path).")
    if source.format not in CLIP_READERS:
        raise InputError(
            f"{source.path}: clip format {source.format!r}; expected one of {', '.join(CLIP_READERS)}, or a JSON file."
        )
    if source.instances == "category" and source.format not in (FORMATS["frames"], BY_CATEGORY):
        raise InputError(
            f"{source.path}: data.instances=category is for CocoVID files, the format is {source.format!r}. Leave it out: the "
            "objects of that format have numbers."
        )
    return CLIP_READERS[BY_CATEGORY if source.instances == "category" else source.format][0]()(source.path, source.split)


class Videos:
    """Videos of several sources, one after the other, by number.

    Args:
        sources: opened in order; every process that loads opens them for itself and numbers them alike.
        max_bytes: about how much memory the mask codes of videos read so far may take. The one in use always stays.

    Raises:
        FileNotFoundError, InputError: as `open_source`; also no video at all, or a name in `only` that no video has.
    """

    def __init__(self, sources: Sequence[VideoSource], *, max_bytes: int = 256 * MEGABYTE) -> None:
        self._places: list[tuple[ClipReader, int]] = []
        self._names: list[str] = []
        for source in sources:
            reader = open_source(source)
            for index, name in _chosen(reader.clip_ids(), source):
                self._places.append((reader, index))
                self._names.append(name)
        if not self._places:
            raise InputError(f"no video in {', '.join(str(source.path) for source in sources) or 'no source'}.")
        self._max_bytes = max_bytes
        self._kept: OrderedDict[int, tuple[Clip, int]] = OrderedDict()
        self._lengths: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._places)

    def name(self, video: int) -> str:
        """The id of a clip in its data set."""
        return self._names[video]

    def root(self, video: int) -> Path:
        """What the paths of its frames are relative to."""
        return self._places[video][0].root

    def num_frames(self, video: int) -> int:
        """How many frames a video has."""
        if video not in self._lengths:
            self._lengths[video] = len(self.clip(video).frames)
        return self._lengths[video]

    @property
    def kept_bytes(self) -> int:
        """About how much memory the videos take that are in memory now."""
        return sum(size for _, size in self._kept.values())

    def clip(self, video: int) -> Clip:
        """All of a video, from memory if it is there.

        Raises:
            InputError: something in it is wrong (see the module); the message names the clip and what.
        """
        if video in self._kept:
            self._kept.move_to_end(video)
            return self._kept[video][0]
        reader, index = self._places[video]
        clip = _checked(reader[index], reader.root)
        self._kept[video] = clip, _bytes_of(clip)
        while len(self._kept) > 1 and self.kept_bytes > self._max_bytes:
            self._kept.popitem(last=False)
        return clip

    def see(self, video: int, frames: Sequence[int]) -> SeenClip:
        """Some frames of a video, in the given order, with their masks; frame k is the k-th of `frames`.

        Raises:
            InputError: as `clip`; also a picture or mask that cannot be read, or whose sizes differ.
        """
        seen = SeenClip(_part(self.clip(video), frames), self.root(video))
        for entry in seen.ledger:
            place = f"{self.root(video) / entry.path}: " if entry.path else ""
            raise InputError(f"{place}{entry.unit}: {entry.reason}, {entry.detail}. Mend the frame, or leave the video out.")
        return seen

    def shows(self, video: int, frame: int) -> bool:
        """Whether a frame shows any object, by its masks."""
        return any(track.places[0] for track in self.see(video, [frame]).tracks)


def _chosen(names: Sequence[str], source: VideoSource) -> list[tuple[int, str]]:
    """The videos of a source that are used, in its order, with their places in it."""
    if unknown := [name for name in source.only if name not in set(names)]:
        near = difflib.get_close_matches(unknown[0], names, n=3) or names[:3]
        raise InputError(f"{source.path} has no video {unknown[0]!r} among its {len(names):,}; it has {', '.join(near)}.")
    return [(index, name) for index, name in enumerate(names) if not source.only or name in source.only]


def _open_json(path: Path, instances: Instances) -> ClipReader:
    kind = form(path)
    if kind not in FORMATS:
        raise InputError(
            f"{path}: no COCO-style video JSON. Expected videos, images with video_id and order_in_video, annotations with "
            "image_id, track_id and segmentation; or the form of YouTube-VIS."
        )
    if instances == "category" and kind != "frames":
        raise InputError(
            f"{path}: data.instances=category is for CocoVID files; this one has the form of YouTube-VIS. Leave it out."
        )
    reader = BY_CATEGORY if instances == "category" else FORMATS[kind]
    roots = (path.parent, path.parent.parent)
    for root in reversed(roots) if path.parent.name == "annotations" else roots:
        for split, found in split_files(root, kind).items():
            if found == path:
                return CLIP_READERS[reader][0]()(root, split)
    raise AssertionError(f"{path} is found below its own folder")


def _checked(clip: Clip, root: Path) -> Clip:
    """The clip with the tracks that can be trained on."""
    where = f"{root}, clip {clip.clip_id!r}"
    for entry in clip.problems:
        if entry.action == "dropped" and entry.reason not in HARMLESS:
            raise InputError(f"{where}: {entry.unit}: {entry.reason}, {entry.detail}. Mend it, or leave the video out.")
    images = [frame.image for frame in clip.frames]
    if not images or None in images:
        raise InputError(
            f"{where}: {images.count(None)} of {len(images)} frames have no picture. `sightline prepare` extracts them."
        )
    if len(set(images)) < len(images):
        twice = next(image for index, image in enumerate(images) if image in images[:index])
        raise InputError(f"{where}: the picture {twice} stands for two frames. Expected each frame once.")
    for earlier, later in pairwise(clip.frames):
        if earlier.frame_id.isdecimal() and later.frame_id.isdecimal() and int(earlier.frame_id) >= int(later.frame_id):
            raise InputError(
                f"{where}: frame {later.frame_id} comes after frame {earlier.frame_id}. Expected frames in order of time: mend "
                "order_in_video (or frame_id), or the files' names."
            )
    tracks = tuple(
        track for track in clip.tracks if not track.crowd and (track.label is not None or track.masks or track.mask_paths)
    )
    if clip.tracks and not tracks:
        raise InputError(f"{where}: none of its {len(clip.tracks)} objects has masks of its own (crowds and boxes do not count).")
    for track in tracks:
        _check_sizes(track, clip, where)
        if _in_no_frame(track):
            raise InputError(f"{where}: object {track.object_id!r} is in no frame. Remove it, or mend its masks.")
    return msgspec.structs.replace(clip, tracks=tracks, problems=())


def _check_sizes(track: Track, clip: Clip, where: str) -> None:
    """Codes against the size that the annotation declares; the pictures' own size is seen to when they are read."""
    for frame, rle in zip(clip.frames, track.masks, strict=False):
        if rle is not None and clip.width and clip.height and (rle.width, rle.height) != (clip.width, clip.height):
            raise InputError(
                f"{where}: frame {frame.frame_id}, object {track.object_id!r}: a mask of {rle.width}x{rle.height} for pictures of "
                f"{clip.width}x{clip.height}. Write the mask in the size of its picture."
            )


def _in_no_frame(track: Track) -> bool:
    """Whether codes or mask files never show the object; a number in label pictures is not looked for."""
    if track.masks:
        return not any(rle is not None and rle_area(rle) for rle in track.masks)
    return bool(track.mask_paths) and not any(track.mask_paths)


def _part(clip: Clip, frames: Sequence[int]) -> Clip:
    """Some frames of a clip as a clip of their own."""
    return msgspec.structs.replace(
        clip,
        frames=tuple(clip.frames[frame] for frame in frames),
        tracks=tuple(_part_of_track(track, frames) for track in clip.tracks),
    )


def _part_of_track(track: Track, frames: Sequence[int]) -> Track:
    annotated = None if track.annotated is None else set(track.annotated)
    return msgspec.structs.replace(
        track,
        masks=tuple(track.masks[frame] for frame in frames) if track.masks else (),
        mask_paths=tuple(track.mask_paths[frame] for frame in frames) if track.mask_paths else (),
        boxes=(),
        annotated=None if annotated is None else tuple(place for place, frame in enumerate(frames) if frame in annotated),
    )


def _bytes_of(clip: Clip) -> int:
    """Characters of codes and paths, and an estimate of what Python needs around each."""
    codes = sum(len(rle.counts) + 150 for track in clip.tracks for rle in track.masks if rle is not None)
    paths = sum(len(path) + 150 for track in clip.tracks for path in track.mask_paths if path is not None)
    return codes + paths + sum(len(frame.image or "") + len(frame.labels or "") + 300 for frame in clip.frames)
