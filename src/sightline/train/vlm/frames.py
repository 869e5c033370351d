"""What is shown of a sample: its pictures, and of each video some frames, each after its time in words.

A clip is shown to every family as its frames one by one (`<0.4 seconds>`, a picture, ...), as `dialects.render` does for
prediction. Sizes of pictures come from headers. A video is decoded once, because what its header says of the number of frames
cannot be relied on.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sightline import picture_header, video
from sightline.dialects.times import time_words
from sightline.errors import InputError
from sightline.train.vlm.depth import check_header
from sightline.train.vlm.samples import FrameRun, MediaRef, Sample, Slot, Turn

MAX_FRAMES = 8


@dataclass(frozen=True)
class Picture:
    """What stands in one slot: a picture, with its depth where it has one, or frame number `frame` of a video. `size` is (width,
    height) of the original."""

    ref: MediaRef
    size: tuple[int, int]
    frame: int | None = None
    depth: MediaRef | None = None


@dataclass(frozen=True)
class Film:
    """What stands in the slot of a video that is shown as one: its frames in order, of one size."""

    frames: tuple[Picture, ...]
    depth: None = None

    @property
    def ref(self) -> MediaRef:
        """The file, or that of the first frame."""
        return self.frames[0].ref

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of the frames."""
        return self.frames[0].size


@dataclass(frozen=True)
class Layout:
    """The turns with the slots of what is shown, and these pictures and films in the order of the slots."""

    turns: tuple[Turn, ...]
    pictures: tuple[Picture | Film, ...]


@dataclass(frozen=True)
class VideoHeader:
    """`size` is (width, height) as shown."""

    num_frames: int
    fps: float
    size: tuple[int, int]


def lay_out(sample: Sample, *, max_frames: int = MAX_FRAMES, whole_clips: bool = False) -> Layout:
    """What is shown of `sample`; of a video at most `max_frames` frames, evenly spaced in time. `whole_clips`: as one film.

    Raises:
        FileNotFoundError: a picture or video is not there; the message names the sample.
        InputError: one that cannot be read.
    """
    try:
        return _lay_out(sample, max_frames, whole_clips=whole_clips)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{sample.source}, sample {sample.id!r}: {error}") from error
    except InputError as error:
        raise InputError(f"{sample.source}, sample {sample.id!r}: {error}") from error


def chosen_frames(num_frames: int, max_frames: int) -> tuple[int, ...]:
    """The middle frame of each of `max_frames` equal stretches; all frames where there are not more."""
    count = min(num_frames, max_frames)
    return tuple((2 * place + 1) * num_frames // (2 * count) for place in range(count))


def _lay_out(sample: Sample, max_frames: int, *, whole_clips: bool) -> Layout:
    pictures: list[Picture | Film] = []
    turns = []
    for turn in sample.turns:
        parts: list[str | Slot] = []
        for part in turn.parts:
            if isinstance(part, str):
                parts.append(part)
            elif part.kind == "image":
                parts.append(Slot("image", len(pictures)))
                ref = sample.images[part.index]
                depth = sample.depths[part.index] if sample.depths else None
                size = ref.size or _picture_size(ref.path)
                if depth is not None:
                    check_header(depth, size)
                pictures.append(Picture(ref, size, depth=depth))
            else:
                frames, times_s = _frames(sample.videos[part.index], max_frames)
                if whole_clips:
                    parts.append(Slot("video", len(pictures)))
                    pictures.append(Film(frames))
                else:
                    _show_one_by_one(frames, times_s, parts, pictures)
        turns.append(Turn(turn.role, tuple(parts)))
    return Layout(tuple(turns), tuple(pictures))


def _frames(clip: MediaRef | FrameRun, max_frames: int) -> tuple[tuple[Picture, ...], Sequence[float]]:
    """The frames of a clip that are shown, with their times; those of a run have been chosen already."""
    if isinstance(clip, FrameRun):
        return tuple(Picture(ref, ref.size or _picture_size(ref.path)) for ref in clip.frames), clip.times_s
    header = video_header(clip.path)
    numbers = chosen_frames(header.num_frames, max_frames)
    return tuple(Picture(clip, header.size, number) for number in numbers), [number / header.fps for number in numbers]


def _show_one_by_one(
    frames: Sequence[Picture], times_s: Sequence[float], parts: list[str | Slot], pictures: list[Picture | Film]
) -> None:
    for frame, words in zip(frames, time_words(times_s), strict=True):
        parts.extend((f"<{words} seconds>", Slot("image", len(pictures))))
        pictures.append(frame)


@lru_cache(maxsize=65536)
def _picture_size(path: Path) -> tuple[int, int]:
    header = picture_header.probe(path)
    return header.width, header.height


@lru_cache(maxsize=4096)
def video_header(path: Path) -> VideoHeader:
    """Frames, rate and size of a video; the size is that of the first frame, upright.

    Raises:
        FileNotFoundError, InputError: as `video.frame_rate`; also a video without frames.
    """
    rate = video.frame_rate(path)
    size: tuple[int, int] | None = None
    num_frames = 0
    for frame in video.read_frames(path, _is_first):
        if frame.rgb is not None:
            size = frame.rgb.shape[1], frame.rgb.shape[0]
        num_frames += 1
    if size is None:
        raise InputError(f"{path}: a video without frames. Get the file again.")
    return VideoHeader(num_frames, float(rate), size)


_is_first: Callable[[int], bool] = (0).__eq__
