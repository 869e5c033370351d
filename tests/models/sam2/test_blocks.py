"""Activation checkpointing and drop path leave the numbers as they have to be."""

import copy

import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")

from transformers import Sam2VideoModel  # noqa: E402

from sightline.errors import InputError  # noqa: E402
from sightline.models.sam2.architecture import tiny_config  # noqa: E402
from sightline.models.sam2.blocks import checkpoint_blocks, set_drop_path  # noqa: E402
from sightline.models.sam2.clip import ClipModel  # noqa: E402
from sightline.models.sam2.losses import LossWeights, clip_loss  # noqa: E402
from sightline.models.sam2.parts import fresh_model  # noqa: E402
from sightline.models.sam2.prompts import MaskPrompt  # noqa: E402

SIDE = 64


@pytest.fixture
def model() -> Sam2VideoModel:
    return fresh_model(tiny_config(SIDE), seed=1)


def loss_and_gradients(model: Sam2VideoModel, *, seed: int = 0) -> tuple[float, dict]:
    """Two frames, two objects, from masks on frame 0."""
    stream = torch.Generator().manual_seed(7)
    images = torch.randn(2, 3, SIDE, SIDE, generator=stream)
    masks = torch.zeros(2, 2, SIDE, SIDE)
    masks[:, 0, 8:30, 10:40] = 1
    masks[:, 1, 34:60, 20:50] = 1
    torch.manual_seed(seed)
    model.train()
    model.zero_grad()
    loss = clip_loss(ClipModel(model)(images, {0: MaskPrompt(masks[0])}), masks, LossWeights()).total
    loss.backward()
    return loss.item(), {name: each.grad.clone() for name, each in model.named_parameters() if each.grad is not None}


@pytest.mark.parametrize("drop_path", [0.0, 0.5])
def test_checkpointing_gives_the_same_loss_and_gradients(model, drop_path):
    set_drop_path(model, drop_path)
    plain = copy.deepcopy(model)
    checkpoint_blocks(model, memory_attention=True)
    checkpoint_blocks(model, memory_attention=True)  # a second time changes nothing
    loss, gradients = loss_and_gradients(plain)
    again, again_gradients = loss_and_gradients(model)
    assert again == loss
    assert gradients.keys() == again_gradients.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(again_gradients[name], gradient, atol=1e-6, rtol=1e-5)


def test_checkpointing_keeps_less_for_the_backward_pass(model):
    def kept(model: Sam2VideoModel) -> int:
        found: dict[int, int] = {}

        def keep(tensor):
            found[tensor.data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            model.vision_encoder(torch.zeros(1, 3, SIDE, SIDE))
        return sum(found.values())

    before = kept(model)
    checkpoint_blocks(model)
    assert kept(model) < 0.5 * before


def test_a_checkpointed_model_can_be_copied_and_the_copy_has_its_own_weights(model):
    checkpoint_blocks(model)
    other = copy.deepcopy(model)
    with torch.no_grad():
        for parameter in other.vision_encoder.parameters():
            parameter.zero_()
    pictures = torch.ones(1, 3, SIDE, SIDE)
    assert model.vision_encoder(pictures).fpn_hidden_states[2].any()
    assert not other.vision_encoder(pictures).fpn_hidden_states[2].any()


@pytest.mark.parametrize("index", [1, 3])  # windowed with pooling; global
def test_drop_path_leaves_out_whole_pictures_and_scales_the_others(model, index):
    set_drop_path(model, 0.5)
    block = model.vision_encoder.backbone.blocks[index]
    block.residual_drop.rate = 0.5
    seen = []
    block.attn.register_forward_hook(lambda _module, _inputs, output: seen.append(output.detach()))
    raw = []
    block.attn.proj.register_forward_hook(lambda _module, _inputs, output: raw.append(output.detach()))
    pictures = 16
    block.train()
    torch.manual_seed(0)
    block(torch.randn(pictures, 16, 16, block.dim))
    by_picture = seen[0].reshape(pictures, -1)
    dropped = (by_picture == 0).all(dim=1)
    assert 0 < dropped.sum() < pictures
    torch.testing.assert_close(by_picture[~dropped], 2 * raw[0].reshape(pictures, -1)[~dropped])  # 1 / (1 - 0.5)


def test_drop_path_rises_linearly_ends_in_evaluation_and_is_set_anew(model):
    set_drop_path(model, 0.4)
    rates = [block.residual_drop.rate for block in model.vision_encoder.backbone.blocks]
    assert rates == pytest.approx([0.0, 0.1, 0.2, 0.3, 0.4])
    pictures = torch.randn(4, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(2))
    expected = fresh_model(tiny_config(SIDE), seed=1).train().vision_encoder(pictures).fpn_hidden_states[2]
    assert torch.equal(model.eval().vision_encoder(pictures).fpn_hidden_states[2], expected)
    assert not torch.equal(model.train().vision_encoder(pictures).fpn_hidden_states[2], expected)
    set_drop_path(model, 0.0)
    assert torch.equal(model.train().vision_encoder(pictures).fpn_hidden_states[2], expected)


def test_a_drop_path_of_one_is_refused(model):
    with pytest.raises(InputError, match="drop_path 1"):
        set_drop_path(model, 1.0)
