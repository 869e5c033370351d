"""Settings that contradict each other are refused by name."""

from pathlib import Path

import pytest

pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("hydra", reason="needs the train extra")

from sightline.errors import InputError
from sightline.train.config.compose import CONF, compose
from sightline.train.config.typed import typed
from sightline.train.reward.settings import RewardSettings
from tests.train.reward.small import settings

GIVEN = (Path("model"), [Path("set")])


@pytest.mark.parametrize(
    ("override", "said"),
    [
        ("sampling.group_size=1", "group_size 1: .*always 0 in a group of one"),
        ("sampling.temperature=0", "temperature 0: without chance"),
        ("sampling.max_new_tokens=0", "max_new_tokens 0: expected 1 or more"),
        ("data.tasksets=[]", "tasksets is empty"),
        ("data.groups_per_step=0", "groups_per_step 0: expected 1"),
        ("trainer.accumulate=3", "groups_per_step 4: an update is divided into 3 pieces"),
        ("rewards.hit=-1", "expected weights of at least 0"),
        ("rewards={hit: 0, not_visible: 0, format: 0}", "one of them above"),
        ("loss.clip_low=1", "expected 0 < clip_low < 1"),
        ("loss.beta=-0.1", "beta -0.1: expected 0 or more"),
        ("loss.inner_epochs=0", "inner_epochs 0: expected 1"),
        ("loss.scale=mean", "scale"),
        ("evaluation={every: 5, patience: 2, metric: hit_exact}", "early stopping needs held-out task sets"),
    ],
)
def test_a_setting_that_makes_no_sense_is_refused(override, said):
    with pytest.raises(InputError, match=said):
        settings(*GIVEN, override)


def test_several_updates_from_one_round_are_refused_with_several_processes():
    assert settings(*GIVEN, "loss.inner_epochs=2").loss.inner_epochs == 2
    with pytest.raises(InputError, match="inner_epochs 2 with several processes"):
        settings(*GIVEN, "loss.inner_epochs=2", "trainer.devices=2")


@pytest.mark.parametrize("path", sorted((CONF / "reward").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_configuration_that_we_give_is_sound(path):
    composed = compose("reward", ["model.path=m", "data.tasksets=[t]"], config_name=path.stem)
    assert typed(composed.values, RewardSettings).data.tasksets == ("t",)
