"""A whole training of Sa2VA, from settings to a checkpoint that answers: small, real, interrupted, in both modes."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")
for package in ("transformers", "hydra", "lightning", "peft"):
    pytest.importorskip(package, reason="needs the models and train extras")

from safetensors.torch import load_file  # noqa: E402

from sightline.errors import InputError  # noqa: E402
from sightline.files import write_json  # noqa: E402
from sightline.models import get_model  # noqa: E402
from sightline.models.sa2va.checkpoint import load_sa2va  # noqa: E402
from sightline.models.sam2.architecture import tiny_config  # noqa: E402
from sightline.models.sam2.parts import fresh_model  # noqa: E402
from sightline.models.sam2.weights import load_sam2, write_folder  # noqa: E402
from sightline.taskset.store import TaskSet  # noqa: E402
from tests.train.sa2va.small import exact_rows, trained  # noqa: E402

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("mode", ["official", "consistent"])
def test_a_training_ends_with_scores_and_a_checkpoint_that_answers(tmp_path, lesson, mode):
    held = (f"validation.tasksets=[{lesson.validation}]", "validation.num_examples=2", "evaluation.every=2")
    done: Any = trained(tmp_path, lesson, *held, f"mode.name={mode}", "trainer.max_steps=2")
    assert done.outcome.finished
    assert 0 <= done.metrics["jf"] <= 1
    assert done.weights is not None
    before, after = (load_file(folder / "model.safetensors") for folder in (lesson.checkpoint, done.weights))
    assert before.keys() == after.keys()
    changed = {name.split(".")[0] for name in before if not torch.equal(before[name], after[name])}
    assert changed == {"vision_model", "mlp1", "language_model", "text_hidden_fcs", "grounding_encoder"}
    memory = [name for name in before if "memory_attention" in name]
    assert memory
    assert all(torch.equal(before[name], after[name]) for name in memory)
    taskset = TaskSet(lesson.validation)
    model = get_model(f"trained=sa2va:{done.weights}?mode={mode}")
    drawn: Any
    (drawn,) = model.answer([taskset[0].question], taskset)
    run = json.loads((done.run / "evaluation/step-00000002/refer_mask_track-valid_u/run.json").read_text())
    assert run["description"]["mode"] == mode
    assert drawn.answer.frames is not None


def test_a_few_steps_lower_the_loss(tmp_path, lesson):
    done: Any = trained(tmp_path, lesson, "trainer.max_steps=12", "data.answers=['[SEG].']", "rates.lr=2e-3", "checkpoints.every=0")
    losses = [row["loss"] for row in exact_rows(done.run)]
    assert sum(losses[-3:]) < 0.8 * sum(losses[:3])


def test_lora_is_in_the_written_weights_and_what_is_frozen_stays(tmp_path, lesson):
    done: Any = trained(
        tmp_path, lesson, "trainer.max_steps=2", "data.num_workers=0", "trainer.accelerator=cpu", config_name="config"
    )
    before, after = (load_file(folder / "model.safetensors") for folder in (lesson.checkpoint, done.weights))
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert any(".q_proj." in name for name in changed)
    assert {"language_model.model.embed_tokens.weight", "language_model.lm_head.weight"} <= changed
    assert not any(name.startswith(("vision_model.", "mlp1.")) for name in changed)
    assert all("mask_decoder" in name for name in changed if name.startswith("grounding_encoder."))
    rows = {row["name"]: row for row in json.loads((done.run / "parts.json").read_text())}
    assert rows["language_model"]["how"] == "lora"
    assert rows["vision"]["num_trained"] == 0


def test_frozen_weights_may_be_bfloat16(tmp_path, lesson):
    given = ("model.dtype=bfloat16", "trainer.precision=bf16-mixed", "model.checkpointing=true", "trainer.accelerator=cpu")
    done: Any = trained(tmp_path, lesson, *given, "data.num_workers=0", "trainer.max_steps=2", config_name="config")
    stored = load_file(done.weights / "model.safetensors")
    assert stored["language_model.model.embed_tokens.weight"].dtype == torch.bfloat16
    assert stored["text_hidden_fcs.0.weight"].dtype == torch.float32
    load_sa2va(done.weights, dtype=torch.bfloat16)


def test_a_stopped_training_goes_on_with_the_same_losses(tmp_path, lesson):
    whole = trained(tmp_path / "whole", lesson, "schedule.shape=constant")
    part = trained(tmp_path / "part", lesson, "schedule.shape=constant", "trainer.max_steps=2")
    with pytest.raises(InputError, match="expressions"):
        trained(tmp_path / "part", lesson, "schedule.shape=constant", "resume=last", "data.expressions=3")
    trained(tmp_path / "part", lesson, "schedule.shape=constant", "resume=last")
    assert len(exact_rows(whole.run)) == 4
    assert exact_rows(part.run) == exact_rows(whole.run)


def test_sam2_may_start_with_weights_of_its_own(tmp_path, lesson):
    model = load_sam2(lesson.checkpoint.parent / "sam2")
    with torch.no_grad():
        for parameter in model.memory_attention.parameters():
            parameter.add_(1.0)
    write_folder(model, tmp_path / "other")
    start = f"model.grounding.sam2_path={tmp_path / 'other'}"
    done: Any = trained(tmp_path, lesson, start, "trainer.max_steps=2")
    found = load_sa2va(done.weights).grounding.clip.model.memory_attention.state_dict()
    assert all(torch.equal(found[name], tensor) for name, tensor in model.memory_attention.state_dict().items())
    write_folder(load_sam2(lesson.checkpoint.parent / "sam2"), tmp_path / "third")
    with pytest.raises(InputError, match="sam2"):
        trained(tmp_path, lesson, start.replace("other", "third"), "resume=last")


def test_another_sam2_than_the_checkpoints_is_refused(tmp_path, lesson):
    write_folder(fresh_model(tiny_config(96), 0), tmp_path / "newer")  # a 2.1
    with pytest.raises(InputError, match=r"sam2_path .*newer does not fit the model \(.*occlusion"):
        trained(tmp_path, lesson, f"model.grounding.sam2_path={tmp_path / 'newer'}")


@pytest.mark.slow
@pytest.mark.parametrize("where", ["anywhere", "save"])
def test_a_training_that_is_killed_goes_on_with_the_losses_of_an_undisturbed_one(tmp_path, where):
    command = [sys.executable, "-m", "tests.train.sa2va.killing", tmp_path, tmp_path / "data", "3", "3", where]
    done = subprocess.run([str(each) for each in command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    codes = done.stdout.splitlines()
    assert codes[-1] == "0"
    assert codes.count("-9") >= 2
    undisturbed = exact_rows(tmp_path / "undisturbed/run")
    assert len(undisturbed) == 4
    assert exact_rows(tmp_path / "killed/run") == undisturbed
    assert not list((tmp_path / "killed/run/checkpoints").glob(".*"))


def test_masks_and_words_are_trained_together(tmp_path, lesson):
    talk = [
        {"id": "hello", "conversations": [{"from": "human", "value": "Hello?"}, {"from": "gpt", "value": "It is the red one."}]}
    ]
    picture = TaskSet(lesson.train)[0]
    file = TaskSet(lesson.train).file(picture.question.images[0])
    seen = {
        "id": "seen",
        "image": file.name,
        "conversations": [{"from": "human", "value": "<image>\nWhich one?"}, *talk[0]["conversations"][1:]],
    }
    write_json(tmp_path / "chat.json", [*talk, seen])
    (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "all.yaml").write_text(f"clips: {{taskset: {lesson.train}}}\nchat: {{annotation_path: chat.json}}\n")
    mixed = ("data.path=null", f"data.registry={tmp_path / 'all.yaml'}", "data.mixture=[clips,chat*3]", "data.batch_size=3")
    done: Any = trained(tmp_path, lesson, *mixed)
    with (done.run / "metrics.csv").open(newline="") as stored:
        rows = list(csv.DictReader(stored))
    assert all(float(row["loss of chat"]) > 0 for row in rows if row["loss of chat"])
    assert any(row["loss of chat"] for row in rows)
    assert any(row["loss of clips"] for row in rows)
