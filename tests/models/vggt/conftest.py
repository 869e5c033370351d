"""The reference implementation's own numbers for a very small VGGT."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("safetensors", reason="needs the models extra")


@pytest.fixture(autouse=True, scope="module")
def _one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def golden(shared_data: Path) -> Path:
    """The folder of reference numbers; skips where it is absent."""
    folder = shared_data.parent / "golden" / "vggt"
    if not folder.is_dir():
        pytest.skip(f"the reference numbers are not here ({folder})")
    return folder


@pytest.fixture(scope="session")
def tiny_config(golden: Path) -> Any:
    from tests.models.vggt.tiny import config_of  # noqa: PLC0415

    return config_of(json.loads((golden / "config.json").read_text())["sizes"])


@pytest.fixture
def model(golden: Path, tiny_config: Any) -> Any:
    """The small network with the reference's weights, in evaluation mode."""
    from sightline.models.vggt.weights import load_vggt  # noqa: PLC0415

    return load_vggt(golden / "weights.safetensors", config=tiny_config).model
