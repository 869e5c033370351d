"""Rates and random numbers as functions of the step."""

import random

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")

from sightline.errors import InputError  # noqa: E402
from sightline.train.schedule import adamw, factor, set_rates  # noqa: E402
from sightline.train.seeding import seed_batch  # noqa: E402
from sightline.train.settings import AdamWSettings, ScheduleSettings  # noqa: E402


def test_the_rate_rises_in_the_warm_up_and_falls_along_half_a_cosine():
    schedule = ScheduleSettings(shape="cosine", warmup_steps=4, final=0.1)
    found = [factor(step, 9, schedule) for step in range(9)]
    # 1/4 .. 4/4, then 0.1 + 0.9 * (1 + cos(pi * k/4)) / 2 for k = 0..4: cos = 1, .70711, 0, -.70711, -1
    assert found == pytest.approx([0.25, 0.5, 0.75, 1.0, 1.0, 0.8681981, 0.55, 0.2318019, 0.1])


def test_a_constant_rate_stays():
    assert {factor(step, 5, ScheduleSettings(shape="constant")) for step in range(5)} == {1.0}


def test_one_step_alone_has_the_full_rate():
    assert factor(0, 1, ScheduleSettings()) == 1.0


def test_every_group_keeps_its_own_rate():
    one, two = (torch.nn.Parameter(torch.zeros(2)) for _ in range(2))
    optimizer = adamw([{"params": [one], "lr": 1.0}, {"params": [two], "lr": 0.1, "weight_decay": 0.5}], AdamWSettings(beta2=0.95))
    set_rates(optimizer, 0.5)
    set_rates(optimizer, 0.25)
    assert [group["lr"] for group in optimizer.param_groups] == [0.25, 0.025]
    assert [group["betas"] for group in optimizer.param_groups] == [(0.9, 0.95)] * 2
    with pytest.raises(InputError, match="everything is frozen"):
        adamw([{"params": [], "lr": 1.0}], AdamWSettings())


def test_random_numbers_follow_from_seed_number_and_rank_alone():
    def drawn(*key):
        seed_batch(*key)
        return torch.rand(1).item(), float(np.random.rand()), random.random()

    first = drawn(0, 5, 0)
    assert drawn(0, 6, 0) != first
    assert drawn(0, 5, 1) != first
    assert drawn(1, 5, 0) != first
    assert len(set(first)) == 3
    assert drawn(0, 5, 0) == first
