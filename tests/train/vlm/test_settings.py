"""Mistakes in settings and data are told before anything is trained, with what was probably meant."""

import json
from pathlib import Path

import pytest

import sightline  # noqa: F401

torch = pytest.importorskip("torch", reason="needs the models extra")
for package in ("transformers", "hydra", "lightning"):
    pytest.importorskip(package, reason="needs the models and train extras")

from sightline.cli import run as sightline_command  # noqa: E402
from sightline.cli.train import CONF  # noqa: E402
from sightline.errors import InputError  # noqa: E402
from sightline.train.config.compose import compose  # noqa: E402
from sightline.train.schedule import staged_factor  # noqa: E402
from sightline.train.settings import RateStage, ScheduleSettings  # noqa: E402
from sightline.train.vlm.prepare import prepare  # noqa: E402
from tests.train.vlm.small import composed, settings_of  # noqa: E402


@pytest.fixture
def registry(rooms, tmp_path) -> Path:
    path = tmp_path / "data.yaml"
    path.write_text("".join(f"{name}: {{taskset: {taskset.path}}}\n" for name, taskset in rooms.items()))
    return path


@pytest.mark.parametrize("name", [path.stem for path in sorted((CONF / "vlm").glob("*.yaml"))])
def test_every_configuration_of_the_package_is_sound(name):
    asks_for_registry = "registry: ???" in (CONF / "vlm" / f"{name}.yaml").read_text()
    data = "data.registry=y" if asks_for_registry else "data.path=y"
    settings = settings_of(compose("vlm", ["model.path=x", data], config_name=name))
    assert settings.trainer.max_steps > 0


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (("data.mixture=[]",), r"data\.mixture is empty"),
        (("data.mixture=[t1_mlti]",), r"'t1_mlti' is not in the registry; did you mean 't1_multi'"),
        (("data.mixture=[t2a*0]",), "a weight above 0"),
        (("data.mixture=[t2a]", "data.tokens_per_sample=100"), r"(?s)samples that cannot be trained on.*t2a"),
        (("data.mixture=[t2a]", "data.select.where={teir: [V]}"), r"no column 'teir' to filter by; did you mean 'tier'"),
        (("data.mixture=[t2a]", "stages=[{name: a, until_step: 9},{name: b, until_step: 4}]"), "until_step 4, but 9 steps"),
        (("data.mixture=[t2a]", "stages=[{name: a, until_step: 3}]"), "the stages end at step 3, trainer.max_steps is 4"),
    ],
)
def test_data_that_cannot_be_meant_is_refused(tmp_path, saved, registry, overrides, message):
    given = composed(tmp_path, saved("qwen3_vl"), None, f"data.registry={registry}", *overrides)
    with pytest.raises(InputError, match=message):
        prepare(settings_of(given))


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ((), "no data: give data.path"),
        (("data.mixture=[a]",), r"give data\.registry=FILE\.yaml"),
        (("data.path=a", "data.registry=b", "data.mixture=[a]"), "expected one of them"),
        (("data.path=a", "trainer.accumulate=3"), "Give a multiple of 3"),
        (("data.path=a", "model.parts.visoin.how=frozen"), r"did you mean 'model\.parts\.vision\.how'"),
        (("data.path=a", "trainer.strategy=deepspeed", "trainer.precision=bf16-true"), "bf16-true is not offered: DeepSpeed"),
        (("data.path=a", "evaluation={every: 1, metric: x, patience: 2}"), "early stopping needs held-out task sets"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(overrides, message):
    with pytest.raises(InputError, match=message):
        settings_of(compose("vlm", ["model.path=x", *overrides]))


def test_a_misspelt_key_is_told_with_the_nearest():
    with pytest.raises(InputError, match=r"did you mean 'data\.tokens_per_sample'"):
        compose("vlm", ["data.token_per_sample=4"])


def test_a_sample_longer_than_the_context_is_refused_by_name(tmp_path, rooms, copy):
    from tests.models.huggingface.checkpoints import edit_json  # noqa: PLC0415

    model = copy("qwen3_vl")
    text = json.loads((model / "config.json").read_text())["text_config"]
    edit_json(model / "config.json", text_config=text | {"max_position_embeddings": 200})
    with pytest.raises(InputError, match=r"sample 't2a/.*has a context of 200.*data\.tokens_per_sample=200"):
        prepare(settings_of(composed(tmp_path, model, rooms["t2a"].path)))


def test_a_mixture_of_a_registry_is_planned_with_its_weights(tmp_path, saved, registry):
    given = composed(
        tmp_path, saved("qwen3_vl"), None, f"data.registry={registry}", "data.mixture=[t1_multi*3,t2a%50]", "trainer.max_steps=40"
    )
    training = prepare(settings_of(given)).training
    ids = [name for step in range(40) for name in training.ids(step)]
    assert {name.split("/")[0] for name in ids} == {"t1_multi", "t2a"}


def test_the_rate_of_a_stage_multiplies_the_schedule_of_the_run_or_has_its_own():
    schedule = ScheduleSettings(shape="cosine", warmup_steps=2, final=0.0)
    whole = (RateStage(4, 1.0), RateStage(8, 0.5))
    assert staged_factor(0, 8, schedule, whole) == 0.5
    assert staged_factor(7, 8, schedule, whole) == pytest.approx(0.0)
    own = (RateStage(4, 1.0, own_shape=True), RateStage(8, 0.5, own_shape=True))
    assert staged_factor(3, 8, schedule, own) == pytest.approx(0.0)
    assert staged_factor(4, 8, schedule, own) == 0.25  # half of a warm-up of two steps, times 0.5
    assert staged_factor(5, 8, schedule, own) == 0.5


def test_check_prints_the_batch_with_what_is_to_be_learnt(tmp_path, saved, rooms, capsys):
    asked = [f"model.path={saved('qwen3_vl')}", f"data.counts_dir={tmp_path}", "data.tokens_per_sample=700", "data.rows_per_step=2"]
    assert sightline_command(["check", str(rooms["t1_multi"].path), *asked]) == 0
    shown = capsys.readouterr().out
    assert "OK: one-batch check passed" in shown
    assert "⟦" in shown
    assert "input_ids" in shown
    assert "<|image_pad|> x 12" in shown


def test_check_fails_where_slots_and_media_differ(tmp_path, saved, capsys):
    talk = [{"from": "human", "value": "<image><image>Where?"}, {"from": "gpt", "value": "Here."}]
    path = tmp_path / "talk.json"
    path.write_text(json.dumps([{"id": "a", "images": ["x.png"], "conversations": talk}]))
    assert sightline_command(["check", str(path), f"model.path={saved('qwen3_vl')}", f"data.counts_dir={tmp_path}"]) == 2
    told = capsys.readouterr().err
    assert "id 'a'" in told
    assert "2" in told


def test_the_steps_of_a_plan_do_not_depend_on_how_many_follow(tmp_path, saved, rooms):
    trainings = [
        prepare(settings_of(composed(tmp_path, saved("qwen3_vl"), rooms["t2a"].path, f"trainer.max_steps={steps}"))).training
        for steps in (4, 60)
    ]
    assert [trainings[0].ids(step) for step in range(4)] == [trainings[1].ids(step) for step in range(4)]
