"""What inference on a CPU computes faster has the same numbers, and leaves the model as it was."""

from typing import Any, cast

import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("transformers", reason="needs the models extra")

from sightline.models.sam2 import propagate as propagation  # noqa: E402
from sightline.models.sam2 import recall, shortcuts  # noqa: E402
from sightline.models.sam2.architecture import tiny_config  # noqa: E402
from sightline.models.sam2.blocks import checkpoint_blocks  # noqa: E402
from sightline.models.sam2.clip import ClipModel  # noqa: E402
from sightline.models.sam2.parts import fresh_model  # noqa: E402
from sightline.models.sam2.prompts import MaskPrompt, PointPrompt  # noqa: E402
from sightline.models.sam2.propagate import ObjectPrompt, propagate  # noqa: E402

SIDE, NUM_FRAMES = 64, 6
EXACT = 1e-5  # of logits below 1, in float32


def present(model: ClipModel) -> ClipModel:
    """Without it every mask of fresh weights may be that of an absent object, and all of them equal."""
    with torch.no_grad():
        model.model.mask_decoder.pred_obj_score_head.proj_out.bias.fill_(5)
    return model.eval()


@pytest.fixture
def model() -> ClipModel:
    return present(ClipModel(fresh_model(tiny_config(SIDE), seed=1)))


@pytest.fixture
def images() -> Any:
    return torch.randn(NUM_FRAMES, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(2))


@pytest.fixture
def masks() -> Any:
    masks = torch.zeros(3, SIDE, SIDE)
    for index in range(3):
        masks[index, 8 * index : 8 * index + 30, 12 * index : 12 * index + 25] = 1
    return masks


def followed(model: ClipModel, images: Any, masks: Any) -> Any:
    prompts = [ObjectPrompt(frame=0, object_id=str(index), mask=mask) for index, mask in enumerate(masks)]
    return torch.stack([found.low_res for found in propagate(model, images, prompts)])


def plainly(model: ClipModel, images: Any, masks: Any) -> Any:
    """By transformers' own layers: outside inference mode there are no shortcuts."""
    with torch.no_grad():
        results = model(images, {0: MaskPrompt(masks)})
    return torch.stack([results[frame].steps[-1].chosen_low_res for frame in range(len(images))])


@pytest.mark.parametrize("weights_written_out", [recall.MOST_WEIGHTS, 0])
def test_propagation_by_shortcuts_is_the_plain_one(
    model: ClipModel, images: Any, masks: Any, monkeypatch: pytest.MonkeyPatch, weights_written_out: int
) -> None:
    monkeypatch.setattr(recall, "MOST_WEIGHTS", weights_written_out)
    monkeypatch.setattr(shortcuts, "LEAST_WEIGHTS", 0)  # this network's layers are small
    expected = plainly(model, images, masks)
    assert 1 > expected[1:].abs().max() > 100 * EXACT
    torch.testing.assert_close(followed(model, images, masks), expected, atol=EXACT, rtol=0)


def test_points_reach_all_objects_from_one_row_of_features(model: ClipModel, images: Any) -> None:
    coords, labels = torch.tensor([[[9.0, 20.0]], [[40.0, 50.0]]]), torch.ones((2, 1), dtype=torch.int32)
    with torch.no_grad():
        expected = model(images, {0: PointPrompt(coords, labels)})
    prompts = [ObjectPrompt(frame=0, object_id=str(row), coords=coords[row], labels=labels[row]) for row in range(2)]
    for found in propagate(model, images, prompts):
        torch.testing.assert_close(found.low_res, expected[found.frame].steps[-1].chosen_low_res, atol=EXACT, rtol=0)


@pytest.mark.parametrize("side", [32, 96, 128, 256])  # windows of 14 on 2, 6, 8 and 16 places a side
def test_pictures_smaller_and_larger_than_a_window_are_encoded_alike(side: int) -> None:
    model = ClipModel(fresh_model(tiny_config(side), seed=1)).eval()
    pictures = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(3))
    with torch.inference_mode():
        expected = model.encode(pictures)
        with shortcuts.taken(shortcuts.shortcuts(model.model)):
            found = model.encode(pictures)
    for name in ("fine", "middle", "top", "position"):
        torch.testing.assert_close(getattr(found, name), getattr(expected, name), atol=EXACT, rtol=0)


def test_nothing_of_it_stays_on_the_model_and_layers_with_their_own_forward_are_left_alone(model: ClipModel) -> None:
    checkpoint_blocks(model.model)
    own = {layer: layer.forward for layer in model.model.vision_encoder.backbone.blocks}
    faster = shortcuts.shortcuts(model.model)
    linear = model.model.memory_attention.layers[0].linear1
    assert linear in faster
    assert not own.keys() & faster.keys()
    with torch.inference_mode(), shortcuts.taken(faster):
        with shortcuts.taken(faster):
            assert linear.__dict__["forward"] is faster[linear]
        assert linear.__dict__["forward"] is faster[linear]  # the inner one leaves the outer one's
    assert all("forward" not in layer.__dict__ for layer in model.model.modules() if layer not in own)
    assert {layer: layer.forward for layer in own} == own


def test_a_layer_that_is_called_often_goes_on_with_a_copy_of_its_weights(model: ClipModel) -> None:
    linear = cast(Any, model.model.memory_attention.layers[0]).linear1
    features = torch.randn(2, 16, linear.in_features, generator=torch.Generator().manual_seed(4))
    faster = shortcuts.shortcuts(model.model)
    with torch.inference_mode(), shortcuts.taken(faster):
        found = [shortcuts.product(linear, features, "relu") for _ in range(shortcuts.CALLS_TO_PACK + 1)]
        linear.weight.zero_()
        copied = linear(features)
    assert copied.abs().max() > 100 * EXACT  # the copy's: the weights themselves are gone
    torch.testing.assert_close(found[-1], found[0], atol=EXACT, rtol=0)
    torch.testing.assert_close(copied.relu(), found[0], atol=EXACT, rtol=0)


def test_two_linear_layers_become_one_while_shortcuts_are_taken(model: ClipModel) -> None:
    attention = cast(Any, model.model.memory_attention.layers[0]).cross_attn_image
    features = torch.randn(2, 16, attention.v_proj.in_features, generator=torch.Generator().manual_seed(4))
    with torch.no_grad():
        attention.v_proj.bias.fill_(0.5)
        expected = attention.o_proj(attention.v_proj(features))
    with torch.inference_mode():
        apart = shortcuts.chain(attention.v_proj, attention.o_proj, features)
        with shortcuts.taken(shortcuts.shortcuts(model.model)):
            joined = shortcuts.chain(attention.v_proj, attention.o_proj, features)
    torch.testing.assert_close(apart, expected, atol=EXACT, rtol=0)
    torch.testing.assert_close(joined, expected, atol=EXACT, rtol=0)


def test_there_are_no_shortcuts_in_training_and_where_gradients_may_be_asked_for(model: ClipModel) -> None:
    faster = shortcuts.shortcuts(model.model)
    linear = model.model.memory_attention.layers[0].linear1
    with torch.no_grad(), shortcuts.taken(faster):
        assert "forward" not in linear.__dict__
    assert shortcuts.shortcuts(model.train().model) == {}


def test_frames_encoded_together_are_asked_for_once_and_give_the_same(
    model: ClipModel, images: Any, masks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Watched:
        def __init__(self) -> None:
            self.asked: list[int] = []

        def __len__(self) -> int:
            return NUM_FRAMES

        def __getitem__(self, index: int) -> Any:
            self.asked.append(index)
            return images[index]

    ahead, alone = Watched(), Watched()
    together = followed(model, ahead, masks)
    monkeypatch.setattr(propagation, "MOST_AHEAD", 1)
    torch.testing.assert_close(followed(model, alone, masks), together, atol=EXACT, rtol=0)
    assert ahead.asked == alone.asked == list(range(NUM_FRAMES))
