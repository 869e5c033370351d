"""Spatial-MLLM in bfloat16 on a CPU: near float32, from pixels and from kept features, positions exact, resumed to the bit."""

import errno
from pathlib import Path
from typing import cast

import pytest

import sightline  # noqa: F401 - mends torchvision before transformers and lightning look at it

torch = pytest.importorskip("torch", reason="needs the models extra")
for package in ("transformers", "hydra", "lightning", "peft"):
    pytest.importorskip(package, reason="needs the models and train extras")

from sightline.models.spatial_mllm.weights import load_spatial_mllm  # noqa: E402
from sightline.train import checkpoints  # noqa: E402
from sightline.train.metrics import read_metrics  # noqa: E402
from sightline.train.vlm.chat import open_chat  # noqa: E402
from sightline.train.vlm.kept_features import features_of, fill  # noqa: E402
from tests.models.spatial_mllm.checkpoint import save_spatial  # noqa: E402
from tests.train.vlm.small import composed, exact_rows, settings_of, trained  # noqa: E402
from tests.train.vlm.spatial_samples import clip, sample, write_rows  # noqa: E402

FROZEN = ("model.parts.vision={how: frozen}", "data.pack_by=prefix", "data.tokens_per_sample=200", "trainer.max_steps=3")
CLOSE = 0.03  # of a loss; the whole network in bfloat16 is about 1 % from float32 in every tensor


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_spatial(tmp_path_factory.mktemp("spatial") / "tiny")


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_rows(tmp_path_factory.mktemp("rows"))


def _losses(run: Path) -> list[float]:
    return [cast("float", row["loss"]) for row in read_metrics(run / "metrics.csv")]


@pytest.mark.filterwarnings("ignore:Mismatch dtype between input and weight")  # slower norms under autocast, not other ones
@pytest.mark.parametrize("precision", ["bf16-true", "bf16-mixed"])
def test_losses_are_near_those_of_float32(tmp_path, model, rows, precision):
    plain = _losses(trained(tmp_path / "plain", model, rows, *FROZEN).run)
    half = _losses(trained(tmp_path / "half", model, rows, *FROZEN, f"trainer.precision={precision}").run)
    assert half == pytest.approx(plain, rel=CLOSE)
    assert half != plain


def test_kept_features_are_bfloat16_and_train_as_pixels_do(tmp_path, model, rows):
    own = (*FROZEN, "trainer.precision=bf16-true")
    kept = f"data.features={tmp_path / 'features'}"
    settings = settings_of(composed(tmp_path, model, rows, *own, kept))
    chat = open_chat(model, settings.model.options)
    fill(settings, chat, stored="bfloat16", device=torch.device("cpu"), progress=lambda *_: None)
    features = features_of(settings, chat)
    assert features is not None
    assert features.cache.settings.computed == "bfloat16"
    blank = features.blank_unit()
    assert {blank["vision.0"].dtype, blank["geometry.0"].dtype} == {torch.bfloat16}
    pixels = trained(tmp_path / "pixels", model, rows, *own)
    again = trained(tmp_path / "kept", model, rows, *own, kept)
    assert _losses(again.run) == pytest.approx(_losses(pixels.run), rel=CLOSE)


def test_positions_and_rotary_angles_stay_exact(model, tmp_path):
    from sightline.models.options import ModelOptions  # noqa: PLC0415
    from sightline.train.vlm.collate import Collator  # noqa: PLC0415

    chat = open_chat(model, ModelOptions())
    batch = Collator(chat, chat.checkpoint.config)([[sample("a", ("Where?", "left"), clips=(clip(tmp_path),))]])
    assert batch.position_ids.dtype == torch.int64
    half, plain = (load_spatial_mllm(model, dtype=dtype).model for dtype in (torch.bfloat16, torch.float32))
    assert half.dtype == torch.bfloat16
    angles = [each.model.language_model.rotary_emb.inv_freq for each in (half, plain)]
    assert angles[0].dtype == torch.float32
    assert torch.equal(*angles)


def test_a_run_in_bfloat16_that_was_stopped_goes_on_to_the_bit(tmp_path, model, rows, monkeypatch):
    own = (*FROZEN, "trainer.precision=bf16-true", "model.parts.language_model.how=lora", "model.lora.rank=4")
    whole = trained(tmp_path / "whole", model, rows, *own)
    publish = checkpoints.Checkpoints.publish

    def stopped(self, step, state, *, metrics=None):
        if step == 2:
            raise OSError(errno.ENOSPC, "No space left on device")
        return publish(self, step, state, metrics=metrics)

    with monkeypatch.context() as patch:
        patch.setattr(checkpoints.Checkpoints, "publish", stopped)
        with pytest.raises(OSError, match="No space left"):
            trained(tmp_path / "parts", model, rows, *own)
    again = trained(tmp_path / "parts", model, rows, *own, "resume=last")
    assert exact_rows(again.run) == exact_rows(whole.run)
