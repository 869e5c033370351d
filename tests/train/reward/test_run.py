"""A whole training by rewards: small, real, and given what users give it by mistake."""

import json
from pathlib import Path

import pytest

import sightline  # noqa: F401 - before transformers

torch = pytest.importorskip("torch", reason="needs the models extra")
for package in ("transformers", "hydra", "lightning", "peft"):
    pytest.importorskip(package, reason="needs the models and train extras")

from sightline.errors import InputError  # noqa: E402
from sightline.models import ModelOptions, get_model  # noqa: E402
from sightline.taskset.store import TaskSet  # noqa: E402
from sightline.train.metrics import read_metrics  # noqa: E402
from sightline.train.reward import rewards  # noqa: E402
from tests.train.reward.small import exact_rows, trained  # noqa: E402

LORA = ("model.parts.vision.how=frozen", "model.parts.language_model.how=lora", "model.lora.dropout=0.2")


def answers(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "answers.jsonl").read_text().splitlines()]


def test_learning_from_the_same_questions_again_and_again_raises_their_reward(tmp_path, start):
    own = ("data.select.percent=9", "sampling.group_size=12", "trainer.max_steps=30", "schedule.warmup_steps=0", "rates.lr=2e-3")
    done = trained(start.model, [start.train], tmp_path / "run", *own, "checkpoints.every=0")
    rewards = [row["reward"] for row in read_metrics(done.run / "metrics.csv")]
    assert len(rewards) == 30
    assert sum(rewards[-5:]) > 1.3 * sum(rewards[:5])


def test_a_run_writes_its_numbers_answers_and_a_plain_checkpoint(tmp_path, start):
    own = (*LORA, "loss.beta=0.1", "evaluation.every=2", f"validation.tasksets=[{start.validation}]", "trainer.accumulate=2")
    done = trained(start.model, [start.train], tmp_path / "run", *own, "num_shown=1")
    rows = read_metrics(done.run / "metrics.csv")
    assert [row["step"] for row in rows] == [1, 2, 3, 4]
    for row in rows:
        assert row["loss"] == pytest.approx(row["loss/policy"] + row["loss/divergence"])
        assert row["reward"] == pytest.approx(row["reward of hit"] + 0.1 * row["reward of format"])  # all objects are there
        assert "reward of not_visible" not in row
        assert 0 <= row["groups without spread"] <= 1
        assert row["entropy"] > 0
    assert rows[0]["divergence"] == pytest.approx(0, abs=1e-3)  # dropout alone makes a difference
    assert {"eval/hit_exact", "eval/joint_accuracy"} <= rows[1].keys()
    lines = answers(done.run)
    assert [line["step"] for line in lines] == [step for step in (1, 2, 3, 4) for _ in range(4)]
    for line in lines:
        assert line["reward"] == pytest.approx(line["parts"]["hit"] + 0.1 * line["parts"]["format"])
        assert line["correct"] == (line["parts"]["hit"] == 1)
    assert sum(line["advantage"] for line in lines[:4]) == pytest.approx(0, abs=1e-6)
    assert (done.run / "samples.jsonl").is_file()
    assert done.weights is not None
    names = {path.name for path in done.weights.iterdir()}
    assert {"config.json", "model.safetensors", "processor_config.json"} <= names
    taskset = TaskSet(start.validation)
    model = get_model(f"hf:{done.weights}", ModelOptions(dialect="pixels", max_new_tokens=8))
    assert len(model.answer([taskset[0].question, taskset[1].question], taskset)) == 2


def test_pieces_of_an_update_have_the_loss_of_the_whole(tmp_path, start):
    whole = trained(start.model, [start.train], tmp_path / "whole", "trainer.max_steps=2", "loss.per=budget")
    pieces = trained(
        start.model, [start.train], tmp_path / "pieces", "trainer.max_steps=2", "loss.per=budget", "trainer.accumulate=4"
    )
    for one, other in zip(exact_rows(whole.run), exact_rows(pieces.run), strict=True):
        assert other["reward"] == pytest.approx(one["reward"])
        assert other["grad_norm"] == pytest.approx(one["grad_norm"], rel=1e-3)
        assert one["grad_norm"] > 0


def test_a_second_update_from_the_same_answers_sees_what_the_first_has_changed(tmp_path, start):
    own = ("loss.inner_epochs=2", "schedule.warmup_steps=0", "rates.lr=2e-4")
    rows = exact_rows(trained(start.model, [start.train], tmp_path / "run", *own).run)
    assert rows[1]["reward"] == rows[0]["reward"]
    assert rows[2]["reward"] != rows[0]["reward"]
    assert rows[0]["clipped"] == 0 == rows[2]["clipped"]
    assert rows[0]["loss"] == pytest.approx(0, abs=1e-5)  # advantages of a group sum to 0 and every ratio is 1
    assert rows[1]["loss"] < -1e-4
    assert [line["step"] for line in answers(tmp_path / "run")] == [1] * 8 + [3] * 8


def test_a_round_in_the_middle_goes_on_with_its_answers(tmp_path, start):
    own = ("loss.inner_epochs=3", "schedule.warmup_steps=0", "trainer.accumulate=2")
    whole = trained(start.model, [start.train], tmp_path / "whole", *own)
    trained(start.model, [start.train], tmp_path / "part", *own, "trainer.max_steps=2")
    part = trained(start.model, [start.train], tmp_path / "part", *own, "resume=last")
    assert part.outcome.finished
    assert exact_rows(part.run) == exact_rows(whole.run)


def test_task_sets_that_nothing_can_be_learnt_from_are_named(tmp_path, start, rooms, monkeypatch):
    with pytest.raises(FileNotFoundError, match="no-such"):
        trained(start.model, [tmp_path / "no-such"], tmp_path / "run")
    with pytest.raises(InputError, match="no sample is left with tier in V9"):
        trained(start.model, [start.train], tmp_path / "run", "data.select.where={tier: [V9]}")
    with monkeypatch.context() as patch:
        patch.setattr(rewards, "VERIFIABLE", ("box",))
        with pytest.raises(InputError, match=r"t2a.*no verifiable reward"):
            trained(start.model, [rooms["t2a"].path], tmp_path / "run")
    with monkeypatch.context() as patch:
        patch.setattr(TaskSet, "__len__", lambda _: 0)
        with pytest.raises(InputError, match="a task set without examples"):
            trained(start.model, [start.train], tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_model_divided_among_processes_is_refused(tmp_path, start):
    with pytest.raises(InputError, match="fsdp2 is not for this kind of training"):
        trained(start.model, [start.train], tmp_path / "run", "trainer.strategy=fsdp2")
