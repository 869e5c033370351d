"""Depth beside pictures: from files of any codec to what a model with a depth input takes, one map for one picture.

A family takes depth if its processor says so (`TakesDepth`); no other does, and asking it to is an error. What it is given:

    inverse_u8x3   three equal channels of 8 bits, near bright (`depth_codecs.minmax_picture`). Files of `u8x3_minmax` as they are,
                   one channel of 8 bits repeated to three; files of metres by 1 / depth
    metres         one channel of float32, 0 where none is known. Only from files of metres: no number makes them of relative depth

A map has the size of its picture, or is enlarged or reduced to it, each pixel from its nearest, where both are of one shape.
"""

from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Int64, Shaped, UInt8

from sightline import media, picture_header
from sightline.depth_codecs import UnusableDepthError, get_codec, inverse_picture
from sightline.errors import InputError
from sightline.train.vlm.samples import MediaRef

DepthForm = Literal["inverse_u8x3", "metres"]
DEPTH = "depth_values"


@runtime_checkable
class TakesDepth(Protocol):
    """What the processor of a family that takes depth offers beside its own call."""

    depth_form: DepthForm

    def depth_values(self, depth: Shaped[np.ndarray, "h w *c"]) -> Any:  # noqa: ANN401 - a tensor of torch
        """A map in `depth_form`, as large as its picture, to a tensor of as many tiles (rows) of height and width as the processor
        makes of the picture; channels may differ."""
        ...

    def depth_tokens(self, width: int, height: int) -> Int64[np.ndarray, " n"]:
        """The token ids that depth adds right behind those of a picture of this size; none where both share their tokens."""
        ...


def depth_taker(processor: Any, *, where: str) -> TakesDepth:  # noqa: ANN401 - any processor of transformers
    """The processor, if its family takes depth.

    Raises:
        InputError: it takes none.
    """
    if not isinstance(processor, TakesDepth):
        raise InputError(
            f"data.with_depth=true, but this model takes no depth: {where} ({type(processor).__name__}) has no input for it. Leave "
            "it out, and pictures alone are trained on; or start from a model with a depth input."
        )
    return processor


def read_depth(ref: MediaRef, size: tuple[int, int], form: DepthForm) -> Shaped[np.ndarray, "h w *c"]:
    """The depth map of a picture of `size` (width, height) in a form.

    Raises:
        FileNotFoundError: no such file.
        InputError: a file of another codec than it is said to be in, relative depth where metres are asked for, or a map of another
            shape than its picture.
    """
    found = _read(ref, form)
    height, width = found.shape[:2]
    _check_shape(ref, (width, height), size)
    if (width, height) == size:
        return found
    rows = (2 * np.arange(size[1]) + 1) * height // (2 * size[1])  # the pixel in which the centre of each new one lies
    columns = (2 * np.arange(size[0]) + 1) * width // (2 * size[0])
    return np.ascontiguousarray(found[rows[:, None], columns])


def check_header(ref: MediaRef, size: tuple[int, int]) -> None:
    """See from its header alone that a map is there, in its codec, and of the shape of its picture of `size`.

    Raises:
        FileNotFoundError, InputError: as `read_depth`.
    """
    codec = get_codec(_codec(ref))
    header = picture_header.probe(ref.path) if codec.name == "u8x3_minmax" else None
    found = (header.width, header.height) if header is not None and header.mode == "L" else codec.probe(ref.path)
    _check_shape(ref, found, size)


def blank(form: DepthForm) -> Shaped[np.ndarray, "h w *c"]:
    """A small map that is the same everywhere."""
    return np.ones((64, 64), np.float32) if form == "metres" else np.zeros((64, 64, 3), np.uint8)


def check_rows(depth: Any, pixels: Any, ref: MediaRef) -> None:  # noqa: ANN401 - tensors of torch
    """See that a picture and its depth are of one size as the model is given them.

    Raises:
        InputError: other tiles, height or width.
    """
    ours, theirs = (depth.shape[0], *depth.shape[-2:]), (pixels.shape[0], *pixels.shape[-2:])
    if ours != theirs:
        raise InputError(
            f"{ref.path}: resized for the model, depth is {ours[0]} tiles of {ours[2]} x {ours[1]} and its picture {theirs[0]} of "
            f"{theirs[2]} x {theirs[1]}. The processor must treat both alike: this is an error of the model's processor."
        )


def _read(ref: MediaRef, form: DepthForm) -> Shaped[np.ndarray, "h w *c"]:
    codec = get_codec(_codec(ref))
    if not codec.metric:
        if form == "metres":
            raise InputError(
                f"{ref.path}: relative depth ({codec.name}), but this model takes metres. Give depth in mm_u16 or metric_f32."
            )
        return _picture(ref.path)
    unit = ref.metres_per_unit
    metres: Float32[np.ndarray, "h w"] = codec.read(ref.path) if unit is None else media.read_depth(ref.path, unit)
    if form == "metres":
        return metres
    try:
        return inverse_picture(metres)
    except UnusableDepthError as error:
        raise InputError(f"{ref.path}: {error}. Leave this picture's depth out, or make it anew.") from error


def _picture(path: Path) -> UInt8[np.ndarray, "h w 3"]:
    if picture_header.probe(path).mode == "L":
        return media.read_rgb(path)  # one channel, repeated
    return get_codec("u8x3_minmax").read(path)


def _codec(ref: MediaRef) -> str:
    assert ref.codec is not None, "sources name the codec of every map"
    return ref.codec


def _check_shape(ref: MediaRef, found: tuple[int, int], size: tuple[int, int]) -> None:
    """One shape up to the rounding of a pixel; both are (width, height)."""
    if abs(found[0] * size[1] - found[1] * size[0]) > max(*found, *size):
        raise InputError(
            f"{ref.path}: depth of {found[0]} x {found[1]} pixels, but its picture has {size[0]} x {size[1]}: they are not of one "
            "shape. Give each picture its own depth, in the same order."
        )
