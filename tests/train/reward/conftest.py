"""A tiny model that has just learnt how an answer is written, and seldom is right."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.models.huggingface.conftest import copy, saved
from tests.train.vlm.conftest import rooms

__all__ = ["copy", "rooms", "saved"]


@dataclass(frozen=True)
class Start:
    """`train` and `validation` are task sets of small pictures, `model` is the checkpoint."""

    train: Path
    validation: Path
    model: Path


@pytest.fixture(scope="session")
def start(tmp_path_factory) -> Start:
    """Trained for 40 steps of 16 samples on 48 pictures."""
    import sightline  # noqa: F401, PLC0415 - before transformers

    for package in ("torch", "transformers", "hydra", "lightning"):
        pytest.importorskip(package, reason="needs the models and train extras")
    from sightline.demo.learning import learn, prepare  # noqa: PLC0415

    folder = tmp_path_factory.mktemp("learning")
    lesson = prepare(folder, sizes=(48, 16))
    short = ("trainer.max_steps=40", "data.rows_per_step=16", "schedule.warmup_steps=5")
    return Start(lesson.train, lesson.validation, learn(lesson, folder, overrides=short, quiet=True))
