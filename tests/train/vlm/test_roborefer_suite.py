"""The x3 suite with the original's tiny checkpoint, by its commands: zero-shot, fine-tuned, after three stages, in one table."""

import json
from pathlib import Path

import pytest

import sightline  # noqa: F401 - mends torchvision before transformers and lightning look at it

torch = pytest.importorskip("torch", reason="needs the models extra")
for package in ("transformers", "hydra", "lightning"):
    pytest.importorskip(package, reason="needs the models and train extras")

from sightline.cli import run  # noqa: E402
from sightline.demo.rooms import write_rooms  # noqa: E402
from tests.models.roborefer.conftest import golden  # noqa: E402

__all__ = ["golden"]

TASKS = ("t1_multi", "t1_concat", "t2a", "t2b")
ON_A_CPU = (
    "trainer.accelerator=cpu",
    "trainer.precision=32-true",
    "trainer.accumulate=1",
    "trainer.log_every=1",
    "data.num_workers=0",
    "schedule.warmup_steps=0",
    "checkpoints.every=0",
    "rates.lr=1e-2",
)


@pytest.mark.slow
def test_zero_shot_sft_and_curriculum_stand_in_one_table(golden, tmp_path, capsys):
    write_rooms(tmp_path / "rooms", num_train=1, num_validation=1, width=160, height=120, seed=4)
    sets = tmp_path / "tasks"
    assert run(["build", "x3", "--root", str(tmp_path / "rooms"), "--out", str(sets), "--concat", "--workers", "1", "--json"]) == 0
    registry = {task: {"taskset": str(sets / f"{task}-train")} for task in TASKS}
    (tmp_path / "x3.yaml").write_text(json.dumps(registry))
    given = [f"model.path={golden / 'checkpoint'}", f"data.registry={tmp_path / 'x3.yaml'}", f"data.mixture=[{','.join(TASKS)}]"]
    given += [f"data.counts_dir={tmp_path / 'counts'}", *ON_A_CPU]
    stages = (
        "stages=[{name: positives, until_step: 1, select: {visible: true}},{name: balanced, until_step: 2},"
        "{name: hard negatives, rate: 0.5, select: {where: {tier: [V, VC, N2, N12, N3]}}}]"
    )
    runs = {
        "sft": ("roborefer_x3_sft", "trainer.max_steps=2"),
        "curriculum": ("roborefer_curriculum", "trainer.max_steps=3", stages),
    }
    for name, (config, *more) in runs.items():
        assert run(["train", "vlm", "--config-name", config, *given, f"run.dir={tmp_path / name}", *more]) == 0
    shown = [json.loads(line)["stage"] for line in (tmp_path / "curriculum" / "batches.jsonl").read_text().splitlines()]
    assert shown == ["positives", "balanced", "hard negatives"]
    models = [f"zero-shot=roborefer:{golden / 'checkpoint'}?mode=resize"]
    models += [f"{name}=roborefer:{next((tmp_path / name / 'weights').iterdir())}" for name in runs]
    ask = ["eval", *(str(sets / f"{task}-validation") for task in TASKS), "--out", str(tmp_path / "runs"), "--limit", "2"]
    capsys.readouterr()
    assert run([*ask, "--model", "center", *(f"--model={model}" for model in models), "--max-new-tokens", "6", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    rows = {(summary["run"]["model"], summary["run"]["task"]) for summary in said["summaries"]}
    assert rows == {(model, task) for model in ("center", "zero-shot", "sft", "curriculum") for task in TASKS}
    assert Path(said["report"]).is_file()
    told = {name: json.loads((tmp_path / "runs" / name / "t1_multi-validation" / "run.json").read_text()) for name in runs}
    assert {one["description"]["mode"] for one in told.values()} == {"resize"}
    texts = {
        name: "".join((tmp_path / "runs" / name / f"{task}-validation" / "predictions.jsonl").read_text() for task in TASKS)
        for name in ("zero-shot", *runs)
    }
    assert len(set(texts.values())) == 3
