"""Settings of a training that takes a moment: the tiny Sa2VA on three clips."""

from pathlib import Path
from typing import Any

from sightline.demo.learning import Lesson
from sightline.train.config.compose import Composed, compose
from sightline.train.metrics import read_metrics
from sightline.train.sa2va.run import train_sa2va
from sightline.train.vlm.run import Trained

SMALL = (
    "data.batch_size=1",
    "data.expressions=2",
    "data.num_frames=2",
    "trainer.max_steps=4",
    "trainer.log_every=1",
    "schedule.warmup_steps=0",
    "checkpoints.every=1",
    "evaluation.every=0",
)
EXACT = ("step", "lr", "grad_norm")


def composed(root: Path, lesson: Lesson, *overrides: str, config_name: str = "tiny") -> Composed:
    """`tiny` made smaller, with the run under `root`; later overrides win."""
    places = (f"model.path={lesson.checkpoint}", f"data.path={lesson.train}", f"run.dir={root / 'run'}")
    given = (*SMALL, *places, *overrides)
    return compose("sa2va", list({each.partition("=")[0]: each for each in given}.values()), config_name=config_name)


def trained(root: Path, lesson: Lesson, *overrides: str, config_name: str = "tiny") -> Trained:
    return train_sa2va(composed(root, lesson, *overrides, config_name=config_name), quiet=True)


def exact_rows(run: Path) -> list[dict[str, Any]]:
    """What must be the same bit for bit, a row a step."""
    return [
        {name: value for name, value in row.items() if name in EXACT or "loss" in name} for row in read_metrics(run / "metrics.csv")
    ]
