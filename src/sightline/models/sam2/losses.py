"""The losses of SAM 2's trainer: focal, dice, predicted IoU and presence, on the best of the decoder's masks.

Source: facebookresearch/sam2, `MultiStepMultiMasksAndIous`. Every term is divided by the number of objects and summed over objects,
decoder steps and frames, so that it grows with both; `LossWeights.mean_over_steps` divides by the number of steps instead.

With `LossWeights.points` focal and dice are taken at that many points of each mask and not at all its pixels (`point_samples`); the
IoU that the network is to predict is still that of all pixels.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - as everyone calls it
from torch import Tensor

from sightline.errors import InputError
from sightline.models.sam2.clip import FrameResult, Step
from sightline.models.sam2.point_samples import Key, draw_points, read_at


@dataclass(frozen=True)
class LossWeights:
    """How much each term counts, and the constants of the focal loss. `points`: how many points of a mask are looked at, 0 for all
    its pixels; `point_oversample` and `point_importance` say how they are drawn."""

    mask: float = 20.0
    dice: float = 1.0
    iou: float = 1.0
    presence: float = 1.0
    focal_alpha: float = 0.25
    focal_gamma: float = 2.0
    mean_over_steps: bool = False
    points: int = 0
    point_oversample: float = 3.0
    point_importance: float = 0.75

    def __post_init__(self) -> None:
        if self.points < 0 or self.point_oversample < 1 or not 0 <= self.point_importance <= 1:
            raise InputError(
                f"losses: points {self.points}, point_oversample {self.point_oversample}, point_importance "
                f"{self.point_importance}; expected at least 0, at least 1, and 0 to 1."
            )


@dataclass(frozen=True)
class ClipLoss:
    """The unweighted terms and their weighted sum, each a scalar."""

    mask: Tensor
    dice: Tensor
    iou: Tensor
    presence: Tensor
    total: Tensor


def clip_loss(
    results: Mapping[int, FrameResult],
    masks: Tensor,
    weights: LossWeights,
    *,
    supervised: Tensor | None = None,
    point_keys: Sequence[Key] | None = None,
) -> ClipLoss:
    """The loss of a clip.

    Args:
        results: every frame's result.
        masks: (T, O, R, R), 0 or 1; all zero where the object is absent.
        supervised: (T, O) bool, False where nothing is known of the object: nothing is asked there. None: known everywhere.
        point_keys: for each object the key of its random points (with `weights.points`); None: its place. A trainer gives keys that
            follow from its seed, the clip and the object, whatever batch or process they are in.
    """
    keys = [(place,) for place in range(masks.shape[1])] if point_keys is None else point_keys
    terms = []
    for frame, result in results.items():
        known = torch.ones(masks.shape[1], device=masks.device) if supervised is None else supervised[frame].float()
        for number, step in enumerate(result.steps):
            of_step = [(*key, frame, number) for key in keys]
            terms.append(step_terms(step, masks[frame].float(), known, weights, point_keys=of_step)[0])
    total = torch.stack(terms).sum(dim=0)  # (4,)
    if weights.mean_over_steps:
        total = total / len(terms)
    mask, dice, iou, presence = total.unbind()
    weighted = weights.mask * mask + weights.dice * dice + weights.iou * iou + weights.presence * presence
    return ClipLoss(mask=mask, dice=dice, iou=iou, presence=presence, total=weighted)


def step_terms(
    step: Step, truth: Tensor, known: Tensor, weights: LossWeights, *, point_keys: Sequence[Key] = ()
) -> tuple[Tensor, Tensor]:
    """The four terms (mask, dice, iou, presence) of one decoder step, and for each object the mask that was supervised.

    Args:
        truth: (O, R, R), 0. or 1.
        known: (O,), 0. where the object's state is unknown.
        point_keys: for each object the key of its random points, with `weights.points`.
    """
    if weights.points:
        logits, target = _at_points(step, truth, weights, point_keys)  # (O, M, P)
        true_iou = _iou_without_gradient(step, truth)
    else:
        logits = step.high_res.float()  # (O, M, R, R)
        target = truth.unsqueeze(1).expand_as(logits)
        true_iou = actual_iou(logits, target)
    focal = focal_loss(logits, target, alpha=weights.focal_alpha, gamma=weights.focal_gamma)  # (O, M)
    dice = dice_loss(logits, target)
    iou = (step.iou.float() - true_iou).abs().mean(dim=1)  # (O,): every mask's IoU is supervised
    best = (weights.mask * focal + weights.dice * dice).argmin(dim=1)
    rows = torch.arange(len(best), device=best.device)
    there = truth.flatten(1).any(dim=1).float()  # (O,)
    presence = F.binary_cross_entropy_with_logits(step.score[:, 0].float(), there, reduction="none")
    per_object = torch.stack([focal[rows, best] * there, dice[rows, best] * there, iou * there, presence])  # (4, O)
    return (per_object * known).sum(dim=1) / len(best), best


def _at_points(step: Step, truth: Tensor, weights: LossWeights, keys: Sequence[Key]) -> tuple[Tensor, Tensor]:
    """Logits and truth, (O, M, P) each, at points drawn for each mask."""
    logits = (step.low_res if step.given is None else step.given.unsqueeze(1)).float()
    points = draw_points(
        logits.detach(), weights.points, keys=keys, oversample=weights.point_oversample, importance=weights.point_importance
    )
    num_masks, num_points = points.shape[1:3]
    true = read_at(truth.unsqueeze(1), points.reshape(len(truth), 1, num_masks * num_points, 2))
    return read_at(logits, points), true.reshape(len(truth), num_masks, num_points)


@torch.no_grad()
def _iou_without_gradient(step: Step, truth: Tensor) -> Tensor:
    """`actual_iou` of the enlarged masks, (O, M), which are forgotten at once."""
    logits = step.high_res.float()
    return actual_iou(logits, truth.unsqueeze(1).expand_as(logits))


def focal_loss(logits: Tensor, target: Tensor, *, alpha: float, gamma: float) -> Tensor:
    """Mean over the pixels (or points) of each mask: (O, M). `alpha` < 0 leaves the classes unweighted."""
    likelihood = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    probability = logits.sigmoid()
    wrong = probability * (1 - target) + (1 - probability) * target
    loss = likelihood * wrong**gamma
    if alpha >= 0:
        loss = loss * (alpha * target + (1 - alpha) * (1 - target))
    return loss.flatten(2).mean(dim=2)


def dice_loss(logits: Tensor, target: Tensor) -> Tensor:
    """1 - (2 |pg| + 1) / (|p| + |g| + 1) of each mask: (O, M)."""
    probability, target = logits.sigmoid().flatten(2), target.flatten(2)
    overlap = 2 * (probability * target).sum(dim=2)
    return 1 - (overlap + 1) / (probability.sum(dim=2) + target.sum(dim=2) + 1)


def actual_iou(logits: Tensor, target: Tensor) -> Tensor:
    """Intersection over union of each thresholded mask with the truth, the union taken as at least 1: (O, M)."""
    said, true = logits.flatten(2) > 0, target.flatten(2) > 0
    return (said & true).sum(dim=2) / (said | true).sum(dim=2).clamp(min=1)
