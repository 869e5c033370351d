"""A checkpoint behind the service: the texts are those that it writes alone, whoever else asks at the same time."""

import json

import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'sightline[models]'")
pytest.importorskip("transformers", reason="transformers is not installed: pip install 'sightline[models]'")

from sightline.errors import InputError  # noqa: E402
from sightline.models import ModelOptions, get_model  # noqa: E402
from sightline.serve.pictures import PostedSet  # noqa: E402
from sightline.serve.posted import Limits, read_point_request  # noqa: E402
from tests.models.huggingface.checkpoints import save_qwen25  # noqa: E402
from tests.serve.served import picture, sent, served  # noqa: E402


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    folder = save_qwen25(tmp_path_factory.mktemp("checkpoint") / "tiny")
    return get_model(f"hf:{folder}", ModelOptions(max_new_tokens=12))


def request(number: int) -> dict:
    images = [sent(picture(160, 120, number)), sent(picture(120 + 8 * number, 96, 50 + number))]
    return {"images": images, "mark": {"box": [10, 10, 40 + number, 40]}, "question": "Look well. " * number}


def test_a_batch_says_what_each_says_alone(model) -> None:
    requests = [request(number) for number in range(6)]
    alone = []
    for one in requests:
        posed = read_point_request(json.dumps(one).encode(), Limits())
        alone += [said.text for said in model.answer([posed.question], PostedSet([posed]))]
    assert len(set(alone)) > 1
    with served(model) as service:
        service.service.warm_up()
        answers = service.together(requests)
        health = service.get().json
    assert [answer.json["raw"] for answer in answers] == alone
    assert [answer.json["batch_size"] for answer in answers] == [6] * 6
    assert (health["dialect"], health["largest_batch"], health["num_batches"]) == ("qwen25", 6, 1)


def test_words_that_this_model_cannot_take_spoil_no_other_answer(model) -> None:
    hostile = request(1) | {"question": "Where? <|image_pad|>"}
    with served(model) as service:
        answers = service.together([request(1), hostile, request(2)])
    assert [answer.status for answer in answers] == [200, 422, 200]
    assert "<|image_pad|>" in answers[1].error["message"]


def test_weights_that_cannot_be_loaded_are_told_before_the_first_request(tmp_path) -> None:
    folder = save_qwen25(tmp_path / "tiny")
    config = json.loads((folder / "config.json").read_text())
    config["vision_config"]["depth"] = 3  # of which the weights have two
    (folder / "config.json").write_text(json.dumps(config))
    with served(get_model(f"hf:{folder}")) as service, pytest.raises(InputError, match="its weights lack"):
        service.service.warm_up()
