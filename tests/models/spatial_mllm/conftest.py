"""The reference implementation's own numbers for a very small Spatial-MLLM."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("transformers", reason="needs the models extra")

from tests.models.golden import golden_of  # noqa: E402

golden = golden_of("spatial_mllm")


@pytest.fixture(scope="session")
def published(golden: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reference's small model as it is published, with the sizes of VGGT that published ones leave to their code."""
    from sightline.models.vggt.config import values_of_config  # noqa: PLC0415
    from tests.models.vggt.tiny import config_of  # noqa: PLC0415

    facts = json.loads((golden / "config.json").read_text())
    config = facts["reference_config"]
    config["bos_token_id"] = None  # transformers' default is beyond this vocabulary
    config["spatial_config"] |= values_of_config(config_of(facts["vggt_sizes"]))
    folder = tmp_path_factory.mktemp("spatial_mllm")
    (folder / "config.json").write_text(json.dumps(config))
    shutil.copy(golden / "weights.safetensors", folder / "model.safetensors")
    return folder


@pytest.fixture
def model(published: Path) -> Any:
    """With the reference's weights, in evaluation mode."""
    from sightline.models.spatial_mllm.weights import load_spatial_mllm  # noqa: PLC0415

    return load_spatial_mllm(published).model
