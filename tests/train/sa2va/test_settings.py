"""Every ready configuration is sound, and mistakes are told all at once."""

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the models extra")
for package in ("transformers", "hydra", "lightning"):
    pytest.importorskip(package, reason="needs the models and train extras")

import sightline  # noqa: E402
from sightline.errors import InputError  # noqa: E402
from sightline.train.config.compose import compose  # noqa: E402
from sightline.train.config.typed import typed  # noqa: E402
from sightline.train.sa2va.settings import Sa2VaTrainSettings  # noqa: E402

NAMES = sorted(path.stem for path in (Path(sightline.__file__).parent / "conf" / "sa2va").glob("*.yaml"))


def settings_of(*overrides, config_name="config"):
    needed = ["model.path=folder", *([] if any("data.mixture" in each for each in overrides) else ["data.path=set"])]
    return typed(compose("sa2va", [*needed, *overrides], config_name=config_name).values, Sa2VaTrainSettings)


@pytest.mark.parametrize("name", NAMES)
def test_every_configuration_of_the_package_is_sound(name):
    own = ("data.path=null", "data.registry=all.yaml", "data.mixture=[a]") if name.startswith("published") else ()
    found = settings_of(*own, config_name=name)
    assert found.engine().trainer.max_steps == found.trainer.max_steps
    assert found.engine().evaluation.every == 0  # there are no task sets to be asked


def test_all_mistakes_are_told_at_once_with_the_nearest_names():
    with pytest.raises(InputError) as told:
        settings_of("+data.num_frame=5", "model.grounding.sam2=[mask_decode]", "losses.points=-1")
    for part in ("num_frames", "mask_decoder", "points -1"):
        assert part in str(told.value)


@pytest.mark.parametrize(
    ("overrides", "told"),
    [
        (("model.grounding.sam2=[mask_decoder,memory_attention]",), "memory_attention.*mode.name=consistent"),
        (("data.mixture=[a]", "data.path=set"), "expected one of them"),
        (("data.answers=['It is it.']",), r"with one \[SEG\] each"),
        (("data.path=null", "data.mixture=[a]"), "data.registry"),
        (("data.batch_size=3", "trainer.devices=2"), "multiple of the 2 processes"),
        (("trainer.strategy=fsdp2",), "trained with ddp"),
        (("data.no_target='No [SEG].'",), r"without \[SEG\]"),
        (("evaluation.patience=2", "evaluation.metric=jf"), "validation.tasksets"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(overrides, told):
    with pytest.raises(InputError, match=told):
        settings_of(*overrides)


def test_memory_may_be_trained_where_it_is_used():
    found = settings_of("model.grounding.sam2=[mask_decoder,memory_attention]", "mode.name=consistent")
    assert found.mode.mode.spread
