"""One annotation file of SA-V's training set as a clip; the format stands in `sav`."""

import math
from pathlib import Path, PurePosixPath

import msgspec

from sightline.datasets.clips.frame_folders import altered, problem, some
from sightline.datasets.clips.sav_frames import LABEL_FPS, LABEL_STEP, covers_labels, extracted_images
from sightline.errors import InputError
from sightline.files import inside, read_json
from sightline.types import Clip, ClipFrame, LedgerEntry, MaskRle, Track


class _Rle(msgspec.Struct):
    size: tuple[int, int]  # height, width
    counts: str


class _Annotation(msgspec.Struct):
    video_id: str
    video_frame_count: float
    video_height: float
    video_width: float
    masklet: list[list[_Rle | None]]


def read_clip(root: Path, path: str, *, extracted: list[str]) -> Clip:
    """The clip of one file. A file that cannot be used gives a clip without frames, and why.

    Args:
        root: what paths are relative to.
        path: `{chunk}/{video}_{manual|auto}.json`, from the root.
        extracted: the folders of extracted frames, from the root (`sav_frames.extracted_folders`).

    Raises:
        InputError: a path leads out of the root.
    """
    clip_id = PurePosixPath(path).name.rpartition("_")[0]
    try:
        read = read_json(inside(root, path), _Annotation)
    except InputError as error:
        return _unusable(clip_id, "unreadable", str(error))
    widths = {len(row) for row in read.masklet}
    if read.video_id != clip_id or len(widths) != 1:
        detail = f"{path}: of video {read.video_id!r}, rows of {sorted(widths)[:8]} objects; expected this video, and one length"
        return _unusable(clip_id, "bad_annotation", detail)
    problems: list[LedgerEntry] = []
    numbers = _numbers(clip_id, len(read.masklet), read.video_frame_count, problems)
    folder, images = extracted_images(root, extracted, clip_id)
    video = str(PurePosixPath(path).with_name(f"{clip_id}.mp4"))
    video = video if inside(root, video).is_file() else None
    numbers = _with_pictures(clip_id, numbers, folder, images, problems)
    if folder is None:
        what = f"{video}: frames are not extracted (sightline prepare frames)" if video else f"neither {clip_id}.mp4 nor its frames"
        problems.append(problem(clip_id, "picture_missing", what))
    return Clip(
        clip_id=clip_id,
        split="train",
        frames=tuple(ClipFrame(frame_id=f"{number:05d}", image=images.get(number), video_frame=number) for number in numbers),
        tracks=_tracks(read.masklet[: len(numbers)]),
        problems=tuple(problems),
        width=round(read.video_width),
        height=round(read.video_height),
        fps=LABEL_FPS,
        video=video,
        video_id=f"sav/{clip_id}",
    )


def _numbers(clip_id: str, num_rows: int, num_frames: float, problems: list[LedgerEntry]) -> list[int]:
    """The decoded frames of the rows; rows beyond the video's own length are cut off."""
    possible = math.ceil(num_frames / LABEL_STEP)
    if num_rows > possible:
        problems.append(altered(clip_id, "masks_after_end", f"{num_rows} rows of masks, {num_frames:g} frames have {possible}"))
    return list(range(0, LABEL_STEP * min(num_rows, possible), LABEL_STEP))


def _with_pictures(
    clip_id: str, numbers: list[int], folder: str | None, images: dict[int, str], problems: list[LedgerEntry]
) -> list[int]:
    """The decoder may have given fewer frames than the annotation has: the clip ends with its last picture."""
    if folder is None or not covers_labels(folder):
        return numbers
    last = max(images, default=-1)
    kept = [number for number in numbers if number <= last]
    if len(kept) < len(numbers):
        detail = f"masks at {len(numbers)} frames, but the decoded video ends in frame {last}: {len(kept)} are used"
        problems.append(altered(clip_id, "frames_lost", detail))
    if missing := [f"{number:05d}.jpg" for number in kept if number not in images]:
        problems.append(problem(clip_id, "picture_missing", some(missing, of=len(kept), what="frames have no picture")))
    return kept


def _tracks(rows: list[list[_Rle | None]]) -> tuple[Track, ...]:
    return tuple(
        Track(object_id=str(column), masks=tuple(_mask(rle) for rle in masks))
        for column, masks in enumerate(zip(*rows, strict=True))
    )


def _mask(rle: _Rle | None) -> MaskRle | None:
    return None if rle is None else MaskRle(height=rle.size[0], width=rle.size[1], counts=rle.counts)


def _unusable(clip_id: str, reason: str, detail: str) -> Clip:
    return Clip(clip_id=clip_id, split="train", frames=(), problems=(problem(clip_id, reason, detail),), video_id=f"sav/{clip_id}")
