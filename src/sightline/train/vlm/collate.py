"""Planned rows of samples to tensors: padded rows, or packs whose samples do not see each other.

Pictures are made ready one by one by the checkpoint's own processor, each distinct one once a batch: `Pictures.uses` says which
of them stands in which slot. That a picture gives as many tokens as its slot has room for is seen here, for every sample.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sightline.errors import InputError
from sightline.train.vlm.chat import Chat
from sightline.train.vlm.films import Features, TakesFilms, Units
from sightline.train.vlm.labels import IGNORED, Labelled
from sightline.train.vlm.pack import PADDING, Bounds, positions_of
from sightline.train.vlm.pictures import MadePictures, Pictures
from sightline.train.vlm.prefix import arrange
from sightline.train.vlm.samples import Sample, Turn


@dataclass(frozen=True)
class Batch:
    """B rows of L tokens. What a token's output is to foretell stands in `targets`, at that token: the label of the next one.

    `weights` sum to 1 over the targets of each sample that has any (`per_sample`), else each is 1; `num_supervised` is how many
    targets each sample has, in the order of `ids`.
    """

    input_ids: Tensor  # (B, L)
    targets: Tensor  # (B, L), -100 where nothing is asked
    position_ids: Tensor  # (B, L), or (4, B, L): within the text, then time, row, column
    sequences: Tensor  # (B, L), the sample's number in its row, -1 behind the last one
    bounds: Bounds
    pictures: Pictures
    ids: tuple[str, ...]
    sources: tuple[str, ...]
    num_tokens: tuple[int, ...]
    num_supervised: tuple[int, ...]
    num_pictures: tuple[int, ...]

    @property
    def padding(self) -> float:
        """The share of the tokens that are padding."""
        return 1 - sum(self.num_tokens) / self.input_ids.numel()

    def to(self, device: torch.device) -> "Batch":
        """The same on a device."""
        moved = {f.name: getattr(self, f.name).to(device, non_blocking=True) for f in fields(self) if f.type is Tensor}
        tensors = {name: tensor.to(device, non_blocking=True) for name, tensor in self.pictures.tensors.items()}
        pictures = replace(self.pictures, tensors=tensors, uses=self.pictures.uses.to(device))
        return replace(self, **moved, pictures=pictures, bounds=replace(self.bounds, ends=self.bounds.ends.to(device)))


@dataclass(frozen=True)
class _Read:
    """A sample with its pictures' numbers among those of the batch."""

    sample: Sample
    labelled: Labelled
    pictures: tuple[int, ...]


@dataclass(frozen=True)
class _Laid:
    """A sample in its row, without its first `skipped` tokens, which stand before it already."""

    read: _Read
    skipped: int = 0

    @property
    def size(self) -> int:
        return self.read.labelled.ids.size - self.skipped


def beginning_of(batch: Batch, row: int, number: int) -> Tensor:
    """(L,): which tokens of a row sample `number` shares with samples before it, as its own beginning."""
    shared = torch.zeros(batch.sequences.shape[1], dtype=torch.bool)
    first = row * shared.numel()
    own = (batch.sequences[row] == number).nonzero()[:1, 0].tolist()
    for start, end, *_, last in batch.bounds.shared:
        if own and end <= first + own[0] < last:
            shared[start - first : end - first] = True
    return shared


class _Bounds:
    """The bounds of rows that are being laid, stretch by stretch."""

    def __init__(self) -> None:
        self._ends = [0]
        self._shared: list[list[int]] = []

    def add(self, end: int, *, beginning: int = 0) -> None:
        """The next sample, up to `end`; with a `beginning` of so many tokens, that of the stretch before it."""
        if not beginning:
            self._ends.append(end)
            return
        start, before = self._ends[-2:]
        if not self._shared or self._shared[-1][0] != start:
            self._shared.append([start, start + beginning, before])
        self._shared[-1].append(end)
        self._ends[-1] = end

    def found(self) -> Bounds:
        longest = int(np.diff(self._ends).max())
        return Bounds(torch.tensor(self._ends, dtype=torch.int32), longest, tuple(map(tuple, self._shared)))


class Collator:
    """Rows of samples to batches, by the processor of `chat` and the positions of the family of `config` (the model's).

    `shared`: make each distinct picture ready once; else once for each slot. `features`: kept features of a family that takes
    films, in place of its pixels. `shared_prefix`: samples of a row with the same beginning have it once (`prefix`).
    """

    def __init__(
        self,
        chat: Chat,
        config: Any,  # noqa: ANN401 - transformers'
        *,
        shared: bool = True,
        features: Features | None = None,
        shared_prefix: bool = False,
    ) -> None:
        self.chat = chat
        self.shared = shared
        self.shared_prefix = shared_prefix
        self.features = features
        processor = chat.labeller.processor
        self._positions = processor.places if isinstance(processor, TakesFilms) else positions_of(config)
        tokenizer = processor.tokenizer
        self._padding = tokenizer.eos_token_id if tokenizer.pad_token_id is None else tokenizer.pad_token_id

    def __call__(self, rows: Sequence[Sequence[Sample]], *, planned: Sequence[Sequence[int]] | None = None) -> Batch:
        """Args:
            rows: the samples of each row, at least one.
            planned: the tokens that each was counted with.

        Raises:
            FileNotFoundError: a picture is not there; the message names the sample.
            InputError: a picture that cannot be read, or one that has another number of tokens than its slot has room for; a
                sample that has another length than was planned.
        """
        ready = self._ready()
        read = [[self._read(sample, ready) for sample in row] for row in rows]
        if planned is not None:
            _check_lengths(read, planned)
        return self._batch(read, ready)

    def blank(self) -> Batch:
        """A row of one padding token with nothing to learn, and a black picture: the whole model is used, for a loss of 0."""
        sample = Sample("", "", (Turn("user", ("",)), Turn("assistant", ("",))))
        nothing = Labelled(np.array([self._padding]), np.array([IGNORED]), np.zeros((0, 2), np.int64))
        return self._batch([[_Read(sample, nothing, ())]], self._ready())

    def _ready(self) -> MadePictures | Units:
        processor = self.chat.labeller.processor
        if isinstance(processor, TakesFilms):
            return Units(processor, shared=self.shared, features=self.features)
        return MadePictures(processor, shared=self.shared)

    def _read(self, sample: Sample, ready: MadePictures | Units) -> _Read:
        layout = self.chat.layout(sample)
        labelled = self.chat.label(sample)
        try:
            numbers = ready.numbers(layout.pictures)
        except FileNotFoundError as error:
            raise FileNotFoundError(f"{sample.source}, sample {sample.id!r}: {error}") from error
        except InputError as error:
            raise InputError(f"{sample.source}, sample {sample.id!r}: {error}") from error
        if len(numbers) != labelled.slots.shape[0]:
            raise InputError(
                f"{sample.source}, sample {sample.id!r}: {labelled.slots.shape[0]} media slots, but {len(numbers)} pictures."
            )
        for place, (start, length) in enumerate(labelled.slots.tolist()):
            made = ready.tokens[numbers[place]]
            if not np.array_equal(made, labelled.ids[start : start + length]):
                raise InputError(
                    f"{sample.source}, sample {sample.id!r}: picture {place + 1} ({layout.pictures[place].ref.path}) gives "
                    f"{made.size} tokens, but its slot has room for {length}: it is not of the size {layout.pictures[place].size} "
                    "that was written down. Build the data anew, or restore the picture."
                )
        return _Read(sample, labelled, numbers)

    def _batch(self, rows: list[list[_Read]], ready: MadePictures | Units) -> Batch:
        arranged = [self._arranged(row) for row in rows]
        flat = [laid for row in arranged for laid in row]
        length = max(sum(laid.size for laid in row) for row in arranged)
        grids = ready.grids()
        ids = torch.full((len(rows), length), self._padding)
        targets = torch.full((len(rows), length), IGNORED)
        sequences = torch.full((len(rows), length), PADDING)
        places: list[Tensor] = []
        bounds = _Bounds()
        for index, row in enumerate(arranged):
            start = 0
            numbered = []
            for number, laid in enumerate(row):
                read, end = laid.read, start + laid.size
                whole = torch.from_numpy(read.labelled.ids)
                ids[index, start:end] = whole[laid.skipped :]
                targets[index, start : end - 1] = torch.from_numpy(read.labelled.labels[laid.skipped + 1 :])
                sequences[index, start:end] = number
                numbered.append(
                    self._numbered(whole, grids[list(read.pictures)] if grids is not None else None)[..., laid.skipped :]
                )
                bounds.add(index * length + end, beginning=laid.skipped)
                start = end
            if start < length:
                bounds.add((index + 1) * length)
                numbered.append(torch.arange(length - start).expand(*numbered[0].shape[:-1], -1))
            places.append(torch.cat(numbered, dim=-1))
        return Batch(
            input_ids=ids,
            targets=targets,
            position_ids=torch.stack(places, dim=-2),
            sequences=sequences,
            bounds=bounds.found(),
            pictures=ready.stacked([number for laid in flat if not laid.skipped for number in laid.read.pictures]),
            ids=tuple(laid.read.sample.id for laid in flat),
            sources=tuple(laid.read.sample.source for laid in flat),
            num_tokens=tuple(laid.size for laid in flat),
            num_supervised=tuple(int((laid.read.labelled.labels[1:] != IGNORED).sum()) for laid in flat),
            num_pictures=tuple(len(laid.read.pictures) for laid in flat),
        )

    def _arranged(self, row: list[_Read]) -> list["_Laid"]:
        if not self.shared_prefix:
            return [_Laid(read) for read in row]
        pieces = arrange([(read.labelled, read.pictures) for read in row])
        return [_Laid(row[piece.sample], piece.skipped) for piece in pieces]

    def _numbered(self, ids: Tensor, grids: Tensor | None) -> Tensor:
        """Positions (n,), or (4, n) in a family of grids."""
        positions = self._positions(ids, grids)
        return positions if positions.ndim == 1 else torch.cat([torch.arange(ids.numel())[None], positions])


def _check_lengths(rows: list[list[_Read]], planned: Sequence[Sequence[int]]) -> None:
    for row, counted in zip(rows, planned, strict=True):
        for read, expected in zip(row, counted, strict=True):
            if read.labelled.ids.size != expected:
                raise InputError(
                    f"{read.sample.source}, sample {read.sample.id!r}: {read.labelled.ids.size} tokens, but {expected} were "
                    "counted: a picture has changed since. Restore it, or delete the counts and start anew."
                )
