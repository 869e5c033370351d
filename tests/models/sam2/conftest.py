"""The reference implementation's own numbers for a very small SAM 2."""

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")

from tests.models.golden import golden_of  # noqa: E402

golden = golden_of("sam2")


@pytest.fixture(scope="session")
def tiny_config(golden: Path) -> Any:
    from tests.models.sam2.tiny import config_of  # noqa: PLC0415

    return config_of(json.loads((golden / "config.json").read_text())["transformers"])
