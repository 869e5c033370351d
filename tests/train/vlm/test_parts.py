"""What is declared to be trained is trained, nothing else."""

import copy

import pytest
import torch

pytest.importorskip("transformers", reason="transformers is not installed: pip install 'sightline[models]'")

import transformers

from sightline.errors import InputError
from sightline.train.vlm.lora import Lora, merged
from sightline.train.vlm.parts import (
    Part,
    PartName,
    checkpoint_gradients,
    four_bits,
    parameter_groups,
    part_of,
    part_table,
    set_parts,
    trained_names,
)
from tests.train.vlm.packs import FAMILIES, Tiny, four, tiny, whole, worst


@pytest.fixture(params=FAMILIES)
def small(request, saved) -> Tiny:
    """A model that may be changed, with a head of its own."""
    one = tiny(saved(request.param))
    model = copy.deepcopy(one.model)
    if model.lm_head.weight is model.get_input_embeddings().weight:
        model.lm_head.weight = torch.nn.Parameter(model.lm_head.weight.detach().clone())
    return Tiny(model, one.chat)


FOUR: tuple[PartName, ...] = ("vision", "projector", "language_model", "head")  # those of families without depth
MARKS = {
    "vision": ("blocks.", "vision_tower.", "patch_embed", "pos_embed"),
    "projector": ("merger", "multi_modal_projector"),
    "language_model": ("language_model",),
    "head": ("lm_head",),
}


def test_every_parameter_is_in_one_part(small):
    counts = dict.fromkeys(FOUR, 0)
    for name, parameter in small.model.named_parameters():
        part = part_of(small.model, name)
        assert any(mark in name for mark in MARKS[part]), name
        assert part == "projector" or not any(mark in name for mark in MARKS["projector"])
        counts[part] += parameter.numel()
    assert {part for part, count in counts.items() if count} == MARKS.keys()
    rows = part_table(small.model, {}, lr=1e-3)
    assert {row.name: row.num_parameters for row in rows} == counts
    assert {row.name: row.num_trained for row in rows} == counts


@pytest.mark.parametrize("frozen", FOUR)
def test_a_frozen_part_gets_no_gradient_and_the_others_do(small, frozen, tmp_path):
    before = {name for name, parameter in small.model.named_parameters() if parameter.requires_grad}
    parts = {frozen: Part("frozen")}
    set_parts(small.model, parts)
    batch = small.collate(four(tmp_path))
    _, gradients = small.loss(batch, isolation="segments", norm=whole(batch))
    assert {part_of(small.model, name) for name in gradients} == set(FOUR) - {frozen}
    assert set(trained_names(small.model)) == {name for name in before if part_of(small.model, name) != frozen}
    assert {row.name: row.num_trained == 0 for row in part_table(small.model, parts, lr=1.0)} == {p: p == frozen for p in FOUR}


def test_each_part_has_its_rate_and_matrices_alone_decay(small):
    parts = {"vision": Part(lr=1e-6), "projector": Part(lr=1e-4), "head": Part("frozen", lr=1.0)}
    set_parts(small.model, parts)
    groups = parameter_groups(small.model, parts, lr=1e-5, weight_decay=0.1)
    rates = {group["name"].split()[0]: group["lr"] for group in groups}
    assert rates == {"vision": 1e-6, "projector": 1e-4, "language_model": 1e-5}
    listed = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(listed) == sorted(id(p) for p in small.model.parameters() if p.requires_grad)
    words = small.model.get_input_embeddings().weight
    for group in groups:
        matrices = all(parameter.ndim > 1 and parameter is not words for parameter in group["params"])
        assert matrices == (group["weight_decay"] == 0.1)


def test_lora_on_a_part_trains_its_added_matrices_alone_and_starts_as_nothing(small, tmp_path):
    batch = small.collate(four(tmp_path))
    before, _ = small.loss(batch, isolation="segments", norm=whole(batch))
    parts = {"language_model": Part("lora"), "vision": Part("frozen"), "head": Part("frozen")}
    set_parts(small.model, parts, lora=Lora(rank=2))
    after, gradients = small.loss(batch, isolation="segments", norm=whole(batch))
    assert after == pytest.approx(before, rel=1e-6)
    for name in trained_names(small.model):
        assert part_of(small.model, name) == "projector" or (".lora_" in name and ".language_model." in name)
    assert gradients.keys() == set(trained_names(small.model))
    layers = [m for n, m in small.model.model.language_model.named_modules() if n.endswith("base_layer")]
    assert len(layers) == 2 * 7  # two layers of q, k, v, o, gate, up and down
    row = {row.name: row for row in part_table(small.model, parts, lr=1.0)}["language_model"]
    # rank 2, two layers, and what goes in and comes out of 64 -> 64, 64 -> 32 twice, 64 -> 64, 64 -> 96 twice and 96 -> 64
    assert row.num_trained == 2 * 2 * (128 + 2 * 96 + 128 + 2 * 160 + 160)


def test_merged_lora_is_a_plain_model_that_computes_the_same(small, tmp_path):
    names = [name for name, _ in small.model.named_parameters()]
    set_parts(small.model, {part: Part("lora") for part in ("vision", "projector", "language_model")}, lora=Lora(rank=2))
    with torch.no_grad():
        for name in trained_names(small.model):
            small.model.get_parameter(name).normal_(0, 0.1)
    plain = Tiny(merged(small.model), small.chat)
    assert [name for name, _ in plain.model.named_parameters()] == names
    batch = small.collate(four(tmp_path))
    ours, _ = small.loss(batch, isolation="segments", norm=whole(batch))
    plain.model.requires_grad_(True)
    theirs, _ = plain.loss(batch, isolation="segments", norm=whole(batch))
    assert theirs == pytest.approx(ours, rel=1e-5)
    assert any(".lora_" in name for name, _ in small.model.named_parameters())


def test_computing_inner_states_twice_changes_no_gradient(small, tmp_path):
    batch = small.collate(four(tmp_path))
    small.model.train()
    loss, expected = small.loss(batch, isolation="segments", norm=whole(batch))
    checkpoint_gradients(small.model)
    assert small.model.is_activation_checkpointing
    again, gradients = small.loss(batch, isolation="segments", norm=whole(batch))
    assert again == pytest.approx(loss, rel=1e-6)
    assert worst(gradients, expected) < (1e-5, "")


def test_bad_settings_are_named(saved):
    model = tiny(saved("llava")).model
    with pytest.raises(InputError, match=r"no part of a VLM is called 'visoin'. Did you mean 'vision'"):
        set_parts(model, {"visoin": Part("frozen")})
    with pytest.raises(InputError, match="all parts are frozen"):
        set_parts(model, {part: Part("frozen") for part in FOUR})
    set_parts(model, {})
    with pytest.raises(InputError, match="rank=0"):
        Lora(rank=0)
    with pytest.raises(InputError, match="the parts of paligemma are not known; they are of qwen2_vl, "):
        part_of(type("Other", (), {"config": transformers.PaliGemmaConfig()})(), "lm_head.weight")


def test_a_head_that_is_the_word_embeddings_has_no_settings(saved):
    config = transformers.AutoConfig.from_pretrained(saved("qwen3_vl"))
    config.tie_word_embeddings = config.text_config.tie_word_embeddings = True
    model = transformers.AutoModelForImageTextToText.from_config(config)
    for parts in ({"head": Part("frozen")}, {"head": Part(lr=1.0)}, {"language_model": Part("lora"), "head": Part("lora")}):
        with pytest.raises(InputError, match="head is its word embeddings"):
            set_parts(model, parts)
    set_parts(model, {"language_model": Part("frozen"), "head": Part("frozen")})
    assert [row.name for row in part_table(model, {}, lr=1.0)] == ["vision", "projector", "language_model"]


def test_four_bits_need_bitsandbytes_and_a_gpu(monkeypatch):
    if not torch.cuda.is_available():
        with pytest.raises(InputError, match=r"QLoRA needs (the package bitsandbytes|an NVIDIA GPU)"):
            four_bits()
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(InputError, match="pip install bitsandbytes"):
        four_bits()
