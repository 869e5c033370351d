"""A training sample: turns, the pictures they are about, and the masks that the `[SEG]` of the answers stand for.

Nothing is drawn here. A source gives the same conversation for the same position and random numbers, whoever asks.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from sightline.models.sa2va.conversation import Turn
from sightline.types import MaskRle

Picture = Callable[[], UInt8[np.ndarray, "h w 3"]]
"""Reads a picture when it is called."""


@dataclass(frozen=True)
class Conversation:
    """Args:
    turns: in the first one `MEDIUM` stands where the pictures are shown; nowhere where there are none.
    pictures: one, or the frames of a video.
    video: whether they are frames.
    masks: of each `[SEG]` in order, by frame; None where the object is not there.
    """

    id: str
    source: str
    turns: tuple[Turn, ...]
    pictures: tuple[Picture, ...] = ()
    video: bool = False
    keyed: bool = False
    masks: tuple[tuple[MaskRle | None, ...], ...] = ()


@runtime_checkable
class Spoken(Protocol):
    """Conversations by position, read when they are asked for."""

    @property
    def name(self) -> str:
        """What tables call it."""
        ...

    @property
    def fingerprint(self) -> str:
        """Changes with anything that changes a conversation."""
        ...

    @property
    def kind(self) -> str:
        """What is learnt of it: "masks" or "words"."""
        ...

    def __len__(self) -> int:
        """How many there are."""
        ...

    def conversation(self, position: int, rng: np.random.Generator) -> Conversation:
        """Number `position`; what is drawn in it comes from `rng`.

        Raises:
            FileNotFoundError, InputError: it cannot be read, or not be learnt from; the message names file and id.
        """
        ...


def chosen_places(known: Sequence[int], count: int, how: str, rng: np.random.Generator) -> list[int]:
    """`count` of the frames `known` in time order; all of them where there are not more. `how`: random, window or even."""
    if len(known) <= count:
        return list(known)
    if how == "random":
        return sorted(known[place] for place in rng.permutation(len(known))[:count].tolist())
    if how == "window":
        start = int(rng.integers(len(known) - count + 1))
        return list(known[start : start + count])
    return [known[place * (len(known) - 1) // max(count - 1, 1)] for place in range(count)]
