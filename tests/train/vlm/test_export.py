"""Weights that a run writes are those of a plain transformers folder, and answer as the model in memory did."""

import json
from pathlib import Path

import pytest

import sightline  # noqa: F401 - mends torchvision before transformers looks at it

torch = pytest.importorskip("torch", reason="needs the models extra")
for package in ("transformers", "hydra", "lightning"):
    pytest.importorskip(package, reason="needs the models and train extras")

import transformers  # noqa: E402
from safetensors import safe_open  # noqa: E402

from sightline.evaluate.predict import predict  # noqa: E402
from sightline.evaluate.run import read_predictions  # noqa: E402
from sightline.models import ModelOptions, get_model  # noqa: E402
from tests.train.vlm.small import trained  # noqa: E402

LORA = (
    "model.parts.vision.how=frozen",
    "model.parts.language_model.how=lora",
    "model.lora.rank=4",
    "model.lora.dropout=0.1",
)


def tensors(folder: Path) -> dict[str, list[int]]:
    with safe_open(folder / "model.safetensors", framework="pt") as file:
        return {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118 - it is no dict


@pytest.fixture(params=["whole", "lora"])
def run(request, tmp_path, saved, rooms):
    """A run that evaluates at its end, and its starting checkpoint."""
    asked = (
        f"validation.tasksets=[{rooms['t2a'].path}]",
        "validation.num_examples=5",
        "validation.max_new_tokens=12",
        "evaluation={every: 3, metric: joint_accuracy}",
        "model.max_pixels=9216",
        "trainer.max_steps=3",
        "rates.lr=1e-2",
    )
    lora = LORA if request.param == "lora" else ()
    return trained(tmp_path, saved("qwen3_vl"), rooms["t2a"].path, *asked, *lora), saved("qwen3_vl")


def test_the_exported_folder_is_a_plain_one_that_answers_as_the_model_in_training_did(run, rooms, tmp_path):
    done, start = run
    taskset = rooms["t2a"]
    assert {path.name for path in done.weights.iterdir()} == {path.name for path in start.iterdir()}
    assert tensors(done.weights) == tensors(start)
    plain = transformers.AutoModelForImageTextToText.from_pretrained(start, dtype=torch.float32)
    plain.save_pretrained(tmp_path / "plain")
    for name in ("config.json", "generation_config.json"):
        assert json.loads((done.weights / name).read_text()) == json.loads((tmp_path / "plain" / name).read_text())
    processor = json.loads((done.weights / "processor_config.json").read_text())
    assert processor["image_processor"]["size"]["longest_edge"] == 9216
    predict(taskset, get_model(f"hf:{done.weights}", ModelOptions(max_new_tokens=12)), tmp_path / "answers", limit=5)
    live = done.run / "evaluation" / "step-00000003" / taskset.path.name
    answers = list(read_predictions(tmp_path / "answers"))
    assert answers == list(read_predictions(live))
    assert len({answer.text for answer in answers}) >= 1
    shown = [json.loads(line) for line in (done.run / "samples.jsonl").read_text().splitlines()]
    assert [line["said"] for line in shown] == [answer.text for answer in answers[:4]]


def test_training_changed_the_answers_that_the_folder_gives(run, rooms, tmp_path):
    done, start = run
    texts = []
    for number, folder in enumerate((start, done.weights)):
        options = ModelOptions(max_new_tokens=12, max_pixels=9216)
        predict(rooms["t2a"], get_model(f"hf:{folder}", options), tmp_path / str(number), limit=5)
        texts.append([answer.text for answer in read_predictions(tmp_path / str(number))])
    assert texts[0] != texts[1]
