"""RoboRefer trained by rewards: the original's tiny checkpoint after a few supervised steps, with depth and without."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sightline  # noqa: F401 - before transformers

torch = pytest.importorskip("torch", reason="needs the models extra")
for package in ("transformers", "hydra", "lightning", "peft"):
    pytest.importorskip(package, reason="needs the models and train extras")

from sightline.cli import run  # noqa: E402
from sightline.errors import InputError  # noqa: E402
from sightline.models import ModelOptions, get_model  # noqa: E402
from sightline.models.roborefer.opening import open_roborefer  # noqa: E402
from sightline.models.roborefer.weights import load_roborefer  # noqa: E402
from sightline.taskset.store import TaskSet  # noqa: E402
from sightline.train.metrics import read_metrics  # noqa: E402
from sightline.train.reward.answered import batch_of  # noqa: E402
from sightline.train.reward.loss import token_logs  # noqa: E402
from sightline.train.reward.module import RewardTraining  # noqa: E402
from sightline.train.reward.run import open_task  # noqa: E402
from sightline.train.reward.sampling import Drawn  # noqa: E402
from sightline.train.trainable import Processes  # noqa: E402
from tests.models.roborefer.conftest import golden  # noqa: E402
from tests.train.reward.small import exact_rows, overrides, settings, trained  # noqa: E402
from tests.train.vlm import small as vlm  # noqa: E402

__all__ = ["golden"]

SHOWN = ("model.dialect=roborefer", "model.image_mode=resize", "sampling.max_new_tokens=20", "sampling.temperature=1.5")
DEPTH = ("data.with_depth=true",)
CLOSE = 1e-4


@pytest.fixture(scope="module")
def pairs(rooms) -> Path:
    return rooms["t1_multi"].path


@pytest.fixture(scope="module")
def begun(golden, pairs, tmp_path_factory) -> Path:
    """A checkpoint that writes points and NOT_VISIBLE most of the time."""
    own = ("model.image_mode=resize", "data.batching=grouped", "data.rows_per_step=8", "data.tokens_per_sample=1400")
    more = ("trainer.max_steps=45", "trainer.log_every=45", "checkpoints.every=0", "rates.lr=3e-3")
    done = vlm.trained(tmp_path_factory.mktemp("begun"), golden / "checkpoint", pairs, *own, *more, *DEPTH)
    assert done.weights is not None
    return done.weights


def opened(begun: Path, pairs: Path, *own: str) -> RewardTraining:
    told = settings(begun, [pairs], *SHOWN, *own)
    return RewardTraining(told, open_task(told))


def asked(training: RewardTraining, round_index: int = 0) -> tuple[Any, list[list[Drawn]]]:
    prompts = training.task.prompts.piece(round_index, 0, pieces=1)
    return prompts, training.task.sampler.draw(training.model, prompts, round_index)


def logs_of_prediction(training: RewardTraining, prompt: Any, drawn: Drawn) -> Any:
    """Of each drawn token, by one pass over the question as prediction makes it, with the answer behind it."""
    sampler: Any = training.task.sampler
    tensors = sampler.checkpoint.question_tensors([prompt.example.question], prompt.taskset, longest_answer=len(drawn.tokens))
    ids = torch.cat([tensors.pop("input_ids"), torch.tensor([drawn.tokens])], dim=1)
    tensors.pop("attention_mask")
    logits = (
        training.model(input_ids=ids, **tensors).logits[0, -len(drawn.tokens) - 1 : -1] / training.settings.sampling.temperature
    )
    logs = logits.masked_fill(~training._allowed, -torch.inf).log_softmax(-1)
    return logs.gather(-1, torch.tensor(drawn.tokens)[:, None])[:, 0]


@pytest.mark.parametrize("own", [(), DEPTH, ("model.image_mode=dynamic", "model.max_tiles=4", *DEPTH)])
def test_the_loss_has_the_probabilities_by_which_the_answers_were_drawn(begun, pairs, own):
    training = opened(begun, pairs, *own)
    prompts, groups = asked(training)
    batch = batch_of(training._collator, prompts, groups)
    with torch.no_grad():
        training.model.eval()
        found = token_logs(training.model, batch, temperature=1.5, allowed=training._allowed).logs
        drawn = [(prompt, each) for prompt, group in zip(prompts, groups, strict=True) for each in group]
        expected = torch.cat([logs_of_prediction(training, prompt, each) for prompt, each in drawn])
    assert torch.allclose(found, expected, atol=CLOSE)
    assert float(found.exp().min()) < 0.5  # chance had a part in it
    kinds = {int(token) for row in batch.input_ids for token in row}
    config = training.model.config
    assert (config.depth_token_id in kinds) == ("data.with_depth=true" in own)
    assert not training._allowed[[config.image_token_id, config.depth_token_id]].any()


def test_an_answer_does_not_depend_on_the_batch_it_is_drawn_in(begun, pairs):
    training = opened(begun, pairs, *DEPTH)
    prompts, together = asked(training)
    sampler = training.task.sampler
    assert [sampler.draw(training.model, [prompt], 0)[0] for prompt in prompts] == together
    assert len({drawn.text for group in together for drawn in group}) > 3
    assert asked(training, 1)[1] != together


def test_depth_changes_what_is_drawn_and_learnt(begun, pairs):
    plain, deep = (opened(begun, pairs, *own) for own in ((), DEPTH))
    (prompts, _), (others, groups) = asked(plain), asked(deep)
    assert [each.example.id for each in prompts] == [each.example.id for each in others]
    batch = batch_of(deep._collator, others, groups)
    with torch.no_grad():
        before = token_logs(deep.model, batch, temperature=1.5, allowed=deep._allowed).logs
        batch.pictures.tensors["depth_values"].neg_()
        after = token_logs(deep.model, batch, temperature=1.5, allowed=deep._allowed).logs
    assert float((before - after).abs().max()) > 0.01
    trains = {name for name, parameter in deep.model.named_parameters() if parameter.requires_grad}
    assert any("depth_tower" in name for name in trains)
    assert any("depth_projector" in name for name in trains)
    assert not any("depth" in name for name, parameter in plain.model.named_parameters() if parameter.requires_grad)


def test_the_loss_is_the_plain_formula_and_an_update_changes_the_weights(begun, pairs):
    """Of the second update from the same answers, whose ratios are not 1; advantages, ratios and clipping worked out one by one."""
    training = opened(begun, pairs, *DEPTH, "loss.inner_epochs=2", "data.groups_per_step=8")
    first, second = training.batches(range(2), Processes(0, 1))
    optimiser = torch.optim.SGD([each for each in training.model.parameters() if each.requires_grad], lr=0.1)
    whole = {name: tensor.clone() for name, tensor in training.model.state_dict().items()}
    training.model.eval()
    training.losses(first, 0)["policy"].backward()
    optimiser.step()
    found = float(training.losses(second, 1)["policy"].detach())
    changed = {name for name, tensor in training.model.state_dict().items() if not torch.equal(tensor, whole[name])}
    for part in ("vision_tower", "mm_projector", "depth_tower", "depth_projector", "language_model"):
        assert any(f".{part}." in name for name in changed), part

    made = training.policy.rounds[0]
    assert made.old is not None
    old = iter(made.old.split(made.lengths))
    answers, furthest = [], 0.0
    for prompt, group, rewards in zip(made.prompts, made.groups, made.rewards, strict=True):
        totals = np.array([(r.hit or 0) + (r.not_visible or 0) + 0.1 * r.format for r in rewards])
        for drawn, total in zip(group, totals, strict=True):
            gained = (total - totals.mean()) / (totals.std(ddof=1) + 1e-4) if np.ptp(totals) else 0.0
            with torch.no_grad():
                ratio = (logs_of_prediction(training, prompt, drawn) - next(old)).exp().numpy()
            furthest = max(furthest, float(np.abs(ratio - 1).max()))
            answers.append(-np.minimum(ratio * gained, np.clip(ratio, 0.8, 1.2) * gained).mean())
    assert found == pytest.approx(float(np.mean(answers)), abs=1e-5)
    assert abs(found) > 1e-3
    assert furthest > 0.2


LORA = ("model.parts.vision.how=frozen", "model.parts.language_model.how=lora", "loss.beta=0.1")


@pytest.mark.parametrize("own", [(), pytest.param(LORA, marks=pytest.mark.slow)])
def test_a_round_in_the_middle_goes_on_bit_for_bit_and_the_folder_answers(begun, pairs, tmp_path, own):
    held = (f"validation.tasksets=[{pairs}]", "validation.num_examples=3", "evaluation.every=2", "validation.max_new_tokens=6")
    given = (*SHOWN, *DEPTH, *held, "loss.inner_epochs=2", "trainer.accumulate=2", "schedule.warmup_steps=0", *own)
    whole = trained(begun, [pairs], tmp_path / "whole", *given)
    trained(begun, [pairs], tmp_path / "part", *given, "trainer.max_steps=1")
    part = trained(begun, [pairs], tmp_path / "part", *given, "resume=last")
    rows = [exact_rows(each.run) for each in (whole, part)]
    for row in rows[1][:1]:  # the last step of a run is evaluated, which was the first one's turn
        assert row.pop("eval/joint_accuracy") >= 0
        rows[1][0] = {name: value for name, value in row.items() if not name.startswith("eval/")}
    assert rows[1] == rows[0]
    assert max(row["grad_norm"] for row in rows[0]) > 0
    assert (part.run / "answers.jsonl").read_bytes() == (whole.run / "answers.jsonl").read_bytes()
    assert "eval/joint_accuracy" in read_metrics(whole.run / "metrics.csv")[-1]
    assert whole.weights is not None
    before, after = (load_roborefer(open_roborefer(folder)).state_dict() for folder in (begun, whole.weights))
    changed = {name for name, tensor in after.items() if not torch.equal(tensor, before[name])}
    assert any("language_model" in name for name in changed)
    assert any("vision_tower" in name for name in changed) == (own == ())
    taskset = TaskSet(pairs)
    model = get_model(f"roborefer:{whole.weights}?depth=own", ModelOptions(max_new_tokens=6))
    assert len(model.answer([taskset[0].question, taskset[1].question], taskset)) == 2


def test_questions_without_depth_are_told_before_the_first_is_asked(begun, rooms, tmp_path):
    bare = rooms["t2a"]
    lacking = sum(any(panel.depth is None for panel in example.question.panels) for example in bare)
    assert 0 < lacking < len(bare)
    with pytest.raises(InputError, match=rf"{lacking} of {len(bare)} questions cannot be asked with depth.*data\.select"):
        trained(begun, [bare.path], tmp_path / "run", *SHOWN, *DEPTH)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_the_command_trains_with_two_processes_as_with_one(begun, pairs, tmp_path, capsys):
    given = [overrides(begun, [pairs], tmp_path / f"by-{count}", *SHOWN, *DEPTH, "trainer.max_steps=2") for count in (1, 2)]
    assert run(["train", "reward", "--config-name", "demo", *given[0]]) == 0
    assert str(tmp_path / "by-1/weights/step-00000002") in capsys.readouterr().out.replace("\n", "")
    command = [sys.executable, "-m", "sightline", "train", "reward", "--config-name", "demo", *given[1], "trainer.devices=2"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found = [read_metrics(tmp_path / f"by-{count}/metrics.csv") for count in (1, 2)]
    assert [row["step"] for row in found[1]] == [1, 2]
    for one, two in zip(*found, strict=True):
        for name in ("reward", "groups without spread", "answer tokens"):
            assert two[name] == pytest.approx(one[name]), name
        assert two["grad_norm"] == pytest.approx(one["grad_norm"], rel=CLOSE)
        assert two["entropy"] == pytest.approx(one["entropy"], rel=CLOSE)
    assert found[0][0]["grad_norm"] > 0
