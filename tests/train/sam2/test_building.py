"""The model that training starts with, and checkpoints that do not fit."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("transformers", reason="needs the models extra")

from safetensors.torch import load_file, save_file  # noqa: E402
from transformers import Sam2VideoModel  # noqa: E402

from sightline.errors import InputError  # noqa: E402
from sightline.models.sam2.architecture import tiny_config  # noqa: E402
from sightline.models.sam2.parts import fresh_model, part_of  # noqa: E402
from sightline.models.sam2.weights import write_folder, write_original  # noqa: E402
from sightline.train.sam2.building import build_model  # noqa: E402
from sightline.train.sam2.publish import publish_weights  # noqa: E402
from sightline.train.sam2.settings import LoraSettings, ModelSettings  # noqa: E402

TINY = ModelSettings(fresh="tiny", image_size=64, drop_path=0.0)


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    write_folder(fresh_model(tiny_config(64), 3), tmp_path / "sam2")
    return tmp_path / "sam2"


def test_the_same_seed_draws_the_same_weights_and_another_others():
    first, again, other = (build_model(TINY, seed=seed).state_dict() for seed in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not torch.equal(first["memory_encoder.projection.weight"], other["memory_encoder.projection.weight"])


def test_frozen_parts_have_no_gradient_and_reset_parts_are_not_the_checkpoints(checkpoint):
    settings = ModelSettings(
        checkpoint_path=str(checkpoint), image_size=64, freeze=("image_encoder",), reset=("memory_encoder",), drop_path=0.0
    )
    model, stored = build_model(settings, seed=0), load_file(checkpoint / "model.safetensors")
    for name, parameter in model.named_parameters():
        assert parameter.requires_grad == (part_of(name) != "image_encoder" and name != "no_memory_positional_encoding")
    assert not torch.equal(model.memory_encoder.projection.weight, stored["memory_encoder.projection.weight"])
    assert torch.equal(model.mask_decoder.mask_tokens.weight, stored["mask_decoder.mask_tokens.weight"])


def test_a_shorter_memory_keeps_the_nearest_places_in_time_and_loads_in_transformers(tmp_path):
    long = build_model(TINY, seed=0).memory_temporal_positional_encoding
    settings = ModelSettings(fresh="tiny", image_size=64, drop_path=0.0, num_maskmem=3, max_pointers=5)
    model = build_model(settings, seed=0)
    assert torch.equal(model.memory_temporal_positional_encoding, long[[0, 1, 6]])
    publish_weights(model, tmp_path / "weights")
    loaded = Sam2VideoModel.from_pretrained(tmp_path / "weights/sam2_video")
    assert (loaded.num_maskmem, loaded.config.max_object_pointers_in_encoder) == (3, 5)
    assert torch.equal(loaded.memory_temporal_positional_encoding, long[[0, 1, 6]])


def test_a_memory_longer_than_was_learnt_is_refused():
    with pytest.raises(InputError, match="num_maskmem 8: the checkpoint has learnt 7 places"):
        build_model(ModelSettings(fresh="tiny", image_size=64, num_maskmem=8), seed=0)


def test_lora_is_added_to_the_weights_that_are_published(tmp_path):
    pytest.importorskip("peft", reason="needs the models extra")
    settings = ModelSettings(fresh="tiny", image_size=64, drop_path=0.0, lora=LoraSettings(parts=("memory_attention",), rank=2))
    model = build_model(settings, seed=0)
    trained = [name for name, parameter in model.named_parameters() if parameter.requires_grad and "memory_attention" in name]
    assert trained
    assert all(".lora_" in name for name in trained)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if ".lora_B." in name:
                parameter.fill_(0.1)
    publish_weights(model, tmp_path / "weights")
    published = load_file(tmp_path / "weights/sam2_video/model.safetensors")
    plain = build_model(TINY, seed=0).state_dict()
    assert published.keys() == plain.keys() or set(published) == set(plain)
    assert not torch.equal(published["memory_attention.layers.0.linear1.weight"], plain["memory_attention.layers.0.linear1.weight"])


def test_the_tiny_network_drops_nothing_out_in_training():
    config = build_model(TINY, seed=0).config
    assert (config.memory_attention_dropout, config.memory_attention_rope_dropout) == (0.0, 0.0)


def test_a_checkpoint_with_missing_weights_is_named(checkpoint):
    tensors = load_file(checkpoint / "model.safetensors")
    del tensors["memory_encoder.projection.bias"]
    save_file(tensors, checkpoint / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=rf"{checkpoint}.*1 missing: memory_encoder\.projection\.bias"):
        build_model(ModelSettings(checkpoint_path=str(checkpoint), image_size=64), seed=0)


def test_a_checkpoint_of_another_size_is_named(checkpoint):
    tensors = load_file(checkpoint / "model.safetensors")
    tensors["memory_encoder.projection.bias"] = torch.zeros(32)
    save_file(tensors, checkpoint / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"memory_encoder\.projection\.bias is \(32,\), expected \(64,\)"):
        build_model(ModelSettings(checkpoint_path=str(checkpoint), image_size=64), seed=0)


def test_an_original_checkpoint_needs_its_yaml_and_a_missing_one_is_named(tmp_path):
    write_original(fresh_model(tiny_config(64), 0), tmp_path / "sam2.pt")
    with pytest.raises(InputError, match=r"needs its YAML \(model\.config_path"):
        build_model(ModelSettings(checkpoint_path=str(tmp_path / "sam2.pt"), image_size=64), seed=0)
    with pytest.raises(FileNotFoundError, match="nothing"):
        build_model(ModelSettings(checkpoint_path=str(tmp_path / "nothing"), image_size=64), seed=0)
