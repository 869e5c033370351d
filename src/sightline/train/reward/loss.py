"""The loss of drawn answers: the clipped ratio of group-relative policy optimisation, with a divergence from a reference if asked.

For a token of an answer with advantage A, of probability p now, q when it was drawn and r by the reference:

    -min(p / q * A, clip(p / q, 1 - clip_low, 1 + clip_high) * A)
    r / p - log(r / p) - 1                              an estimate of the divergence that is never negative

Source: Shao et al. 2024 (DeepSeekMath), equations 3 and 4; two bounds as in Yu et al. 2025 (DAPO); the mean over a fixed budget of
tokens as in Liu et al. 2025 (Dr. GRPO). A mean over all tokens of an update is not offered: how many there are is known only once
all processes have drawn.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from sightline.train.reward.settings import Per, PolicyLossSettings
from sightline.train.vlm.collate import Batch
from sightline.train.vlm.labels import IGNORED
from sightline.train.vlm.loss import hidden_states


@dataclass(frozen=True)
class TokenLogs:
    """Of each drawn token, in the order of the rows: its log-probability (n,), and without gradient the entropy (n,) of what it was
    drawn from. `nothing` is a scalar 0 that depends on the vision tower."""

    logs: Tensor
    entropy: Tensor
    nothing: Tensor


@dataclass(frozen=True)
class PolicyLoss:
    """`policy` and `divergence` are scalars, the second times its weight; `divergences` (n,) and `clipped` (n,) bool are of each
    token, without gradient: whether its gradient was cut off."""

    policy: Tensor
    divergence: Tensor
    divergences: Tensor
    clipped: Tensor


def token_logs(model: Any, batch: Batch, *, temperature: float, allowed: Tensor) -> TokenLogs:  # noqa: ANN401
    """What the model thinks of the drawn tokens: the head is applied to these alone.

    Args:
        allowed: (vocabulary,) bool, what could be drawn; the rest has no probability.
    """
    states, nothing = hidden_states(model, batch, "none")
    chosen = batch.targets != IGNORED  # (B, L)
    logits = model.lm_head(states[chosen]).float() / temperature  # (n, vocabulary)
    logs = logits.masked_fill(~allowed, -torch.inf).log_softmax(dim=-1)
    with torch.no_grad():
        entropy = -(logs.exp() * logs.masked_fill(~allowed, 0.0)).sum(dim=-1)
    return TokenLogs(logs.gather(-1, batch.targets[chosen][:, None])[:, 0], entropy, nothing)


def token_weights(lengths: Sequence[int], *, per: Per, budget: int) -> Tensor:
    """What each token of a batch of answers counts, (n,): their sum is the batch's loss.

    Args:
        lengths: tokens of each answer.
        budget: the most tokens an answer may have.
    """
    counts = torch.tensor(lengths)
    each = 1 / counts.float() if per == "answer" else torch.full((len(lengths),), 1 / budget)
    return (each / len(lengths)).repeat_interleave(counts)


def policy_loss(
    new: Tensor,
    old: Tensor,
    advantages: Tensor,
    *,
    weights: Tensor,
    settings: PolicyLossSettings,
    reference: Tensor | None = None,
) -> PolicyLoss:
    """The loss of n tokens.

    Args:
        new, old, reference: (n,) log-probabilities now, when they were drawn, and by the reference.
        advantages: (n,) of the token's answer.
        weights: (n,) of `token_weights`.
    """
    ratio = (new - old).exp()
    bounded = ratio.clamp(1 - settings.clip_low, 1 + settings.clip_high)
    policy = (-torch.minimum(ratio * advantages, bounded * advantages) * weights).sum()
    low, high = ratio < 1 - settings.clip_low, ratio > 1 + settings.clip_high
    clipped = (low & (advantages < 0)) | (high & (advantages > 0))
    if reference is None:
        zeros = torch.zeros_like(new).detach()
        return PolicyLoss(policy, zeros.sum(), zeros, clipped.detach())
    apart = reference - new
    divergences = apart.exp() - apart - 1
    return PolicyLoss(policy, settings.beta * (divergences * weights).sum(), divergences.detach(), clipped.detach())
