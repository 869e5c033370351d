"""Frames and pictures as a Spatial-MLLM takes them: patches for the language model's own encoder, and the same frames for VGGT.

Every frame is resized once (Pillow's bicubic, on 8 bits) to sides that are multiples of the encoder's cell, divided by 255, and
given to both: normalised and cut into patches to the one, plain to the other. A cell is 2 x 2 patches in 2 frames. Where frames are
odd in number the last is repeated; a picture is repeated once. An encoder with patches of 16 pixels (Qwen3-VL) sees another size
than VGGT, whose frames are then resized to as many patches of 14.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from sightline.errors import InputError
from sightline.geometry.resize import smart_resize

GEOMETRY_PATCH = 14
FRAMES = 2
Triple = tuple[float, float, float]


@dataclass(frozen=True)
class FrameRule:
    """How the language model's encoder takes a frame; the limits are on the area of one frame, in pixels. The defaults are those of
    the published model."""

    min_pixels: int = 293_216
    max_pixels: int = 324_576
    patch_size: int = 14
    merge: int = 2
    mean: Triple = (0.48145466, 0.4578275, 0.40821073)
    deviation: Triple = (0.26862954, 0.26130258, 0.27577711)


DEFAULT_RULE = FrameRule()


@dataclass(frozen=True)
class PreparedMedium:
    """`patches`: (t * rows * columns, 3 * 2 * patch * patch), block after block of 2 x 2. `grid_thw`: (t, rows, columns) in
    patches. `geometry_frames`: 2 t frames, RGB in 0..1."""

    patches: Float32[np.ndarray, "n c"]
    grid_thw: tuple[int, int, int]
    geometry_frames: Float32[np.ndarray, "f 3 h w"]


def prepare_frames(frames: Sequence[UInt8[np.ndarray, "_h _w 3"]], rule: FrameRule = DEFAULT_RULE) -> PreparedMedium:
    """A video's frames, or one picture.

    Raises:
        InputError: no frames, or frames of several sizes.
    """
    sizes = {(frame.shape[1], frame.shape[0]) for frame in frames}
    if len(sizes) != 1:
        listed = ", ".join(f"{width} x {height}" for width, height in sorted(sizes)) or "none"
        raise InputError(f"frames of one video must share one size; found {listed} in {len(frames)} frames. Resize them first.")
    ((width, height),) = sizes
    cell = rule.patch_size * rule.merge
    size = smart_resize(width, height, factor=cell, min_pixels=rule.min_pixels, max_pixels=rule.max_pixels)
    even = [*frames, frames[-1]] if len(frames) % FRAMES else list(frames)
    seen = _resized(even, size)
    columns, rows = size[0] // rule.patch_size, size[1] // rule.patch_size
    geometry = seen if rule.patch_size == GEOMETRY_PATCH else _resized(even, (columns * GEOMETRY_PATCH, rows * GEOMETRY_PATCH))
    return PreparedMedium(_patches(seen, rule), (len(even) // FRAMES, rows, columns), geometry)


def joined_pictures(pictures: Sequence[PreparedMedium]) -> Float32[np.ndarray, "f 3 h w"]:
    """The pictures of one record as the one sequence that VGGT sees them in.

    Raises:
        InputError: pictures of several sizes after resizing.
    """
    shapes = {picture.geometry_frames.shape[2:] for picture in pictures}
    if len(shapes) != 1:
        listed = ", ".join(f"{width} x {height}" for height, width in sorted(shapes)) or "none"
        raise InputError(
            f"pictures of one record must have one size after resizing, because VGGT sees them together; found {listed}. Crop or "
            "pad them to one size, or ask about them one at a time."
        )
    return np.concatenate([picture.geometry_frames for picture in pictures])


def _resized(frames: Sequence[UInt8[np.ndarray, "_h _w 3"]], size: tuple[int, int]) -> Float32[np.ndarray, "f 3 h w"]:
    pixels = np.stack([np.asarray(Image.fromarray(frame).resize(size, Image.Resampling.BICUBIC)) for frame in frames])
    return np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)).astype(np.float32) / np.float32(255)


def _patches(frames: Float32[np.ndarray, "f 3 h w"], rule: FrameRule) -> Float32[np.ndarray, "n c"]:
    """Patches by time, block row, block column, then row and column inside the block; within one: channel, time, row, column."""
    mean, deviation = (np.asarray(values, np.float32)[:, None, None] for values in (rule.mean, rule.deviation))
    normed = (frames - mean) / deviation
    merge, patch = rule.merge, rule.patch_size
    steps, down, across = len(frames) // FRAMES, frames.shape[2] // (merge * patch), frames.shape[3] // (merge * patch)
    cut = normed.reshape(steps, FRAMES, 3, down, merge, patch, across, merge, patch)
    ordered = cut.transpose(0, 3, 6, 4, 7, 2, 1, 5, 8)  # t, block row, block column, row, column, channel, frame, y, x
    return np.ascontiguousarray(ordered).reshape(steps * down * merge * across * merge, -1)
