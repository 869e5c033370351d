"""The same fusions in a Qwen3-VL: put together, written, read and asked about clips, pictures and words."""

import json
import shutil
from pathlib import Path
from typing import Any

import msgspec
import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")
transformers = pytest.importorskip("transformers", reason="needs the models extra")

from sightline.cli import run  # noqa: E402
from sightline.errors import InputError  # noqa: E402
from sightline.models import get_model  # noqa: E402
from sightline.models.architectures import TrainingView  # noqa: E402
from sightline.models.options import ModelOptions  # noqa: E402
from sightline.models.spatial_mllm.asked_qwen3 import AskedSpatialQwen3, Qwen3Inputs, refuse_training  # noqa: E402
from sightline.models.spatial_mllm.assembled import write_assembled  # noqa: E402
from sightline.models.spatial_mllm.qwen3 import load_spatial_qwen3  # noqa: E402
from sightline.types import AnswerForm, ImagePart, Question, TextPart, VideoPart  # noqa: E402
from tests.models.huggingface.checkpoints import save_qwen3  # noqa: E402
from tests.models.spatial_mllm.checkpoint import TEMPLATE  # noqa: E402
from tests.models.spatial_mllm.genuine import save_genuine_qwen, save_genuine_vggt  # noqa: E402
from tests.models.spatial_mllm.test_assembled import taskset as taskset  # noqa: E402, PLC0414 - a fixture

PLACE = "<|vision_start|><|video_pad|><|vision_end|>"


@pytest.fixture(scope="module")
def qwen3(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = save_qwen3(tmp_path_factory.mktemp("genuine") / "Qwen3-VL")
    processor: Any = transformers.AutoProcessor.from_pretrained(folder)
    processor.chat_template = TEMPLATE
    processor.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def vggt(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_genuine_vggt(tmp_path_factory.mktemp("genuine") / "VGGT-1B")


@pytest.fixture(scope="module")
def made(qwen3: Path, vggt: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("made") / "spatial"
    assert run(["assemble-spatial-mllm", "--qwen", str(qwen3), "--vggt", str(vggt), "--out", str(out)]) == 0
    return out


def question(taskset: Any, *parts: Any) -> Question:
    """One about the pictures of the first question of the task set."""
    first = taskset[0].question
    return msgspec.structs.replace(first, prompt=(*parts, TextPart(text="How many?"), AnswerForm(shape="number", image_index=0)))


def test_clips_pictures_and_words_are_answered_alone_and_together(made: Path, taskset: Any) -> None:
    model = get_model(f"hf:{made}", ModelOptions(max_new_tokens=2, device="cpu", dtype="float32"))
    assert isinstance(model, AskedSpatialQwen3)
    assert model.describe()["kind"] == "spatial-mllm-qwen3"
    assert model.dialect.name == "qwen3"
    asked = [
        question(taskset, VideoPart(image_indices=(0, 1, 2), times_s=(0.0, 1.0, 4.0))),
        question(taskset, ImagePart(image_index=0), ImagePart(image_index=2)),
        question(taskset),
    ]
    alone = [model.answer([each], taskset)[0].text for each in asked]
    assert [said.text for said in model.answer(asked, taskset)] == alone
    assert len(set(alone)) > 1


def test_each_step_of_a_clip_stands_after_the_mean_time_of_its_frames(made: Path, taskset: Any) -> None:
    model: Any = get_model(f"hf:{made}", ModelOptions(device="cpu"))
    inputs: Qwen3Inputs = model._inputs
    clip = VideoPart(image_indices=(0, 1, 2), times_s=(0.0, 1.0, 4.0))
    assert inputs._with_times(f"a{PLACE}b", [clip]) == f"a<0.5 seconds>{PLACE}<4.0 seconds>{PLACE}b"
    batch = inputs.batch([question(taskset, clip)], taskset, room=None)
    steps, rows, columns = batch.tensors["video_grid_thw"][0].tolist()
    video = inputs.processor.tokenizer.convert_tokens_to_ids("<|video_pad|>")
    assert steps == 2
    assert int((batch.tensors["input_ids"] == video).sum()) == steps * rows * columns // 4
    (frames,) = batch.tensors["geometry_frames"]["video"]
    assert frames.shape == (4, 3, rows * 14, columns * 14)  # patches of 16 there, of 14 here


def test_the_weights_are_those_of_both_and_geometry_counts(made: Path, qwen3: Path, taskset: Any) -> None:
    model = load_spatial_qwen3(made)
    plain: Any = transformers.Qwen3VLForConditionalGeneration.from_pretrained(qwen3, dtype=torch.bfloat16)
    state = model.state_dict()
    assert all(torch.equal(state[name], tensor) for name, tensor in plain.state_dict().items())
    asked: Any = get_model(f"hf:{made}", ModelOptions(device="cpu"))
    clip = VideoPart(image_indices=(0, 1, 2), times_s=(0.0, 1.0, 4.0))
    tensors = asked._inputs.batch([question(taskset, clip)], taskset, room=None).tensors.to(torch.device("cpu"), dtype=model.dtype)
    with torch.no_grad():
        found = model(**tensors).logits
        tensors["geometry_frames"] = {"video": [1 - tensors["geometry_frames"]["video"][0]]}
        assert not torch.equal(model(**tensors).logits, found)


def test_training_by_the_command_is_refused_by_name(made: Path) -> None:
    with pytest.raises(InputError, match="can be asked, but not be trained"):
        refuse_training(made, ModelOptions(), TrainingView())


def test_what_does_not_fit_is_refused_with_both_sizes(qwen3: Path, vggt: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a checkpoint of type None; geometry is fused into qwen2_5_vl and qwen3_vl"):
        write_assembled(vggt, vggt, tmp_path / "out", fusion="mlp_add")
    with pytest.raises(InputError, match="layer 7 of a VGGT with 3"):
        write_assembled(qwen3, vggt, tmp_path / "out", fusion="mlp_add", layer=7)
    qwen = save_genuine_qwen(tmp_path / "qwen")
    config = json.loads((qwen / "config.json").read_text())
    config["vision_config"]["tokens_per_second"] = 4
    other = Path(shutil.copytree(qwen, tmp_path / "other"))
    (other / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match=r"4 tokens per second of video; Spatial-MLLM counts 2"):
        write_assembled(other, vggt, tmp_path / "out", fusion="mlp_add")
    assert not (tmp_path / "out").exists()
