"""Settings of a training by rewards that takes a moment."""

from pathlib import Path
from typing import Any

from sightline.train.config.compose import Composed, compose
from sightline.train.config.typed import typed
from sightline.train.metrics import read_metrics
from sightline.train.reward.run import train_reward
from sightline.train.reward.settings import RewardSettings
from sightline.train.vlm.run import Trained

EXACT = ("step", "loss", "reward", "grad_norm", "lr", "entropy", "clipped", "divergence", "groups without spread")
SMALL = (
    "data.groups_per_step=4",
    "sampling.group_size=4",
    "trainer.max_steps=4",
    "trainer.log_every=1",
    "checkpoints.every=1",
    "evaluation.every=0",
    "rates.lr=1e-3",
)


def overrides(model: Path, tasksets: list[Path], run: Path, *own: str) -> list[str]:
    """`demo` made small; later overrides win."""
    named = ",".join(str(path) for path in tasksets)
    given = (*SMALL, f"model.path={model}", f"data.tasksets=[{named}]", f"run.dir={run}", *own)
    return list({each.partition("=")[0]: each for each in given}.values())


def composed(model: Path, tasksets: list[Path], run: Path, *own: str) -> Composed:
    return compose("reward", overrides(model, tasksets, run, *own), config_name="demo")


def settings(model: Path, tasksets: list[Path], *own: str) -> RewardSettings:
    return typed(composed(model, tasksets, Path("run"), *own).values, RewardSettings)


def trained(model: Path, tasksets: list[Path], run: Path, *own: str) -> Trained:
    return train_reward(composed(model, tasksets, run, *own), quiet=True)


def exact_rows(run: Path) -> list[dict[str, Any]]:
    """What must be the same bit for bit, a row a step."""
    return [{name: row[name] for name in row if name in EXACT or "/" in name} for row in read_metrics(run / "metrics.csv")]
