"""FSDP2: two processes that share a model's weights train what one process does, go on after a kill, and write plain weights."""

import json

import pytest

import sightline  # noqa: F401 - mends torchvision before transformers and lightning look at it

torch = pytest.importorskip("torch", reason="needs the models extra")
for package in ("transformers", "hydra", "lightning", "peft"):
    pytest.importorskip(package, reason="needs the models and train extras")

from sightline.errors import InputError  # noqa: E402
from sightline.train.metrics import read_metrics  # noqa: E402
from sightline.train.settings import EngineSettings, TrainerSettings  # noqa: E402
from tests.train.line import run_line  # noqa: E402
from tests.train.vlm.dividing import asked, by_two, weights  # noqa: E402
from tests.train.vlm.packs import picture  # noqa: E402
from tests.train.vlm.small import exact_rows, trained  # noqa: E402


@pytest.mark.slow
def test_a_divided_model_is_trained_as_a_whole_one_and_goes_on_after_a_kill(tmp_path, saved, rooms):
    model, taskset = saved("qwen3_vl"), rooms["t2a"].path
    alone = trained(tmp_path / "alone", model, taskset, *asked(taskset))
    assert alone.weights is not None
    assert by_two(tmp_path / "two", model, taskset, *asked(taskset)) == (0, "")
    assert by_two(tmp_path / "killed", model, taskset, *asked(taskset), killed_at=3)[0] == -9
    assert [row["step"] for row in exact_rows(tmp_path / "killed/run")][:2] == [1, 2]
    assert by_two(tmp_path / "killed", model, taskset, *asked(taskset), "resume=last") == (0, "")
    assert exact_rows(tmp_path / "killed/run") == exact_rows(tmp_path / "two/run")
    rows = read_metrics(tmp_path / "two/run/metrics.csv")
    for one, two in zip(read_metrics(alone.run / "metrics.csv"), rows, strict=True):
        assert two["loss"] == pytest.approx(one["loss"], rel=1e-5)
        assert two["grad_norm"] == pytest.approx(one["grad_norm"], rel=1e-4)
        assert {name: value for name, value in two.items() if name.startswith("eval/")} == {
            name: value for name, value in one.items() if name.startswith("eval/")
        }
    ours, theirs = weights(tmp_path / "two/run/weights" / alone.weights.name), weights(alone.weights)
    assert ours.keys() == theirs.keys()
    for name, tensor in theirs.items():
        assert torch.allclose(ours[name], tensor, atol=1e-4), name


LORA = (
    "model.parts.vision.how=frozen",
    "model.parts.language_model.how=lora",
    "model.lora.rank=4",
    "model.checkpointing=true",
    "trainer.accumulate=2",
    "data.rows_per_step=4",
)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "more"),
    [("qwen2_5_vl", LORA), ("internvl", ("trainer.precision=bf16-mixed", "model.checkpointing=true")), ("llava", ())],
)
def test_other_families_lora_and_repeated_inner_states_are_divided_too(tmp_path, saved, rooms, family, more):
    taskset = rooms["t1_concat" if family == "llava" else "t2a"].path
    short = ("trainer.max_steps=2", "data.tokens_per_sample=1400", *more)
    alone = trained(tmp_path / "alone", saved(family), taskset, *short)
    assert by_two(tmp_path / "two", saved(family), taskset, *short) == (0, "")
    close = 2e-2 if "trainer.precision=bf16-mixed" in more else 1e-5
    for one, two in zip(read_metrics(alone.run / "metrics.csv"), read_metrics(tmp_path / "two/run/metrics.csv"), strict=True):
        assert two["loss"] == pytest.approx(one["loss"], rel=close)
    assert alone.weights is not None
    folder = tmp_path / "two/run/weights" / alone.weights.name
    assert {path.name for path in folder.iterdir()} == {path.name for path in alone.weights.iterdir()}
    assert weights(folder).keys() == weights(alone.weights).keys()


@pytest.mark.slow
def test_a_process_that_could_read_none_of_its_samples_takes_part_all_the_same(tmp_path, saved):
    records = []
    for number in range(8):
        name = picture(tmp_path, number).path.name
        talk = [{"from": "human", "value": "<image>Where?"}, {"from": "gpt", "value": f"{number}"}]
        records.append({"id": f"s{number}", "image": name, "conversations": talk})
    (tmp_path / "data.json").write_text(json.dumps(records))
    given = ("data.batching=padded", "data.on_missing=skip", "trainer.max_steps=4", "model.max_pixels=9216")
    trained(tmp_path, saved("qwen3_vl"), tmp_path / "data.json", *given, f"run.dir={tmp_path / 'counted'}")
    for number in range(1, 8):
        (tmp_path / f"{number}.png").unlink()
    assert by_two(tmp_path, saved("qwen3_vl"), tmp_path / "data.json", *given) == (0, "")
    losses = [row["loss"] for row in read_metrics(tmp_path / "run/metrics.csv")]
    assert sorted(loss > 0 for loss in losses) == [False, False, False, True]
    assert len((tmp_path / "run/ledger.jsonl").read_text().splitlines()) == 7


def test_what_cannot_be_divided_is_refused_by_name(tmp_path, saved, rooms, monkeypatch):
    with pytest.raises(InputError, match=r"fsdp2 is not for this kind of training \(Line\)"):
        run_line(tmp_path, EngineSettings(trainer=TrainerSettings(max_steps=1, accelerator="cpu", strategy="fsdp2")))
    monkeypatch.setattr("sightline.train.vlm.module.SHARING", frozenset({"llava"}))
    with pytest.raises(InputError, match=r"fsdp2 is not for qwen3_vl: .*Families that do: llava"):
        trained(tmp_path / "vlm", saved("qwen3_vl"), rooms["t2a"].path, "trainer.strategy=fsdp2")
