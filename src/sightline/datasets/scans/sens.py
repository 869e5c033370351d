"""ScanNet's `.sens` container, version 4, read frame by frame: never more than one frame in memory. Little-endian throughout.

    u32 version = 4 | u64 length, sensor name | 4 x 16 f32: intrinsic_color, extrinsic_color, intrinsic_depth, extrinsic_depth
    i32 colour compression (0 raw, 1 PNG, 2 JPEG) | i32 depth compression (0 raw, 1 zlib) | u32 colour w, h | u32 depth w, h
    f32 depth units a metre (1000) | u64 number of frames
    each frame: 16 f32 camera to world | u64, u64 time stamps of colour and depth | u64, u64 bytes of both | the bytes of both

A lost pose is 16 times -inf. Sizes are checked before anything is read, allocated or inflated; a file that ends early gives the
frames before the cut, and says so.
"""

import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Float, UInt8, UInt16

from sightline import media, picture_header
from sightline.errors import InputError

VERSION = 4
MAX_NAME_BYTES = 4096
MAX_SIDE = 16_384
MAX_FRAMES = 1_000_000
MAX_COLOUR_BYTES = 64 * 2**20
FRAME_HEADER = struct.Struct("<16f4Q")
COLOUR_FORMS = {1: ".png", 2: ".jpg"}
RAW_DEPTH, ZLIB_DEPTH = 0, 1


@dataclass(frozen=True)
class SensFrame:
    """Where a frame's bytes are, and its pose as stored (not finite where it was lost)."""

    camera_to_world: Float[np.ndarray, "4 4"]
    timestamp_us: int
    offset: int
    colour_bytes: int
    depth_bytes: int


@dataclass(frozen=True)
class SensHeader:
    """What stands before the frames. Sizes are (width, height)."""

    intrinsic_colour: Float[np.ndarray, "4 4"]
    intrinsic_depth: Float[np.ndarray, "4 4"]
    colour_suffix: str
    depth_compression: int
    colour_size: tuple[int, int]
    depth_size: tuple[int, int]
    units_per_metre: float
    num_frames: int


class SensFile:
    """An open `.sens` file: its header, and the place of every frame (by walking the frames' headers, reading no pixels).

    `damage` says why fewer frames are there than the header announces; None if all are.

    Raises:
        FileNotFoundError: no such file.
        InputError: another format or version, or a header that cannot be right.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such .sens file.")
        self.path = path
        self.damage: str | None = None
        self._file: BinaryIO = path.open("rb")
        try:
            self.header = _read_header(path, self._file)
            self.frames = tuple(self._walk(path.stat().st_size))
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> "SensFile":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def colour_content(self, index: int) -> bytes:
        """The stored picture of one frame, JPEG or PNG, as it is."""
        frame = self.frames[index]
        return self._read(frame.offset, frame.colour_bytes)

    def colour(self, index: int) -> UInt8[np.ndarray, "h w 3"]:
        """The colour picture of one frame. Raises InputError if it is damaged or of another size than the header says."""
        rgb = media.read_rgb(picture_header.Content(f"{self.path}, frame {index}", self.colour_content(index)))
        if rgb.shape[1::-1] != self.header.colour_size:
            raise InputError(
                f"{self.path}, frame {index}: a picture of {rgb.shape[1::-1]}, the header says {self.header.colour_size}."
            )
        return rgb

    def depth_units(self, index: int) -> UInt16[np.ndarray, "h w"]:
        """The depth of one frame in stored units, 0 = none. Raises InputError if it is not of the size that the header says."""
        frame, (width, height) = self.frames[index], self.header.depth_size
        content = self._read(frame.offset + frame.colour_bytes, frame.depth_bytes)
        expected = 2 * width * height
        if self.header.depth_compression == ZLIB_DEPTH:
            inflate = zlib.decompressobj()
            try:
                content = inflate.decompress(content, expected + 1)
            except zlib.error as error:
                raise InputError(f"{self.path}, frame {index}: the depth is damaged ({error}). Get the file again.") from error
        if len(content) != expected:
            raise InputError(
                f"{self.path}, frame {index}: depth of {len(content):,} bytes; {width} x {height} pixels of 16 bits are "
                f"{expected:,}."
            )
        return np.frombuffer(content, "<u2").reshape(height, width).astype(np.uint16, copy=False)

    def _read(self, offset: int, count: int) -> bytes:
        self._file.seek(offset)
        content = self._file.read(count)
        if len(content) != count:
            raise InputError(f"{self.path}: {count:,} bytes expected at {offset:,}, found {len(content):,}: the file is cut short.")
        return content

    def _walk(self, size: int) -> Iterator[SensFrame]:
        offset = self._file.tell()
        max_depth = 2 * self.header.depth_size[0] * self.header.depth_size[1] * 2 + 1024
        for index in range(self.header.num_frames):
            self._file.seek(offset)
            content = self._file.read(FRAME_HEADER.size)
            if len(content) < FRAME_HEADER.size:
                self.damage = f"the file ends after {index} of {self.header.num_frames} frames. Get the file again."
                return
            *pose, timestamp_us, _, colour_bytes, depth_bytes = FRAME_HEADER.unpack(content)
            if colour_bytes > MAX_COLOUR_BYTES or depth_bytes > max_depth:
                self.damage = (
                    f"frame {index} announces {colour_bytes:,} and {depth_bytes:,} bytes, which cannot be. Get the file again."
                )
                return
            start = offset + FRAME_HEADER.size
            offset = start + colour_bytes + depth_bytes
            if offset > size:
                self.damage = f"the file ends in frame {index} of {self.header.num_frames}. Get the file again."
                return
            yield SensFrame(np.array(pose, np.float64).reshape(4, 4), timestamp_us, start, colour_bytes, depth_bytes)


def _read_header(path: Path, file: BinaryIO) -> SensHeader:
    def take(form: str) -> tuple:
        packed = struct.Struct(f"<{form}")
        content = file.read(packed.size)
        if len(content) < packed.size:
            raise InputError(f"{path}: the file ends inside its header. Get the file again.")
        return packed.unpack(content)

    (version,) = take("I")
    if version != VERSION:
        raise InputError(f"{path}: .sens version {version}; version {VERSION} is read.")
    (name_bytes,) = take("Q")
    if name_bytes > MAX_NAME_BYTES:
        raise InputError(f"{path}: a sensor name of {name_bytes:,} bytes; at most {MAX_NAME_BYTES:,}. The file is damaged.")
    take(f"{name_bytes}s")
    matrices = [np.array(take("16f"), np.float64).reshape(4, 4) for _ in range(4)]
    colour_form, depth_form = take("2i")
    width, height, depth_width, depth_height = take("4I")
    (units,) = take("f")
    (num_frames,) = take("Q")
    if colour_form not in COLOUR_FORMS or depth_form not in (RAW_DEPTH, ZLIB_DEPTH):
        raise InputError(
            f"{path}: colour form {colour_form}, depth form {depth_form}; PNG (1) or JPEG (2), raw (0) or zlib (1) are read."
        )
    if max(width, height, depth_width, depth_height) > MAX_SIDE or min(width, height, depth_width, depth_height) < 1:
        raise InputError(
            f"{path}: pictures of {width} x {height} and {depth_width} x {depth_height}; sides of 1 to {MAX_SIDE} are read."
        )
    if not (np.isfinite(units) and units > 0) or num_frames > MAX_FRAMES:
        raise InputError(
            f"{path}: {units:g} depth units a metre, {num_frames:,} frames; expected above 0, and up to {MAX_FRAMES:,}."
        )
    return SensHeader(
        intrinsic_colour=matrices[0],
        intrinsic_depth=matrices[2],
        colour_suffix=COLOUR_FORMS[colour_form],
        depth_compression=depth_form,
        colour_size=(width, height),
        depth_size=(depth_width, depth_height),
        units_per_metre=units,
        num_frames=num_frames,
    )
