"""A training sample as every source gives it: turns of words and media slots, and the media that stand in the slots.

Nothing is decoded here and nothing tokenised. The media of a sample are numbered in the order of their slots, so that a slot and
its picture can never be told apart wrongly: a sample whose slots and media differ in number is an error where it is read.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Int64

from sightline.errors import InputError

Role = Literal["system", "user", "assistant"]


@dataclass(frozen=True)
class Slot:
    """A place for medium number `index` among the sample's pictures or among its videos."""

    kind: Literal["image", "video"]
    index: int


@dataclass(frozen=True)
class Turn:
    """What one side says. Only a user's turn has slots."""

    role: Role
    parts: tuple[str | Slot, ...]

    @property
    def text(self) -> str:
        """The words alone."""
        return "".join(part for part in self.parts if isinstance(part, str))


@dataclass(frozen=True)
class MediaRef:
    """A file. `size` (width, height after EXIF orientation) and `digest` (`media.pixel_digest`) where the source has stored them;
    for depth, `codec` is the name of its codec (`depth_codecs`), and `metres_per_unit` that of a sensor's 16-bit picture."""

    path: Path
    size: tuple[int, int] | None = None
    digest: str | None = None
    metres_per_unit: float | None = None
    codec: str | None = None


@dataclass(frozen=True)
class FrameRun:
    """A clip as its frames in order, `times_s` seconds from its beginning."""

    frames: tuple[MediaRef, ...]
    times_s: tuple[float, ...]


@dataclass(frozen=True)
class Sample:
    """One conversation. `depths` is empty or has one entry a picture, in the same order."""

    id: str
    source: str
    turns: tuple[Turn, ...]
    images: tuple[MediaRef, ...] = ()
    videos: tuple[MediaRef | FrameRun, ...] = ()
    depths: tuple[MediaRef, ...] = ()

    def __post_init__(self) -> None:
        self._check_turns()
        for kind, media in (("image", self.images), ("video", self.videos)):
            slots = [slot.index for turn in self.turns for slot in turn.parts if isinstance(slot, Slot) and slot.kind == kind]
            if slots != list(range(len(media))):
                raise InputError(
                    f"{self.source}, sample {self.id!r}: {len(slots)} {kind} slots in the prompt, but {len(media)} {kind}s. Give "
                    "each its one slot, in the same order."
                )
        if self.depths and len(self.depths) != len(self.images):
            raise InputError(
                f"{self.source}, sample {self.id!r}: {len(self.depths)} depth maps and {len(self.images)} pictures; expected none, "
                "or one for each picture in the same order."
            )

    def _check_turns(self) -> None:
        spoken = [turn.role for turn in self.turns if turn.role != "system"]
        if not spoken or spoken != ["user", "assistant"] * (len(spoken) // 2) or "system" in [t.role for t in self.turns[1:]]:
            raise InputError(
                f"{self.source}, sample {self.id!r}: turns of {', '.join(turn.role for turn in self.turns) or 'nobody'}; expected "
                "user and assistant in turn, beginning with the user and ending with the assistant, after at most one system turn."
            )
        if any(isinstance(part, Slot) for turn in self.turns if turn.role != "user" for part in turn.parts):
            raise InputError(f"{self.source}, sample {self.id!r}: a media slot outside the user's turns. Move it into one of them.")


@runtime_checkable
class Source(Protocol):
    """Samples by position, read when they are asked for. A source holds offsets, never its samples."""

    @property
    def name(self) -> str:
        """What tables call it."""
        ...

    @property
    def fingerprint(self) -> str:
        """32 hexadecimal digits that change with anything that changes a sample."""
        ...

    def __len__(self) -> int:
        """The number of samples, before any filter."""
        ...

    def __getitem__(self, position: int) -> Sample:
        """Sample number `position`. Raises InputError where it is unsound; the message names file and id."""
        ...

    def column(self, name: str) -> Sequence[object]:
        """A value a sample, in order, to filter by; None where a sample has none.

        Raises:
            InputError: no such column; the message lists those there are.
        """
        ...


@runtime_checkable
class Grouped(Protocol):
    """A source that knows which of its samples show the same pictures."""

    def groups(self) -> Int64[np.ndarray, " n"]:
        """A number for each sample, the same for those of one group."""
        ...
