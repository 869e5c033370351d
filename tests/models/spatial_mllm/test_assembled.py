"""A Qwen2.5-VL and a VGGT as they are published become a Spatial-MLLM that is asked, trained and asked again, by the commands."""

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("transformers", reason="needs the models extra")

from safetensors.torch import load_file  # noqa: E402

from sightline.cli import run  # noqa: E402
from sightline.evaluate.run import read_predictions  # noqa: E402
from sightline.models import get_model  # noqa: E402
from sightline.models.options import ModelOptions  # noqa: E402
from sightline.models.spatial_mllm.weights import load_spatial_mllm  # noqa: E402
from sightline.tasks.frame_rules import FrameRule  # noqa: E402
from sightline.tasks.spatial_qa import TASK, QaOptions  # noqa: E402
from sightline.taskset.build import BuildRequest, build  # noqa: E402
from sightline.taskset.store import TaskSet  # noqa: E402
from tests.models.spatial_mllm.genuine import save_genuine_qwen, save_genuine_vggt  # noqa: E402
from tests.qa_trees import write_vlm_3r  # noqa: E402


@pytest.fixture(scope="module")
def qwen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_genuine_qwen(tmp_path_factory.mktemp("genuine") / "Qwen2.5-VL")


@pytest.fixture(scope="module")
def vggt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_genuine_vggt(tmp_path_factory.mktemp("genuine") / "VGGT-1B")


@pytest.fixture(scope="module")
def taskset(tmp_path_factory: pytest.TempPathFactory) -> TaskSet:
    folder = tmp_path_factory.mktemp("questions")
    request = BuildRequest(
        reader="vlm-3r",
        root=str(write_vlm_3r(folder / "root")),
        splits=("merged_qa_route_plan_train",),
        tasks=(TASK,),
        options=QaOptions(frames=FrameRule(num_frames=3)),
    )
    return TaskSet(Path(build(request, folder / "sets")[0].path))


@pytest.mark.parametrize("fusion", ["mlp_add", "mlp_cat", "cross_attn"])
def test_weights_are_those_of_both_and_the_result_answers(
    qwen: Path, vggt: Path, taskset: TaskSet, tmp_path: Path, capsys: pytest.CaptureFixture[str], fusion: str
) -> None:
    out = tmp_path / "made"
    arguments = ["assemble-spatial-mllm", "--qwen", str(qwen), "--vggt", str(vggt), "--fusion", fusion, "--out", str(out)]
    assert run([*arguments, "--layer", "-2", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"checkpoint": str(out)}
    model = load_spatial_mllm(out).model
    assert (model.spatial.fusion, model.spatial.layer) == (fusion, -2)
    theirs = load_file(qwen / "model-00001-of-00002.safetensors") | load_file(qwen / "model-00002-of-00002.safetensors")
    stored = load_file(out / "model.safetensors")
    assert all(torch.equal(stored[name], tensor.bfloat16()) for name, tensor in theirs.items() if name in stored)
    assert set(theirs) - set(stored) <= {"lm_head.weight"}
    patches = load_file(vggt / "model.safetensors")["aggregator.patch_embed.patch_embed.proj.weight"]
    assert torch.equal(stored["spatial_encoder.vggt_model.aggregator.patch_embed.patch_embed.proj.weight"], patches.bfloat16())
    said = get_model(f"hf:{out}", ModelOptions(max_new_tokens=2, device="cpu")).answer([taskset[0].question], taskset)
    assert len(said) == 1
    assert run(arguments) == 2
    assert "is there already" in capsys.readouterr().err


@pytest.mark.slow
def test_it_trains_a_step_and_what_is_written_answers_otherwise(
    qwen: Path, vggt: Path, taskset: TaskSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = tmp_path / "made"
    assert run(["assemble-spatial-mllm", "--qwen", str(qwen), "--vggt", str(vggt), "--out", str(made), "--json"]) == 0
    settings = {
        "model.path": made,
        "model.parts.language_model.how": "full",
        "data.path": taskset.path,
        "data.num_workers": 0,
        "data.rows_per_step": 1,
        "rates.lr": 1e-2,
        "schedule.warmup_steps": 0,
        "trainer.max_steps": 1,
        "trainer.accumulate": 1,
        "trainer.precision": "32-true",
        "trainer.accelerator": "cpu",
        "run.dir": tmp_path / "run",
    }
    values = [f"{name}={value}" for name, value in settings.items()]
    assert run(["train", "vlm", "--config-name", "spatial_mllm_small", *values, "--json"]) == 0
    (trained,) = (tmp_path / "run" / "weights").iterdir()
    before, after = (load_spatial_mllm(folder).model.state_dict() for folder in (made, trained))
    assert before.keys() == after.keys()
    changed = {name for name in before if not torch.equal(before[name].float(), after[name].float())}
    assert any(name.startswith("connector.") for name in changed)
    assert any(name.startswith("model.language_model.") for name in changed)
    assert not any(name.startswith("spatial_encoder.") for name in changed)
    asked = ["predict", str(taskset.path), "--model", f"hf:{trained}", "--out", str(tmp_path / "answers")]
    assert run([*asked, "--max-new-tokens", "2", "--device", "cpu", "--json"]) == 0
    assert len(list(read_predictions(tmp_path / "answers"))) == len(taskset)
    capsys.readouterr()
