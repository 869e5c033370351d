"""Advantages of groups."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="the package of the training is imported with it")

from sightline.train.reward.advantages import advantages, has_spread


def test_an_advantage_is_how_far_a_reward_is_above_its_groups_mean():
    rewards = np.array([[1.0, 0.0, 0.0, 0.0], [1.1, 1.1, 0.1, 0.1]])
    # means 0.25 and 0.6
    assert advantages(rewards, scale="none") == pytest.approx(np.array([[0.75, -0.25, -0.25, -0.25], [0.5, 0.5, -0.5, -0.5]]))
    # sample deviations: sqrt((0.75^2 + 3 * 0.25^2) / 3) = 0.5 and sqrt(4 * 0.5^2 / 3) = 0.57735
    scaled = np.array([np.array([0.75, -0.25, -0.25, -0.25]) / 0.5001, np.array([0.5, 0.5, -0.5, -0.5]) / 0.57745])
    assert advantages(rewards, scale="std") == pytest.approx(scaled, rel=1e-6)


@pytest.mark.parametrize("scale", ["std", "none"])
def test_a_group_without_spread_has_no_advantages_at_all(scale):
    rewards = np.array([[0.1, 0.1, 0.1], [0.3, 0.1 + 0.2, 0.3], [0.0, 0.1, 0.0]])  # 0.1 + 0.2 is not 0.3 to the last bit
    assert has_spread(rewards).tolist() == [False, False, True]
    found = advantages(rewards, scale=scale)
    assert not found[:2].any()
    assert found[2].sum() == pytest.approx(0)
    assert found[2, 1] > 0
