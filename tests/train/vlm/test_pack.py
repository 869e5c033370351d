"""Samples of a pack do not see each other: changed neighbours change nothing, and packed training is unpacked training."""

import shutil
from dataclasses import replace

import pytest
import torch

pytest.importorskip("transformers", reason="transformers is not installed: pip install 'sightline[models]'")

from sightline.errors import InputError
from sightline.train.vlm.collate import Batch
from sightline.train.vlm.loss import hidden_states
from sightline.train.vlm.pack import check_packable, choose_isolation, isolate
from sightline.train.vlm.samples import Turn
from tests.train.vlm.packs import FAMILIES, Tiny, four, picture, sample, tiny, whole, with_text, worst

CLOSE = 1e-6
TRAINED_ON_CPU = ("segments", "mask")
FLEX = pytest.param(  # forward only: FlexAttention has no backward pass on the CPU
    "flex",
    marks=[
        pytest.mark.skipif(shutil.which("g++") is None, reason="torch compiles FlexAttention with g++"),
        pytest.mark.filterwarnings("ignore:.torch.jit:DeprecationWarning"),  # torch's own, when its compiler is imported
    ],
)
ON_CPU = (*TRAINED_ON_CPU, FLEX)


@pytest.fixture(params=[*FAMILIES, "internvl with qwen3"])
def small(request, saved) -> Tiny:
    family, _, text = request.param.partition(" with ")
    return with_text(tiny(saved(family)), text) if text else tiny(saved(family))


def logits(small: Tiny, batch: Batch, isolation) -> list[torch.Tensor]:
    """Those of each sample, in the order of the rows."""
    isolate(small.model, isolation)
    with torch.no_grad():
        out = small.model.lm_head(hidden_states(small.model, batch, isolation)[0])
    return [
        out[row][batch.sequences[row] == number]
        for row in range(out.shape[0])
        for number in range(int(batch.sequences[row].max()) + 1)
    ]


def furthest(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return ((ours - theirs).abs().max() / theirs.abs().max()).item()


@pytest.mark.parametrize("isolation", ON_CPU)
def test_changing_the_words_and_the_picture_of_a_sample_changes_no_other(small, tmp_path, isolation):
    samples = four(tmp_path)
    before = logits(small, small.collate(samples), isolation)
    for index, other in (
        (0, sample("a", (picture(tmp_path, 4), picture(tmp_path, 2)))),  # of the size of picture 1
        (2, replace(samples[2], turns=(Turn("user", (*samples[2].turns[0].parts[:3], "And now?")), samples[2].turns[1]))),
        (3, sample("d", (picture(tmp_path, 7),), words="Somewhere else entirely, please!", answer="NOT_VISIBLE")),
    ):
        changed = [*samples[:index], other, *samples[index + 1 :]]
        after = logits(small, small.collate(changed), isolation)
        for place in range(4):
            if place == index:
                length = min(len(before[place]), len(after[place]))
                assert furthest(after[place][:length], before[place][:length]) > 1e-3
            else:
                assert furthest(after[place], before[place]) < CLOSE


@pytest.mark.parametrize("isolation", ON_CPU)
def test_a_sample_in_a_pack_gives_what_it_gives_alone_by_the_models_own_forward(small, tmp_path, isolation):
    samples = four(tmp_path)
    packed = logits(small, small.collate(samples[:3], samples[3:]), isolation)
    isolate(small.model, "none")
    for one, ours in zip(samples, packed, strict=True):
        batch = small.collate([one], shared=False)
        pictures = batch.pictures.tensors if batch.pictures.uses.numel() else {}
        kinds = {"mm_token_type_ids": (batch.input_ids == small.model.config.image_token_id).int()}
        with torch.no_grad():
            alone = small.model(input_ids=batch.input_ids, **pictures, **(kinds if "image_grid_thw" in pictures else {})).logits[0]
        assert furthest(ours, alone) < CLOSE


@pytest.mark.parametrize("isolation", TRAINED_ON_CPU)
@pytest.mark.parametrize("per", ["token", "sample"])
def test_loss_and_gradients_of_a_pack_are_those_of_its_samples_unpacked(small, tmp_path, isolation, per):
    samples = four(tmp_path)
    packed, padded = small.collate(samples), small.collate(*([one] for one in samples))
    assert packed.input_ids.shape[0] == 1
    assert padded.input_ids.shape[0] == 4
    loss, gradients = small.loss(packed, isolation=isolation, norm=whole(packed, per))
    plain, expected = small.loss(padded, isolation="none", norm=whole(padded, per))
    assert loss == pytest.approx(plain, rel=1e-6)
    assert worst(gradients, expected) < (2e-5, "")


def test_without_isolation_samples_would_see_each_other(saved, tmp_path):
    small = tiny(saved("qwen3_vl"))
    samples = four(tmp_path)
    before = logits(small, small.collate(samples), "none")
    after = logits(small, small.collate([sample("a", (picture(tmp_path, 4), picture(tmp_path, 2))), *samples[1:]]), "none")
    assert furthest(after[3], before[3]) > 1e-3


def test_positions_start_anew_in_every_sample(small, tmp_path):
    samples = four(tmp_path)
    batch = small.collate(samples)
    alone = [small.collate([one]) for one in samples]
    assert torch.equal(batch.position_ids, torch.cat([one.position_ids for one in alone], dim=-1))
    assert all(not one.position_ids[..., 0].any() for one in alone)


def test_families_that_are_not_proven_are_named(saved):
    config = tiny(saved("llava")).model.config
    config = type(config).from_dict(config.to_dict())
    config.text_config.model_type = "gemma2"
    with pytest.raises(InputError, match=r"packing is not proven for llava with gemma2: .* qwen3_vl with qwen3_vl_text"):
        check_packable(config)
    config.model_type = "smolvlm"
    with pytest.raises(InputError, match="not proven for smolvlm"):
        check_packable(config)


def test_layers_that_look_through_a_window_are_not_packed(saved):
    config = tiny(saved("internvl")).model.config
    config = type(config).from_dict(config.to_dict())
    config.text_config.layer_types = ["full_attention", "sliding_attention"]
    with pytest.raises(InputError, match="layers of full_attention, sliding_attention"):
        check_packable(config)


@pytest.mark.parametrize(
    ("isolation", "expected"), [("segments", "sightline_segments"), ("flex", "sightline_flex"), ("none", "sdpa")]
)
def test_the_language_model_alone_is_changed(small, isolation, expected):
    isolate(small.model, isolation)
    assert small.model.model.language_model.config._attn_implementation == expected
    tower = getattr(small.model.model, "vision_tower", None) or small.model.model.visual
    assert tower.config._attn_implementation == "sdpa"


def test_the_way_follows_the_device():
    assert choose_isolation(torch.device("cpu")) == "segments"
    assert choose_isolation(torch.device("cuda")) in ("flash", "flex")
