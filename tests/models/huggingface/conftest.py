"""Tiny checkpoints of each family, made once, and no network for any test here."""

import shutil
import socket
from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    def refuse(*args):
        raise AssertionError(f"a connection was tried: {args[1:]}")

    monkeypatch.setattr(socket.socket, "connect", refuse)


@pytest.fixture(scope="session")
def saved(tmp_path_factory) -> Callable[[str], Path]:
    """The folder of a checkpoint of a family, made once. Not to be changed: copy it first."""
    from tests.models.huggingface.checkpoints import SAVERS  # noqa: PLC0415 - needs an extra

    folder = tmp_path_factory.mktemp("checkpoints")

    def get(family: str) -> Path:
        return folder / family if (folder / family).exists() else SAVERS[family](folder / family)

    return get


@pytest.fixture
def copy(saved, tmp_path) -> Callable[[str], Path]:
    return lambda family: Path(shutil.copytree(saved(family), tmp_path / family))
