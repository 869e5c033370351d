"""Positions of a sequence with pictures and videos on three axes, as the language model of Spatial-MLLM was trained with them.

Text counts one by one on all three. A medium begins at s, one above the highest position so far; its token (t, i, j) is at
(s + floor(t * seconds of a temporal patch * tokens a second), s + i, s + j). Text goes on one above the highest position on any
axis, time included. transformers from 5 on leaves time out of that, which differs as soon as a video is longer than its picture is
wide.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from sightline.errors import InputError

AXES = 3


@dataclass(frozen=True)
class MediaTable:
    """The media of one kind in a batch, in order: `token_id` of their places, `grid_thw` (media, 3) in patches, and `seconds` of
    each temporal patch (media,), None for pictures, whose time stands still."""

    token_id: int
    grid_thw: Tensor
    seconds: Tensor | None


@dataclass(frozen=True)
class Positions:
    """`ids` (3, B, L): time, row, column; 0 at padded places. `deltas` (B, 1): the next position less the valid tokens."""

    ids: Tensor
    deltas: Tensor


def multimodal_positions(
    input_ids: Tensor, attention_mask: Tensor | None, tables: list[MediaTable], *, merge: int, tokens_per_second: float
) -> Positions:
    """Positions of `input_ids` (B, L), padded on either side where `attention_mask` (B, L) is 0.

    Raises:
        InputError: places of media that do not fit the grids, in number or in order.
    """
    found = torch.zeros(AXES, *input_ids.shape, dtype=torch.long)
    valid = torch.ones_like(input_ids, dtype=torch.bool) if attention_mask is None else attention_mask.bool()
    media = {table.token_id: _grids(table, merge, tokens_per_second) for table in tables}
    deltas = []
    for row, (ids, mask) in enumerate(zip(input_ids.cpu(), valid.cpu(), strict=True)):
        own = _of_sequence(ids[mask], media, row)  # (3, valid)
        found[:, row, mask] = own
        deltas.append(int(own.max()) + 1 - own.shape[1] if own.shape[1] else 0)
    left = {token: len(list(grids)) for token, grids in media.items()}
    if any(left.values()):
        raise InputError(
            f"media without places in the text (token id: media): {left}. Give as many media as the text has places for."
        )
    return Positions(found.to(input_ids.device), torch.tensor(deltas, device=input_ids.device)[:, None])


def _grids(table: MediaTable, merge: int, tokens_per_second: float) -> Iterator[Tensor]:
    """The positions of each medium from its own start, (3, tokens)."""
    for index, (steps, rows, columns) in enumerate(table.grid_thw.tolist()):
        times = torch.zeros(steps, dtype=torch.long)
        if table.seconds is not None:
            times = (torch.arange(steps) * table.seconds[index].cpu().float() * tokens_per_second).long()
        axes = torch.meshgrid(times, torch.arange(rows // merge), torch.arange(columns // merge), indexing="ij")
        yield torch.stack(axes).flatten(1)


def _of_sequence(ids: Tensor, media: dict[int, Iterator[Tensor]], row: int) -> Tensor:
    places = torch.isin(ids, torch.tensor(list(media), dtype=ids.dtype)).nonzero()[:, 0].tolist()
    parts: list[Tensor] = []
    done, following = 0, 0
    for place in places:
        if place < done:
            continue  # inside a medium
        grid = next(media[int(ids[place])], None)
        if grid is None or not (ids[place : place + grid.shape[1]] == ids[place]).all() or place + grid.shape[1] > len(ids):
            expected = "no further medium" if grid is None else f"{grid.shape[1]} places"
            raise InputError(
                f"sample {row} of the batch, token {place}: {expected} for the medium that begins here, by the table of grids. The "
                "text and the media do not belong together."
            )
        parts.append(torch.arange(following, following + place - done).expand(AXES, -1))
        following += place - done
        parts.append(following + grid)
        following = int(parts[-1].max()) + 1
        done = place + grid.shape[1]
    parts.append(torch.arange(following, following + len(ids) - done).expand(AXES, -1))
    return torch.cat(parts, dim=1)
