"""What is shown of a sample: its pictures, and of each video some frames, each after its time in words.

A clip is shown to every family as its frames one by one (`<0.4 seconds>`, a picture, ...), as `dialects.render` does for
prediction. Sizes of pictures come from headers. A video is decoded once, because what its header says of the number of frames
cannot be relied on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sightline import media, video
from sightline.dialects.times import time_words
from sightline.errors import InputError
from sightline.train.vlm.depth import check_header
from sightline.train.vlm.samples import MediaRef, Sample, Slot, Turn

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
class Layout:
    """The turns with slots of pictures only, and the pictures in the order of these slots."""

    turns: tuple[Turn, ...]
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class VideoHeader:
    """`size` is (width, height) as shown."""

    num_frames: int
    fps: float
    size: tuple[int, int]


def lay_out(sample: Sample, *, max_frames: int = MAX_FRAMES) -> Layout:
    """What is shown of `sample`; of a video at most `max_frames` frames, evenly spaced in time.

    Raises:
        FileNotFoundError: a picture or video is not there; the message names the sample.
        InputError: one that cannot be read.
    """
    try:
        return _lay_out(sample, max_frames)
    except FileNotFoundError as error:
        raise FileNotFoundError(f"{sample.source}, sample {sample.id!r}: {error}") from error
    except InputError as error:
        raise InputError(f"{sample.source}, sample {sample.id!r}: {error}") from error


def chosen_frames(num_frames: int, max_frames: int) -> tuple[int, ...]:
    """The middle frame of each of `max_frames` equal stretches; all frames where there are not more."""
    count = min(num_frames, max_frames)
    return tuple((2 * place + 1) * num_frames // (2 * count) for place in range(count))


def _lay_out(sample: Sample, max_frames: int) -> Layout:
    pictures: list[Picture] = []
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
                _show_video(sample.videos[part.index], max_frames, parts, pictures)
        turns.append(Turn(turn.role, tuple(parts)))
    return Layout(tuple(turns), tuple(pictures))


def _show_video(ref: MediaRef, max_frames: int, parts: list[str | Slot], pictures: list[Picture]) -> None:
    header = video_header(ref.path)
    frames = chosen_frames(header.num_frames, max_frames)
    for frame, words in zip(frames, time_words([frame / header.fps for frame in frames]), strict=True):
        parts.extend((f"<{words} seconds>", Slot("image", len(pictures))))
        pictures.append(Picture(ref, header.size, frame))


@lru_cache(maxsize=65536)
def _picture_size(path: Path) -> tuple[int, int]:
    header = media.probe(path)
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
