"""How much better an answer was than the others to its question: what group-relative policy optimisation learns from.

Source: Shao et al. 2024 (DeepSeekMath), equation 3 with rewards of whole answers. Without the division: Liu et al. 2025 (Dr. GRPO),
who show that it weighs questions that are nearly always or nearly never answered more.
"""

from typing import Literal

import numpy as np
from jaxtyping import Bool, Float

Scale = Literal["std", "none"]
SMALLEST_SPREAD = 1e-6  # of rewards that are taken for different
ADDED = 1e-4  # to the standard deviation, as is usual


def advantages(rewards: Float[np.ndarray, "groups size"], *, scale: Scale) -> Float[np.ndarray, "groups size"]:
    """Each reward less its group's mean, with "std" over the group's standard deviation (of a sample: size - 1) plus 1e-4.

    A group without spread has advantages of exactly 0. `size` is at least 2.
    """
    centred = rewards - rewards.mean(axis=1, keepdims=True)
    if scale == "std":
        centred = centred / (rewards.std(axis=1, ddof=1, keepdims=True) + ADDED)
    return np.where(has_spread(rewards)[:, None], centred, 0.0)


def has_spread(rewards: Float[np.ndarray, "groups size"]) -> Bool[np.ndarray, " groups"]:
    """Whether the rewards of a group differ: nothing is learnt from others."""
    return np.ptp(rewards, axis=1) > SMALLEST_SPREAD
