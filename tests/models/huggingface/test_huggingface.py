import json
from pathlib import Path

import msgspec
import numpy as np
import pytest

from sightline import media
from sightline.dialects import Size
from sightline.errors import InputError
from sightline.evaluate.predict import predict
from sightline.evaluate.run import read_predictions
from sightline.evaluate.score import score_run
from sightline.evaluate.summary import summarise
from sightline.models import ModelOptions, get_model
from sightline.models.checkpoint import open_checkpoint
from sightline.models.huggingface.families import FAMILIES
from sightline.models.huggingface.inputs import Batch, Inputs
from sightline.taskset.store import TaskSet
from sightline.types import ImagePart, ImageRef, Points, Question

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'sightline[models]'")
transformers = pytest.importorskip("transformers", reason="transformers is not installed: pip install 'sightline[models]'")


from tests.models.huggingface.checkpoints import SAVERS, SHORT, edit_json, first_questions, load, longer  # noqa: E402

# transformers 5.23's PaliGemma processor copies a torch tensor in a way that NumPy 2 will not take for ever
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept a copy keyword:DeprecationWarning")


# ---------------------------------------------------------------- answers


@pytest.mark.parametrize("family", SAVERS)
def test_eight_prompts_of_eight_lengths_at_once_give_the_texts_that_each_gives_alone(rooms, saved, family):
    model = load(saved(family))
    questions = [longer(question, words) for words, question in enumerate(first_questions(rooms["t1_multi"], 8))]
    together = model.answer(questions, rooms["t1_multi"])
    lengths = {said.exposure.num_prompt_tokens for said in together if said.exposure}
    assert len(lengths) == 8
    assert [said for question in questions for said in model.answer([question], rooms["t1_multi"])] == together
    assert len({said.text for said in together}) > 1  # they are not all one text, which would prove nothing


@pytest.mark.parametrize("family", SAVERS)
def test_pictures_stand_in_the_slots_of_the_prompt_in_its_order(rooms, saved, family):
    (question,) = first_questions(rooms["t1_multi"], 1)
    other_slots = [
        msgspec.structs.replace(part, image_index=1 - part.image_index) if isinstance(part, ImagePart) else part
        for part in question.prompt
    ]
    asked = (
        question,
        msgspec.structs.replace(question, prompt=tuple(other_slots)),
        msgspec.structs.replace(question, images=question.images[::-1]),
    )
    plain, by_prompt, by_images = (batch_of(saved(family), [one], rooms["t1_multi"]).tensors["pixel_values"] for one in asked)
    assert not torch.equal(plain, by_prompt)
    assert torch.equal(by_prompt, by_images)


def batch_of(folder: Path, questions: list[Question], taskset: TaskSet) -> Batch:
    checkpoint = open_checkpoint(folder)
    inputs = Inputs(checkpoint, SHORT, config=transformers.AutoConfig.from_pretrained(folder, local_files_only=True))
    return inputs.batch(questions, taskset, room=None)


def test_the_start_token_stands_once_whether_the_template_or_the_tokenizer_writes_it(rooms, copy):
    folder = copy("llava")
    questions = first_questions(rooms["t1_multi"], 1)
    by_tokenizer = batch_of(folder, questions, rooms["t1_multi"]).tensors["input_ids"]
    template = folder / "chat_template.jinja"
    template.write_text("{{ bos_token }}" + template.read_text())
    by_template = batch_of(folder, questions, rooms["t1_multi"]).tensors["input_ids"]
    start = transformers.AutoTokenizer.from_pretrained(folder, local_files_only=True).bos_token_id
    assert (by_tokenizer == start).sum() == 1
    assert torch.equal(by_template, by_tokenizer)


@pytest.mark.parametrize("family", SAVERS)
def test_a_run_says_which_model_it_is_and_is_resumed(rooms, saved, tmp_path, family):
    taskset = rooms["t1_concat"]
    model = get_model(f"hf:{saved(family)}", SHORT)
    info = predict(taskset, model, tmp_path / "whole", limit=5)
    assert info.dialect == FAMILIES[family]
    assert info.description["model_type"] == family
    assert len(info.description["revision"]) == 32
    assert info.description["dtype"] == ("bfloat16" if torch.cuda.is_available() else "float32")
    assert set(info.description["versions"]) == {"torch", "transformers"}
    json.dumps(info.description)  # plain values
    predict(taskset, model, tmp_path / "resumed", limit=2)
    predict(taskset, get_model(f"hf:{saved(family)}", msgspec.structs.replace(SHORT, batch_size=1)), tmp_path / "resumed", limit=5)
    assert list(read_predictions(tmp_path / "resumed")) == list(read_predictions(tmp_path / "whole"))


def test_an_answer_without_an_end_token_is_truncated_and_an_empty_one_is_counted(rooms, copy, tmp_path):
    folder = copy("llava")
    every_token = list(range(json.loads((folder / "config.json").read_text())["text_config"]["vocab_size"]))
    edit_json(folder / "generation_config.json", eos_token_id=every_token)  # whatever it says first ends it
    predict(rooms["t2a"], load(folder), tmp_path / "run", limit=4)
    predictions = list(read_predictions(tmp_path / "run"))
    assert {(one.text, one.reading.status) for one in predictions} == {("", "empty")}
    assert [one.exposure.num_answer_tokens for one in predictions if one.exposure] == [1] * 4
    score_run(tmp_path / "run", partial=True)
    assert summarise(tmp_path / "run").statuses["empty"] == 4

    (question,) = first_questions(rooms["t2a"], 1)
    (said,) = load(copy("qwen3_vl"), ModelOptions(max_new_tokens=2)).answer([question], rooms["t2a"])
    assert said.cut
    assert said.exposure is not None
    assert said.exposure.num_answer_tokens == 2


def test_draws_depend_on_the_question_alone(rooms, saved):
    warm = ModelOptions(max_new_tokens=8, temperature=1.0)
    questions = first_questions(rooms["t1_multi"], 3)
    texts = [said.text for said in load(saved("qwen3_vl"), warm).answer(questions, rooms["t1_multi"])]
    again = load(saved("qwen3_vl"), warm)
    torch.rand(3)
    assert [again.answer([question], rooms["t1_multi"])[0].text for question in reversed(questions)] == texts[::-1]
    greedy = [said.text for said in load(saved("qwen3_vl"), ModelOptions(max_new_tokens=8)).answer(questions, rooms["t1_multi"])]
    assert texts != greedy


def test_penalties_of_a_checkpoint_are_left_aside(rooms, copy):
    questions = first_questions(rooms["t1_multi"], 2)
    folder = copy("qwen2_5_vl")
    plain = load(folder).answer(questions, rooms["t1_multi"])
    edit_json(folder / "generation_config.json", repetition_penalty=5.0, do_sample=True, temperature=9.0)
    assert load(folder).answer(questions, rooms["t1_multi"]) == plain


# ---------------------------------------------------------------- sizes


def shown_alone(question: Question, taskset: TaskSet, folder: Path, *, size: tuple[int, int]) -> tuple[Question, TaskSet]:
    """The question with all of its pictures replaced by noise of `size` (width, height)."""
    rgb = np.random.default_rng(size[0]).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)
    (folder / "noise.png").write_bytes(media.encode_png(rgb))
    noise = ImageRef(root="noise", path="noise.png", width=size[0], height=size[1], digest=media.pixel_digest(rgb))
    return msgspec.structs.replace(question, images=(noise,) * len(question.images)), TaskSet(taskset.path, roots={"noise": folder})


@pytest.mark.parametrize("size", [(160, 120), (31, 200), (640, 480), (57, 57), (20, 20), (701, 99)])
def test_the_dialect_of_qwen25_counts_the_pixels_of_the_picture_as_it_is_processed(rooms, saved, tmp_path, size):
    model = load(saved("qwen2_5_vl"), ModelOptions(max_new_tokens=1, min_pixels=5 * 784, max_pixels=20 * 784))
    (question,) = first_questions(rooms["t1_multi"], 1)
    question, taskset = shown_alone(question, rooms["t1_multi"], tmp_path, size=size)
    (said,) = model.answer([question], taskset)
    assert said.exposure is not None
    (width, height), _ = said.exposure.processed_sizes
    assert 5 * 784 <= width * height <= 20 * 784
    assert said.exposure.num_image_tokens == 2 * width * height // 784
    # the far corner of the original is written as the far corner of what the model saw
    corner = Points(points=((float(size[0]), float(size[1])),))
    assert f"[{width}, {height}]" in model.dialect.encode(corner, [Size(*size)])
    assert model.dialect.options() == {"factor": 28, "min_pixels": 5 * 784, "max_pixels": 20 * 784}


def test_pixel_limits_belong_to_the_run(rooms, saved, tmp_path):
    folder = saved("qwen3_vl")
    small = msgspec.structs.replace(SHORT, max_pixels=6 * 1024)
    info = predict(rooms["t1_multi"], load(folder, small), tmp_path / "run", limit=1)
    assert (info.description["min_pixels"], info.description["max_pixels"]) == (4 * 1024, 6 * 1024)
    with pytest.raises(InputError, match="max_pixels is 6144 there and 12288 here"):
        predict(rooms["t1_multi"], load(folder), tmp_path / "run", limit=1)


def test_tiles_have_no_processed_size_but_tokens(rooms, saved):
    (said,) = load(saved("internvl")).answer(first_questions(rooms["t1_multi"], 1), rooms["t1_multi"])
    # 160 x 120 is nearest to two by one tiles or more; each tile (and the thumbnail) is 4 tokens
    assert said.exposure is not None
    assert said.exposure.processed_sizes == ()
    assert said.exposure.num_image_tokens is not None
    assert said.exposure.num_image_tokens % 4 == 0
    assert said.exposure.num_image_tokens > 2 * 4
    (said,) = load(saved("llava")).answer(first_questions(rooms["t1_multi"], 1), rooms["t1_multi"])
    assert said.exposure is not None
    assert said.exposure.processed_sizes == ((56, 56), (56, 56))
    assert said.exposure.num_image_tokens == 2 * 16


def test_a_prompt_that_is_too_long_is_refused_and_not_cut(rooms, saved):
    (question,) = first_questions(rooms["t1_multi"], 1)
    with pytest.raises(InputError, match=r"example 't1_multi/.*': a prompt of .* tokens, .* room for 2,036"):
        load(saved("qwen3_vl")).answer([longer(question, 800)], rooms["t1_multi"])


# ---------------------------------------------------------------- accelerators


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
@pytest.mark.parametrize("family", SAVERS)
def test_on_a_gpu_it_answers_in_bfloat16(rooms, saved, family):
    model = load(saved(family))
    said = model.answer(first_questions(rooms["t1_multi"], 4), rooms["t1_multi"])
    assert model.describe()["dtype"] == "bfloat16"
    assert model.describe()["device"] == "cuda"
    assert all(one.exposure is not None and one.exposure.num_answer_tokens for one in said)
    spread = load(saved(family), ModelOptions(max_new_tokens=12, device="auto"))
    assert spread.answer(first_questions(rooms["t1_multi"], 4), rooms["t1_multi"]) == said
