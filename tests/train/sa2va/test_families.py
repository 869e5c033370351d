"""Families of language models without a tiny demonstration of their own train and are written as they were published."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")
for package in ("transformers", "hydra", "lightning", "peft"):
    pytest.importorskip(package, reason="needs the models and train extras")

from safetensors.torch import load_file  # noqa: E402

from sightline.models import get_model  # noqa: E402
from sightline.taskset.store import TaskSet  # noqa: E402
from tests.models.sa2va.published import write_internlm2, write_qwen25vl  # noqa: E402
from tests.train.sa2va.small import trained  # noqa: E402

FAMILIES: dict[str, tuple[Callable[[Path], Path], str]] = {
    "qwen25vl": (write_qwen25vl, "model.model.language_model.layers.0.self_attn.q_proj.weight"),
    "internlm2": (write_internlm2, "language_model.model.layers.0.attention.wqkv.weight"),
}
GIVEN = ("trainer.max_steps=1", "trainer.accelerator=cpu", "data.num_workers=0", "data.num_frames=1", "mode.num_prompted=1")


@pytest.mark.parametrize("family", FAMILIES)
def test_a_step_of_lora_changes_what_is_trained_and_the_folder_answers(family, tmp_path, lesson):
    write, adapted = FAMILIES[family]
    (tmp_path / "start").mkdir()
    start = write(tmp_path / "start")
    done: Any = trained(tmp_path, lesson, f"model.path={start}", *GIVEN, config_name="config")
    before, after = (load_file(folder / "model.safetensors") for folder in (start, done.weights))
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert adapted in changed
    assert {"text_hidden_fcs.0.weight"} <= changed
    assert not any(name.startswith(("vision_model.", "model.model.visual.", "mlp1.")) for name in changed)
    taskset = TaskSet(lesson.validation)
    model = get_model(f"trained=sa2va:{done.weights}?frames=1")
    question: Any = taskset[0].question
    drawn: Any
    (drawn,) = model.answer([question], taskset)
    assert len(drawn.answer.frames) == len(question.clip.image_indices)
