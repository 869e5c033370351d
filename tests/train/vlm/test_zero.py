"""DeepSpeed: two processes that share a model by ZeRO train what one does, go on after a kill, and write plain weights.

Needs the package deepspeed beside the models and train extras: `pip install 'sightline[deepspeed]'`.
"""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

import sightline  # noqa: F401 - mends torchvision before transformers and lightning look at it

torch = pytest.importorskip("torch", reason="needs the models extra")
for package in ("transformers", "hydra", "lightning", "peft"):
    pytest.importorskip(package, reason="needs the models and train extras")

from sightline.errors import InputError  # noqa: E402
from sightline.train.checkpoints import Checkpoints  # noqa: E402
from sightline.train.metrics import read_metrics  # noqa: E402
from sightline.train.settings import EngineSettings, TrainerSettings  # noqa: E402
from tests.train.line import run_line  # noqa: E402
from tests.train.vlm.dividing import asked, by_two, weights  # noqa: E402
from tests.train.vlm.packs import picture  # noqa: E402
from tests.train.vlm.small import exact_rows, trained  # noqa: E402

needs_deepspeed = pytest.mark.skipif(importlib.util.find_spec("deepspeed") is None, reason="needs the deepspeed extra")


def stage(number: int) -> tuple[str, str]:
    return "trainer.strategy=deepspeed", f"trainer.zero_stage={number}"


def newest(run: Path) -> dict:
    checkpoint = Checkpoints(run / "checkpoints").newest()
    assert checkpoint is not None
    return checkpoint.load()


def same(ours, theirs, *, atol: float) -> bool:
    """Whether two trees have the same keys, plain values and nearly the same tensors."""
    if isinstance(theirs, torch.Tensor):
        return ours.dtype == theirs.dtype and ours.shape == theirs.shape and bool(torch.allclose(ours, theirs, atol=atol))
    if isinstance(theirs, dict):
        return ours.keys() == theirs.keys() and all(same(ours[name], theirs[name], atol=atol) for name in theirs)
    if isinstance(theirs, list):
        return len(ours) == len(theirs) and all(same(*pair, atol=atol) for pair in zip(ours, theirs, strict=True))
    return ours == theirs


@needs_deepspeed
@pytest.mark.slow
@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_model_divided_by_deepspeed_is_trained_as_a_whole_one_and_goes_on_after_a_kill(tmp_path, saved, rooms, number):
    """Two batches an update: Lightning and DeepSpeed both divide by their number, unless told not to."""
    model, taskset = saved("qwen3_vl"), rooms["t2a"].path
    own = (*asked(taskset), "trainer.accumulate=2", "data.rows_per_step=4", "trainer.clip=0.5")
    alone = trained(tmp_path / "alone", model, taskset, *own)
    assert alone.weights is not None
    assert by_two(tmp_path / "two", model, taskset, *own, *stage(number)) == (0, "")
    assert by_two(tmp_path / "killed", model, taskset, *own, *stage(number), killed_at=3)[0] == -9
    assert [row["step"] for row in exact_rows(tmp_path / "killed/run")][:2] == [1, 2]
    assert by_two(tmp_path / "killed", model, taskset, *own, *stage(number), "resume=last") == (0, "")
    assert exact_rows(tmp_path / "killed/run") == exact_rows(tmp_path / "two/run")
    rows = read_metrics(tmp_path / "two/run/metrics.csv")
    assert min(row["grad_norm"] for row in rows) > 0.5, "every update is clipped"
    for one, two in zip(read_metrics(alone.run / "metrics.csv"), rows, strict=True):
        assert two["loss"] == pytest.approx(one["loss"], rel=1e-5)
        assert two["grad_norm"] == pytest.approx(one["grad_norm"], rel=1e-4)
        assert {name: value for name, value in two.items() if name.startswith("eval/")} == {
            name: value for name, value in one.items() if name.startswith("eval/")
        }
    ours, theirs = newest(tmp_path / "two/run"), newest(alone.run)
    assert same(ours["model"], theirs["model"], atol=1e-4)
    assert same(ours["optimizer"], theirs["optimizer"], atol=1e-5)
    again = newest(tmp_path / "killed/run")
    assert same(again["optimizer"], ours["optimizer"], atol=0)
    assert same(again["model"], ours["model"], atol=0)
    ours, theirs = weights(tmp_path / "two/run/weights" / alone.weights.name), weights(alone.weights)
    assert same(ours, theirs, atol=1e-4)


LORA = ("model.parts.vision.how=frozen", "model.parts.language_model.how=lora", "model.lora.rank=4", "model.checkpointing=true")
HALF = ("trainer.precision=bf16-mixed", "model.checkpointing=true")


@needs_deepspeed
@pytest.mark.slow
@pytest.mark.parametrize(
    ("family", "number", "more"),
    [("qwen2_5_vl", 3, LORA), ("qwen2_5_vl", 2, LORA), ("internvl", 2, HALF), ("qwen3_vl", 3, HALF), ("llava", 3, ())],
)
def test_other_families_lora_and_half_precision_are_divided_too(tmp_path, saved, rooms, family, number, more):
    taskset = rooms["t1_concat" if family == "llava" else "t2a"].path
    short = ("trainer.max_steps=2", "data.tokens_per_sample=1400", *more)
    alone = trained(tmp_path / "alone", saved(family), taskset, *short)
    assert by_two(tmp_path / "two", saved(family), taskset, *short, *stage(number)) == (0, "")
    close = 2e-2 if "trainer.precision=bf16-mixed" in more else 1e-5
    for one, two in zip(read_metrics(alone.run / "metrics.csv"), read_metrics(tmp_path / "two/run/metrics.csv"), strict=True):
        assert two["loss"] == pytest.approx(one["loss"], rel=close)
    assert alone.weights is not None
    folder = tmp_path / "two/run/weights" / alone.weights.name
    assert {path.name for path in folder.iterdir()} == {path.name for path in alone.weights.iterdir()}
    assert same(weights(folder), weights(alone.weights), atol=1e-2 if close > 1e-3 else 1e-4)
    assert newest(tmp_path / "two/run").keys() == newest(alone.run).keys()


@needs_deepspeed
@pytest.mark.slow
@pytest.mark.parametrize("number", [2, 3])
def test_a_process_that_could_read_none_of_its_samples_takes_part_all_the_same(tmp_path, saved, number):
    records = []
    for index in range(8):
        name = picture(tmp_path, index).path.name
        talk = [{"from": "human", "value": "<image>Where?"}, {"from": "gpt", "value": f"{index}"}]
        records.append({"id": f"s{index}", "image": name, "conversations": talk})
    (tmp_path / "data.json").write_text(json.dumps(records))
    given = ("data.batching=padded", "data.on_missing=skip", "trainer.max_steps=4", "model.max_pixels=9216")
    trained(tmp_path, saved("qwen3_vl"), tmp_path / "data.json", *given, f"run.dir={tmp_path / 'counted'}")
    for index in range(1, 8):
        (tmp_path / f"{index}.png").unlink()
    assert by_two(tmp_path, saved("qwen3_vl"), tmp_path / "data.json", *given, *stage(number)) == (0, "")
    losses = [row["loss"] for row in read_metrics(tmp_path / "run/metrics.csv")]
    assert sorted(loss > 0 for loss in losses) == [False, False, False, True]
    assert len((tmp_path / "run/ledger.jsonl").read_text().splitlines()) == 7


def test_what_deepspeed_is_not_for_is_refused_by_name(tmp_path, saved, rooms, monkeypatch):
    with pytest.raises(InputError, match=r"deepspeed is not for this kind of training \(Line\)"):
        run_line(tmp_path, EngineSettings(trainer=TrainerSettings(max_steps=1, accelerator="cpu", strategy="deepspeed")))
    monkeypatch.setattr("sightline.train.vlm.module.SHARING", frozenset({"llava"}))
    with pytest.raises(InputError, match=r"deepspeed is not for qwen3_vl: .*Families that do: llava"):
        trained(tmp_path / "vlm", saved("qwen3_vl"), rooms["t2a"].path, "trainer.strategy=deepspeed")


def test_without_the_package_the_message_says_what_to_install(tmp_path, saved, rooms, monkeypatch):
    monkeypatch.setitem(sys.modules, "deepspeed", None)
    with pytest.raises(InputError, match=r"strategy=deepspeed needs the package deepspeed.*pip install 'sightline\[deepspeed\]'"):
        trained(tmp_path, saved("qwen3_vl"), rooms["t2a"].path, *stage(2))
