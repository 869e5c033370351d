"""Samples to tensors: text in one of the forms, tiles of pictures and depth, and every placeholder as long as its media.

A tile's placeholder becomes as many tokens as its projector gives, and a newline token after them (`dynamic_s2`: one placeholder
and one newline a picture). Nothing is cut off: a sample that is too long is an error. A picture that occurs several times in a
batch, known by its key, is cut and encoded once.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from jaxtyping import Int64, Shaped, UInt8
from torch import Tensor

from sightline.errors import InputError
from sightline.models.roborefer.configuration import RoboReferConfig, check_projector
from sightline.models.roborefer.labels import IGNORED, Tokens, tokenised
from sightline.models.roborefer.projectors import FOLDS, tokens_of
from sightline.models.roborefer.text_forms import TOKENS, Form, Kind, Placeholders, Slot, Turn, contents
from sightline.models.roborefer.tiling import check_depth

NAMES: dict[Kind, str] = {"image": "pixel", "depth": "depth"}
"""How the model's arguments for each kind begin."""


@dataclass(frozen=True, eq=False)
class Picture:
    """A picture with its depth picture, where it has one: both (h, w, 3) of 8 bits. Pictures of one `key` are the same one."""

    rgb: UInt8[np.ndarray, "h w 3"]
    depth: Shaped[np.ndarray, "..."] | None = None
    key: str | None = None


@dataclass(frozen=True)
class RoboReferSample:
    """A conversation about pictures. Slot j of a kind is the j-th picture, or the depth of the j-th picture that has depth."""

    id: str
    turns: tuple[Turn, ...]
    pictures: tuple[Picture, ...] = ()


@dataclass(frozen=True)
class Prepared:
    """One sample: `plain` with one token a placeholder, `ids` and `labels` with as many as its media have tokens; `num_media` of
    them are pictures' and depth's, the newlines behind them included."""

    plain: Tokens
    ids: Int64[np.ndarray, " t"]
    labels: Int64[np.ndarray, " t"]
    num_media: int


@dataclass(frozen=True)
class RoboReferBatch:
    """`tensors`: the arguments of the model by name; rows padded to one length. `prepared`: each sample."""

    tensors: dict[str, Tensor]
    prepared: tuple[Prepared, ...]

    def to(self, device: torch.device | str) -> "RoboReferBatch":
        """The same on a device."""
        return RoboReferBatch({name: tensor.to(device) for name, tensor in self.tensors.items()}, self.prepared)


class RoboReferInputs:
    """What makes tensors for one checkpoint.

    Args:
        tokenizer: the checkpoint's.
        form: of the text, see `text_forms`.
        max_length: tokens of a sample, media included; None: the tokenizer's own limit.
    """

    def __init__(
        self,
        config: RoboReferConfig,
        tokenizer: Any,  # noqa: ANN401 - transformers'
        *,
        form: Form = "consistent",
        max_length: int | None = None,
    ) -> None:
        self.tokenizer = tokenizer
        self.form: Form = form
        self.tiling = config.tiling
        self.config = config
        positions: Any = config.text_config
        self.max_length = max_length or min(int(tokenizer.model_max_length), positions.max_position_embeddings)
        vision: Any = config.vision_config
        side = self.tiling.side // vision.patch_size
        projectors: dict[Kind, str | None] = {"image": config.mm_projector_type, "depth": config.depth_projector_type}
        self._per_tile = {
            kind: tokens_of(side, FOLDS[check_projector(projector, kind)]) for kind, projector in projectors.items() if projector
        }
        self._ids: dict[Kind, int] = {"image": config.image_token_id, "depth": config.depth_token_id}

    def prepare(self, sample: RoboReferSample, *, room: int | None = None) -> Prepared:
        """The tokens of a sample, without its pixels. `room`: the largest number of tokens it may have.

        Raises:
            InputError: media that do not fit the slots, depth that the model does not take, or a sample that is too long.
        """
        where = f"sample {sample.id!r}"
        deep = tuple(index for index, picture in enumerate(sample.pictures) if picture.depth is not None)
        if deep and "depth" not in self._per_tile:
            raise InputError(f"{where}: it has depth, but this checkpoint has no depth projector. Leave the depth out.")
        for index in deep:
            check_depth(sample.pictures[index].rgb, np.asarray(sample.pictures[index].depth), where=f"{where}, picture {index + 1}")
        sizes = [(picture.rgb.shape[1], picture.rgb.shape[0]) for picture in sample.pictures]
        slots = tuple(self.tiling.num_slots(*size) for size in sizes)
        placeholders = Placeholders(image=slots, depth=tuple(slots[index] for index in deep), depth_of=deep)
        words = contents(sample.turns, placeholders, mode=self.tiling.mode, form=self.form, where=where)
        plain = tokenised(self.tokenizer, sample.turns, words, form=self.form, where=where)
        lengths: dict[Kind, list[int]] = {
            "image": [length for size in sizes for length in self._lengths("image", *size)],
            "depth": [length for index in deep for length in self._lengths("depth", *sizes[index])],
        }
        return self._expanded(plain, lengths, where, self.max_length if room is None else min(room, self.max_length))

    def batch(self, samples: Sequence[RoboReferSample], *, padding: str = "right", room: int | None = None) -> RoboReferBatch:
        """Samples as one batch, with `labels` if each ends with an answer. `padding`: "left" to generate, "right" to train.

        Raises:
            InputError: as `prepare`.
        """
        prepared = tuple(self.prepare(sample, room=room) for sample in samples)
        length = max(each.ids.size for each in prepared)
        ids = np.full((len(samples), length), self.tokenizer.pad_token_id, np.int64)
        labels = np.full_like(ids, IGNORED)
        mask = np.zeros_like(ids)
        for row, each in enumerate(prepared):
            kept = slice(length - each.ids.size, length) if padding == "left" else slice(each.ids.size)
            ids[row, kept], labels[row, kept], mask[row, kept] = each.ids, each.labels, 1
        tensors = {"input_ids": torch.from_numpy(ids), "attention_mask": torch.from_numpy(mask)}
        if all(sample.turns[-1].role == "assistant" for sample in samples):
            tensors["labels"] = torch.from_numpy(labels)
        pictures = [picture for sample in samples for picture in sample.pictures]
        return RoboReferBatch(tensors | self._media("image", pictures) | self._media("depth", pictures), prepared)

    def expanded(self, kind: Kind, ids: Int64[np.ndarray, " n"]) -> Int64[np.ndarray, " t"]:
        """The ids with each placeholder of a kind as long as its tile, a newline behind it. Not for `dynamic_s2`."""
        repeats = np.where(ids == self._ids[kind], self._per_tile[kind] + 1, 1)
        found = np.repeat(ids, repeats)
        found[np.cumsum(repeats)[ids == self._ids[kind]] - 1] = self.config.newline_token_id
        return found

    def _lengths(self, kind: Kind, width: int, height: int) -> list[int]:
        """How many tokens each placeholder of a picture of this size has, without the newline."""
        if self.tiling.mode != "dynamic_s2":
            return [self._per_tile[kind]] * self.tiling.num_tiles(width, height)
        columns, rows = self.tiling.grid(width, height)
        squares = [*(count * count for count in self.tiling.small_squares), columns * rows][self.config.scale_index]
        return [squares * self._per_tile[kind]]

    def _expanded(self, plain: Tokens, lengths: dict[Kind, list[int]], where: str, room: int) -> Prepared:
        kinds: dict[int, Kind] = {token: kind for kind, token in self._ids.items()}
        repeats = np.ones(plain.ids.size, np.int64)
        for token, kind in kinds.items():
            places = np.flatnonzero(plain.ids == token)
            if places.size != len(lengths[kind]):
                raise InputError(
                    f"{where}: the chat template left {places.size} placeholders {TOKENS[kind]} of {len(lengths[kind])}. Expected "
                    "the template of RoboRefer."
                )
            repeats[places] = np.asarray(lengths[kind], np.int64) + 1
        ids, labels = np.repeat(plain.ids, repeats), np.repeat(plain.labels, repeats)
        media = np.isin(plain.ids, list(kinds))
        ids[np.cumsum(repeats)[media] - 1] = self.config.newline_token_id
        num_media = int(repeats[media].sum())
        if ids.size > room:
            raise InputError(
                f"{where}: {ids.size:,} tokens, {num_media:,} of them of pictures and depth; there is room for {room:,}. Nothing "
                "is cut off: use fewer tiles (max_tiles), the mode resize, or leave depth out."
            )
        return Prepared(plain, ids, labels, num_media)

    def _media(self, kind: Kind, pictures: Sequence[Picture]) -> dict[str, Tensor]:
        """Tiles of the distinct pictures or depth pictures, and which of them stands in each placeholder."""
        name = NAMES[kind]
        made = _Distinct()
        for picture in pictures:
            shown = picture.rgb if kind == "image" else picture.depth
            if shown is not None:
                number = made.number(picture.key)
                if number == len(made.tiles):
                    made.tiles.append(torch.from_numpy(self.tiling.cut(np.asarray(shown))))
                    columns, rows = self.tiling.grid(shown.shape[1], shown.shape[0])
                    made.grids.append((rows, columns))
                made.uses.append(number)
        if not made.tiles:
            return {}
        tensors = {f"{name}_values": torch.cat(made.tiles)}
        if self.tiling.mode == "dynamic_s2":
            return tensors | {f"{name}_uses": torch.tensor(made.uses), f"{name}_grids": torch.tensor(made.grids)}
        ends = np.cumsum([0, *(len(tiles) for tiles in made.tiles)])
        uses = np.concatenate([np.arange(ends[number], ends[number + 1]) for number in made.uses])
        return tensors | {f"{name}_uses": torch.from_numpy(uses)}


@dataclass
class _Distinct:
    """The pictures of a batch, each once."""

    tiles: list[Tensor] = field(default_factory=list)
    grids: list[tuple[int, int]] = field(default_factory=list)
    uses: list[int] = field(default_factory=list)
    _numbers: dict[str, int] = field(default_factory=dict)

    def number(self, key: str | None) -> int:
        """The number of a picture; that of the next one if it is new."""
        return len(self.tiles) if key is None else self._numbers.setdefault(key, len(self.tiles))


def asked_in_front(words: str, pictures: Sequence[Picture]) -> tuple[Turn, ...]:
    """A question about pictures that stand before it, each followed by its depth."""
    slots: list[Slot] = []
    for picture in pictures:
        slots += [Slot("image"), Slot("depth")] if picture.depth is not None else [Slot("image")]
    return (Turn("user", (*slots, words)),)
