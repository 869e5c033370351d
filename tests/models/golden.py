"""Where the numbers of the reference implementations are."""

from collections.abc import Callable
from pathlib import Path

import pytest


def golden_of(name: str) -> Callable[..., Path]:
    """The fixture `golden`: the folder of reference numbers of this name; tests skip where it is absent."""

    @pytest.fixture(scope="session", name="golden")
    def folder(shared_data: Path) -> Path:
        path = shared_data.parent / "golden" / name
        if not path.is_dir():
            pytest.skip(f"the reference numbers are not here ({path})")
        return path

    return folder
