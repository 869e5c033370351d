"""Settings of a training that takes a moment: a tiny Qwen3-VL on the rooms of `conftest`."""

from pathlib import Path
from typing import Any

from sightline.train.config.compose import Composed, compose
from sightline.train.metrics import read_metrics
from sightline.train.vlm.run import Trained, train_vlm
from sightline.train.vlm.settings import VlmSettings

EXACT = ("loss", "grad_norm", "lr", "padding", "stage")
SMALL = (
    "data.tokens_per_sample=700",
    "data.rows_per_step=2",
    "data.num_workers=0",
    "trainer.max_steps=4",
    "trainer.accelerator=cpu",
    "trainer.log_every=1",
    "checkpoints.every=1",
    "rates.lr=1e-3",
)


def composed(root: Path, model: Path, data: Path | None, *overrides: str, config_name: str = "config") -> Composed:
    """`config` made small, with counts and run under `root`; later overrides win."""
    places = (f"model.path={model}", f"data.counts_dir={root / 'counts'}", f"run.dir={root / 'run'}")
    given = (*SMALL, *places, *([f"data.path={data}"] if data else []), *overrides)
    return compose("vlm", list({each.partition("=")[0]: each for each in given}.values()), config_name=config_name)


def trained(root: Path, model: Path, data: Path | None, *overrides: str, config_name: str = "config") -> Trained:
    return train_vlm(composed(root, model, data, *overrides, config_name=config_name), quiet=True)


def settings_of(given: Composed) -> VlmSettings:
    from sightline.train.config.typed import typed  # noqa: PLC0415

    return typed(given.values, VlmSettings)


def exact_rows(run: Path) -> list[dict[str, Any]]:
    """What must be the same bit for bit, a row a step."""
    names = (*EXACT, "step")
    return [
        {name: value for name, value in row.items() if name in names or "loss" in name} for row in read_metrics(run / "metrics.csv")
    ]
