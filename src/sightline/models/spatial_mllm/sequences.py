"""Frames that VGGT sees together, as one unit: a video, or all pictures of a record in their order.

A unit is encoded once and may stand in several places. Its content has a digest, by which its features are kept (`feature_cache`).
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float32, UInt8

from sightline import media
from sightline.errors import InputError
from sightline.geometry.resize import smart_resize
from sightline.models.spatial_mllm.frames import FRAMES, FrameRule, PreparedMedium, joined_pictures, prepare_frames

Kind = Literal["image", "video"]
Grid = tuple[int, int, int]


@dataclass(frozen=True)
class FrameSequence:
    """`media`: one for a video, one a picture otherwise; all of one size."""

    kind: Kind
    media: tuple[PreparedMedium, ...]

    @property
    def grids(self) -> tuple[Grid, ...]:
        """(t, rows, columns) in patches of each medium."""
        return tuple(medium.grid_thw for medium in self.media)

    @property
    def geometry_frames(self) -> Float32[np.ndarray, "f 3 h w"]:
        """What VGGT sees, RGB in 0..1."""
        return joined_pictures(self.media)


def prepare_sequence(kind: Kind, frames: Sequence[UInt8[np.ndarray, "_h _w 3"]], rule: FrameRule) -> FrameSequence:
    """The unit of a video's frames, or of a record's pictures.

    Raises:
        InputError: frames of several sizes, or pictures that have several after resizing.
    """
    if kind == "video":
        return FrameSequence(kind, (prepare_frames(frames, rule),))
    sequence = FrameSequence(kind, tuple(prepare_frames([frame], rule) for frame in frames))
    _ = sequence.geometry_frames  # sees that they have one size
    return sequence


def grids_of(kind: Kind, sizes: Sequence[tuple[int, int]], rule: FrameRule) -> tuple[Grid, ...]:
    """The grids of `prepare_sequence`, from the sizes (width, height) of the frames alone.

    Raises:
        InputError: frames of a video in several sizes.
    """
    if kind == "video":
        if len(set(sizes)) != 1:
            listed = ", ".join(f"{width} x {height}" for width, height in sorted(set(sizes))) or "none"
            raise InputError(f"frames of one video must share one size; found {listed} in {len(sizes)} frames. Resize them first.")
        return ((-(-len(sizes) // FRAMES), *_patches(sizes[0], rule)),)
    return tuple((1, *_patches(size, rule)) for size in sizes)


def grids_of_geometry(kind: Kind, shape: tuple[int, ...]) -> tuple[Grid, ...]:
    """The grids of the unit whose patches of VGGT have this shape (T, rows, columns, D)."""
    frames, rows, columns, _ = shape
    steps = frames // FRAMES
    return ((steps, rows, columns),) if kind == "video" else ((1, rows, columns),) * steps


def num_tokens(grid: Grid, rule: FrameRule) -> int:
    """How many tokens a medium of this grid is in the text."""
    steps, rows, columns = grid
    return steps * rows * columns // rule.merge**2


def sequence_digest(kind: Kind, frame_digests: Sequence[str]) -> str:
    """32 hexadecimal digits that name a unit: its kind, and its frames (`media.pixel_digest`) in their order."""
    return hashlib.blake2b("\0".join([kind, *frame_digests]).encode(), digest_size=16).hexdigest()


def digest_of_frames(kind: Kind, frames: Sequence[UInt8[np.ndarray, "_h _w 3"]]) -> str:
    """`sequence_digest` of decoded frames."""
    return sequence_digest(kind, [media.pixel_digest(frame) for frame in frames])


def _patches(size: tuple[int, int], rule: FrameRule) -> tuple[int, int]:
    cell = rule.patch_size * rule.merge
    width, height = smart_resize(*size, factor=cell, min_pixels=rule.min_pixels, max_pixels=rule.max_pixels)
    return height // rule.patch_size, width // rule.patch_size
