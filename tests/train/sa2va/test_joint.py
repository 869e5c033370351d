"""The published stage: from a language model and a SAM 2 that have never met, over pictures, clips and conversations."""

from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")
for package in ("transformers", "hydra", "lightning", "peft"):
    pytest.importorskip(package, reason="needs the models and train extras")

from sightline.cli import run  # noqa: E402
from sightline.datasets.mixtures import copy_mixture  # noqa: E402
from sightline.files import write_json  # noqa: E402
from sightline.models.sa2va.checkpoint import load_sa2va  # noqa: E402
from sightline.taskset.build import build  # noqa: E402
from tests.models.sa2va.separated import separate  # noqa: E402
from tests.taskset.test_build_refer import request, write_pictures  # noqa: E402
from tests.train.sa2va.small import exact_rows, trained  # noqa: E402


@pytest.mark.slow
def test_the_published_stage_begins_with_two_models_that_have_never_met(tmp_path, lesson):
    mllm, sam2 = separate(lesson.checkpoint, tmp_path)
    assert run(["assemble-sa2va", "--mllm", str(mllm), "--sam2", str(sam2), "--out", str(tmp_path / "start")]) == 0
    pictures = build(request(write_pictures(tmp_path / "pictures"), tasks=("refer_mask",)), tmp_path / "out")
    copy_mixture("sa2va_joint", tmp_path / "joint.yaml")
    (tmp_path / "refcoco").mkdir()
    Path(pictures[0].path).rename(tmp_path / "refcoco" / "refer_mask-train")
    (tmp_path / "mevis").mkdir()
    (tmp_path / "mevis" / "refer_mask_track-train").symlink_to(lesson.train)
    talk = [{"from": "human", "value": "Hello?"}, {"from": "gpt", "value": "It is the red one."}]
    write_json(tmp_path / "llava/llava_v1_5_mix665k.json", [{"id": "hello", "conversations": talk}])
    (tmp_path / "llava/images").mkdir()
    here = ("trainer.devices=1", "trainer.accelerator=cpu", "data.num_workers=0", "trainer.max_steps=1", "trainer.accumulate=4")
    given = ("data.path=null", f"data.registry={tmp_path / 'joint.yaml'}", "data.mixture=[refcoco,mevis*4,llava*2]", *here)
    done: Any = trained(tmp_path, lesson, f"model.path={tmp_path / 'start'}", *given, "data.batch_size=4", config_name="published")
    (row,) = exact_rows(done.run)
    assert row["grad_norm"] > 0
    assert all(row[f"loss of {name}"] > 0 for name in ("refcoco", "mevis", "llava"))
    assert load_sa2va(done.weights, dtype=torch.bfloat16).seg_id > 0
