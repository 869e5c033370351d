"""Sa2VA's mask losses: binary cross entropy and dice of the chosen mask, at all its pixels or at drawn points.

With N masks, P pixels or points each, and p the sigmoid of the logits:

    mask   2.0 * (sum of cross entropies) / (N P + 1e-4)              of all pixels: their mean
    dice   0.5 * sum over masks of (1 - (2 sum(p t) + 1) / (sum(p) + sum(t) + 1)) / (N + 1e-4)

Points are `sam2.point_samples`' (PointRend), with logits and truth beyond the outermost pixels read towards 0. The truth is a
union: overlapping polygons that were added up to 2 are 1. Losses are taken at the decoder's resolution (R / 4), the truth brought
there by nearest neighbour. Source: bytedance/Sa2VA, `Sa2VAModel`; mmdet's `CrossEntropyLoss` and `DiceLoss`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - as everyone calls it
from torch import Tensor

from sightline.errors import InputError
from sightline.models.sam2.point_samples import Key, least_certain, random_points, read_at

SMALL = 1e-4
PUBLISHED_POINTS = 12_544


@dataclass(frozen=True)
class MaskLossWeights:
    """How much each term counts. `points`: how many of each mask are looked at, 0 for all pixels; `oversample` times as many are
    drawn, and the share `importance` of those looked at are the ones whose logit is nearest to 0."""

    mask: float = 2.0
    dice: float = 0.5
    points: int = PUBLISHED_POINTS
    oversample: int = 3
    importance: float = 0.75

    def __post_init__(self) -> None:
        if self.points < 0 or self.oversample < 1 or not 0 <= self.importance <= 1:
            raise InputError(
                f"mask losses: points {self.points}, oversample {self.oversample}, importance {self.importance}; expected at "
                "least 0, at least 1, and 0 to 1."
            )


@dataclass(frozen=True)
class MaskLosses:
    """The weighted terms, each a scalar."""

    mask: Tensor
    dice: Tensor

    @property
    def total(self) -> Tensor:
        return self.mask + self.dice


def mask_losses(logits: Tensor, truth: Tensor, weights: MaskLossWeights, *, points: Tensor | None = None) -> MaskLosses:
    """The losses of N masks.

    Args:
        logits: (N, r, r), of the chosen masks.
        truth: (N, r, r), as `truth_at` gives it: 0 or 1.
        points: (N, P, 2), x and y as shares of width and height; None: all pixels. `weights.points` is for
            `draw_mask_points`, which draws them.
    """
    logits, truth = logits.float(), truth.float()
    if points is None:
        mask = F.binary_cross_entropy_with_logits(logits, truth)
        return MaskLosses(mask=weights.mask * mask, dice=weights.dice * _dice(logits.flatten(1), truth.flatten(1)).mean())
    said, true = _read(logits, points), _read(truth, points)
    smallest = torch.finfo(torch.float32).eps
    mask = F.binary_cross_entropy_with_logits(said, true, reduction="sum") / (said.numel() + SMALL + smallest)
    dice = _dice(said, true).sum() / (len(said) + SMALL + smallest)
    return MaskLosses(mask=weights.mask * mask, dice=weights.dice * dice)


@torch.no_grad()
def draw_mask_points(logits: Tensor, weights: MaskLossWeights, keys: Sequence[Key]) -> Tensor:
    """Points (N, `weights.points`, 2) for logits (N, r, r), each mask's from the random stream of its key."""
    num_doubtful = int(weights.importance * weights.points)
    num_drawn = max(weights.oversample * weights.points, num_doubtful)
    drawn = random_points(keys, (1, num_drawn + weights.points - num_doubtful)).to(logits.device)[:, 0]  # (N, .., 2)
    return pick_points(logits, drawn[:, :num_drawn], drawn[:, num_drawn:], num_doubtful=num_doubtful)


@torch.no_grad()
def pick_points(logits: Tensor, candidates: Tensor, anywhere: Tensor, *, num_doubtful: int) -> Tensor:
    """The `num_doubtful` of the candidates (N, Q, 2) whose logits are nearest to 0, then the points `anywhere` (N, A, 2)."""
    near = least_certain(logits.float().unsqueeze(1), candidates.unsqueeze(1), num_doubtful, outside="zeros")[:, 0]
    return torch.cat([near, anywhere], dim=1)


def truth_at(masks: Tensor, side: int) -> Tensor:
    """Masks (N, H, W) of any numbers, by nearest neighbour at (N, side, side): 1 where not 0."""
    near = F.interpolate((masks != 0).float().unsqueeze(1), size=(side, side), mode="nearest")
    return near[:, 0]


def padded_objects(count: int, *, to: int, generator: torch.Generator) -> Tensor:
    """Which of `count` objects stand in the `to` places of a sample: (to,). Fewer are repeated in turn, of more a random choice
    stays; the published training has 5 places, so that every sample costs the same.

    Raises:
        InputError: there is no object.
    """
    if count < 1:
        raise InputError("a sample without an object cannot fill its places; leave it out or give it an empty mask.")
    if count <= to:
        return torch.arange(to) % count
    return torch.randperm(count, generator=generator)[:to]


def _read(values: Tensor, points: Tensor) -> Tensor:
    return read_at(values.unsqueeze(1), points.unsqueeze(1), outside="zeros")[:, 0]


def _dice(logits: Tensor, truth: Tensor) -> Tensor:
    """Of each mask: (N,)."""
    probability = logits.sigmoid()
    overlap = 2 * (probability * truth).sum(dim=1)
    return 1 - (overlap + 1) / (probability.sum(dim=1) + truth.sum(dim=1) + 1)
