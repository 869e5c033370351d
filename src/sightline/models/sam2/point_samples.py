"""Points at which the mask losses are taken instead of at every pixel: most where the mask is least certain, some anywhere.

`oversample` times as many points as wanted are drawn evenly over the mask; the share `importance` of the wanted ones are those
whose logit is nearest to 0, the rest are drawn evenly again. Logits are read between the pixels, from the small mask that the
decoder gives (what enlarging it would give there), so the enlarged masks are never kept for the gradient. Sources: PointRend
(Kirillov et al. 2020), section 3.1; its use for video masks with 12,544 points, 3 and 0.75 in Cutie (Cheng et al. 2024).

Every object's points come from a random stream of its own, so that they do not depend on what else is in the batch.
"""

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - as everyone calls it
from torch import Tensor

Key = tuple[int, ...]


def read_at(values: Tensor, points: Tensor, *, outside: str = "border") -> Tensor:
    """Values between pixels, bilinear; beyond the middle of the outermost pixels as there, or with `outside` "zeros" towards 0.

    Args:
        values: (O, M, h, w).
        points: (O, M, P, 2), x and y as shares of width and height, 0..1; a pixel's middle is at (column + 0.5) / w.

    Returns:
        (O, M, P).
    """
    grid = (2 * points - 1).flatten(0, 1).unsqueeze(1)  # (O M, 1, P, 2)
    read = F.grid_sample(values.flatten(0, 1).unsqueeze(1), grid, mode="bilinear", padding_mode=outside, align_corners=False)
    return read[:, 0, 0].unflatten(0, values.shape[:2])


@torch.no_grad()
def draw_points(
    logits: Tensor, num_points: int, *, keys: Sequence[Key], oversample: float = 3.0, importance: float = 0.75
) -> Tensor:
    """Points for each mask of each object: (O, M, num_points, 2), as `read_at` takes them.

    Args:
        logits: (O, M, h, w).
        keys: of each object's random stream; equal keys draw the same points from equal logits.
    """
    num_certain = round(importance * num_points)
    num_drawn = max(round(oversample * num_points), num_certain)
    drawn = random_points(keys, (logits.shape[1], num_drawn + num_points - num_certain)).to(logits.device)
    return torch.cat([least_certain(logits, drawn[:, :, :num_drawn], num_certain), drawn[:, :, num_drawn:]], dim=2)


def random_points(keys: Sequence[Key], shape: tuple[int, int]) -> Tensor:
    """Evenly drawn points for each of the M masks of O objects, `shape` being (M, P): (O, M, P, 2), on the CPU."""
    return torch.stack([torch.rand((*shape, 2), generator=_stream(key)) for key in keys])


@torch.no_grad()
def least_certain(logits: Tensor, candidates: Tensor, count: int, *, outside: str = "border") -> Tensor:
    """The `count` of the candidates (O, M, P, 2) whose logits are nearest to 0: (O, M, count, 2). `outside` as in `read_at`."""
    doubt = -read_at(logits, candidates, outside=outside).abs()
    chosen = doubt.topk(count, dim=2).indices.unsqueeze(3).expand(-1, -1, -1, 2)
    return candidates.gather(2, chosen)


def _stream(key: Key) -> torch.Generator:
    """On the CPU, so that every device draws the same."""
    word = int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0])
    return torch.Generator().manual_seed(word & (2**63 - 1))
