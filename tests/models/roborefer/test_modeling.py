"""Batches change nothing but the time they take; media go where they belong; gradients go where they should."""

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("transformers", reason="needs the models extra")

from sightline.errors import InputError  # noqa: E402
from sightline.models.roborefer.generation import greedy  # noqa: E402
from sightline.models.roborefer.inputs import RoboReferInputs  # noqa: E402
from tests.models.roborefer import tiny  # noqa: E402

SEVERAL = ({}, {"mode": "resize"}, {"mode": "dynamic_s2", "projector": "mlp_downsample"})


def made(**said: Any) -> tuple[Any, RoboReferInputs]:
    config = tiny.config(**said)
    return tiny.model(config), RoboReferInputs(config, tiny.tokenizer())


def mixed() -> list[Any]:
    """Questions of several lengths: RGB, RGB-D, two pictures, none; one picture stands in two of them."""
    shared = tiny.picture(60, 30, depth=True, key="shared")
    return [
        tiny.asked("a", "Where is it?", shared),
        tiny.asked("b", "And here?", tiny.picture(30, 30, seed=1), tiny.picture(56, 28, seed=2)),
        tiny.asked("c", "What?"),
        tiny.asked("d", "Where is the other one then?", shared, tiny.picture(20, 50, seed=3, depth=True)),
    ]


@pytest.mark.parametrize("said", SEVERAL, ids=["dynamic", "resize", "dynamic_s2"])
def test_answers_of_a_batch_are_those_of_each_alone(said: dict[str, Any]) -> None:
    model, inputs = made(**said)
    together = greedy(model, inputs.batch(mixed(), padding="left"), max_new_tokens=6)
    alone = [greedy(model, inputs.batch([sample], padding="left"), max_new_tokens=6)[0] for sample in mixed()]
    assert together == alone
    assert len({tuple(answer) for answer in together}) > 1  # or else nothing depends on the question


def test_an_answer_ends_with_its_end_token() -> None:
    model, inputs = made()
    end = inputs.tokenizer.convert_tokens_to_ids("<|im_end|>")
    batch = inputs.batch(mixed(), padding="left")
    first = [answer[0] for answer in greedy(model, batch, max_new_tokens=1)]
    model.generation_config.eos_token_id = first[0]
    answers = greedy(model, batch, max_new_tokens=6)
    assert answers[0] == [first[0]]
    assert end != first[0]
    assert max(map(len, answers)) == 6


def test_a_shared_picture_is_encoded_once_and_changes_nothing() -> None:
    model, inputs = made()
    tiles: list[int] = []
    model.model.vision_tower.embeddings.register_forward_hook(lambda _module, given, _made: tiles.append(len(given[0])))
    shared, same = mixed(), tiny.picture(60, 30, depth=True)
    apart = [
        tiny.asked("a", "Where is it?", same),
        *shared[1:3],
        tiny.asked("d", "Where is the other one then?", same, shared[3].pictures[1]),
    ]
    with torch.inference_mode():
        once = model(**inputs.batch(shared).tensors).logits
        twice = model(**inputs.batch(apart).tensors).logits
    assert tiles[1] - tiles[0] == 3  # two squares and the whole
    assert torch.allclose(once, twice, atol=1e-4)


def test_several_scales_put_each_square_where_it_is() -> None:
    model, inputs = made(mode="dynamic_s2", projector="mlp_downsample")
    picture = tiny.picture(84, 84)
    tensors = inputs.batch([tiny.asked("a", "Where?", picture)]).tensors
    with torch.inference_mode():
        (before,) = model.model.media_features(tensors["pixel_values"], tensors["pixel_grids"])
        changed = tensors["pixel_values"].clone()
        changed[-1] += 1  # the last square of the largest scale: below, at the right
        (after,) = model.model.media_features(changed, tensors["pixel_grids"])
    assert before.shape == (36, 32)  # 3 x 3 squares of 2 x 2 tokens
    moved = (before != after).any(dim=1).reshape(6, 6)
    assert moved[4:, 4:].all()
    assert not moved[:4].any()
    assert not moved[:, :4].any()


def test_depth_has_its_own_way_and_pictures_do_not_feel_it() -> None:
    model, inputs = made()
    batch = inputs.batch([tiny.asked("a", "Where?", tiny.picture(30, 30, depth=True), answer="here")])
    model(**batch.tensors).loss.backward()
    found = {name: parameter.grad is not None for name, parameter in model.named_parameters()}
    unused = {name for name, used in found.items() if not used}
    # the last of two layers and what is behind it are never used, of both towers
    assert unused
    assert all("tower.encoder.layers.1." in name or "tower.post_layernorm." in name for name in unused)


def test_text_alone_leaves_towers_and_projectors_without_gradients() -> None:
    model, inputs = made()
    model(**inputs.batch([tiny.asked("a", "What?", answer="that")]).tensors).loss.backward()
    touched = {name.split(".")[1] for name, parameter in model.named_parameters() if parameter.grad is not None}
    assert touched == {"language_model"}


def test_the_loss_is_the_mean_over_the_supervised_tokens_of_the_batch() -> None:
    model, inputs = made()
    samples = [tiny.asked("a", "What?", answer="that"), tiny.asked("b", "Where?", tiny.picture(30, 30), answer="[(0.5, 0.25)]")]
    with torch.inference_mode():
        together = model(**inputs.batch(samples).tensors).loss
        alone = [model(**inputs.batch([sample]).tensors).loss for sample in samples]
    # "that" and its end token are 5, "[(0.5, 0.25)]" and its end token 14
    assert together.item() == pytest.approx((5 * alone[0] + 14 * alone[1]).item() / 19, abs=1e-5)


def test_media_that_do_not_fill_their_places_are_an_error() -> None:
    model, inputs = made()
    tensors = inputs.batch([tiny.asked("a", "Where?", tiny.picture(30, 30))]).tensors
    with pytest.raises(InputError, match="4 placeholders of pictures in the batch, but 0 features"):
        model(input_ids=tensors["input_ids"])
    with pytest.raises(InputError, match="4 placeholders of pictures in the batch, but 8 features"):
        model(**tensors | {"pixel_uses": torch.tensor([0, 0])})


def test_a_placeholder_that_the_model_writes_itself_is_a_word() -> None:
    model, inputs = made()
    tensors = inputs.batch([tiny.asked("a", "Where?", tiny.picture(30, 30))], padding="left").tensors
    written = torch.tensor([[inputs.config.image_token_id]])
    with torch.inference_mode():
        cache = model(**tensors, use_cache=True).past_key_values
        by_id = model(input_ids=written, past_key_values=cache).logits
        again = model(**tensors, use_cache=True).past_key_values
        by_word = model(inputs_embeds=model.get_input_embeddings()(written), past_key_values=again).logits
    assert torch.equal(by_id, by_word)


def test_gradient_checkpointing_changes_no_gradient() -> None:
    model, inputs = made()
    tensors = inputs.batch([tiny.asked("a", "Where?", tiny.picture(60, 30, depth=True), answer="here")]).tensors
    model(**tensors).loss.backward()
    plain = {name: parameter.grad.clone() for name, parameter in model.named_parameters() if parameter.grad is not None}
    model.zero_grad()
    model.train()
    model.activation_checkpointing_enable()
    model(**tensors, use_cache=False).loss.backward()
    assert all(torch.allclose(plain[name], dict(model.named_parameters())[name].grad, atol=1e-5) for name in plain)
