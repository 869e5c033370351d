"""The only decoder of pixels: pictures, masks and depth from files, and pictures back to PNG.

What files are read, and how large they may be, is in `picture_header`. Alpha is dropped, not blended: processors of vision-language
models do so. Pillow decodes.
"""

import math

import cv2
import numpy as np
from blake3 import blake3
from jaxtyping import Bool, Float32, Shaped, UInt8, UInt16
from PIL import Image

from sightline.errors import InputError
from sightline.geometry.masks import GREY_THRESHOLD, threshold_grey
from sightline.picture_header import DECODER_ERRORS, DEFAULT_LIMITS, Limits, Source, opened

GREY16_THRESHOLD = 32768
MAX_LABELS = 32  # a dark grey mask with no more values than this is taken for label numbers, with more for a faint soft mask
# Measured on a 640 x 480 photograph (OpenCV 5): 8 ms and 354 kB; without the filter 14 ms and 346 kB, at level 6 64 ms and 304 kB.
PNG_OPTIONS = (cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP)
JPEG_OPTIONS = (cv2.IMWRITE_JPEG_QUALITY, 95)


def read_rgb(path: Source, limits: Limits = DEFAULT_LIMITS) -> UInt8[np.ndarray, "h w 3"]:
    """A picture as RGB. Alpha is dropped; 16-bit grey is scaled to 8 bits (65535 becomes 255) and rounded.

    Raises:
        FileNotFoundError, InputError: as `probe`; also a truncated or damaged file.
    """
    with opened(path, limits) as (image, header):
        if header.mode == "I;16":
            wide = _pixels(path, image, header.orientation).astype(np.uint32)
            return np.repeat(((wide + 128) // 257).astype(np.uint8)[:, :, None], 3, axis=2)
        return _pixels(path, image, header.orientation, mode="RGB")


def read_mask(path: Source, limits: Limits = DEFAULT_LIMITS) -> Bool[np.ndarray, "h w"]:
    """A mask picture as a mask.

    1-bit: as it is. Grey: set from 128 (16-bit: 32768). RGB: as grey, if R = G = B everywhere. Palette: set where the index is not
    0, if no more than one other index occurs; the palette's colours are not looked at. An alpha channel must be opaque everywhere.

    Raises:
        FileNotFoundError, InputError: as `probe`; also a damaged file, colours, alpha, several palette labels, or a grey picture
            whose few values all lie below the threshold without being all 0 (label numbers, which would be read as an empty mask).
    """
    with opened(path, limits) as (image, header):
        pixels = _pixels(path, image, header.orientation)
    if header.mode == "1":
        return pixels
    if header.mode == "P":
        return _mask_of_labels(path, pixels)
    if header.mode == "I;16":
        _refuse_labels(path, pixels, GREY16_THRESHOLD)
        return pixels >= GREY16_THRESHOLD
    grey = _grey_of_channels(path, pixels, header.mode)
    _refuse_labels(path, grey, GREY_THRESHOLD)
    return threshold_grey(grey)


def read_labels(path: Source, limits: Limits = DEFAULT_LIMITS) -> UInt8[np.ndarray, "h w"]:
    """A picture of label numbers, as video object segmentation has them. 0 is no object; by custom 255 is void.

    Palette: the index (the colours are not looked at). 1-bit, or grey of only 0 and 255: one object, whose number is 1.

    Raises:
        FileNotFoundError, InputError: as `probe`; also a damaged file, colours, other grey values, or another kind of picture.
    """
    with opened(path, limits) as (image, header):
        pixels = _pixels(path, image, header.orientation)
    if header.mode == "P":
        return pixels
    if header.mode == "1":
        return pixels.astype(np.uint8)
    if header.mode != "L":
        raise InputError(
            f"{path}: a label picture of mode {header.mode}; expected a palette PNG (index = object), or grey with 0 and 255 for "
            "one object. Colours do not say which object is which number: export the labels again with their palette."
        )
    if ((pixels != 0) & (pixels != 255)).any():
        raise InputError(
            f"{path}: a grey label picture with the values {_listed(np.unique(pixels))}; expected only 0 and 255 (one object). "
            "If they are label numbers, save them as palette indices; if they are soft edges, threshold them at 128."
        )
    return (pixels == 255).astype(np.uint8)


def read_indices(path: Source, limits: Limits = DEFAULT_LIMITS) -> UInt8[np.ndarray, "h w"]:
    """The stored values of a picture of one channel as they are, without a meaning: palette indices, 8-bit grey, or 0 and 1.

    Raises:
        FileNotFoundError, InputError: as `probe`; also a damaged file, or several channels.
    """
    with opened(path, limits) as (image, header):
        if header.mode not in ("P", "L", "1"):
            raise InputError(f"{path}: a picture of mode {header.mode}; expected one channel of 8 bits or 1 bit.")
        return _pixels(path, image, header.orientation).astype(np.uint8)


def read_depth(path: Source, metres_per_unit: float, limits: Limits = DEFAULT_LIMITS) -> Float32[np.ndarray, "h w"]:
    """A 16-bit single-channel PNG as depth in metres (value * `metres_per_unit`); 0 is no depth.

    Raises:
        FileNotFoundError, InputError: as `probe`; also a damaged file, another kind of picture, or a scale that is not above 0.
    """
    if not (math.isfinite(metres_per_unit) and metres_per_unit > 0):
        raise InputError(f"{path}: depth scale of {metres_per_unit} metres per unit; expected a number above 0, e.g. 0.001.")
    with opened(path, limits) as (image, header):
        if header.mode != "I;16" or header.format != "PNG":
            raise InputError(
                f"{path}: depth must be a PNG with one 16-bit channel, found {header.format} of mode {header.mode}. "
                "Values of 8 bits or several channels are depth for the eye, not metres: give the sensor's or renderer's own file."
            )
        pixels = _pixels(path, image, header.orientation)
    return np.multiply(pixels, np.float32(metres_per_unit), dtype=np.float32)


def pixel_digest(rgb: UInt8[np.ndarray, "h w 3"]) -> str:
    """32 hexadecimal digits that name a picture's content: BLAKE3 of height, width and the RGB bytes, row by row.

    BLAKE3 takes a sixth of BLAKE2b's time on pictures; in a build of pairs that is an eighth of all.
    """
    digest = blake3(f"{rgb.shape[0]} {rgb.shape[1]} ".encode())
    digest.update(np.ascontiguousarray(rgb).data)
    return digest.hexdigest(length=16)


def encode_png(rgb: UInt8[np.ndarray, "h w 3"]) -> bytes:
    """A picture as PNG: lossless, and the same bytes for the same pixels with the same OpenCV."""
    return _png(cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2BGR))


def encode_jpeg(rgb: UInt8[np.ndarray, "h w 3"]) -> bytes:
    """A picture as JPEG of quality 95: lossy, for formats that ask for it."""
    written, content = cv2.imencode(".jpg", cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2BGR), JPEG_OPTIONS)
    assert written, f"OpenCV did not encode {rgb.shape} {rgb.dtype}"
    return content.tobytes()


def encode_grey_png(grey: UInt8[np.ndarray, "h w"] | UInt16[np.ndarray, "h w"]) -> bytes:
    """A grey picture (mask, or depth with 16 bits) as PNG of one channel and as many bits."""
    return _png(np.ascontiguousarray(grey))


def _png(array: UInt8[np.ndarray, "h w *c"] | UInt16[np.ndarray, "h w"]) -> bytes:
    written, content = cv2.imencode(".png", array, PNG_OPTIONS)
    assert written, f"OpenCV did not encode {array.shape} {array.dtype}"
    return content.tobytes()


def _pixels(path: Source, image: Image.Image, orientation: int, *, mode: str | None = None) -> Shaped[np.ndarray, "h w *c"]:
    """Decode, convert to Pillow mode `mode`, turn upright, and own the memory."""
    try:
        image.load()
        if mode is not None and image.mode != mode:
            image.info.pop("transparency", None)  # alpha is dropped; Pillow would warn about some palettes
            image = image.convert(mode)
    except DECODER_ERRORS as error:
        raise InputError(f"{path}: the picture is truncated or damaged ({error}). Get the file again.") from error
    return np.ascontiguousarray(_upright(np.asarray(image), orientation)).copy()


def _upright(array: Shaped[np.ndarray, "a b *c"], orientation: int) -> Shaped[np.ndarray, "h w *c"]:
    """Undo an EXIF orientation, 1..8: flip rows, flip columns, then transpose."""
    if orientation in (3, 4, 6, 7):
        array = array[::-1]
    if orientation in (2, 3, 7, 8):
        array = array[:, ::-1]
    return array.swapaxes(0, 1) if orientation >= 5 else array


def _mask_of_labels(path: Source, indices: UInt8[np.ndarray, "h w"]) -> Bool[np.ndarray, "h w"]:
    labels = np.flatnonzero(np.bincount(indices.ravel(), minlength=256)[1:]) + 1
    if labels.size > 1:
        raise InputError(
            f"{path}: a palette mask with {labels.size} labels ({_listed(labels)}); expected one object: index 0 and one other. "
            "Write one mask file for each object."
        )
    return indices != 0


def _grey_of_channels(path: Source, pixels: UInt8[np.ndarray, "h w *c"], mode: str) -> UInt8[np.ndarray, "h w"]:
    if mode not in ("L", "LA", "RGB", "RGBA"):
        raise InputError(f"{path}: a picture of mode {mode} is not a mask; expected 1-bit, grey or palette. Save it as a grey PNG.")
    if mode == "L":
        return pixels
    if mode in ("LA", "RGBA") and (pixels[:, :, -1] != 255).any():
        raise InputError(
            f"{path}: a mask with a transparent part; it is not clear whether the colours or the alpha channel are the mask. "
            "Save the right one of them as a grey PNG."
        )
    grey = pixels[:, :, 0]
    if mode in ("RGB", "RGBA") and (pixels[:, :, 1:3] != grey[:, :, None]).any():
        raise InputError(f"{path}: a mask in colours; expected black and white. Save one grey PNG for each object (255 = object).")
    return grey


def _refuse_labels(path: Source, grey: UInt8[np.ndarray, "h w"] | UInt16[np.ndarray, "h w"], threshold: int) -> None:
    largest = int(grey.max())
    if 0 < largest < threshold and (values := np.unique(grey)).size <= MAX_LABELS:
        raise InputError(
            f"{path}: a grey mask whose values ({_listed(values)}) all lie below the threshold {threshold} would be read as empty; "
            f"they look like label numbers. Write the object as {2 * threshold - 1} and the rest as 0."
        )


def _listed(values: Shaped[np.ndarray, " n"]) -> str:
    return ", ".join(map(str, values[:8])) + (", ..." if values.size > 8 else "")
