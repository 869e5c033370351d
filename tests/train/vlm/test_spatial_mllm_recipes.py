"""The configurations of Spatial-MLLM v1.1 have the published figures, and train the parts that the published training does."""

import pytest

import sightline  # noqa: F401 - mends torchvision before transformers looks at it

torch = pytest.importorskip("torch", reason="needs the models extra")
for package in ("transformers", "hydra", "lightning", "peft"):
    pytest.importorskip(package, reason="needs the models and train extras")

from sightline.models.spatial_mllm.weights import load_spatial_mllm  # noqa: E402
from sightline.train.config.compose import compose  # noqa: E402
from sightline.train.vlm.parts import parameter_groups, set_parts  # noqa: E402
from sightline.train.vlm.settings import VlmSettings  # noqa: E402
from tests.models.spatial_mllm.checkpoint import save_spatial  # noqa: E402
from tests.train.vlm.small import settings_of  # noqa: E402

PER_UPDATE = 48  # six GPUs, one sample each, eight times accumulated
FRAME_TOKENS = 17 * 23  # 644 x 476 pixels
STEPS = 16 // 2


def _settings(name: str, *overrides: str) -> VlmSettings:
    return settings_of(compose("vlm", ["model.path=x", "data.path=y", *overrides], config_name=name))


@pytest.mark.parametrize(
    ("name", "samples", "steps"), [("spatial_mllm_135k", 135_000, 2813), ("spatial_mllm_820k", 820_000, 17_083)]
)
def test_figures_are_the_published_ones(name, samples, steps):
    settings = _settings(name)
    assert settings.trainer.max_steps == pytest.approx(samples / PER_UPDATE, abs=1) == steps
    assert (settings.model.min_pixels, settings.model.max_pixels) == (293_216, 324_576)
    assert (settings.data.max_frames, settings.data.tokens_per_sample) == (16, 8192)
    assert settings.data.rows_per_step * (settings.data.tokens_per_sample // (FRAME_TOKENS * STEPS)) == PER_UPDATE
    assert (settings.rates.lr, settings.rates.weight_decay, settings.trainer.clip) == (7e-6, 0.1, 1.0)
    assert (settings.schedule.shape, settings.schedule.final) == ("cosine", 0.0)
    assert settings.schedule.warmup_steps == -(-3 * steps // 100)  # 0.03, rounded up
    assert settings.checkpoints.every == -(-steps // 16)  # 0.0625, rounded up


@pytest.mark.parametrize("name", ["spatial_mllm_135k", "spatial_mllm_820k"])
def test_merger_and_connector_have_their_rate_and_both_encoders_are_frozen(tmp_path, name):
    settings = _settings(name)
    model = load_spatial_mllm(save_spatial(tmp_path / "tiny")).model
    parts = settings.model.parts.named()
    set_parts(model, parts)
    rate_of = {
        id(parameter): group["lr"]
        for group in parameter_groups(model, parts, lr=settings.rates.lr, weight_decay=settings.rates.weight_decay)
        for parameter in group["params"]
    }
    for key, parameter in model.named_parameters():
        if key.startswith(("connector.", "model.visual.merger.")):
            expected = 2e-5
        elif key.startswith(("spatial_encoder.", "model.visual.")):
            expected = None
        else:
            expected = 7e-6
        assert rate_of.get(id(parameter)) == expected, key


def test_six_gpus_divide_an_update_of_the_published_size():
    settings = _settings("spatial_mllm_135k", "trainer.devices=6", "trainer.accumulate=4")
    assert settings.data.rows_per_step == settings.trainer.devices * settings.trainer.accumulate
