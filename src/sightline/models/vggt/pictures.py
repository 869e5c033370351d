"""Pictures as VGGT is given them: 518 pixels wide, sides multiples of 14, values 0..1, on 8 bits until the last step.

    crop    width 518; of a picture taller than 518 then, the middle 518 rows
    pad     the longer side 518, white around the picture to 518 x 518
    turned  crop, of a picture taller than wide turned clockwise: the sampling tool of Spatial-MLLM (cameras are of the turned one)

Pictures that differ in size afterwards are padded with white to the largest. A picture with transparency is laid on white. The
smaller half of a padding is at the top and on the left. Resizing is Pillow's bicubic.
"""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from sightline.errors import InputError

SIDE = 518
PATCH = 14
WHITE = 255
Mode = Literal["crop", "pad"]
Preparation = Literal["crop", "pad", "turned"]


def prepare_pictures(
    pictures: Sequence[UInt8[np.ndarray, "_h _w _c"]], *, mode: Preparation = "crop"
) -> Float32[np.ndarray, "n 3 h w"]:
    """The network's input for `pictures`, each (h, w, 3) RGB or (h, w, 4) RGBA, of any sizes.

    Raises:
        InputError: no pictures, or one so flat that no row of patches is left.
    """
    if not pictures:
        raise InputError("no pictures for VGGT; give at least one.")
    resized = [_resized(picture, mode) for picture in pictures]
    height, width = (max(picture.shape[axis] for picture in resized) for axis in (0, 1))
    padded = np.stack([_padded(picture, height, width) for picture in resized])
    return np.ascontiguousarray(padded.transpose(0, 3, 1, 2)).astype(np.float32) / np.float32(255)


def prepared_size(width: int, height: int, *, mode: Preparation) -> tuple[int, int]:
    """(width, height) to which a picture is resized (and turned), before rows are cut or white is added.

    Raises:
        InputError: a picture so narrow that no patch is left.
    """
    if mode == "turned" and height > width:
        width, height = height, width
    if mode == "pad" and height > width:
        new_width, new_height = _patches(width * SIDE / height), SIDE
    else:
        new_width, new_height = SIDE, _patches(height * SIDE / width)
    if not new_width or not new_height:
        raise InputError(
            f"a picture of {width} x {height} pixels is too narrow for VGGT: at {SIDE} pixels it is less than half a patch of "
            f"{PATCH} pixels across. Crop it."
        )
    return new_width, new_height


def _patches(side: float) -> int:
    return round(side / PATCH) * PATCH


def _resized(picture: UInt8[np.ndarray, "_h _w _c"], mode: Preparation) -> UInt8[np.ndarray, "h w 3"]:
    if mode == "turned" and picture.shape[0] > picture.shape[1]:
        picture = np.ascontiguousarray(np.rot90(picture, k=-1))
    size = prepared_size(picture.shape[1], picture.shape[0], mode=mode)
    pixels = np.asarray(_on_white(picture).resize(size, Image.Resampling.BICUBIC))
    if mode == "pad":
        return _padded(pixels, SIDE, SIDE)
    above = max(0, (pixels.shape[0] - SIDE) // 2)
    return pixels[above : above + SIDE]


def _on_white(picture: UInt8[np.ndarray, "_h _w _c"]) -> Image.Image:
    image = Image.fromarray(picture)
    if image.mode == "RGBA":
        image = Image.alpha_composite(Image.new("RGBA", image.size, (WHITE,) * 4), image)
    return image.convert("RGB")


def _padded(pixels: UInt8[np.ndarray, "_h _w 3"], height: int, width: int) -> UInt8[np.ndarray, "h w 3"]:
    down, across = height - pixels.shape[0], width - pixels.shape[1]
    around = ((down // 2, down - down // 2), (across // 2, across - across // 2), (0, 0))
    return np.pad(pixels, around, constant_values=WHITE)
