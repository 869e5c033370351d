"""The first and last bytes of a picture file: what its header says, and whether its end is there.

A file that was cut off while it was copied has a good header and lacks its end. PNG ends with an IEND chunk, JPEG with the marker
FF D9, which no picture data holds; WebP says its length. Bytes after the end are harmless.

`picture_header.probe` is the judge of headers. Here the usual ones are read from the first bytes alone, without Pillow, because a
data set has hundreds of thousands: PNG without EXIF, and JPEG without EXIF whose size stands in these bytes. Of any other file
`quick_header` says nothing. PNG: ISO/IEC 15948; JPEG: ITU-T T.81, annex B.
"""

import os
import zlib
from pathlib import Path

from sightline.picture_header import DEFAULT_LIMITS, Header

SPAN = 4096
ENDS = {"PNG": b"IEND\xaeB`\x82", "JPEG": b"\xff\xd9"}
SCAN = b"\xff\xda"  # a JPEG's picture data follows; before it may stand a whole thumbnail
PNG_START = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
PNG_MODES = {
    (1, 0): "1",
    (8, 0): "L",
    (16, 0): "I;16",
    (8, 2): "RGB",
    (8, 3): "P",
    (4, 3): "P",
    (2, 3): "P",
    (1, 3): "P",
    (8, 6): "RGBA",
}
PNG_ODD = (b"eXIf", b"acTL")  # a turn, an animation
JPEG_MODES = {1: "L", 3: "RGB"}
FRAMES = (0xC0, 0xC1, 0xC2)  # baseline, extended, progressive: the segments that hold the size
APP1 = 0xE1  # EXIF or XMP


def read_ends(path: Path, size: int) -> tuple[bytes, bytes]:
    """The first and the last bytes of a file of `size` bytes, at most `SPAN` of each."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        head = os.read(descriptor, SPAN)
        return head, head if size <= SPAN else os.pread(descriptor, SPAN, size - SPAN)
    finally:
        os.close(descriptor)


def quick_header(head: bytes) -> Header | None:
    """What `picture_header.probe` says of a file that begins so; None where that cannot be told from these bytes."""
    header = _png(head) if head.startswith(PNG_START) else _jpeg(head)
    if header is None or not 0 < header.width * header.height <= DEFAULT_LIMITS.max_pixels:
        return None
    return header


def has_end(path: Path, kind: str, tail: bytes) -> bool:
    """Whether the picture file of format `kind` (PNG, JPEG, WEBP) whose last bytes are `tail` has its end."""
    if kind != "WEBP" and ENDS[kind] in tail:
        return True
    content = path.read_bytes()
    if kind == "WEBP":
        return int.from_bytes(content[4:8], "little") + 8 <= len(content)
    return content.rfind(ENDS[kind]) > content.rfind(SCAN) if kind == "JPEG" else ENDS[kind] in content


def _png(head: bytes) -> Header | None:
    mode = PNG_MODES.get((head[24], head[25])) if len(head) > 33 else None
    sound = zlib.crc32(head[12:29]) == int.from_bytes(head[29:33])
    if mode is None or not sound or b"IDAT" not in head or any(chunk in head for chunk in PNG_ODD):
        return None
    return Header(int.from_bytes(head[16:20]), int.from_bytes(head[20:24]), mode, "PNG", 1)


def _jpeg(head: bytes) -> Header | None:
    place = 2
    while head.startswith(b"\xff\xd8") and place + 10 <= len(head) and head[place] == 0xFF:
        marker = head[place + 1]
        if marker in FRAMES:
            mode = JPEG_MODES.get(head[place + 9])
            height, width = int.from_bytes(head[place + 5 : place + 7]), int.from_bytes(head[place + 7 : place + 9])
            return Header(width, height, mode, "JPEG", 1) if mode and head[place + 4] == 8 else None
        if marker in (APP1, SCAN[1]):
            return None
        place += 2 + int.from_bytes(head[place + 2 : place + 4])
    return None
