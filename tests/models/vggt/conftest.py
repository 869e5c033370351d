"""The reference implementation's own numbers for a very small VGGT."""

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("safetensors", reason="needs the models extra")

from tests.models.golden import golden_of  # noqa: E402

golden = golden_of("vggt")


@pytest.fixture(scope="session")
def tiny_config(golden: Path) -> Any:
    from tests.models.vggt.tiny import config_of  # noqa: PLC0415

    return config_of(json.loads((golden / "config.json").read_text())["sizes"])


@pytest.fixture
def model(golden: Path, tiny_config: Any) -> Any:
    """The small network with the reference's weights, in evaluation mode."""
    from sightline.models.vggt.weights import load_vggt  # noqa: PLC0415

    return load_vggt(golden / "weights.safetensors", config=tiny_config).model
