"""PNG pictures put together from strips that are compressed once, however many pictures they stand in.

A side-by-side picture repeats each view in many pairs; compressing it anew each time is most of a build. Under the PNG filter "up"
a row depends on the row above alone, so the filtered rows of A|B are those of A followed by those of B. Each row of a view is
deflated by itself (a full flush ends it, nothing refers back), and a picture is the rows of its strips in turn: bytes are copied,
not compressed. PNG: ISO/IEC 15948; deflate: RFC 1951; zlib: RFC 1950.

A picture that differs from another in some rows, because something was drawn on it, takes the other rows from that one's strip.
Measured on drawn rooms of 640x480, where an object touches 14 % of the rows: 1.7 ms instead of 4.7 ms a picture for compressing it
anew in one stream, and 35 % more bytes.

Within a row only repeated bytes are searched for (zlib's strategy "run length"), because a row is short. Measured against one
deflate stream of level 1: 39 % more bytes on drawn rooms (with a full search 26 %), 16 % more on photographs of 854x480 (7 %), 4 %
less on noisy renderings (5 % more); in 0.7 to 0.9 of the time of a full search.
"""

import dataclasses
import struct
import zlib
from collections.abc import Sequence

import numpy as np
from jaxtyping import Int, UInt8

LEVEL = 1
MEMORY_LEVEL = 7  # the hash table that a full flush clears is a quarter of the largest, for the same bytes
ADLER = 65521
SIGNATURE = b"\x89PNG\r\n\x1a\n"
ZLIB_HEADER = b"\x78\x01"
LAST_BLOCK = b"\x03\x00"  # an empty final block
FILTER_UP = b"\x00\x01\x00\xfe\xff\x02"  # a stored block of the one byte that begins each row


@dataclasses.dataclass(frozen=True, eq=False)
class Strip:
    """A picture, or a part of one from top to bottom, deflated row by row; `sums` and `weighted` are a row's part of Adler-32."""

    width: int
    rows: tuple[bytes, ...]
    sums: Int[np.ndarray, " rows"]
    weighted: Int[np.ndarray, " rows"]

    @property
    def height(self) -> int:
        return len(self.rows)


def strip(rgb: UInt8[np.ndarray, "h w 3"], *, height: int | None = None) -> Strip:
    """Compress a picture once. `height`: fill it up with black rows below to this height."""
    num_rows, width = rgb.shape[:2]
    flat = np.zeros((max(num_rows, height or 0), 3 * width), np.uint8)
    flat[:num_rows] = rgb.reshape(num_rows, 3 * width)
    filtered = flat.copy()
    filtered[1:] -= flat[:-1]
    return _deflated(width, filtered)


def altered(before: Strip, old: UInt8[np.ndarray, "h w 3"], new: UInt8[np.ndarray, "h w 3"]) -> Strip:
    """`strip(new)`, where `before` is `strip(old)`: only rows that differ, and those right below, are compressed."""
    num_rows, width = new.shape[:2]
    flat = new.reshape(num_rows, 3 * width)
    differs = (old.reshape(num_rows, 3 * width) != flat).any(axis=1)
    differs[1:] |= differs[:-1].copy()
    places = np.flatnonzero(differs)
    filtered = flat[places]
    below = places > 0
    filtered[below] -= flat[places[below] - 1]
    part = _deflated(width, filtered)
    rows, sums, weighted = list(before.rows), before.sums.copy(), before.weighted.copy()
    for place, row in zip(places.tolist(), part.rows, strict=True):
        rows[place] = row
    sums[places], weighted[places] = part.sums, part.weighted
    return Strip(width=width, rows=tuple(rows), sums=sums, weighted=weighted)


def _deflated(width: int, filtered: UInt8[np.ndarray, "rows w3"]) -> Strip:
    deflate = zlib.compressobj(LEVEL, zlib.DEFLATED, -15, MEMORY_LEVEL, zlib.Z_RLE)
    rows = tuple([deflate.compress(row.data) + deflate.flush(zlib.Z_FULL_FLUSH) for row in filtered])
    checksums = np.array([zlib.adler32(row.data) for row in filtered], np.int64)
    # of one row of n bytes d: low half 1 + sum d, high half n + sum (n - i) d_i
    return Strip(width=width, rows=rows, sums=((checksums & 0xFFFF) - 1) % ADLER, weighted=((checksums >> 16) - 3 * width) % ADLER)


def splice(strips: Sequence[Strip]) -> bytes:
    """A PNG with the strips side by side, from left to right. They must have one height."""
    height = strips[0].height
    assert all(part.height == height for part in strips), "strips of one picture have one height"
    header = struct.pack(">IIBBBBB", sum(part.width for part in strips), height, 8, 2, 0, 0, 0)
    step = len(strips) + 1
    rows = [FILTER_UP] * (height * step)
    for place, part in enumerate(strips, start=1):
        rows[place::step] = part.rows
    data = b"".join((ZLIB_HEADER, *rows, LAST_BLOCK, struct.pack(">I", _adler(strips))))
    return b"".join((SIGNATURE, _chunk(b"IHDR", header), _chunk(b"IDAT", data), _chunk(b"IEND", b"")))


def _adler(strips: Sequence[Strip]) -> int:
    """Adler-32 of all rows, each with its filter byte 2, from the rows' own sums."""
    height = strips[0].height
    filter_byte = np.full(height, 2, np.int64)  # one byte: its sum and its weighted sum are its value
    sums = np.stack([filter_byte, *(part.sums for part in strips)], axis=1).reshape(-1)
    weighted = np.stack([filter_byte, *(part.weighted for part in strips)], axis=1).reshape(-1)
    lengths = np.tile(np.array([1, *(3 * part.width for part in strips)], np.int64), height)
    before = (1 + np.concatenate([[0], np.cumsum(sums)[:-1]])) % ADLER
    low = (1 + int(sums.sum())) % ADLER
    high = int((lengths * before + weighted).sum()) % ADLER
    return high << 16 | low


def _chunk(kind: bytes, content: bytes) -> bytes:
    checksum = zlib.crc32(content, zlib.crc32(kind))
    return b"".join((struct.pack(">I", len(content)), kind, content, struct.pack(">I", checksum)))
