"""What a picture file is, from its header alone: its kind, its size as shown, its orientation. No pixel is decoded here.

PNG, JPEG and still WebP are read, told apart by their first bytes and never by their names: datasets of this field hold no others,
and every further parser would be one more for hostile files. The size stands in the header and is checked before any pixel is
decoded. EXIF orientation is applied to every kind of picture alike, so width and height are those that a viewer shows; an
orientation that cannot be read counts as "as stored".

Pillow's plug-in classes are used directly, because `PIL.Image.open` warns about large pictures before a caller could look at the
size.
"""

import contextlib
import struct
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from PIL import Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from sightline.errors import InputError

DECODER_ERRORS = (OSError, SyntaxError, ValueError, EOFError, struct.error, IndexError, KeyError, OverflowError)
ORIENTATION_TAG = 0x0112


@dataclass(frozen=True)
class Limits:
    """The largest picture that is decoded, in pixels, and the largest file that is opened, in bytes."""

    max_pixels: int = 100_000_000
    max_file_bytes: int = 512 * 2**20


DEFAULT_LIMITS = Limits()


@dataclass(frozen=True)
class Content:
    """A picture that lies in no file (it came in a request): its bytes, and the name that messages give it."""

    name: str
    content: bytes

    def __str__(self) -> str:
        return self.name


Source = Path | Content


@dataclass(frozen=True)
class Header:
    """What a picture's header says. `width` and `height` are those after `orientation` (EXIF, 1..8; 1 = as stored).

    `mode` is Pillow's (1, L, LA, P, RGB, RGBA, CMYK, I;16), `format` PNG, JPEG or WEBP.
    """

    width: int
    height: int
    mode: str
    format: str
    orientation: int


def probe(path: Source, limits: Limits = DEFAULT_LIMITS) -> Header:
    """Read the header only.

    Raises:
        FileNotFoundError: no such file.
        InputError: over a limit, or not a picture of a format that is read; the message names the file.
    """
    with opened(path, limits) as (_, header):
        return header


@contextlib.contextmanager
def opened(path: Source, limits: Limits) -> Iterator[tuple[Image.Image, Header]]:
    """The picture with its header read and its size accepted, but no pixel decoded."""
    if isinstance(path, Path) and not path.is_file():
        raise FileNotFoundError(f"{path}: no such picture file.")
    size = path.stat().st_size if isinstance(path, Path) else len(path.content)
    if size > limits.max_file_bytes:
        raise InputError(f"{path}: file of {size:,} bytes; at most {limits.max_file_bytes:,} are read.")
    with path.open("rb") if isinstance(path, Path) else BytesIO(path.content) as file:
        image = _parse_header(path, file, limits)
        orientation = _orientation(image.info.get("exif"))
        width, height = image.size if orientation <= 4 else image.size[::-1]
        yield image, Header(width, height, image.mode, image.format or "", orientation)


def _parse_header(path: Source, file: BinaryIO | BytesIO, limits: Limits) -> Image.Image:
    start = file.read(30)
    file.seek(0)
    if start.startswith(b"\x89PNG\r\n\x1a\n"):
        plugin = PngImagePlugin.PngImageFile
    elif start.startswith(b"\xff\xd8\xff"):
        plugin = JpegImagePlugin.JpegImageFile
    elif start.startswith(b"RIFF") and start[8:12] == b"WEBP":
        _check_pixels(path, _webp_size(path, start), limits)  # its plug-in allocates the canvas while it opens
        plugin = WebPImagePlugin.WebPImageFile
    else:
        raise InputError(
            f"{path}: expected a PNG, JPEG or WebP picture, found a file that starts with {start[:12]!r}. Convert it to PNG."
        )
    try:
        with warnings.catch_warnings():  # damaged EXIF: the picture is taken as stored, see the module's docstring
            warnings.simplefilter("ignore", UserWarning)
            image = plugin(file)
    except DECODER_ERRORS as error:
        raise InputError(f"{path}: the picture's header cannot be read ({error}). Get the file again.") from error
    _check_pixels(path, image.size, limits)
    if getattr(image, "is_animated", False):
        raise InputError(f"{path}: an animation; expected one still picture. Write its frames as single files.")
    return image


def _check_pixels(path: Source, size: tuple[int, int], limits: Limits) -> None:
    width, height = size
    if width < 1 or height < 1 or width * height > limits.max_pixels:
        raise InputError(
            f"{path}: picture of {width:,} x {height:,} pixels; expected 1 to {limits.max_pixels:,} pixels. Resize or crop it."
        )


def _webp_size(path: Source, start: bytes) -> tuple[int, int]:
    """Width and height in the first chunk of a WebP file (RFC 9649: VP8X canvas, VP8L lossless, VP8 lossy)."""
    chunk = start[12:16]
    if len(start) == 30 and chunk == b"VP8X":
        return int.from_bytes(start[24:27], "little") + 1, int.from_bytes(start[27:30], "little") + 1
    if len(start) == 30 and chunk == b"VP8L":
        bits = int.from_bytes(start[21:25], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if len(start) == 30 and chunk == b"VP8 ":
        width, height = struct.unpack("<HH", start[26:30])
        return width & 0x3FFF, height & 0x3FFF
    raise InputError(f"{path}: the picture's header cannot be read (first WebP chunk {chunk!r}). Get the file again.")


def _orientation(exif: bytes | None) -> int:
    """EXIF orientation, 1..8; 1 where there is none or it cannot be read."""
    tiff = (exif or b"").removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if order is None or len(tiff) < 8:
        return 1
    directory = struct.unpack_from(f"{order}I", tiff, 4)[0]
    entries = struct.unpack_from(f"{order}H", tiff, directory)[0] if directory + 2 <= len(tiff) else 0
    for entry in range(directory + 2, min(directory + 2 + 12 * entries, len(tiff) - 11), 12):
        tag, kind, count, value = struct.unpack_from(f"{order}HHIH", tiff, entry)
        if (tag, kind, count) == (ORIENTATION_TAG, 3, 1):  # 3: a 16-bit number
            return value if 1 <= value <= 8 else 1
    return 1
