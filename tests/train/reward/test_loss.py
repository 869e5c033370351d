"""The loss of drawn answers: by hand, and against TRL's on the same numbers."""

import importlib.util
import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("transformers", reason="needs the models extra")

from sightline.train.reward.advantages import advantages  # noqa: E402
from sightline.train.reward.loss import policy_loss, token_weights  # noqa: E402
from sightline.train.reward.settings import PolicyLossSettings  # noqa: E402
from tests.train.reward.trl_numbers import BUDGET, CASES, LENGTHS, NUMBERS, by_trl, given  # noqa: E402


def ours(name: str) -> dict:
    """As `trl_numbers.by_trl` gives TRL's."""
    case, numbers = CASES[name], given()
    per = "answer" if case["loss_type"] == "grpo" else "budget"
    settings = PolicyLossSettings(per=per, beta=case["beta"], clip_low=case.get("low", 0.2), clip_high=case.get("high", 0.2))
    new, old, reference = (torch.from_numpy(numbers[key][numbers["mask"]]) for key in ("new", "old", "reference"))
    gained = advantages(numbers["rewards"], scale="std").reshape(-1)
    of_token = torch.from_numpy(np.repeat(gained, LENGTHS))
    new.requires_grad_()
    weights = token_weights(LENGTHS, per=per, budget=BUDGET).double()
    loss = policy_loss(new, old, of_token, weights=weights, settings=settings, reference=reference if case["beta"] else None)
    (loss.policy + loss.divergence).backward()
    return {"loss": float((loss.policy + loss.divergence).detach()), "gradient": new.grad.tolist(), "advantages": gained.tolist()}


@pytest.mark.parametrize("name", CASES)
def test_loss_gradient_and_advantages_are_those_that_trl_gave(name):
    pinned = json.loads(NUMBERS.read_text())["cases"][name]
    for key, found in ours(name).items():
        assert found == pytest.approx(pinned[key], rel=1e-6, abs=1e-9), key


@pytest.mark.skipif(importlib.util.find_spec("trl") is None, reason="needs TRL")
@pytest.mark.parametrize("name", CASES)
def test_the_pinned_numbers_are_those_of_the_installed_trl(name):
    pinned = json.loads(NUMBERS.read_text())["cases"][name]
    for key, found in by_trl(CASES[name]).items():
        assert found == pytest.approx(pinned[key], rel=1e-9, abs=1e-12), key


def test_a_ratio_beyond_its_bound_has_no_gradient_in_the_direction_it_went():
    new = torch.tensor([0.5, 0.5, -0.5, -0.5]).requires_grad_()  # ratios e^0.5 = 1.65 and e^-0.5 = 0.61
    gained = torch.tensor([1.0, -1.0, 1.0, -1.0])
    loss = policy_loss(new, torch.zeros(4), gained, weights=torch.ones(4), settings=PolicyLossSettings())
    loss.policy.backward()
    # the first is up by more than 20 % and was good, the last is down by more and was bad: both have gone far enough
    assert loss.clipped.tolist() == [True, False, False, True]
    assert new.grad is not None
    assert new.grad.tolist() == pytest.approx([0.0, np.exp(0.5), -np.exp(-0.5), 0.0])
    assert float(loss.policy.detach()) == pytest.approx(-1.2 + np.exp(0.5) - np.exp(-0.5) + 0.8)


def test_the_divergence_is_zero_where_nothing_has_changed_and_positive_elsewhere():
    new = torch.tensor([-1.0, -2.0])
    settings = PolicyLossSettings(beta=0.5)
    same = policy_loss(new, new, torch.zeros(2), weights=torch.ones(2), settings=settings, reference=new)
    assert float(same.divergence) == 0
    other = policy_loss(new, new, torch.zeros(2), weights=torch.ones(2), settings=settings, reference=torch.tensor([-0.5, -2.5]))
    # e^0.5 - 0.5 - 1 = 0.148721, e^-0.5 + 0.5 - 1 = 0.106531; their sum times beta
    assert float(other.divergence) == pytest.approx(0.5 * (0.148721 + 0.106531), rel=1e-4)


def test_weights_of_tokens_sum_to_one_an_answer_or_to_its_share_of_the_budget():
    # two answers of 1 and 3 tokens: a mean over answers of means over tokens
    assert token_weights([1, 3], per="answer", budget=10).tolist() == pytest.approx([1 / 2, 1 / 6, 1 / 6, 1 / 6])
    # of 2 answers with up to 10 tokens each
    assert token_weights([1, 3], per="budget", budget=10).tolist() == pytest.approx([1 / 20] * 4)
