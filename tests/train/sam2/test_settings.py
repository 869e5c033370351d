"""Every configuration is a whole one, the defaults are the reference's, and contradictions are named."""

from dataclasses import replace
from pathlib import Path

import pytest

import sightline  # noqa: F401 - mends torchvision before transformers and lightning look at it

for package in ("torch", "transformers", "hydra"):
    pytest.importorskip(package, reason="needs the models and train extras")

from sightline.errors import InputError  # noqa: E402
from sightline.models.sam2.groups import Rates  # noqa: E402
from sightline.models.sam2.losses import LossWeights  # noqa: E402
from sightline.models.sam2.simulate import PromptRecipe  # noqa: E402
from sightline.train.config.compose import compose, families  # noqa: E402
from sightline.train.config.typed import typed  # noqa: E402
from sightline.train.sam2.options import WindowOptions  # noqa: E402
from sightline.train.sam2.settings import ModelSettings, Sam2Settings  # noqa: E402
from tests.train.sam2.small import settings  # noqa: E402

GIVEN = ["data.train_path=videos.json", "model.checkpoint_path=sam2"]


def test_the_defaults_are_those_of_the_reference():
    found = typed(compose("sam2", GIVEN).values, Sam2Settings)
    assert found.rates == Rates(lr=5e-6, encoder_lr=3e-6, layer_decay=0.9, weight_decay=0.1)
    assert found.losses == LossWeights(mask=20.0, dice=1.0, iou=1.0, presence=1.0, focal_alpha=0.25, focal_gamma=2.0)
    assert found.prompts == PromptRecipe()
    assert found.data.clips == WindowOptions()
    assert (found.trainer.clip, found.schedule.shape, found.schedule.final) == (0.1, "cosine", 0.1)


@pytest.mark.parametrize("name", families()["sam2"])
def test_every_configuration_is_complete(name):
    scratch = name in ("tiny", "overfit")
    found = typed(compose("sam2", GIVEN[:1] if scratch else GIVEN, config_name=name).values, Sam2Settings)
    if name not in ("config", "tiny", "overfit"):  # an ablation changes something
        assert found != typed(compose("sam2", GIVEN).values, Sam2Settings)


def test_weights_come_from_one_place():
    with pytest.raises(InputError, match=r"give model\.checkpoint_path.*found neither"):
        ModelSettings()
    with pytest.raises(InputError, match="found both"):
        ModelSettings(checkpoint_path="sam2.pt", fresh="tiny")
    with pytest.raises(InputError, match=r"needs the network's YAML"):
        ModelSettings(fresh="config")


def test_an_unknown_part_is_named_with_the_nearest():
    with pytest.raises(InputError, match=r"'image_encodr'.*Did you mean 'image_encoder'"):
        ModelSettings(fresh="tiny", freeze=("image_encodr",))


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("prompts.box=1.5", "prompts.box 1.5: expected odds"),
        ("prompts.max_prompted=0", "prompts.max_prompted 0: expected at least 1"),
        ("losses.dice=-1.0", "weights must be at least 0"),
        ("data.clips.image_size=32", "data.clips.image_size 32, model.image_size 64"),
        ("evaluation.patience=3", "early stopping needs"),
        ("data.batch_size=0", "batch_size 0"),
        ("model.num_maskmem=0", "num_maskmem 0: expected at least 1"),
        ("validation.num_videos=-1", "num_videos -1"),
    ],
)
def test_a_setting_out_of_its_range_is_named(tmp_path: Path, override, message):
    with pytest.raises(InputError, match=message):
        settings(tmp_path, override)


def test_without_held_out_videos_nothing_is_evaluated(tmp_path):
    assert settings(tmp_path, "evaluation.every=5").engine().evaluation.every == 0
    assert settings(tmp_path, "evaluation.every=5", f"data.val_path={tmp_path / 'videos.json'}").engine().evaluation.every == 5


def test_several_processes_allow_parameters_that_no_prompt_uses(tmp_path):
    found = settings(tmp_path)
    assert found.engine().trainer.strategy == "auto"
    two = replace(found, trainer=replace(found.trainer, devices=2))
    assert two.engine().trainer.strategy == "ddp_find_unused_parameters_true"
