"""What TRL's own code makes of fixed numbers: its loss, its gradient and its standard deviation.

    python -m tests.train.reward.trl_numbers        writes trl_numbers.json; needs TRL (made with 1.16.0)

TRL's trainer is not started: `GRPOTrainer._compute_loss` is called on log-probabilities, masks and advantages as they are.
"""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch

import sightline  # noqa: F401 - before transformers, which TRL imports

NUMBERS = Path(__file__).with_suffix(".json")
LENGTHS = (3, 5, 1, 4)
BUDGET = 6
CASES = {
    "answer": {"loss_type": "grpo", "beta": 0.0},
    "answer, divergence": {"loss_type": "grpo", "beta": 0.3},
    "budget": {"loss_type": "dr_grpo", "beta": 0.0},
    "budget, divergence, other bounds": {"loss_type": "dr_grpo", "beta": 0.04, "low": 0.1, "high": 0.4},
}


def given() -> dict[str, np.ndarray]:
    """Log-probabilities (answers, longest) now, when drawn and of a reference, rewards of two groups of two, and the mask."""
    rng = np.random.default_rng(7)
    shape = (len(LENGTHS), max(LENGTHS))
    new, old, reference = (-rng.gamma(2.0, 0.7, shape) for _ in range(3))
    mask = np.arange(shape[1])[None] < np.array(LENGTHS)[:, None]
    return {"new": new, "old": old, "reference": reference, "mask": mask, "rewards": np.array([[1.1, 0.1], [0.0, 0.7]])}


def by_trl(case: dict[str, Any]) -> dict[str, Any]:
    """Loss, and gradient by the log-probabilities now, as TRL computes them."""
    from trl.trainer.grpo_trainer import GRPOTrainer  # noqa: PLC0415 # pyright: ignore[reportMissingImports]
    from trl.trainer.utils import nanstd  # noqa: PLC0415 # pyright: ignore[reportMissingImports]

    numbers = {name: torch.from_numpy(value) for name, value in given().items()}
    new, mask, rewards = numbers["new"].requires_grad_(), numbers["mask"].long(), numbers["rewards"]
    spread = nanstd(rewards, dim=1)[:, None]
    advantages = ((rewards - rewards.mean(1, keepdim=True)) / (spread + 1e-4)).reshape(-1)  # as its trainer does with "group"
    own = _trainer(case, new)
    inputs = {
        "prompt_ids": torch.zeros(len(LENGTHS), 1, dtype=torch.long),
        "prompt_mask": torch.ones(len(LENGTHS), 1, dtype=torch.long),
        "completion_ids": torch.zeros_like(mask),
        "completion_mask": mask,
        "advantages": advantages,
        "old_per_token_logps": numbers["old"],
        "ref_per_token_logps": numbers["reference"],
    }
    loss = GRPOTrainer._compute_loss(own, SimpleNamespace(training=True), inputs)
    loss.backward()
    gradient = new.grad
    assert gradient is not None
    return {"loss": float(loss.detach()), "gradient": gradient[numbers["mask"]].tolist(), "advantages": advantages.tolist()}


def _trainer(case: dict[str, Any], new: torch.Tensor) -> Any:
    """What `_compute_loss` looks at, as its configuration sets it."""
    from collections import defaultdict  # noqa: PLC0415

    accelerator = SimpleNamespace(reduce=lambda tensor, **_: tensor, gather=lambda tensor: tensor)
    return SimpleNamespace(
        _get_per_token_logps_and_entropies=lambda *_, **__: (new, torch.zeros_like(new).detach(), None),
        model=SimpleNamespace(training=True),
        args=SimpleNamespace(delta=None, use_bias_correction_kl=False),
        accelerator=accelerator,
        _metrics={"train": defaultdict(list)},
        loss_type=case["loss_type"],
        beta=case["beta"],
        epsilon_low=case.get("low", 0.2),
        epsilon_high=case.get("high", 0.2),
        max_completion_length=BUDGET,
        importance_sampling_level="token",
        current_gradient_accumulation_steps=1,
        top_entropy_quantile=1.0,
        off_policy_mask_threshold=None,
        aux_loss_enabled=False,
        use_vllm=False,
        vllm_importance_sampling_correction=False,
        _entropy_bonus_enabled=False,
    )


def main() -> None:
    import trl  # noqa: PLC0415 # pyright: ignore[reportMissingImports]

    found = {name: by_trl(case) for name, case in CASES.items()}
    NUMBERS.write_text(json.dumps({"origin": f"trl {trl.__version__}, GRPOTrainer._compute_loss", "cases": found}, indent=1) + "\n")


if __name__ == "__main__":
    main()
