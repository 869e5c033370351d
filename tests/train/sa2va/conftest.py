"""A few clips with expressions, their task sets, and a tiny fresh Sa2VA; they are looked at only."""

from pathlib import Path

import pytest

import sightline  # noqa: F401 - mends torchvision before transformers and lightning look at it

torch = pytest.importorskip("torch", reason="needs the models extra")
for package in ("transformers", "hydra", "lightning", "peft"):
    pytest.importorskip(package, reason="needs the models and train extras")

from sightline.demo.learning import Lesson  # noqa: E402
from sightline.demo.wording import prepare  # noqa: E402


@pytest.fixture(scope="session")
def lesson(tmp_path_factory: pytest.TempPathFactory) -> Lesson:
    """Three clips to train on, one that is held out."""
    root: Path = tmp_path_factory.mktemp("expressions")
    return prepare(root, sizes=(3, 1))
