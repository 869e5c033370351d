"""`POST /query`: RoboRefer's own form, with pictures and with depth, in batches, and what it refuses."""

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch is not installed: pip install 'sightline[models]'")
pytest.importorskip("transformers", reason="transformers is not installed: pip install 'sightline[models]'")

from sightline.depth_codecs import minmax_picture  # noqa: E402
from sightline.models import ModelOptions, get_model  # noqa: E402
from sightline.models.depth import depth_model  # noqa: E402
from sightline.models.roborefer.generation import greedy  # noqa: E402
from sightline.models.roborefer.inputs import Picture, RoboReferInputs, RoboReferSample, asked_in_front  # noqa: E402
from sightline.models.roborefer.opening import open_roborefer  # noqa: E402
from sightline.models.roborefer.questions import sample_of  # noqa: E402
from sightline.models.roborefer.weights import load_roborefer, write_published  # noqa: E402
from sightline.serve.depth_maker import DepthMaker  # noqa: E402
from sightline.serve.pictures import PostedSet  # noqa: E402
from sightline.serve.posted import Limits  # noqa: E402
from sightline.serve.query import read_query  # noqa: E402
from sightline.serve.refusal import Refusal  # noqa: E402
from tests.models.huggingface.depth.checkpoints import save_depth_anything  # noqa: E402
from tests.models.roborefer import tiny  # noqa: E402
from tests.serve.served import Speaker, picture, sent, served, until  # noqa: E402


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    place = tmp_path_factory.mktemp("roborefer")
    write_published(tiny.model(tiny.config()), place / "tiny", tokenizer_from=tiny.tokenizer_folder(place / "tokenizer"))
    return place / "tiny"


@pytest.fixture(scope="module")
def model(folder):
    return get_model(f"roborefer:{folder}?mode=resize", ModelOptions(max_new_tokens=8))


def depth(seed: int, width: int = 60, height: int = 40) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 1), dtype=np.uint8).repeat(3, axis=2)


def query(seed: int, text: str = "Please point out the mug.", *, deep: bool = False) -> dict[str, Any]:
    said = {"image_url": [sent(picture(60, 40, seed))], "depth_url": [], "enable_depth": int(deep), "text": text}
    return said | {"depth_url": [sent(depth(seed))]} if deep else said


def alone(folder: Path, seed: int, text: str, *, deep: bool) -> str:
    """What the model itself says."""
    opened = open_roborefer(folder, image_mode="resize")
    pictures = (Picture(picture(60, 40, seed), depth(seed) if deep else None),)
    inputs = RoboReferInputs(opened.config, opened.tokenizer)
    batch = inputs.batch([RoboReferSample("1", asked_in_front(text, pictures), pictures)], padding="left")
    (tokens,) = greedy(load_roborefer(opened), batch, max_new_tokens=8)
    return opened.tokenizer.decode(tokens, skip_special_tokens=False).removesuffix("<|im_end|>")


def test_pictures_with_and_without_depth_are_answered_together_in_the_models_own_words(model, folder) -> None:
    asked = [("Please point out the mug.", False), ("Please point out the mug.", True), ("Where?", True), ("The cup", False)]
    with served(model) as service:
        service.service.warm_up()
        with ThreadPoolExecutor(len(asked)) as callers, service.held():
            waiting = [
                callers.submit(service.post, query(seed, text, deep=deep), "/query") for seed, (text, deep) in enumerate(asked)
            ]
            until(lambda: service.service.batcher.num_waiting == len(asked))
        answers = [one.result() for one in waiting]
    assert [answer.status for answer in answers] == [200] * 4
    for seed, (answer, (text, deep)) in enumerate(zip(answers, asked, strict=True)):
        assert answer.json == {"result": 1, "answer": alone(folder, seed, text, deep=deep)}
    assert alone(folder, 1, asked[1][0], deep=True) != alone(folder, 1, asked[1][0], deep=False)


def test_two_pictures_go_in_their_order_each_with_its_depth(model) -> None:
    one, two = query(1, deep=True), query(2, deep=True)
    both = one | {"image_url": one["image_url"] + two["image_url"], "depth_url": one["depth_url"] + two["depth_url"]}
    posed = read_query(json.dumps(both).encode(), Limits())
    sample = sample_of(posed.question, PostedSet([posed]), dialect=model.dialect, form="consistent")
    for seed, shown in zip((1, 2), sample.pictures, strict=True):
        assert np.array_equal(shown.rgb, picture(60, 40, seed))
        assert shown.depth is not None
        assert np.array_equal(shown.depth, depth(seed))
    assert sample.turns[0].parts[-1] == "Please point out the mug."


@pytest.mark.parametrize(
    ("change", "status", "where"),
    [
        ({"depth_url": [sent(np.full((40, 60, 3), 7, np.uint8))]}, 422, "depth_url[0]"),
        ({"depth_url": [sent(picture(60, 40, 3))]}, 422, "depth_url[0]"),
        ({"depth_url": [sent(depth(1, 30, 20))]}, 422, "depth_url[0]"),
        ({"depth_url": []}, 422, "depth_url"),
        ({"image_url": []}, 422, "image_url"),
        ({"image_url": ["/etc/passwd"]}, 422, "image_url[0]"),
        ({"image_url": [sent(picture(60, 40))] * 9, "enable_depth": 0}, 422, "image_url"),
        ({"text": " "}, 422, "text"),
        ({"text": "x" * 5000}, 422, "text"),
        ({"text": "What is <depth>?"}, 422, "question"),
        ({"enable_depth": 2}, 422, "enable_depth"),
    ],
)
def test_what_makes_no_sense_is_refused_with_its_field(model, change, status, where) -> None:
    with served(model) as service:
        answer = service.post(query(1, deep=True) | change, "/query")
        assert service.get().status == 200
    assert (answer.status, answer.error["where"]) == (status, where), answer.error["message"]
    assert answer.error["remedy"]


def test_the_originals_client_gets_depth_that_is_made_for_it(model, folder, tmp_path) -> None:
    """It sends `enable_depth` 1 without any depth picture."""
    network = depth_model(str(save_depth_anything(tmp_path / "network")))
    said: dict[str, Any] = query(1) | {"enable_depth": 1}
    made = minmax_picture(network.estimate(picture(60, 40, 1)))
    with served(model, makes_depth=DepthMaker(network)) as service:
        service.service.warm_up()
        answer = service.post(said, "/query")
        sent_along = service.post(said | {"depth_url": [sent(made)]}, "/query")
        grey = service.post(said | {"image_url": [sent(np.full((40, 60, 3), 9, np.uint8))]}, "/query")
        too_few = service.post(said | {"image_url": said["image_url"] * 2, "depth_url": [sent(made)]}, "/query")
    assert (answer.status, answer.json) == (200, sent_along.json)
    assert answer.json["answer"] != alone(folder, 1, said["text"], deep=False)
    assert grey.status in (200, 422)  # random weights may see the same everywhere or not; neither ends the service
    assert too_few.error["where"] == "depth_url"
    with served(model) as service:
        refused = service.post(said, "/query")
    assert (refused.status, refused.error["where"]) == (422, "depth_url")
    assert "--depth-model" in refused.error["remedy"]


def test_depth_that_the_network_cannot_make_is_refused_with_its_picture() -> None:
    def constant(_rgb: np.ndarray) -> np.ndarray:
        return minmax_picture(np.ones((40, 60), np.float32))

    with pytest.raises(Refusal, match="its depth cannot be made") as refused:
        read_query(json.dumps(query(1) | {"enable_depth": 1}).encode(), Limits(), makes_depth=constant)
    assert refused.value.where == "image_url[0]"


def test_pixels_are_limited_over_pictures_and_depth(model) -> None:
    with served(model, limits=Limits(max_pixels=60 * 40 * 2 - 1)) as service:
        assert service.post(query(1), "/query").status == 200
        assert service.post(query(1, deep=True), "/query").status == 413


def test_another_model_says_that_it_is_none() -> None:
    with served(Speaker(lambda _: "[(0.5, 0.5)]")) as service:
        answer = service.post(query(1), "/query")
    assert answer.status == 422
    assert "is no RoboRefer" in answer.error["message"]


def test_the_other_address_asks_the_same_model_for_points(model) -> None:
    with served(model) as service:
        answer = service.post({"images": [sent(picture(60, 40, 1))], "question": "Where is the mug?"})
    assert (answer.status, answer.json["model"]) == (200, "tiny")
