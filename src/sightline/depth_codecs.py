"""How a depth map stands in a file: three codecs, looked up by name in `CODECS`.

| codec         | file | holds |
|---------------|------|-------|
| `u8x3_minmax` | PNG, 8 bits, three equal channels | inverse depth, stretched to 0..255 picture by picture: 255 is the nearest |
| `mm_u16`      | PNG, 16 bits, one channel | millimetres along the camera's z axis, 0 = none, up to 65.535 m |
| `metric_f32`  | .npy, float32, (height, width) | metres along the camera's z axis, 0 = none |

`u8x3_minmax` is what RoboRefer was trained on: v = d - min(d), divided by max(d) - min(d), times 255, in float32, and cut (not
rounded) to 8 bits; d is the relative inverse depth of Depth Anything V2. Its loader does not convert, so a file of one channel
fails there. Source: Zhoues/RoboRefer, `process_depth`. Two of its pictures cannot be compared in brightness.

A `.npy` file is the magic, a header of plain literals and the numbers; arrays of objects, which would be pickles, are refused.
"""

import contextlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
from jaxtyping import Bool, Float, Float32, Shaped, UInt8

from sightline import media, picture_header
from sightline.errors import InputError
from sightline.picture_header import DEFAULT_LIMITS, Limits

METRES_PER_UNIT = 0.001
MAX_METRES = 65.535
MIN_RELATIVE_RANGE = 1e-5
"""A map whose values differ by less than this share of the largest one is the noise of float32 and counts as constant."""
NPY_HEADER_BYTES = 4096
FLOAT32 = np.dtype("<f4")


class UnusableDepthError(InputError):
    """A depth map that no file should hold. `reason` is `constant_depth` or `non_finite_depth`."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


@dataclass(frozen=True)
class DepthCodec:
    """`encode` takes metres if the codec is `metric`, else inverse depth of any unit (near = large); both (h, w).

    `read` gives what a model takes: metres (h, w), or the picture (h, w, 3). `probe` gives (width, height) from the header alone,
    and refuses a file of another codec as `read` does.
    """

    name: str
    suffix: str
    metric: bool
    encode: Callable[[Float[np.ndarray, "h w"]], bytes]
    read: Callable[..., Shaped[np.ndarray, "h w *c"]]
    probe: Callable[..., tuple[int, int]]


def get_codec(name: str) -> DepthCodec:
    """The codec called `name`.

    Raises:
        InputError: there is none; the message lists the choices.
    """
    if name not in CODECS:
        raise InputError(f"no depth codec is called {name!r}. Choices: {', '.join(CODECS)}.")
    return CODECS[name]


# ---------------------------------------------------------------- u8x3_minmax


def minmax_picture(inverse: Float[np.ndarray, "h w"], known: Bool[np.ndarray, "h w"] | None = None) -> UInt8[np.ndarray, "h w 3"]:
    """Inverse depth (near = large, any unit and offset) as RoboRefer reads it: 0..255, three equal channels.

    Pixels that are not `known` do not take part and become 0, like the farthest.

    Raises:
        UnusableDepthError: a known value is not finite, or all are equal, for which min-max is 0/0.
    """
    values = inverse.astype(np.float32)
    chosen = values if known is None else values[known]
    _refuse_unusable(chosen)
    low, high = chosen.min(), chosen.max()
    scaled = (values - low) / (high - low) * np.float32(255)
    grey = scaled.astype(np.uint8) if known is None else np.where(known, scaled, 0).astype(np.uint8)
    return np.repeat(grey[:, :, None], 3, axis=2)


def inverse_picture(metres: Float[np.ndarray, "h w"]) -> UInt8[np.ndarray, "h w 3"]:
    """Depth in metres (0 = none) as RoboRefer reads it: `minmax_picture` of 1 / depth; a pixel without depth becomes 0.

    Raises:
        UnusableDepthError: a value is not finite, or there are fewer than two depths.
    """
    _refuse_non_finite(metres)
    known = metres > 0
    inverse = np.zeros(metres.shape, dtype=np.float32)
    np.divide(1.0, metres, out=inverse, where=known, casting="same_kind")
    return minmax_picture(inverse, known)


def encode_u8x3_minmax(inverse: Float[np.ndarray, "h w"]) -> bytes:
    """Inverse depth as a PNG of `minmax_picture`.

    Raises:
        UnusableDepthError: as `minmax_picture`.
    """
    return media.encode_png(minmax_picture(inverse))


def read_u8x3_minmax(path: Path, limits: Limits = DEFAULT_LIMITS) -> UInt8[np.ndarray, "h w 3"]:
    """The picture; three equal channels, 255 the nearest.

    Raises:
        FileNotFoundError, InputError: as `picture_header.probe`; also a file of another kind, or channels that differ.
    """
    probe_u8x3_minmax(path, limits)
    picture = media.read_rgb(path, limits)
    if (picture[:, :, 1:] != picture[:, :, :1]).any():
        raise InputError(
            f"{path}: depth in colours; u8x3_minmax has three equal channels. It may be a colour map for the eye: make it again "
            "with `sightline depth`."
        )
    return picture


def probe_u8x3_minmax(path: Path, limits: Limits = DEFAULT_LIMITS) -> tuple[int, int]:
    """(width, height), from the header.

    Raises:
        FileNotFoundError, InputError: as `picture_header.probe`; also a file of another kind.
    """
    return _probe_png(path, limits, mode="RGB", expected="u8x3_minmax is a PNG with three channels of 8 bits")


# ---------------------------------------------------------------- mm_u16


def encode_mm_u16(metres: Float[np.ndarray, "h w"]) -> bytes:
    """Depth in metres as a PNG of whole millimetres. Not above 0, or beyond 65.535 m: 0, no depth.

    Raises:
        UnusableDepthError: a value is not finite, or the file would hold one value alone.
    """
    _refuse_non_finite(metres)
    millimetres = np.rint(np.where((metres > 0) & (metres <= MAX_METRES), metres, 0) / METRES_PER_UNIT).astype(np.uint16)
    if millimetres.min() == millimetres.max():
        raise UnusableDepthError("constant_depth", f"every pixel would be {int(millimetres.min())} mm in mm_u16 (0 = none)")
    return media.encode_grey_png(millimetres)


def share_beyond_u16(metres: Float[np.ndarray, "h w"]) -> float:
    """The share of pixels, 0..1, that are too far for `mm_u16` and lose their depth in it."""
    return float((metres > MAX_METRES).mean())


def read_mm_u16(path: Path, limits: Limits = DEFAULT_LIMITS) -> Float32[np.ndarray, "h w"]:
    """Metres, 0 = none.

    Raises:
        FileNotFoundError, InputError: as `media.read_depth`.
    """
    return media.read_depth(path, METRES_PER_UNIT, limits)


def probe_mm_u16(path: Path, limits: Limits = DEFAULT_LIMITS) -> tuple[int, int]:
    """(width, height), from the header.

    Raises:
        FileNotFoundError, InputError: as `picture_header.probe`; also a file of another kind.
    """
    return _probe_png(path, limits, mode="I;16", expected="mm_u16 is a PNG with one channel of 16 bits")


# ---------------------------------------------------------------- metric_f32


def encode_metric_f32(metres: Float[np.ndarray, "h w"]) -> bytes:
    """Depth in metres as the bytes of a `.npy` file. Not above 0: 0, no depth.

    Raises:
        UnusableDepthError: a value is not finite, or all are equal.
    """
    _refuse_non_finite(metres)
    kept = np.where(metres > 0, metres, 0).astype(FLOAT32)
    _refuse_unusable(kept)
    content = io.BytesIO()
    np.lib.format.write_array(content, np.ascontiguousarray(kept), version=(1, 0), allow_pickle=False)
    return content.getvalue()


def read_metric_f32(path: Path, limits: Limits = DEFAULT_LIMITS) -> Float32[np.ndarray, "h w"]:
    """Metres, 0 = none.

    Raises:
        FileNotFoundError: no such file.
        InputError: not a `.npy` file of float32 in rows, over a limit, cut short, or with values below 0 or not finite.
    """
    with _opened_npy(path, limits) as (file, (height, width)):
        metres = np.fromfile(file, dtype=FLOAT32, count=height * width).reshape(height, width)
    if not np.isfinite(metres).all() or (metres < 0).any():
        raise InputError(
            f"{path}: depth that is negative, infinite or not a number; metric_f32 has metres, and 0 where none is known."
        )
    return metres.astype(np.float32, copy=False)


def probe_metric_f32(path: Path, limits: Limits = DEFAULT_LIMITS) -> tuple[int, int]:
    """(width, height), from the header.

    Raises:
        FileNotFoundError, InputError: as `read_metric_f32`, but for the values.
    """
    with _opened_npy(path, limits) as (_, (height, width)):
        return width, height


CODECS: dict[str, DepthCodec] = {
    "u8x3_minmax": DepthCodec("u8x3_minmax", ".png", False, encode_u8x3_minmax, read_u8x3_minmax, probe_u8x3_minmax),
    "mm_u16": DepthCodec("mm_u16", ".png", True, encode_mm_u16, read_mm_u16, probe_mm_u16),
    "metric_f32": DepthCodec("metric_f32", ".npy", True, encode_metric_f32, read_metric_f32, probe_metric_f32),
}


def _refuse_non_finite(values: Float[np.ndarray, "..."]) -> None:
    if not np.isfinite(values).all():
        raise UnusableDepthError(
            "non_finite_depth", f"{(~np.isfinite(values)).mean():.2%} of its values are infinite or not a number"
        )


def _refuse_unusable(values: Float[np.ndarray, "..."]) -> None:
    _refuse_non_finite(values)
    if not values.size:
        raise UnusableDepthError("constant_depth", "no pixel of it has depth")
    low, high = float(values.min()), float(values.max())
    if high - low <= MIN_RELATIVE_RANGE * max(abs(low), abs(high)):
        raise UnusableDepthError("constant_depth", f"all its values are {low:g}, or differ by no more than float32 noise")


def _probe_png(path: Path, limits: Limits, *, mode: str, expected: str) -> tuple[int, int]:
    header = picture_header.probe(path, limits)
    if header.format != "PNG" or header.mode != mode:
        raise InputError(
            f"{path}: {expected}, found {header.format} of mode {header.mode}. Name the codec the file was written in, or make it "
            "again with `sightline depth`."
        )
    return header.width, header.height


@contextlib.contextmanager
def _opened_npy(path: Path, limits: Limits) -> Iterator[tuple[BinaryIO, tuple[int, int]]]:
    """The file at its first number, and the array's (height, width); everything but the numbers has been checked."""
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such depth file.")
    size = path.stat().st_size
    with path.open("rb") as file:
        try:
            version = np.lib.format.read_magic(file)
            if version != (1, 0):
                raise ValueError(f"version {version}")
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(file, max_header_size=NPY_HEADER_BYTES)
        except ValueError as error:
            raise InputError(f"{path}: metric_f32 is a .npy file of version 1.0; its header cannot be read ({error}).") from error
        if dtype != FLOAT32 or len(shape) != 2 or fortran:
            order = " in columns" if fortran else ""
            raise InputError(
                f"{path}: metric_f32 is float32 of shape (height, width) in rows, found {dtype} of shape {shape}{order}."
            )
        height, width = shape
        if min(shape) < 1 or height * width > limits.max_pixels:
            raise InputError(f"{path}: depth of {width:,} x {height:,} pixels; expected 1 to {limits.max_pixels:,} pixels.")
        expected = file.tell() + height * width * FLOAT32.itemsize
        if size != expected:
            raise InputError(f"{path}: {size:,} bytes, but its header speaks of {expected:,}: the file is cut short or damaged.")
        yield file, (height, width)
