"""The recipe of docs/sa2va-boxes.md by its commands: boxes of five random frames are learnt, those of even ones asked, and SAM 2
makes masks of them."""

import json
from pathlib import Path

import pytest

import sightline  # noqa: F401 - mends torchvision before transformers and lightning look at it

pytest.importorskip("torch", reason="needs the models extra")
for package in ("transformers", "hydra", "lightning", "peft"):
    pytest.importorskip(package, reason="needs the models and train extras")

from sightline.cli import run  # noqa: E402
from sightline.evaluate.run import read_predictions  # noqa: E402
from sightline.models.sam2.architecture import tiny_config  # noqa: E402
from sightline.models.sam2.parts import fresh_model  # noqa: E402
from sightline.models.sam2.weights import write_folder  # noqa: E402
from sightline.train.vlm.settings import VlmSettings  # noqa: E402
from tests.evaluate.box_world import write_tree  # noqa: E402
from tests.train.vlm.small import composed, settings_of  # noqa: E402

ONE_SET = ("data.registry=null", "data.mixture=null")
SHORT = (
    "data.tokens_per_sample=1024",
    "data.rows_per_step=1",
    "data.num_workers=0",
    "trainer.max_steps=2",
    "trainer.accelerator=cpu",
    "trainer.precision=32-true",
    "trainer.log_every=1",
    "schedule.warmup_steps=1",
)


def test_the_configuration_trains_lora_on_the_language_model(tmp_path: Path) -> None:
    given = composed(tmp_path, tmp_path / "m", tmp_path / "boxes", *ONE_SET, config_name="box_tracks")
    settings = settings_of(given)
    assert isinstance(settings, VlmSettings)
    parts = settings.model.parts
    assert [part.how for part in (parts.vision, parts.projector, parts.language_model) if part] == ["frozen", "full", "lora"]
    assert (settings.model.lora.rank, settings.model.checkpointing) == (128, True)


@pytest.mark.slow
def test_boxes_are_learnt_and_asked_and_become_masks(saved, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, checkpoint = write_tree(tmp_path / "mevis"), saved("internvl")
    shared = ["build", "refer", "--data", "mevis", "--root", str(root), "--split", "valid_u", "--json", "--workers", "1"]
    boxes = [*shared, "--task", "refer_track"]
    assert run([*boxes, "--frames", "random", "--num-frames", "5", "--out", str(tmp_path / "boxes")]) == 0
    assert run([*boxes, "--frames", "uniform", "--num-frames", "3", "--out", str(tmp_path / "tasks")]) == 0
    assert run([*shared, "--task", "refer_mask_track", "--frames", "all", "--out", str(tmp_path / "tasks")]) == 0
    train = ["train", "vlm", "--config-name", "box_tracks", f"model.path={checkpoint}", *ONE_SET, *SHORT]
    places = (f"data.path={tmp_path / 'boxes/refer_track-valid_u'}", f"data.counts_dir={tmp_path}", f"run.dir={tmp_path / 'run'}")
    assert run([*train, *places, "--json"]) == 0
    weights = next((tmp_path / "run" / "weights").iterdir())
    out = str(tmp_path / "runs")
    ask = ["eval", str(tmp_path / "tasks/refer_track-valid_u"), "--model", f"internvl=hf:{weights}", "--device", "cpu"]
    assert run([*ask, "--max-new-tokens", "16", "--out", out, "--json"]) == 0

    write_folder(fresh_model(tiny_config(64), seed=1), tmp_path / "sam2")
    capsys.readouterr()
    models = [f"boxes:{out}/internvl#{tmp_path / 'sam2'}", f"boxes:truth#{tmp_path / 'sam2'}", "boxes:truth#copy-first-mask"]
    line = ["eval", str(tmp_path / "tasks/refer_mask_track-valid_u"), "--device", "cpu", "--out", out, "--json"]
    assert run([*line, *(word for model in models for word in ("--model", model))]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [summary["run"]["model"] for summary in told["summaries"]] == ["internvl+sam2", "truth+sam2", "truth+copy-first-mask"]
    assert all(summary["metrics"]["jf"]["n"] == 3 for summary in told["summaries"])
    # squares, each with its box on every frame: J is 1 but for the frames after the still object has gone
    assert told["summaries"][2]["metrics"]["j"]["value"] > 0.7
    answered, masks = (
        [one.text for one in read_predictions(tmp_path / "runs" / name)]
        for name in ("internvl/refer_track-valid_u", "internvl+sam2/refer_mask_track-valid_u")
    )
    assert answered == masks
