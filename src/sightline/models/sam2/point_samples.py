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


def read_at(values: Tensor, points: Tensor) -> Tensor:
    """Values between pixels, bilinear; beyond the middle of the outermost pixels as there.

    Args:
        values: (O, M, h, w).
        points: (O, M, P, 2), x and y as shares of width and height, 0..1; a pixel's middle is at (column + 0.5) / w.

    Returns:
        (O, M, P).
    """
    grid = (2 * points - 1).flatten(0, 1).unsqueeze(1)  # (O M, 1, P, 2)
    read = F.grid_sample(values.flatten(0, 1).unsqueeze(1), grid, mode="bilinear", padding_mode="border", align_corners=False)
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
    shape = (logits.shape[1], num_drawn + num_points - num_certain, 2)
    drawn = torch.stack([torch.rand(shape, generator=_stream(key)) for key in keys]).to(logits.device)
    candidates, anywhere = drawn[:, :, :num_drawn], drawn[:, :, num_drawn:]
    doubt = -read_at(logits, candidates).abs()
    chosen = doubt.topk(num_certain, dim=2).indices.unsqueeze(3).expand(-1, -1, -1, 2)
    return torch.cat([candidates.gather(2, chosen), anywhere], dim=2)


def _stream(key: Key) -> torch.Generator:
    """On the CPU, so that every device draws the same."""
    word = int(np.random.SeedSequence(key).generate_state(1, np.uint64)[0])
    return torch.Generator().manual_seed(word & (2**63 - 1))
