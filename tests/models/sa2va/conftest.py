"""The reference implementation's own numbers for very small Sa2VA models."""

import json
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("transformers", reason="needs the models extra")

from tests.models.golden import golden_of  # noqa: E402

golden = golden_of("sa2va")


@pytest.fixture(scope="session")
def sam2_values(golden: Path) -> dict[str, Any]:
    """The configuration of the golden SAM 2, as plain values."""
    return json.loads((golden / "grounding" / "config.json").read_text())["transformers_Sam2VideoConfig_suggestion"]


@pytest.fixture
def grounding(golden: Path, sam2_values: dict[str, Any]) -> Any:
    """The golden grounding path, in evaluation mode."""
    from safetensors.torch import load_file  # noqa: PLC0415

    from sightline.models.sa2va.grounding import Grounding  # noqa: PLC0415
    from sightline.models.sa2va.names import from_published  # noqa: PLC0415
    from tests.models.sam2.tiny import config_of  # noqa: PLC0415

    found = Grounding(config_of(sam2_values), hidden_size=96)
    found.load_state_dict(from_published(load_file(golden / "grounding" / "weights.safetensors")))
    return found.eval()


@pytest.fixture(scope="session")
def folders(golden: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A whole golden checkpoint of each family, as it would be published."""
    sources = {
        "internvl": (golden / "end_to_end", golden / "tokenizer"),
        "qwen3vl": (golden / "qwen3vl", golden / "qwen3vl" / "processor"),
    }
    found = {}
    for name, (weights, tokenizer) in sources.items():
        folder = tmp_path_factory.mktemp(name)
        paths = [weights / "config.json", weights / "model.safetensors", *(path for path in tokenizer.iterdir() if path.is_file())]
        for path in paths:
            (folder / path.name).write_bytes(path.read_bytes())
        found[name] = folder
    return found


@pytest.fixture(scope="session")
def models(folders: dict[str, Path]) -> dict[str, Any]:
    """The golden checkpoints, loaded; they are looked at only."""
    from sightline.models.sa2va.checkpoint import load_sa2va  # noqa: PLC0415

    return {name: load_sa2va(folder) for name, folder in folders.items()}
