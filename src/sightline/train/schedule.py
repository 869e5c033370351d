"""The learning rate as a function of the step alone, so that nothing of it needs saving."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch

from sightline.errors import InputError
from sightline.train.settings import AdamWSettings, RateStage, ScheduleSettings


def factor(step: int, max_steps: int, schedule: ScheduleSettings) -> float:
    """What every group's rate is multiplied by for the update after `step` updates. 0 <= step < max_steps.

    The first of `warmup_steps` updates has 1 / warmup_steps, the last one 1; the run's last update has `final`.
    """
    if step < schedule.warmup_steps:
        return (step + 1) / schedule.warmup_steps
    if schedule.shape == "constant":
        return 1.0
    place = (step - schedule.warmup_steps) / max(1, max_steps - 1 - schedule.warmup_steps)  # 0..1
    return schedule.final + (1 - schedule.final) * (1 + math.cos(math.pi * min(place, 1.0))) / 2


def staged_factor(step: int, max_steps: int, schedule: ScheduleSettings, stages: Sequence[RateStage]) -> float:
    """`factor` in a curriculum: the rate of the step's stage, and where the stage says so a shape that begins with it.

    A step behind the last stage belongs to it.
    """
    first = 0
    for stage in stages:
        if step < stage.until_step or stage is stages[-1]:
            own = (step - first, min(stage.until_step, max_steps) - first) if stage.own_shape else (step, max_steps)
            return stage.rate * factor(*own, schedule)
        first = stage.until_step
    return factor(step, max_steps, schedule)


def adamw(groups: Sequence[Mapping[str, Any]], settings: AdamWSettings) -> torch.optim.AdamW:
    """An optimiser that remembers each group's own rate as `initial_lr`.

    Raises:
        InputError: there is nothing to train.
    """
    if not any(group["params"] for group in groups):
        raise InputError("no parameter is trained: everything is frozen. Leave out at least one part.")
    own = [{**group, "initial_lr": group["lr"]} for group in groups]
    return torch.optim.AdamW(own, betas=(settings.beta1, settings.beta2), eps=settings.epsilon)


def set_rates(optimizer: torch.optim.Optimizer, scale: float) -> None:
    """Give every group `scale` times its own rate."""
    for group in optimizer.param_groups:
        group["lr"] = group["initial_lr"] * scale
