"""The clip of a request: pictures, a video, or one of a folder that is served, as frames of one size.

    {"images": ["<base64>", ..], "fps": 6}                 pictures in the order of time; a single one is a picture and no clip
    {"video": "<base64 of an MP4, WebM or AVI>", "num_frames": 16}
    {"clip": "bear", "num_frames": 16}                      what `--clips` of `sightline serve` holds under this name

Of more than `num_frames` frames so many are taken, evenly, the first and the last among them. Sizes are looked at before any pixel
is kept, and a video of which too much would have to be decoded is refused.
"""

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Annotated

import msgspec
import numpy as np
from jaxtyping import UInt8

from sightline import video
from sightline.errors import InputError
from sightline.files import inside
from sightline.models.tracking.clip_files import PICTURES, VideoFrames, open_frames
from sightline.models.tracking.shown import RgbFrames
from sightline.serve.pictures import PictureReader, from_base64
from sightline.serve.posted import Limits
from sightline.serve.refusal import Refusal, wrong

NUM_FRAMES = 16
ASSUMED_FPS = 6.0
MOST_DECODED = 3000  # frames of a video that was sent, and
MOST_PIXELS = 200  # times the pixels that a request may hold, of all of them
Rgb = UInt8[np.ndarray, "h w 3"]


class ClipRequest(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The fields that say what the frames are; exactly one of the first three is given. `fps`: of pictures and of folders."""

    images: list[str] = []
    video: str | None = None
    clip: str | None = None
    num_frames: Annotated[int, msgspec.Meta(ge=1)] | None = None
    fps: Annotated[float, msgspec.Meta(gt=0, le=1000)] = ASSUMED_FPS


@dataclass(frozen=True, eq=False)
class Clip:
    """The frames that were chosen: their numbers in the clip of `num_in_all`, their times in seconds. `still`: it is a picture."""

    rgb: tuple[Rgb, ...]
    numbers: tuple[int, ...]
    times_s: tuple[float, ...]
    num_in_all: int
    still: bool

    @property
    def size(self) -> tuple[int, int]:
        """Height and width."""
        height, width = self.rgb[0].shape[:2]
        return height, width


@dataclass(frozen=True)
class ClipFolder:
    """A folder with clips: folders of pictures, and video files."""

    root: Path

    def names(self) -> list[str]:
        """All clips that lie directly in the folder."""
        return sorted(path.name for path in self.root.iterdir() if not path.name.startswith(".") and _is_clip(path))

    def place(self, name: str) -> Path:
        """Where a clip lies.

        Raises:
            Refusal: 422, there is none of this name.
        """
        if name not in self.names():
            raise wrong(f"no clip is called {name[:80]!r}", where="clip", remedy="GET /v1/clips lists the names.")
        return inside(self.root, name)


def read_clip(request: ClipRequest, limits: Limits, folder: ClipFolder | None) -> Clip:
    """The chosen frames, decoded.

    Raises:
        Refusal: 413 or 422, whatever is wrong with them.
    """
    given = [name for name in ("images", "video", "clip") if getattr(request, name)]
    if len(given) != 1:
        found = " and ".join(given) or "none of them"
        raise wrong(f"expected one of images, video and clip, found {found}", where="images", remedy="Send one of them.")
    if (request.num_frames or 0) > limits.max_frames:
        message = f"{request.num_frames} frames; at most {limits.max_frames} are taken"
        raise wrong(message, where="num_frames", remedy="Ask for fewer; --max-frames of `sightline serve` sets it.")
    if request.images:
        return _of_pictures(request, limits)
    try:
        return _of_video(request, limits) if request.video else _of_folder(request, limits, folder)
    except InputError as error:
        raise wrong(str(error), where=given[0], remedy="Send another clip, or pictures of its frames.") from error


def even(num_frames: int, wanted: int) -> tuple[int, ...]:
    """Which of the frames are taken, in whole numbers; halves go up."""
    if wanted >= num_frames:
        return tuple(range(num_frames))
    gaps = max(wanted - 1, 1)
    return tuple((2 * place * (num_frames - 1) + gaps) // (2 * gaps) if wanted > 1 else 0 for place in range(wanted))


def _of_pictures(request: ClipRequest, limits: Limits) -> Clip:
    if len(request.images) > limits.max_frames:
        message = f"{len(request.images)} pictures; at most {limits.max_frames} are taken"
        raise wrong(message, where="images", remedy="Send fewer frames.")
    reader = PictureReader(limits.max_pixels)
    numbers = even(len(request.images), request.num_frames or limits.max_frames)
    shown = [reader.shown(request.images[number], f"images[{number}]") for number in numbers]
    first = shown[0].image
    for number, each in zip(numbers, shown, strict=True):
        if (each.image.width, each.image.height) != (first.width, first.height):
            message = f"{each.image.width} x {each.image.height} pixels, and the first frame has {first.width} x {first.height}"
            raise wrong(message, where=f"images[{number}]", remedy="Send frames of one size.")
    times = tuple(number / request.fps for number in numbers)
    return Clip(tuple(each.rgb for each in shown), numbers, times, len(request.images), still=len(request.images) == 1)


def _of_video(request: ClipRequest, limits: Limits) -> Clip:
    assert request.video is not None
    content = video.VideoContent("video", from_base64(request.video, "video"))
    bounds = video.VideoLimits(max_pixels=limits.max_pixels, max_file_bytes=limits.max_body_bytes, max_frames=MOST_DECODED)
    first = next(video.read_frames(content, lambda _: True, bounds), None)
    if first is None or first.rgb is None:
        raise InputError("video: no frame of it can be decoded.")
    most = min(MOST_DECODED, max(MOST_PIXELS * limits.max_pixels // (first.rgb.size // 3), 1))
    bounds = dataclasses.replace(bounds, max_frames=most)
    rate = float(video.frame_rate(content, bounds))
    return _chosen(VideoFrames(content, limits=bounds), request, limits, rate)


def _of_folder(request: ClipRequest, limits: Limits, folder: ClipFolder | None) -> Clip:
    assert request.clip is not None
    if folder is None:
        raise wrong(
            "this service has no clips of its own", where="clip", remedy="Start it with --clips FOLDER, or send the frames."
        )
    place = folder.place(request.clip)
    frames = open_frames(place)
    rate = request.fps if place.is_dir() else float(video.frame_rate(place))
    return _chosen(frames, request, limits, rate)


def _chosen(frames: RgbFrames, request: ClipRequest, limits: Limits, rate: float) -> Clip:
    numbers = even(len(frames), min(request.num_frames or NUM_FRAMES, limits.max_frames))
    num_pixels = frames.width * frames.height * len(numbers)
    if num_pixels > limits.max_pixels:
        raise Refusal(
            HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
            f"{len(numbers)} frames of {frames.width} x {frames.height} have {num_pixels:,} pixels; expected at most "
            f"{limits.max_pixels:,}",
            where="num_frames",
            remedy="Ask for fewer frames, or send smaller ones. --max-request-pixels of `sightline serve` sets it.",
        )
    return Clip(_decoded(frames, numbers), numbers, tuple(number / rate for number in numbers), len(frames), still=False)


def _decoded(frames: RgbFrames, numbers: Sequence[int]) -> tuple[Rgb, ...]:
    return tuple(frames.rgb(number) for number in numbers)


def _is_clip(path: Path) -> bool:
    if path.is_dir():
        return any(each.suffix.lower() in PICTURES for each in path.iterdir())
    return path.suffix.lower() in video.PARSERS
