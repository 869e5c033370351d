"""Asking a Spatial-MLLM, and that it is shown what it is trained on."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")

from sightline.demo.tiny_spatial_mllm import tiny_spatial_mllm  # noqa: E402
from sightline.errors import InputError  # noqa: E402
from sightline.models import get_model  # noqa: E402
from sightline.models.architectures import TrainingView  # noqa: E402
from sightline.models.checkpoint import open_checkpoint  # noqa: E402
from sightline.models.options import ModelOptions  # noqa: E402
from sightline.models.spatial_mllm.asked import AskedSpatialMllm, SpatialInputs  # noqa: E402
from sightline.models.spatial_mllm.processor import rule_of  # noqa: E402
from sightline.models.spatial_mllm.trained import TrainedSpatialMllm  # noqa: E402
from sightline.models.spatial_mllm.weights import config_of, load_spatial_mllm  # noqa: E402
from sightline.tasks.frame_rules import FrameRule  # noqa: E402
from sightline.tasks.spatial_qa import TASK, QaOptions  # noqa: E402
from sightline.taskset.build import BuildRequest, build  # noqa: E402
from sightline.taskset.store import TaskSet  # noqa: E402
from sightline.train.vlm.chat import Chat, open_chat  # noqa: E402
from sightline.train.vlm.collate import Collator  # noqa: E402
from sightline.train.vlm.samples import FrameRun, MediaRef, Sample, Slot, Turn  # noqa: E402
from sightline.train.vlm.taskset_source import TaskSetSource  # noqa: E402
from sightline.types import AnswerForm, ImagePart, TextPart, VideoPart  # noqa: E402
from tests.qa_trees import write_vsi  # noqa: E402
from tests.train.vlm.spatial_samples import QUESTIONS, frame, sample  # noqa: E402
from tests.video_file import write_video  # noqa: E402


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_spatial_mllm(tmp_path_factory.mktemp("spatial") / "tiny", ["How", " many", " objects"])


@pytest.fixture(scope="module")
def taskset(tmp_path_factory: pytest.TempPathFactory) -> TaskSet:
    """Questions about clips of five frames."""
    folder = tmp_path_factory.mktemp("vsi")
    options = QaOptions(frames=FrameRule(num_frames=5))
    request = BuildRequest(
        reader="vsi-bench", root=str(write_vsi(folder / "root")), splits=("test",), tasks=(TASK,), options=options
    )
    return TaskSet(Path(build(request, folder / "sets")[0].path))


@pytest.fixture(scope="module")
def chat(checkpoint: Path) -> Chat:
    return open_chat(checkpoint, ModelOptions())


def _shown(chat: Chat, *samples: Sample) -> Any:
    return Collator(chat, chat.checkpoint.config)([list(samples)])


def test_a_clip_is_asked_with_the_tokens_frames_and_positions_it_is_trained_with(chat: Chat, checkpoint: Path, taskset: TaskSet):
    example = next(each for each in taskset if any(isinstance(part, VideoPart) for part in each.question.prompt))
    batch = SpatialInputs(open_checkpoint(checkpoint), ModelOptions(), config=config_of(checkpoint)).batch(
        [example.question], taskset, room=None
    )
    asked = batch.tensors
    source = TaskSetSource(taskset, chat.dialect, whole_clips=True)
    trained = _shown(chat, source[list(taskset.index["id"]).index(example.id)])
    length = asked["input_ids"].shape[1]
    assert torch.equal(asked["input_ids"], trained.input_ids[:, :length])
    assert torch.equal(asked["pixel_values_videos"], trained.pictures.tensors["patches.0"])
    assert torch.equal(asked["geometry_frames"]["video"][0], trained.pictures.tensors["frames.0"])
    assert asked["geometry_frames"]["video"][0].shape[0] == 6  # five frames, the last twice
    model = load_spatial_mllm(checkpoint).model
    found = model.positions(asked["input_ids"], asked["attention_mask"], asked)
    assert torch.equal(found.ids, trained.position_ids[1:, :, :length])


@pytest.mark.parametrize("prefix", ["hf", "spatial-mllm"])
def test_both_ways_of_naming_it_give_the_same_answers_in_any_batch(checkpoint: Path, taskset: TaskSet, prefix: str):
    options = ModelOptions(max_new_tokens=3, device="cpu")
    model = get_model(f"{prefix}:{checkpoint}", options)
    assert isinstance(model, AskedSpatialMllm)
    questions = [example.question for example in taskset][:3]
    together = model.answer(questions, taskset)
    alone = [model.answer([question], taskset)[0] for question in questions]
    assert [said.text for said in together] == [said.text for said in alone]
    assert model.describe()["kind"] == "spatial-mllm"


def test_clips_pictures_and_words_are_answered_alone_and_together(checkpoint: Path, taskset: TaskSet):
    model: Any = get_model(f"hf:{checkpoint}", ModelOptions(max_new_tokens=3, device="cpu"))
    first = next(each for each in taskset if len(each.question.images) > 2).question
    form = AnswerForm(shape="number", image_index=0)
    shown = (
        (VideoPart(image_indices=(0, 1, 2), times_s=(0.0, 1.0, 2.0)),),
        (ImagePart(image_index=0), ImagePart(image_index=2)),
        (),
    )
    asked = [msgspec.structs.replace(first, prompt=(*parts, TextPart(text="How many?"), form)) for parts in shown]
    alone = [model.answer([each], taskset)[0] for each in asked]
    assert [each.text for each in model.answer(asked, taskset)] == [each.text for each in alone]
    assert [each.exposure.num_image_tokens > 0 for each in alone] == [True, True, False]


def test_pictures_of_one_record_must_have_one_size_and_the_sample_is_named(chat: Chat, tmp_path: Path):
    mixed = sample("two", QUESTIONS[0], pictures=(frame(tmp_path, 1, (90, 60)), frame(tmp_path, 2, (60, 90))))
    with pytest.raises(InputError, match=r"sample 'two'.*one size after resizing"):
        chat.count(mixed)


def test_frames_of_a_clip_must_have_one_size(chat: Chat, tmp_path: Path):
    run = FrameRun((frame(tmp_path, 1, (90, 60)), frame(tmp_path, 2, (60, 90))), (0.0, 1.0))
    with pytest.raises(InputError, match=r"sample 'one'.*found 60 x 90, 90 x 60 in 2 frames"):
        chat.count(sample("one", QUESTIONS[0], clips=(run,)))


@pytest.mark.parametrize(("num_frames", "steps"), [(1, 1), (2, 1), (5, 3)])
def test_one_frame_and_odd_numbers_repeat_the_last(chat: Chat, tmp_path: Path, num_frames: int, steps: int):
    run = FrameRun(tuple(frame(tmp_path, seed) for seed in range(num_frames)), tuple(map(float, range(num_frames))))
    made = _shown(chat, sample("one", QUESTIONS[0], clips=(run,))).pictures.tensors
    assert made["grids.0"][0, 0] == steps
    assert made["frames.0"].shape[0] == 2 * steps
    if num_frames % 2:
        assert torch.equal(made["frames.0"][-1], made["frames.0"][-2])


def test_a_video_shorter_than_asked_shows_each_of_its_frames_once(checkpoint: Path, tmp_path: Path):
    path = write_video(tmp_path / "short.mp4", num_frames=3)
    turns = (Turn("user", (Slot("video", 0), "How many?")), Turn("assistant", ("3",)))
    many = open_chat(checkpoint, ModelOptions(), max_frames=16)
    made = _shown(many, Sample("short", "test", turns, videos=(MediaRef(path),)))
    assert made.pictures.tensors["grids.0"][0, 0] == 2  # three frames, the last twice
    assert made.num_tokens[0] == many.count(Sample("short", "test", turns, videos=(MediaRef(path),)))[0]


def test_patches_of_another_size_than_vggts_are_refused(checkpoint: Path):
    images: Any = open_chat(checkpoint, ModelOptions()).labeller.processor.image_processor
    images.patch_size = 16
    with pytest.raises(InputError, match=r"patches of 16 pixels.*expected 14"):
        rule_of(images, where="here")


def test_what_is_written_is_asked_as_what_is_in_memory(checkpoint: Path, taskset: TaskSet, tmp_path: Path):
    options = ModelOptions(max_new_tokens=3, device="cpu", max_pixels=4 * 28 * 28)
    opened = TrainedSpatialMllm(checkpoint, options, TrainingView())
    model = opened.load(dtype=torch.float32)
    with torch.no_grad():
        model.connector.mlp[2].bias += 1.0
    opened.write(model, tmp_path / "written")
    held = opened.asked(options).holding(model, revision="now")
    question = [next(iter(taskset)).question]
    again = get_model(f"hf:{tmp_path / 'written'}", ModelOptions(max_new_tokens=3, device="cpu"))
    assert isinstance(again, AskedSpatialMllm)
    said = again.answer(question, taskset)
    assert [each.text for each in said] == [each.text for each in held.answer(question, taskset)]


@pytest.mark.parametrize("geometry", ["none", "shuffled"])
def test_ablations_change_the_model_and_are_written_with_it(checkpoint: Path, tmp_path: Path, geometry: str):
    from sightline.models.spatial_mllm.encoding import encode_units  # noqa: PLC0415

    opened = TrainedSpatialMllm(checkpoint, ModelOptions(), TrainingView(geometry=geometry))
    opened.write(opened.load(dtype=torch.float32), tmp_path / "written")
    again = load_spatial_mllm(tmp_path / "written").model
    assert again.spatial.geometry == geometry
    pixels = list(np.random.default_rng(0).integers(0, 256, (2, 60, 90, 3), dtype=np.uint8))
    tensors = opened.processor.unit(0, "video", pixels)
    with torch.no_grad():
        ((_, plain),) = encode_units(load_spatial_mllm(checkpoint).model, tensors)
        ((_, ablated),) = encode_units(again, tensors)
    assert not torch.allclose(plain, ablated, atol=1e-5)


def test_an_ablation_of_another_model_is_refused(saved_qwen: Path):
    from sightline.models.huggingface.trained import TrainedHuggingFace  # noqa: PLC0415

    with pytest.raises(InputError, match=r"model\.geometry is for Spatial-MLLM"):
        TrainedHuggingFace(saved_qwen, ModelOptions(), TrainingView(geometry="none"))


@pytest.fixture
def saved_qwen(tmp_path: Path) -> Path:
    from tests.models.huggingface.checkpoints import save_qwen25  # noqa: PLC0415

    return save_qwen25(tmp_path / "qwen")
