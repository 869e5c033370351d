"""The only decoder of video files: frames one by one, in order, upright, as RGB.

MP4 (MOV), Matroska (WebM) and AVI are read, each by the parser that its name calls for: a parser that guesses would also follow
playlists to other files and to the network. A frame's number is how many were decoded before it, which is what annotations count.
Turned videos are set upright, as OpenCV and players do. PyAV (FFmpeg) decodes, in one thread: processes are the parallelism.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import UInt8

from sightline.errors import InputError

if TYPE_CHECKING:
    import av.container
    import av.video.stream

PARSERS = {".mp4": "mp4", ".m4v": "mp4", ".mov": "mp4", ".mkv": "matroska", ".webm": "matroska", ".avi": "avi"}
NEARLY = 0.01  # 24000/1001 frames a second are meant as 24


@dataclass(frozen=True)
class VideoLimits:
    """The largest video that is decoded: pixels a frame, bytes of the file, frames."""

    max_pixels: int = 100_000_000
    max_file_bytes: int = 64 * 2**30
    max_frames: int = 1_000_000


DEFAULT_LIMITS = VideoLimits()


@dataclass(frozen=True)
class VideoContent:
    """A video that lies in no file (it came in a request): its bytes, and the name that messages give it."""

    name: str
    content: bytes

    def __str__(self) -> str:
        return self.name

    @property
    def suffix(self) -> str:
        """The ending of a file of this kind, by the first bytes; empty where they are of none that is read."""
        kinds = {b"ftyp": ".mp4", b"\x1a\x45\xdf\xa3": ".mkv", b"AVI ": ".avi"}
        places = (self.content[4:8], self.content[:4], self.content[8:12] if self.content[:4] == b"RIFF" else b"")
        return next((kinds[place] for place in places if place in kinds), "")


Source = Path | VideoContent


@dataclass(frozen=True)
class Frame:
    """A decoded frame: its number, from 0, and its pixels, where they were wanted."""

    number: int
    rgb: UInt8[np.ndarray, "h w 3"] | None


def frame_rate(path: Source, limits: VideoLimits = DEFAULT_LIMITS) -> Fraction:
    """Frames a second, as they are meant: a whole number if that is within 1 %.

    Raises:
        FileNotFoundError: no such file.
        InputError: over a limit, no video of a kind that is read, or it does not say.
    """
    with _opened(path, limits) as container:
        rate = _stream(path, container, limits).average_rate
    if not rate:
        raise InputError(f"{path}: the video does not say how many frames it shows a second. Write it again at a constant rate.")
    whole = round(rate)
    return Fraction(whole) if whole and abs(rate - whole) / rate <= NEARLY else Fraction(rate)


def read_frames(path: Source, wanted: Callable[[int], bool], limits: VideoLimits = DEFAULT_LIMITS) -> Iterator[Frame]:
    """All frames that can be decoded, in order, the `wanted` ones with their pixels.

    Raises:
        FileNotFoundError: no such file.
        InputError: as `frame_rate`; or after the frames before it, at a damaged one, or one of another size.
    """
    import av.error  # noqa: PLC0415

    with _opened(path, limits) as container:
        stream = _stream(path, container, limits)
        size = stream.codec_context.width, stream.codec_context.height
        try:
            for number, frame in enumerate(container.decode(stream)):
                if number >= limits.max_frames or (frame.width, frame.height) != size:
                    raise InputError(
                        f"{path}, frame {number}: {frame.width} x {frame.height} pixels in a video of {size[0]} x {size[1]}; "
                        f"expected one size, and at most {limits.max_frames:,} frames."
                    )
                yield Frame(number, _upright(frame.to_ndarray(format="rgb24"), frame.rotation) if wanted(number) else None)
        except av.error.FFmpegError as error:
            raise InputError(f"{path}: the video is damaged ({error}). Get the file again.") from error


def _opened(path: Source, limits: VideoLimits) -> "av.container.InputContainer":
    import av  # noqa: PLC0415
    import av.error  # noqa: PLC0415

    in_memory = isinstance(path, VideoContent)
    if not in_memory and not path.is_file():
        raise FileNotFoundError(f"{path}: no such video file.")
    if (size := len(path.content) if in_memory else path.stat().st_size) > limits.max_file_bytes:
        raise InputError(f"{path}: file of {size:,} bytes; at most {limits.max_file_bytes:,} are read.")
    parser = PARSERS.get(path.suffix.lower())
    if parser is None:
        kinds = "a video as MP4, Matroska (WebM) or AVI" if in_memory else f"a video named {', '.join(PARSERS)}"
        raise InputError(f"{path}: expected {kinds}. Convert it to MP4.")
    place = BytesIO(path.content) if in_memory else str(path.resolve())
    allowed = "none" if in_memory else "file"  # what was sent must not make this machine open other files
    try:
        return av.open(place, mode="r", format=parser, options={"protocol_whitelist": allowed})
    except av.error.FFmpegError as error:
        raise InputError(f"{path}: cannot be read as {parser} video ({error}). Get the file again.") from error


def _stream(path: Source, container: "av.container.InputContainer", limits: VideoLimits) -> "av.video.stream.VideoStream":
    if not container.streams.video:
        raise InputError(f"{path}: no video in the file. Get the file again.")
    stream = container.streams.video[0]
    width, height = stream.codec_context.width, stream.codec_context.height
    if not 0 < width * height <= limits.max_pixels:
        raise InputError(f"{path}: frames of {width:,} x {height:,} pixels; expected 1 to {limits.max_pixels:,} pixels.")
    stream.codec_context.thread_count = 1
    return stream


def _upright(rgb: UInt8[np.ndarray, "a b 3"], degrees: int) -> UInt8[np.ndarray, "h w 3"]:
    """Turned counter-clockwise by what the file asks for, in quarters."""
    return np.ascontiguousarray(np.rot90(rgb, k=math.floor(degrees / 90 + 0.5))) if degrees else rgb
