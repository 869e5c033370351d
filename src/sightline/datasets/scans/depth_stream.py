"""The iPhone depth of ScanNet++, `depth.bin`: 192 rows of 256, in one of three encodings that only trying tells apart.

    whole file   raw deflate of float32 metres, all frames one after the other
    per frame    u32 byte count, then LZ4 (block) of uint16 millimetres
    per frame    u32 byte count, then raw deflate of float32 metres

LZ4 needs the package `lz4` (`pip install 'sightline[scans]'`). Frames of the whole-file encoding are inflated as far as needed.
"""

import zlib
from pathlib import Path
from typing import BinaryIO, Literal

import numpy as np
from jaxtyping import Float32

from sightline.errors import InputError

HEIGHT, WIDTH = 192, 256
PIXELS = HEIGHT * WIDTH
MAX_PACKED_BYTES = 4 * PIXELS + 4096
MAX_FRAMES = 1_000_000
CHUNK = 2**20
RAW_DEFLATE = -15
Encoding = Literal["whole_deflate", "frame_lz4", "frame_deflate"]


class DepthStream:
    """An open `depth.bin`. `num_frames` is None for the whole-file encoding, which does not say.

    Raises:
        FileNotFoundError: no such file.
        InputError: none of the three encodings, or `lz4` is needed and missing.
    """

    def __init__(self, path: Path) -> None:
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such depth stream.")
        self.path = path
        self._file: BinaryIO = path.open("rb")
        try:
            self._offsets = _frame_offsets(self._file, path.stat().st_size)
            self.encoding: Encoding = self._told_apart()
        except BaseException:
            self._file.close()
            raise
        self._inflate = zlib.decompressobj(RAW_DEFLATE)
        self._rest = b""
        self._next = 0
        self._held: Float32[np.ndarray, "h w"] | None = None

    def __enter__(self) -> "DepthStream":
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    @property
    def num_frames(self) -> int | None:
        return None if self.encoding == "whole_deflate" else len(self._offsets)

    def metres(self, index: int) -> Float32[np.ndarray, "192 256"]:
        """Depth of one frame in metres, 0 = none. Values that are not finite or negative become 0.

        Raises:
            InputError: the stream has no such frame, or it is damaged.
        """
        metres = self._whole(index) if self.encoding == "whole_deflate" else self._single(index)
        return np.where(np.isfinite(metres) & (metres > 0), metres, np.float32(0))

    def _single(self, index: int) -> Float32[np.ndarray, "192 256"]:
        if not 0 <= index < len(self._offsets):
            raise self._missing(index, len(self._offsets))
        start, count = self._offsets[index]
        self._file.seek(start)
        content = self._file.read(count)
        if self.encoding == "frame_lz4":
            found = _lz4(self.path, content)
            return np.frombuffer(found, "<u2").reshape(HEIGHT, WIDTH).astype(np.float32) * np.float32(0.001)
        found = _deflated(content)
        if found is None:
            raise InputError(f"{self.path}, frame {index}: the depth is damaged. Get the file again.")
        return found

    def _whole(self, index: int) -> Float32[np.ndarray, "192 256"]:
        """Inflate on to the frame; back to the start where it lies behind."""
        if self._held is not None and index == self._next - 1:
            return self._held
        if index < self._next:
            self._file.seek(0)
            self._inflate, self._rest, self._next, self._held = zlib.decompressobj(RAW_DEFLATE), b"", 0, None
        if self._next == 0:
            self._file.seek(0)
        while self._next <= index:
            content = self._take(4 * PIXELS)
            if len(content) < 4 * PIXELS:
                raise self._missing(index, self._next)
            self._held = np.frombuffer(content, "<f4").reshape(HEIGHT, WIDTH).astype(np.float32, copy=False)
            self._next += 1
        assert self._held is not None
        return self._held

    def _take(self, count: int) -> bytes:
        """The next inflated bytes, fewer at the end; never more in memory than asked for and one chunk of the file."""
        parts, missing = [], count
        while missing > 0 and not self._inflate.eof:
            packed = self._rest or self._file.read(CHUNK)
            try:
                part = self._inflate.decompress(packed, missing)
            except zlib.error as error:
                raise InputError(f"{self.path}: the depth is damaged ({error}). Get the file again.") from error
            if not packed and not part:
                break
            self._rest = self._inflate.unconsumed_tail
            parts.append(part)
            missing -= len(part)
        return b"".join(parts)

    def _told_apart(self) -> Encoding:
        if self._offsets:
            start, count = self._offsets[0]
            self._file.seek(start)
            content = self._file.read(count)
            return "frame_lz4" if _deflated(content) is None else "frame_deflate"
        self._file.seek(0)
        try:
            first = zlib.decompressobj(RAW_DEFLATE).decompress(self._file.read(CHUNK), 4 * PIXELS)
        except zlib.error as error:
            raise InputError(
                f"{self.path}: neither one deflate stream nor counted frames ({error}). Expected the depth.bin of an "
                "iPhone capture; it may be cut short: get the file again."
            ) from error
        if len(first) < 4 * PIXELS:
            raise InputError(f"{self.path}: not one whole frame of {WIDTH} x {HEIGHT} in it. Get the file again.")
        return "whole_deflate"

    def _missing(self, index: int, num_frames: int) -> InputError:
        return InputError(
            f"{self.path}: no frame {index}, it has {num_frames}. Depth and pose file have different numbers of frames: "
            "get both again."
        )


def _frame_offsets(file: BinaryIO, size: int) -> list[tuple[int, int]]:
    """(start, count) of every counted frame if the counts end exactly at the file's end, else []."""
    offsets: list[tuple[int, int]] = []
    place = 0
    while place < size:
        file.seek(place)
        word = file.read(4)
        count = int.from_bytes(word, "little")
        if len(word) < 4 or not 0 < count <= MAX_PACKED_BYTES or place + 4 + count > size or len(offsets) >= MAX_FRAMES:
            return []
        offsets.append((place + 4, count))
        place += 4 + count
    return offsets


def _deflated(content: bytes) -> Float32[np.ndarray, "192 256"] | None:
    try:
        found = zlib.decompressobj(RAW_DEFLATE).decompress(content, 4 * PIXELS + 1)
    except zlib.error:
        return None  # the other per-frame encoding, or damage: the caller knows which
    return np.frombuffer(found, "<f4").reshape(HEIGHT, WIDTH) if len(found) == 4 * PIXELS else None


def _lz4(path: Path, content: bytes) -> bytes:
    try:
        import lz4.block  # noqa: PLC0415
    except ImportError as error:
        raise InputError(f"{path}: this depth is packed with LZ4. Install it: pip install 'sightline[scans]'.") from error
    try:
        found = lz4.block.decompress(content, uncompressed_size=2 * PIXELS)
    except lz4.block.LZ4BlockError as error:
        raise InputError(f"{path}: the depth is neither deflate nor LZ4 ({error}). Get the file again.") from error
    if len(found) != 2 * PIXELS:
        raise InputError(f"{path}: a frame of {len(found):,} bytes; {WIDTH} x {HEIGHT} pixels of 16 bits are {2 * PIXELS:,}.")
    return found
