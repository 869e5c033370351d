"""Clips that a family is given as one video, and pictures that it sees together: Spatial-MLLM.

A unit is a film, or all pictures of a sample in their order; each distinct unit is made ready once a batch, from its pixels or from
features that were kept. `Units` does what `collate` else does picture by picture. The processor says how (`TakesFilms`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Int64, UInt8
from torch import Tensor

from sightline import media, video
from sightline.errors import InputError
from sightline.train.vlm.frames import Film, Picture
from sightline.train.vlm.pictures import Pictures

Kind = Literal["image", "video"]


@runtime_checkable
class TakesFilms(Protocol):
    """What the processor of such a family offers beside `CountsTokens`."""

    tokenizer: Any
    image_token: str
    video_token: str

    def film_tokens(self, width: int, height: int, num_frames: int) -> Int64[np.ndarray, " n"]:
        """Those that take the place of the slot of a film of this size."""
        ...

    def picture_tokens(self, width: int, height: int) -> Int64[np.ndarray, " n"]:
        """Those that take the place of the slot of a picture of this size."""
        ...

    def check_sizes(self, kind: Kind, sizes: Sequence[tuple[int, int]]) -> None:
        """See that frames of these sizes (width, height) can be seen together; raises InputError where not."""
        ...

    def unit(self, index: int, kind: Kind, frames: Sequence[UInt8[np.ndarray, "_h _w 3"]]) -> dict[str, Tensor]:
        """The tensors of unit `index`; `grids.{index}` (media, 3) is among them."""
        ...

    def blank_unit(self) -> dict[str, Tensor]:
        """Unit 0 of a batch without pictures."""
        ...

    def tokens_of_grids(self, kind: Kind, grids: Tensor) -> list[Int64[np.ndarray, " _"]]:
        """The tokens of the media of a unit."""
        ...

    def places(self, ids: Tensor, grids: Tensor | None) -> Tensor:
        """As `pack.Positions`."""
        ...


@runtime_checkable
class Features(Protocol):
    """Features of units that were kept."""

    def unit(self, index: int, kind: Kind, frames: "Frames") -> dict[str, Tensor]:
        """The tensors of unit `index`.

        Raises:
            InputError: there are none of these frames; the message says what to do.
        """
        ...

    def blank_unit(self) -> dict[str, Tensor]:
        """As `TakesFilms.blank_unit`, without a need for the encoders: all processes must use the same layers in every batch."""
        ...


@dataclass(frozen=True)
class Frames:
    """The frames of a unit as they are named; pixels are read when they are asked for."""

    shown: tuple[Picture, ...]

    @property
    def files(self) -> list[tuple[Path, int | None]]:
        """Path of each, and its number in a video."""
        return [(frame.ref.path, frame.frame) for frame in self.shown]

    @property
    def digests(self) -> list[str] | None:
        """`media.pixel_digest` of each, where the source has stored them."""
        stored = [frame.ref.digest if frame.frame is None else None for frame in self.shown]
        return None if None in stored else [digest for digest in stored if digest is not None]

    def read(self) -> list[UInt8[np.ndarray, "_h _w 3"]]:
        """The pixels of each; a video is decoded once.

        Raises:
            FileNotFoundError, InputError: a file that is not there or cannot be read.
        """
        found: dict[tuple[Path, int | None], UInt8[np.ndarray, "_h _w 3"]] = {}
        for path in dict.fromkeys(frame.ref.path for frame in self.shown if frame.frame is not None):
            wanted = {frame.frame for frame in self.shown if frame.ref.path == path}
            for frame in video.read_frames(path, wanted.__contains__):
                if frame.rgb is not None:
                    found[path, frame.number] = frame.rgb
        for path, number in self.files:
            if number is None:
                found[path, None] = media.read_rgb(path)
            elif (path, number) not in found:
                raise InputError(f"{path}: no frame {number}; the video has changed since it was counted.")
        return [found[key] for key in self.files]


def units_of(pictures: Sequence[Picture | Film]) -> list[tuple[Kind, Frames, tuple[int, ...]]]:
    """The units of a sample: kind, frames, and the slots that it fills."""
    units: list[tuple[Kind, Frames, tuple[int, ...]]] = [
        ("video", Frames(shown.frames), (slot,)) for slot, shown in enumerate(pictures) if isinstance(shown, Film)
    ]
    single = [(slot, shown) for slot, shown in enumerate(pictures) if isinstance(shown, Picture)]
    if single:
        units.append(("image", Frames(tuple(shown for _, shown in single)), tuple(slot for slot, _ in single)))
    return units


def check_sizes(processor: TakesFilms, layout: Any) -> None:  # noqa: ANN401 - a Layout
    """See that the frames of each unit can be seen together; raises InputError where not."""
    for kind, frames, _ in units_of(layout.pictures):
        processor.check_sizes(kind, [frame.size for frame in frames.shown])


class Units:
    """The units of a batch, ready for the model; its media are numbered through."""

    def __init__(self, processor: TakesFilms, *, shared: bool, features: Features | None = None) -> None:
        self.tokens: list[Int64[np.ndarray, " _"]] = []
        self._processor = processor
        self._shared = shared
        self._features = features
        self._made: dict[str, Tensor] = {}
        self._count = 0
        self._by_place: dict[object, tuple[int, ...]] = {}

    def numbers(self, pictures: Sequence[Picture | Film]) -> tuple[int, ...]:
        """Which of the batch's media stands in each slot of a sample; raises FileNotFoundError or InputError for bad ones."""
        found: dict[int, int] = {}
        for kind, frames, slots in units_of(pictures):
            place = kind, tuple(frames.files)
            if not self._shared or place not in self._by_place:
                self._by_place[place] = self._add(kind, frames)
            found |= dict(zip(slots, self._by_place[place], strict=True))
        return tuple(found[slot] for slot in range(len(pictures)))

    def grids(self) -> Tensor | None:
        """(media, 3)."""
        grids = [self._made[f"grids.{index}"] for index in range(self._count)]
        return torch.cat(grids) if grids else None

    def stacked(self, uses: list[int]) -> Pictures:
        """What the batch holds of them."""
        tensors = self._made or (self._features or self._processor).blank_unit()
        return Pictures(tensors, tuple(tokens.size for tokens in self.tokens), torch.tensor(uses, dtype=torch.long))

    def _add(self, kind: Kind, frames: Frames) -> tuple[int, ...]:
        if self._features is None:
            made = self._processor.unit(self._count, kind, frames.read())
        else:
            made = self._features.unit(self._count, kind, frames)
        tokens = self._processor.tokens_of_grids(kind, made[f"grids.{self._count}"])
        numbers = range(len(self.tokens), len(self.tokens) + len(tokens))
        self._made |= made
        self._count += 1
        self.tokens += tokens
        return tuple(numbers)
