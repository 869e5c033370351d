"""Mask tracks as video object segmentation saves them.

| layout | what is written | inside |
|---|---|---|
| `palette` | a folder | `<video>/<frame>.png`, a palette PNG whose index is the object (DAVIS, MOSE, LVOS, YouTube-VOS) |
| `objects` | a folder | `<video>/<object>/<frame>.png`, grey 0 and 255; objects may overlap (SA-V) |
| `rle` | a folder with `masks.json` | COCO-style video JSON with an RLE a mask, as `export.coco_video` writes it |

Every frame of a video has its picture, also where nothing is found. An object's number is its own name if all objects of the video
are named by numbers from 1 to 255, else its place, counted from 1. In `palette` a pixel that several objects claim goes to the one
of the lowest number, as in SAM 2's own script, and is counted; the other two layouts keep all of them. In `rle` an object that is
found in no frame leaves no trace.

A video's folder appears whole or not at all. `tracks.json` says what the masks are of; the same export goes on where it stopped,
another one into the same folder is refused.
"""

import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import numpy as np

from sightline.errors import InputError
from sightline.export.coco_video import UNNAMED, WrittenClip, WrittenFrame, WrittenMask, write_clips
from sightline.files import inside, only_writer, read_json, whole_file, whole_folder, write_json
from sightline.geometry.masks import decode_mask
from sightline.label_png import encode_label_png
from sightline.media import encode_grey_png
from sightline.types import MaskRle, Record

Layout = Literal["palette", "objects", "rle"]
LAYOUTS: tuple[Layout, ...] = ("palette", "objects", "rle")
SOURCE, MASKS = "tracks.json", "masks.json"
MAX_LABEL = 255


@dataclass(frozen=True, eq=False)
class ClipTracks:
    """The masks of a video: by object, an entry a frame, None where it is absent. `size` is (height, width); `pictures` are the
    frames' files as `rle` names them, where there are any; `categories` the objects' kinds, where they are known."""

    video: str
    frames: Sequence[str]
    size: tuple[int, int]
    tracks: Mapping[str, Sequence[MaskRle | None]]
    pictures: Sequence[str] = ()
    categories: Mapping[str, str] | None = None


class Source(Record):
    """`tracks.json`: what the masks are of, in plain words of the one who writes them."""

    layout: str
    source: dict[str, Any]


class TracksWritten(Record):
    """What is there now: videos (of which `num_kept` were there before), masks written, and pixels that several objects claimed."""

    path: str
    layout: Layout
    num_videos: int
    num_kept: int = 0
    num_masks: int = 0
    num_contested_pixels: int = 0


def write_tracks(
    out: Path,
    clips: Iterable[ClipTracks],
    *,
    layout: Layout,
    source: Mapping[str, Any],
    on_video: Callable[[str], None] | None = None,
) -> TracksWritten:
    """Fill the folder `out`; clips are taken one by one.

    Raises:
        InputError: `out` holds masks of something else, a video comes twice or its name leaves the folder, its masks and frames
            differ in number or size, or a label picture would need more than 255 objects.
    """
    with only_writer(out):
        _open(out, Source(layout=layout, source=dict(source)))
        checked = _checked(clips, on_video)
        return _write_rle(out, checked) if layout == "rle" else _write_pictures(out, checked, layout)


def kept_tracks(out: Path, video: str, *, layout: Layout, source: Mapping[str, Any]) -> TracksWritten | None:
    """What the same export of this one video left in `out`, if it was finished.

    Raises:
        InputError: `out` holds masks of something else.
    """
    if not (out / SOURCE).exists() or not (out / (MASKS if layout == "rle" else video)).exists():
        return None
    _open(out, Source(layout=layout, source=dict(source)))
    return TracksWritten(path=str(out), layout=layout, num_videos=1, num_kept=1)


def object_numbers(names: Sequence[str]) -> dict[str, int]:
    """The label number of each object.

    Raises:
        InputError: more objects than a label picture has numbers.
    """
    if all(name.isascii() and name.isdecimal() and 1 <= int(name) <= MAX_LABEL and str(int(name)) == name for name in names):
        return {name: int(name) for name in names}
    if len(names) > MAX_LABEL:
        raise InputError(f"{len(names)} objects; a label picture holds {MAX_LABEL} at most. Write the layout objects or rle.")
    return {name: place for place, name in enumerate(names, start=1)}


def _open(out: Path, wanted: Source) -> None:
    path = out / SOURCE
    if not path.exists():
        if any(child.name not in (".lock", SOURCE) for child in out.iterdir()):
            raise InputError(f"{out} holds files and no {SOURCE}: it is not an export of ours. Choose another folder.")
        write_json(path, wanted)
        return
    for left in list(out.rglob(".*.partial")):  # of a process that was killed
        shutil.rmtree(left)
    stored = read_json(path, Source)
    if stored != wanted:
        raise InputError(f"{out} holds other masks ({stored}, and now {wanted}). Choose another folder, or delete this one.")


def _write_pictures(out: Path, clips: Iterable[ClipTracks], layout: Layout) -> TracksWritten:
    num_videos = num_kept = num_masks = contested = 0
    for clip in clips:
        num_videos += 1
        folder = inside(out, clip.video)
        if folder.exists():
            num_kept += 1
            continue
        with whole_folder(folder) as partial:
            if layout == "palette":
                contested += _write_palette(partial, clip)
            else:
                _write_objects(partial, clip)
        num_masks += _count(clip)
    return TracksWritten(
        path=str(out),
        layout=layout,
        num_videos=num_videos,
        num_kept=num_kept,
        num_masks=num_masks,
        num_contested_pixels=contested,
    )


def _write_palette(folder: Path, clip: ClipTracks) -> int:
    """The number of pixels that more than one object claims."""
    numbers = object_numbers(list(clip.tracks))
    contested = 0
    for index, frame in enumerate(clip.frames):
        labels = np.zeros(clip.size, np.uint8)
        claims = np.zeros(clip.size, np.uint16)
        for name, number in sorted(numbers.items(), key=lambda pair: pair[1]):
            if (code := clip.tracks[name][index]) is not None:
                mask = decode_mask(code)
                labels[mask & (labels == 0)] = number
                claims += mask
        (folder / f"{frame}.png").write_bytes(encode_label_png(labels))
        contested += int(np.count_nonzero(claims > 1))
    return contested


def _write_objects(folder: Path, clip: ClipTracks) -> None:
    empty = encode_grey_png(np.zeros(clip.size, np.uint8))
    for name, track in clip.tracks.items():
        place = folder / name
        place.mkdir()
        for frame, code in zip(clip.frames, track, strict=True):
            content = empty if code is None else encode_grey_png(decode_mask(code).astype(np.uint8) * np.uint8(255))
            (place / f"{frame}.png").write_bytes(content)


def _write_rle(out: Path, clips: Iterable[ClipTracks]) -> TracksWritten:
    """One file, written again by every call: its lists need all videos."""
    written = [_written(clip) for clip in clips]
    with whole_file(out / MASKS) as file:
        rows = write_clips(file, written)
    return TracksWritten(path=str(out), layout="rle", num_videos=len(written), num_masks=rows["annotations"])


def _written(clip: ClipTracks) -> WrittenClip:
    names = list(clip.tracks)
    numeric = all(name.isascii() and name.isdecimal() and int(name) > 0 for name in names)
    height, width = clip.size
    kinds = clip.categories or {}
    frames = tuple(
        WrittenFrame(
            number=int(frame) if frame.isascii() and frame.isdecimal() else index,
            file_name=clip.pictures[index] if clip.pictures else f"{clip.video}/{frame}.jpg",
            width=width,
            height=height,
            labelled=True,
            masks=tuple(
                WrittenMask(track_index=place, rle=code)
                for place, name in enumerate(names)
                if (code := clip.tracks[name][index]) is not None
            ),
        )
        for index, frame in enumerate(clip.frames)
    )
    return WrittenClip(
        clip_id=clip.video,
        fps=None,
        frames=frames,
        track_ids=tuple(int(name) for name in names) if numeric else tuple(range(1, len(names) + 1)),
        categories=tuple(kinds.get(name) or UNNAMED for name in names),
        crowds=(False,) * len(names),
        entries=(),
    )


def _count(clip: ClipTracks) -> int:
    return sum(code is not None for track in clip.tracks.values() for code in track)


def _checked(clips: Iterable[ClipTracks], on_video: Callable[[str], None] | None) -> Iterable[ClipTracks]:
    seen: set[str] = set()
    for clip in clips:
        if clip.video in seen:
            raise InputError(f"video {clip.video!r} comes twice; each has one set of tracks.")
        seen.add(clip.video)
        _check(clip)
        yield clip
        if on_video:
            on_video(clip.video)


def _check(clip: ClipTracks) -> None:
    for name in (*clip.video.split("/"), *clip.frames, *clip.tracks):
        if not name or name.startswith(".") or len(PurePosixPath(name).parts) != 1 or "\\" in name or "\0" in name:
            raise InputError(f"video {clip.video!r}: {name!r} cannot be a file or folder name.")
    if len(set(clip.frames)) < len(clip.frames):
        raise InputError(f"video {clip.video!r}: two frames of one name would be one file.")
    for name, track in clip.tracks.items():
        if len(track) != len(clip.frames):
            raise InputError(f"video {clip.video!r}, object {name!r}: {len(track)} masks for {len(clip.frames)} frames.")
        for frame, code in zip(clip.frames, track, strict=True):
            if code is not None and (code.height, code.width) != clip.size:
                raise InputError(
                    f"video {clip.video!r}, object {name!r}, frame {frame}: a mask of {code.width}x{code.height} pixels; the video "
                    f"has {clip.size[1]}x{clip.size[0]}. Write masks in the size of the frames."
                )
