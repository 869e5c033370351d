"""Configurations as plain values: composed, resolved, and nothing in them that could run."""

from pathlib import Path

import pytest

pytest.importorskip("hydra", reason="needs the train extra")

from sightline.errors import InputError
from sightline.train.config.compose import compose, families

CONFIG = """\
seed: 0
model:
  size: 128
  crop: ${model.size}
trainer:
  devices: 1
  max_steps: 100
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "large.yaml").write_text("defaults: [config, _self_]\nmodel:\n  size: 512\n")
    return tmp_path


def of(folder: Path, *overrides: str, name: str = "config"):
    return compose("mine", overrides, config_name=name, config_dir=folder)


def test_overrides_change_values_and_references_follow(folder):
    composed = of(folder, "model.size=64", "trainer.devices=2")
    assert composed.values == {
        "seed": 0, "model": {"size": 64, "crop": 64}, "trainer": {"devices": 2, "max_steps": 100}
    }  # fmt: skip
    assert composed.overrides == ("model.size=64", "trainer.devices=2")


def test_a_configuration_builds_on_another_and_both_files_are_named(folder):
    composed = of(folder, name="large")
    assert composed.values["model"] == {"size": 512, "crop": 512}
    assert composed.files == (folder / "config.yaml", folder / "large.yaml")


def test_a_users_folder_builds_on_the_packages(tmp_path):
    assert "sam2" in families()
    (tmp_path / "mine.yaml").write_text("defaults: [config, _self_]\nseed: 17\n")
    composed = compose("sam2", ["model.checkpoint_path=w.pt", "data.train_path=d.json"], config_name="mine", config_dir=tmp_path)
    assert composed.values["seed"] == 17
    assert [path.name for path in composed.files] == ["config.yaml", "mine.yaml"]
    assert composed.files[1].parent == tmp_path


def test_the_digest_follows_the_values_and_not_the_way_they_came_about(folder):
    assert of(folder).digest == of(folder, "seed=0").digest
    assert of(folder).digest != of(folder, "seed=1").digest


def test_numbers_in_every_spelling_are_numbers(folder):
    assert of(folder, "seed=1e-3").values["seed"] == 1e-3
    (folder / "rate.yaml").write_text("rate: 5e-6\n")
    assert of(folder, name="rate").values == {"rate": 5e-6}


@pytest.mark.parametrize("override", ["trainer.devces=2", "trainr.devices=2"])
def test_an_unknown_key_is_told_with_the_nearest_one_and_the_file(folder, override):
    with pytest.raises(InputError, match=r"config\.yaml; did you mean 'trainer\.devices'\?"):
        of(folder, override)


def test_where_nothing_is_near_all_keys_are_told(folder):
    with pytest.raises(InputError, match="Its keys are: seed, model, trainer"):
        of(folder, "zzz=2")


def test_an_unknown_configuration_is_told_with_the_nearest_one(folder):
    with pytest.raises(InputError, match="did you mean 'large'"):
        of(folder, name="larg")


@pytest.mark.parametrize(
    ("override", "why"),
    [
        ("+model._target_=os.system", "_target_"),
        ("seed=${oc.env:HOME}", "no environment"),
        ("'seed=${oc.${model.size}:HOME}'", "seed"),
        ("hydra.run.dir=elsewhere", "Hydra itself"),
        ("+hydra/launcher=basic", "Hydra itself"),
        ("seed=${model.nothing}", "nothing"),
    ],
)
def test_what_could_run_or_tell_secrets_is_refused(folder, override, why):
    with pytest.raises(InputError, match=why):
        of(folder, override.strip("'"))


def test_a_target_deep_in_a_file_is_refused(folder):
    (folder / "config.yaml").write_text("model:\n  parts:\n  - _target_: subprocess.run\n")
    with pytest.raises(InputError, match=r"model\.parts\[0\]\._target_"):
        of(folder)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a: &a [1]\nb: [" + "*a, " * 51 + "*a]\n", "aliases"),
        ("a: " + "[" * 31 + "]" * 31 + "\n", "deep"),
        ("a: !!python/object/apply:os.system [ls]\n", "tag"),
        ("a: !own 3\n", "tag"),
        ("a: [1\n", "no YAML"),
        ("a: 1\na: 2\n", "duplicate"),
        ("a: " + "x" * 2**20, "1,048,576"),
        ("1: x\n", "in quotes"),
    ],
)
def test_dangerous_or_broken_yaml_is_refused(folder, text, why):
    (folder / "config.yaml").write_text(text)
    with pytest.raises(InputError, match=why):
        of(folder)


def test_a_value_that_must_be_given_is_named(folder):
    (folder / "config.yaml").write_text("data:\n  path: ???\n")
    with pytest.raises(InputError, match=r"no value for data\.path"):
        of(folder)
    assert of(folder, "data.path=x").values == {"data": {"path": "x"}}


def test_the_working_folder_stays_and_nothing_is_written(folder, tmp_path, monkeypatch):
    place = tmp_path / "here"
    place.mkdir()
    monkeypatch.chdir(place)
    of(folder)
    assert Path.cwd() == place
    assert not list(place.iterdir())
