"""The frames of a video that spatial questions show, as pictures: a video file is decoded, a folder of frames taken as it is.

The frames of a file become pictures below `media/frames/`, named by their number; those of a folder stay where they are.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from sightline import video
from sightline.errors import InputError
from sightline.files import inside
from sightline.tasks.frame_rules import BY_SIGHT, FrameRule, ruled_frames
from sightline.tasks.pictures import Studio, derived_path
from sightline.tasks.point_choices import video_choice
from sightline.tasks.scan_coverage import video_coverage
from sightline.types import ImageRef, Record, SpatialInquiry

PICTURES = (".jpg", ".jpeg", ".png", ".webp")
VIDEOS_KEPT = 4


class VideoFrames(Record):
    """The shown frames, their times in seconds, their names, how many the video has, and what a choice by space says of itself."""

    images: tuple[ImageRef, ...]
    times_s: tuple[float, ...]
    names: tuple[str, ...]
    num_frames: int
    evidence: dict[str, int] = {}


def video_frames(inquiry: SpatialInquiry, path: str, studio: Studio, rule: FrameRule, *, rng: np.random.Generator) -> VideoFrames:
    """The frames of the video at `path`, by rule.

    Raises:
        FileNotFoundError, InputError: the video cannot be read or has too many frames, or nothing is known of the scene's space.
    """
    place = inside(studio.root, path)
    if place.is_dir():
        names = sorted(file.name for file in place.iterdir() if file.suffix.lower() in PICTURES)
        num_frames, rate = len(names), rule.folder_fps
        chosen, evidence = _choose(inquiry, _Video(place, num_frames, rate, names), rule, rng)
        images = tuple(studio.original(f"{path}/{names[number]}") for number in chosen)
        ids = tuple(Path(names[number]).stem for number in chosen)
    else:
        changed_ns = place.stat().st_mtime_ns
        num_frames, rate = _header(place, changed_ns)
        chosen, evidence = _choose(inquiry, _Video(place, num_frames, rate), rule, rng)
        stem = path.rpartition(".")[0]
        images = tuple(
            studio.derived(derived_path("frames", stem, f"{number:06d}"), lambda rgb=rgb: rgb)
            for number, rgb in zip(chosen, _decoded(place, changed_ns, chosen), strict=True)
        )
        ids = tuple(f"{number:06d}" for number in chosen)
    times_s = tuple(round(number / rate, 3) for number in chosen)
    return VideoFrames(images=images, times_s=times_s, names=ids, num_frames=num_frames, evidence=evidence)


@dataclass(frozen=True)
class _Video:
    """A file, or a folder of frames with these `names`."""

    place: Path
    num_frames: int
    rate: float
    names: Sequence[str] = ()


def _choose(
    inquiry: SpatialInquiry, clip: _Video, rule: FrameRule, rng: np.random.Generator
) -> tuple[tuple[int, ...], dict[str, int]]:
    if not clip.num_frames:
        raise InputError("no frame in it. A video is a file, or a folder of JPEG, PNG or WebP pictures.")
    if rule.policy not in BY_SIGHT:
        return ruled_frames(clip.num_frames, rule, rng=rng, rate=clip.rate), {}
    if rule.policy == "space_aware":
        found = video_coverage(inquiry.dataset, inquiry.scene_id, clip.num_frames, rule)
    else:
        found = video_choice(clip.place, clip.names, clip.num_frames, rule)
    return found.frames, {"frames_by_coverage": found.num_greedy, "frames_filled": found.num_filled}


@lru_cache(maxsize=1024)
def _header(path: Path, _changed_ns: int) -> tuple[int, float]:
    """How many frames a video has, counted by decoding it, and how many a second."""
    return sum(1 for _ in video.read_frames(path, lambda _: False)), float(video.frame_rate(path))


@lru_cache(maxsize=VIDEOS_KEPT)
def _decoded(path: Path, _changed_ns: int, chosen: tuple[int, ...]) -> tuple[UInt8[np.ndarray, "h w 3"], ...]:
    """The chosen frames; the questions of one video stand together in most files."""
    wanted = set(chosen)
    return tuple(frame.rgb for frame in video.read_frames(path, wanted.__contains__) if frame.rgb is not None)
