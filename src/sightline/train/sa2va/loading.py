"""The batches of a run one after the other, loaded ahead by worker processes.

A conversation becomes tokens with labels, the pictures as the language model takes them (those of the mode's key frames), and the
pictures as SAM 2 takes them, with the truth of each `[SEG]` at the decoder's resolution. One that cannot be read never becomes
another one: training stops and says which, or goes on without it and a ledger says so.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor
from torch.utils.data import Dataset

from sightline.errors import InputError
from sightline.geometry.masks import decode_mask
from sightline.models.sa2va.conversation import IGNORED, MEDIUM, Labelled, Turn, labelled, with_media
from sightline.models.sa2va.family import NO_MEDIA, Family, Media
from sightline.models.sa2va.losses import padded_objects, truth_at
from sightline.models.sa2va.modes import Mode
from sightline.models.sa2va.objective import Objects
from sightline.models.sa2va.pictures import normalised, square
from sightline.train.loaders import loaded_ahead
from sightline.train.sa2va.conversations import Conversation
from sightline.train.sa2va.plan import Plan
from sightline.types import LedgerEntry, MaskRle


@dataclass(frozen=True)
class Ready:
    """A conversation as the model takes it. `number` is its place in the run."""

    id: str
    source: str
    number: int
    said: Labelled
    media: Media
    objects: Objects | None
    num_pictures: int

    @property
    def num_supervised(self) -> int:
        """Tokens that are to be said."""
        return sum(label != IGNORED for label in self.said.labels)


@dataclass(frozen=True)
class Loaded:
    """What came of a batch on this process."""

    number: int
    conversations: tuple[Ready, ...]
    skipped: tuple[LedgerEntry, ...] = ()


@dataclass(frozen=True)
class Preparation:
    """How conversations are made ready.

    Args:
        tokenizer: of the checkpoint.
        side: of SAM 2's square.
        places: masks that the loss of a conversation is taken of; 0: each once.
        max_tokens: a longer conversation is refused.
    """

    family: Family
    tokenizer: Any
    mode: Mode
    side: int
    places: int
    max_tokens: int

    def ready(self, found: Conversation, number: int, rng: np.random.Generator) -> Ready:
        """A conversation made ready.

        Raises:
            FileNotFoundError, InputError: a picture cannot be read, the media have no place, or it is too long; says which.
        """
        try:
            return self._ready(found, number, rng)
        except FileNotFoundError as error:
            raise FileNotFoundError(f"{found.source}, {found.id!r}: {error}") from error
        except InputError as error:
            raise InputError(f"{found.source}, {found.id!r}: {error}") from error

    def _ready(self, found: Conversation, number: int, rng: np.random.Generator) -> Ready:
        pictures = [picture() for picture in found.pictures]
        keys = self.mode.key_frames(len(pictures)) if found.keyed else range(len(pictures))
        media = self.family.show([pictures[key] for key in keys], video=found.video) if pictures else NO_MEDIA
        said = labelled(self._turns(found, media), self.family.template, self.tokenizer)
        if len(said.ids) > self.max_tokens:
            raise InputError(
                f"{len(said.ids):,} tokens; expected at most {self.max_tokens:,} (data.max_tokens, and the model's context). "
                "Show fewer frames or expressions."
            )
        objects = self._objects(pictures, found.masks, rng) if found.masks else None
        return Ready(found.id, found.source, number, said, media, objects, len(pictures))

    def _turns(self, found: Conversation, media: Media) -> list[Turn]:
        """With the media in their place. A turn without a place, of a conversation that shows something, is put as it is."""
        if any(self.family.media_token in turn.text + turn.answer for turn in found.turns):
            raise InputError(f"its words hold {self.family.media_token!r}, the media token. Change the wording.")
        if sum(turn.text.count(MEDIUM) for turn in found.turns) != (1 if media.slots else 0):
            raise InputError(f"expected one place for the pictures ({MEDIUM}) where there are some, and none where there are none.")
        return [
            replace(turn, text=with_media(turn.text, media.slots, video=found.video)) if MEDIUM in turn.text else turn
            for turn in found.turns
        ]

    def _objects(
        self, pictures: Sequence[UInt8[np.ndarray, "h w 3"]], masks: Sequence[Sequence[MaskRle | None]], rng: np.random.Generator
    ) -> Objects:
        images = torch.stack([normalised(square(picture, self.side), constants="exact") for picture in pictures])
        truth = torch.stack([torch.stack([self._truth(code) for code in track]) for track in masks])
        if not self.places:
            return Objects(images, truth)
        generator = torch.Generator().manual_seed(int(rng.integers(2**62)))
        return Objects(images, truth, places=padded_objects(len(truth), to=self.places, generator=generator))

    def _truth(self, code: MaskRle | None) -> Tensor:
        """(r, r) at the decoder's resolution: the losses look at no other."""
        side = self.side // 4
        return torch.zeros(side, side) if code is None else truth_at(torch.from_numpy(decode_mask(code))[None], side)[0]


class Batches(Dataset[Loaded]):
    """Batches by number, for a loader of torch; those of one process."""

    def __init__(self, plan: Plan, preparation: Preparation, *, rank: int, num_processes: int) -> None:
        self.plan, self.preparation = plan, preparation
        self.rank, self.num_processes = rank, num_processes

    def __getitem__(self, batch: int) -> Loaded:
        ready: list[Ready] = []
        skipped: list[LedgerEntry] = []
        for number in self.plan.numbers(batch, rank=self.rank, num_processes=self.num_processes):
            rng = self.plan.stream(number)
            source, position = self.plan.source(number)
            try:
                ready.append(self.preparation.ready(source.conversation(position, rng), number, rng))
            except (InputError, FileNotFoundError) as error:
                skipped.append(LedgerEntry(unit=f"batch {batch}", reason="conversation_not_loaded", detail=str(error)))
        return Loaded(batch, tuple(ready), tuple(skipped))


def load_batches(
    batches: Batches, numbers: range, *, num_workers: int = 0, on_missing: Literal["stop", "skip"] = "stop"
) -> Iterator[Loaded]:
    """The batches of these numbers in order.

    Args:
        num_workers: processes that load ahead; 0: none.
        on_missing: "stop": an error; "skip": the conversation is left out, and stands in `Loaded.skipped`.

    Raises:
        InputError: a conversation cannot be read, and `on_missing` is "stop"; the message names batch, id and file.
    """
    for loaded in loaded_ahead(batches, numbers, num_workers=num_workers):
        if loaded.skipped and on_missing == "stop":
            first = loaded.skipped[0]
            raise InputError(f"{first.unit}: {first.detail} To go on without such conversations, set data.on_missing=skip.")
        yield loaded
