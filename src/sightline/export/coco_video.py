"""Clips with masks as one COCO-style video JSON, for trainers that read no other layout.

    {"videos": [{"id": 1, "name": "duel", "length": 2, "fps": 24.0, "width": 854, "height": 480}],
     "images": [{"id": 1, "video_id": 1, "order_in_video": 0, "frame_number": 0, "file_name": "JPEGImages/480p/duel/00000.jpg",
                 "height": 480, "width": 854, "is_labeled": true}],
     "annotations": [{"id": 1, "image_id": 1, "video_id": 1, "track_id": 1, "category_id": 1, "iscrowd": 0, "area": 6,
                      "bbox": [2, 1, 3, 2], "segmentation": {"size": [480, 854], "counts": "..."}}],
     "categories": [{"id": 1, "name": "object"}]}

File names are relative to the data set's root; the data set's reader `coco-video` finds the pictures if the file lies in that root,
or in its folder annotations/. `frame_number` is the number in the data set, `order_in_video` counts the frames that are written. An
object is the same in a video by its `track_id`: its own number if all objects of the clip have numbers above 0, else its place,
counted from 1. In a frame with `is_labeled` an object without an annotation is absent; in any other nothing is known of it, even
where another object is annotated (several data sets label only some objects of a frame; void may hide one). An object without
a category is "object". Frames without a picture cannot be trained on and are left out (`picture_missing`), and so are frames whose
picture or masks cannot be read.
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from io import BufferedWriter
from pathlib import Path
from typing import Any

import msgspec

from sightline.errors import InputError
from sightline.export.clip_parts import ClipExport, ClipsWritten, Parts, Progress, run_export, write_ledger
from sightline.files import whole_file
from sightline.geometry.masks import rle_area, rle_box
from sightline.tasks.clips import SeenClip, SeenTrack
from sightline.taskset.clip_work import ClipSource
from sightline.types import Clip, LedgerEntry, MaskRle, Record

UNNAMED = "object"


class WrittenMask(Record):
    """The mask of object `track_index` in a frame."""

    track_index: int
    rle: MaskRle


class WrittenFrame(Record):
    """A frame with its picture; `labelled`: of every object it is known whether it is there."""

    number: int
    file_name: str
    width: int
    height: int
    labelled: bool
    masks: tuple[WrittenMask, ...]


class WrittenClip(Record):
    """What one clip gives. `track_ids`, `categories` and `crowds` are by object."""

    clip_id: str
    fps: float | None
    frames: tuple[WrittenFrame, ...]
    track_ids: tuple[int, ...]
    categories: tuple[str, ...]
    crowds: tuple[bool, ...]
    entries: tuple[LedgerEntry, ...]


def export_coco_video(
    source: ClipSource, out: Path, *, workers: int | None = None, on_progress: Progress | None = None
) -> ClipsWritten:
    """Write the file `out` and its ledger. The same command goes on where it stopped.

    Raises:
        FileNotFoundError, InputError: a bad root or split, another export at `out`, or no frame with a picture and masks.
    """
    export = ClipExport(form="coco-video", source=source, out=str(out))
    return run_export(
        export, clip_frames, WrittenClip, join=lambda parts: _join(parts, export), workers=workers, on_progress=on_progress
    )


def clip_frames(clip: Clip, root: Path) -> WrittenClip:
    """The frames and masks of one clip."""
    seen = SeenClip(clip, root)
    tracks = [track for track in seen.tracks if track.track.masks or track.track.mask_paths or track.track.label is not None]
    entries = list(seen.ledger)
    if len(tracks) < len(seen.tracks):
        detail = f"{len(seen.tracks) - len(tracks)} objects have boxes and no masks"
        entries.append(LedgerEntry(unit=clip.clip_id, reason="no_masks", detail=detail))
    told = {entry.reason for entry in clip.problems}
    if "picture_missing" not in told and (gone := sum(frame.image is None for frame in clip.frames)):
        detail = f"{gone} of {len(clip.frames)} frames have no picture"
        entries.append(LedgerEntry(unit=clip.clip_id, reason="picture_missing", detail=detail))
    return WrittenClip(
        clip_id=clip.clip_id,
        fps=clip.fps,
        frames=tuple(_frames(seen, tracks)),
        track_ids=_numbers([track.object_id for track in tracks]),
        categories=tuple(track.track.category or UNNAMED for track in tracks),
        crowds=tuple(track.track.crowd for track in tracks),
        entries=tuple(entries),
    )


def _frames(seen: SeenClip, tracks: list[SeenTrack]) -> Iterator[WrittenFrame]:
    for position, (frame, size) in enumerate(zip(seen.clip.frames, seen.sizes, strict=True)):
        if frame.image is None or size is None:
            continue
        masks = ((index, seen.mask(track, position)) for index, track in enumerate(tracks))
        yield WrittenFrame(
            number=_frame_number(frame.frame_id, position),
            file_name=frame.image,
            width=size[0],
            height=size[1],
            labelled=bool(tracks) and all(track.known[position] for track in tracks),
            masks=tuple(WrittenMask(track_index=index, rle=rle) for index, rle in masks if rle is not None),
        )


def _frame_number(frame_id: str, position: int) -> int:
    return int(frame_id) if frame_id.isascii() and frame_id.isdecimal() else position


def _numbers(object_ids: list[str]) -> tuple[int, ...]:
    own = [int(name) if name.isascii() and name.isdecimal() else 0 for name in object_ids]
    return tuple(own) if min(own, default=0) > 0 and len(set(own)) == len(own) else tuple(range(1, len(own) + 1))


def _join(parts: Parts[WrittenClip], export: ClipExport) -> ClipsWritten:
    """One file of four lists: the parts are read once for each, because a list can only be written after the one before it."""
    out = Path(export.out)
    with ExitStack() as stack:
        file = stack.enter_context(whole_file(out))
        ledger = stack.enter_context(whole_file(export.beside(".ledger.jsonl")))
        dropped, altered = write_ledger(ledger, (entry for clip in parts for entry in clip.entries))
        rows = write_clips(file, parts)
        if not rows["annotations"]:
            reasons = ", ".join(f"{reason} {count}" for reason, count in dropped.items()) or "the split has no masks"
            raise InputError(
                f"{export.source.root}, split {export.source.split!r}: no frame has a picture and a mask. Dropped: {reasons}."
            )
    return ClipsWritten(path=str(out), rows=rows, dropped=dropped, altered=altered)


def write_clips(file: BufferedWriter, clips: Parts[WrittenClip] | Sequence[WrittenClip]) -> dict[str, int]:
    """Write the whole JSON; clips without frames are passed over. Returns the rows of each list."""
    names = sorted({name for clip in clips for name in clip.categories})
    numbers = {name: number for number, name in enumerate(names, start=1)}
    rows = {
        "videos": _list(file, "videos", _videos(clips), before=b"{"),
        "images": _list(file, "images", _images(clips), before=b","),
        "annotations": _list(file, "annotations", _annotations(clips, numbers), before=b","),
        "categories": _list(file, "categories", ({"id": numbers[name], "name": name} for name in names), before=b","),
    }
    file.write(b"}\n")
    return rows


def _videos(parts: Iterable[WrittenClip]) -> Iterator[dict[str, Any]]:
    for video_id, clip in _numbered(parts):
        size = {"width": clip.frames[0].width, "height": clip.frames[0].height}
        rate = {} if clip.fps is None else {"fps": clip.fps}
        yield {"id": video_id, "name": clip.clip_id, "length": len(clip.frames), **rate, **size}


def _images(parts: Iterable[WrittenClip]) -> Iterator[dict[str, Any]]:
    image_id = 0
    for video_id, clip in _numbered(parts):
        for order, frame in enumerate(clip.frames):
            image_id += 1
            yield {
                "id": image_id,
                "video_id": video_id,
                "order_in_video": order,
                "frame_number": frame.number,
                "file_name": frame.file_name,
                "height": frame.height,
                "width": frame.width,
                "is_labeled": frame.labelled,
            }


def _annotations(parts: Iterable[WrittenClip], numbers: dict[str, int]) -> Iterator[dict[str, Any]]:
    image_id = annotation_id = 0
    for video_id, clip in _numbered(parts):
        for frame in clip.frames:
            image_id += 1
            for mask in frame.masks:
                annotation_id += 1
                box = rle_box(mask.rle)
                assert box is not None, "a mask that is written has a pixel"
                x0, y0, x1, y1 = map(int, box)
                yield {
                    "id": annotation_id,
                    "image_id": image_id,
                    "video_id": video_id,
                    "track_id": clip.track_ids[mask.track_index],
                    "category_id": numbers[clip.categories[mask.track_index]],
                    "iscrowd": int(clip.crowds[mask.track_index]),
                    "area": rle_area(mask.rle),
                    "bbox": [x0, y0, x1 - x0, y1 - y0],
                    "segmentation": {"size": [mask.rle.height, mask.rle.width], "counts": mask.rle.counts},
                }


def _numbered(parts: Iterable[WrittenClip]) -> Iterator[tuple[int, WrittenClip]]:
    """The clips that have frames, counted from 1."""
    return enumerate((clip for clip in parts if clip.frames), start=1)


def _list(file: BufferedWriter, name: str, rows: Iterable[dict[str, Any]], *, before: bytes) -> int:
    """One list of the file, a row a line; the number of rows."""
    count = 0
    file.write(before + f'"{name}": ['.encode())
    for row in rows:
        file.write((b",\n" if count else b"\n") + msgspec.json.encode(row))
        count += 1
    file.write(b"]")
    return count
