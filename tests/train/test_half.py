"""Training wholly in bfloat16 is for trainings that load their weights so; others are refused before their first step."""

import pytest

import sightline  # noqa: F401 - mends torchvision before lightning looks at it

pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("lightning", reason="needs the train extra")

from sightline.errors import InputError
from sightline.train.settings import EngineSettings, TrainerSettings
from tests.train.line import run_line


def test_weights_in_float32_are_not_trained_as_bfloat16(tmp_path):
    settings = EngineSettings(trainer=TrainerSettings(max_steps=1, accelerator="cpu", precision="bf16-true"))
    with pytest.raises(InputError, match=r"bf16-true is not for this kind of training: .* in float32\. Use .*bf16-mixed"):
        run_line(tmp_path, settings)
    assert not list(tmp_path.glob("**/step-*"))
