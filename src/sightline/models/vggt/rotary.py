"""Rotary positions in two directions, as VGGT turns its queries and keys.

The first half of a head is turned by the patch's row, the second by its column. Within a half of D channels, pair i is made of the
channels i and i + D/2, and is turned by position * 100^(-2i/D). Patches count from 1; position (0, 0) leaves the special tokens as
they are. Frames are not counted: all frames have the same positions.
"""

import torch
from torch import Tensor

BASE = 100.0


class Rotary:
    """Cosine and sine of every token of a sequence of `num_frames` frames, each `num_special` tokens and `rows * columns` patches.

    In bfloat16 the angle itself is rounded before its cosine is taken, which at position 40 is up to 0.06 off: a network that was
    trained so expects it. Under autocast queries come in float32, and so do the tables.
    """

    def __init__(self, rows: int, columns: int, *, num_special: int, num_frames: int = 1) -> None:
        across = torch.cartesian_prod(torch.arange(1, rows + 1), torch.arange(1, columns + 1)).view(-1, 2)  # (P, 2) row, column
        one_frame = torch.cat([across.new_zeros(num_special, 2), across])  # (N, 2)
        self._positions = one_frame.repeat(num_frames, 1)
        self._tables: dict[tuple[torch.dtype, torch.device, int], tuple[Tensor, Tensor]] = {}

    def tables(self, like: Tensor) -> tuple[Tensor, Tensor]:
        """(cosine, sine), each (num_frames * N, head width), in the dtype and on the device of `like` (.., head width)."""
        key = (like.dtype, like.device, like.shape[-1])
        if key not in self._tables:
            self._tables[key] = angle_tables(self._positions.to(like.device), like.shape[-1], like.dtype)
        return self._tables[key]

    def turn(self, heads: Tensor, start: int = 0) -> Tensor:
        """`heads` (B, heads, n, head width), the tokens `start`.. of the sequence, turned."""
        cosine, sine = (table[start : start + heads.shape[-2]] for table in self.tables(heads))
        first, second = heads.unflatten(-1, (2, 2, -1)).unbind(-2)  # (B, heads, n, 2, head width / 4)
        swapped = torch.stack([-second, first], dim=-2).flatten(-3)
        return heads * cosine + swapped * sine


def angle_tables(positions: Tensor, width: int, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Cosine and sine (n, width) of `positions` (n, 2) row and column, for heads of `width` channels, in `dtype`."""
    half = width // 2
    steps = torch.arange(0, half, 2, device=positions.device, dtype=torch.float32) / half
    frequencies = 1.0 / BASE**steps  # (width / 4,)
    angles = (positions[..., None].float() * frequencies).to(dtype)  # (n, 2, width / 4)
    angles = torch.cat([angles, angles], dim=-1).flatten(1)
    return angles.cos(), angles.sin()
