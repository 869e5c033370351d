"""The parts of a SAM 2: what is in each, freezing, new weights, the optimiser's groups, LoRA."""

from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")

from transformers import Sam2VideoModel  # noqa: E402

from sightline.errors import InputError  # noqa: E402
from sightline.models.sam2.architecture import tiny_config  # noqa: E402
from sightline.models.sam2.groups import Rates, parameter_groups, trunk_depth  # noqa: E402
from sightline.models.sam2.lora import add_lora, merged  # noqa: E402
from sightline.models.sam2.names import from_original, to_original  # noqa: E402
from sightline.models.sam2.parts import MEMORY_PARTS, PARTS, freeze, fresh_model, part_of, reset  # noqa: E402


@pytest.fixture
def model() -> Sam2VideoModel:
    return fresh_model(tiny_config(64), seed=3)


def state_of(model: Sam2VideoModel) -> dict:
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def test_every_parameter_is_in_exactly_one_part(model):
    starts = [start for part in PARTS.values() for start in part]
    for name, _ in model.named_parameters():
        assert sum(name.startswith(start) for start in starts) == 1, name
    assert {part_of(name) for name, _ in model.named_parameters()} == set(PARTS)


def test_freezing_takes_the_gradient_from_those_parts_and_from_what_nothing_reads(model):
    left = freeze(model, ["image_encoder", "prompt_encoder"])
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert {part_of(name) for name in trained} == set(PARTS) - {"image_encoder", "prompt_encoder"}
    assert "no_memory_positional_encoding" not in trained
    assert left == sum(parameter.numel() for parameter in trained.values())


def test_an_unknown_part_is_refused_with_the_nearest_name(model):
    with pytest.raises(InputError, match=r"'image_encodr'.*Did you mean 'image_encoder'"):
        freeze(model, ["image_encodr"])


def test_freezing_everything_is_refused(model):
    with pytest.raises(InputError, match="nothing is left to train"):
        freeze(model, tuple(PARTS))


def test_a_reset_changes_its_parts_alone_and_the_same_seed_gives_the_same_weights(model):
    before = state_of(model)
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    reset(model, MEMORY_PARTS, seed=8)
    assert torch.equal(torch.rand(1), expected)  # the global stream goes on as if nothing had been drawn
    after = state_of(model)
    changed = {part_of(name) for name, _ in model.named_parameters() if not torch.equal(before[name], after[name])}
    assert changed == set(MEMORY_PARTS)
    reset(model, ["memory_encoder"], seed=9)
    reset(model, ["memory_encoder"], seed=8)
    assert all(torch.equal(tensor, after[name]) for name, tensor in model.state_dict().items())


def test_fresh_weights_follow_the_reference_and_the_seed(model):
    again = state_of(fresh_model(tiny_config(64), 3))
    assert all(torch.equal(tensor, again[name]) for name, tensor in model.state_dict().items())
    other = fresh_model(tiny_config(64), 4)
    assert not torch.equal(model.mask_decoder.conv_s0.weight, other.mask_decoder.conv_s0.weight)
    assert model.memory_encoder.memory_fuser.layers[0].scale.unique().tolist() == pytest.approx([1e-6])
    temporal = model.memory_temporal_positional_encoding
    assert 0.015 < temporal.std().item() < 0.025  # trunc_normal of deviation 0.02 over 448 numbers
    linear = model.memory_attention.layers[0].linear1  # torch's default: uniform within 1 / sqrt(128) = 0.0884
    assert 0.085 < linear.weight.abs().max().item() <= 128**-0.5
    assert 0.8 < model.mask_decoder.mask_tokens.weight.std().item() < 1.2  # an embedding table: normal of deviation 1
    assert not model.vision_encoder.backbone.pos_embed.any()


def test_fresh_weights_survive_the_original_names(model):
    again = from_original(to_original(model.state_dict()))  # needs both positional matrices to be equal
    assert all(torch.equal(tensor, again[name]) for name, tensor in model.state_dict().items())


@pytest.mark.parametrize("size", [32, 96, 160, 512])
def test_the_tiny_network_takes_any_multiple_of_32(size):
    found = fresh_model(tiny_config(size), 0).vision_encoder(torch.zeros(1, 3, size, size))
    assert [tuple(level.shape[-2:]) for level in found.fpn_hidden_states] == [(size // stride,) * 2 for stride in (4, 8, 16)]


def test_rates_fall_with_the_depth_of_the_trunk():
    assert trunk_depth("vision_encoder.backbone.blocks.4.attn.qkv.weight", 5) == 1
    assert trunk_depth("vision_encoder.backbone.blocks.0.attn.qkv.weight", 5) == 5
    assert trunk_depth("vision_encoder.backbone.patch_embed.projection.weight", 5) == 6
    assert trunk_depth("vision_encoder.backbone.pos_embed", 5) == 0
    assert trunk_depth("vision_encoder.neck.convs.0.weight", 5) == 0


def test_groups_hold_every_trained_parameter_once_with_its_rate_and_decay(model):
    freeze(model, ["prompt_encoder"])
    groups = parameter_groups(model, Rates(lr=1e-3, encoder_lr=1e-4, layer_decay=0.5, weight_decay=0.1))
    of = {id(parameter): group for group in groups for parameter in group["params"]}
    trained = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert sum(len(group["params"]) for group in groups) == len(of) == len(trained)
    rows = {name: (of[id(parameter)]["lr"], of[id(parameter)]["weight_decay"]) for name, parameter in trained.items()}
    assert rows["vision_encoder.backbone.blocks.3.attn.qkv.weight"] == (pytest.approx(0.25e-4), 0.1)  # 5 blocks: 0.5 ** 2
    assert rows["vision_encoder.backbone.blocks.3.attn.qkv.bias"] == (pytest.approx(0.25e-4), 0.0)
    assert rows["vision_encoder.backbone.pos_embed"] == (1e-4, 0.1)
    assert rows["mask_decoder.conv_s0.weight"] == (1e-3, 0.1)
    assert rows["mask_decoder.upscale_layer_norm.weight"] == (1e-3, 0.0)
    torch.optim.AdamW([dict(group) for group in groups])


def test_a_layer_decay_above_one_is_refused(model):
    with pytest.raises(InputError, match="layer_decay"):
        parameter_groups(model, Rates(layer_decay=1.1))


def test_lora_starts_as_the_model_trains_only_its_matrices_and_merges_into_plain_weights(model):
    pytest.importorskip("peft", reason="needs peft")
    model.eval()
    freeze(model, ["image_encoder"])
    tokens = torch.randn(2, 5, 128)
    layer: Any = model.memory_attention.layers[0]
    before = layer.linear1(tokens)
    names = set(model.state_dict())
    assert add_lora(model, ["memory_attention"], rank=2, alpha=4.0) == 2 * (4 + 4 + 2)  # two layers: two attentions, two linears
    assert torch.equal(layer.linear1(tokens), before)
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert {name for name in trained if part_of(name) == "memory_attention"} == {name for name in trained if ".lora_" in name}
    assert "mask_decoder.conv_s0.weight" in trained
    assert not any(part_of(name) == "image_encoder" for name in trained)
    with torch.no_grad():
        layer.linear1.lora_B["default"].weight.normal_()
    plain = merged(model)
    assert set(plain.state_dict()) == names
    changed = layer.linear1(tokens)
    assert not torch.allclose(changed, before)
    copied: Any = plain.memory_attention.layers[0]
    torch.testing.assert_close(copied.linear1(tokens), changed, atol=1e-5, rtol=1e-5)
    with pytest.raises(InputError, match="already"):
        add_lora(model, ["mask_decoder"])


def test_lora_on_a_part_without_linear_layers_is_refused(model):
    with pytest.raises(InputError, match=r"'prompt_encoder'.*no linear layer"):
        add_lora(model, ["prompt_encoder"])
