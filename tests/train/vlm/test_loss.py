"""The head on supervised tokens alone is the whole head; steps are divided by their own number, however they are cut up."""

import math
from dataclasses import replace

import pytest
import torch

pytest.importorskip("transformers", reason="transformers is not installed: pip install 'sightline[models]'")

import functools
import operator

from sightline.train.vlm.labels import IGNORED
from sightline.train.vlm.loss import Norm, batch_loss, hidden_states, units
from sightline.train.vlm.pack import isolate
from tests.train.vlm.packs import FAMILIES, Tiny, four, tiny, whole, worst


@pytest.fixture(params=FAMILIES)
def small(request, saved) -> Tiny:
    return tiny(saved(request.param))


@pytest.mark.parametrize("per", ["token", "sample"])
def test_the_head_on_supervised_tokens_is_the_whole_head(small, tmp_path, per):
    batch = small.collate(four(tmp_path))
    loss, gradients = small.loss(batch, isolation="segments", norm=whole(batch, per))
    plain, expected = small.loss(batch, isolation="segments", norm=whole(batch, per), whole_head=True)
    assert loss == pytest.approx(plain, rel=1e-6)
    assert worst(gradients, expected) < (1e-5, "")


def test_the_loss_is_that_of_transformers_for_one_sample(small, tmp_path):
    one = four(tmp_path)[2]
    batch = small.collate([one], shared=False)
    labels = torch.from_numpy(small.chat.label(one).labels)[None]
    kinds = {"mm_token_type_ids": (batch.input_ids == small.model.config.image_token_id).int()}
    isolate(small.model, "none")
    theirs = small.model(
        input_ids=batch.input_ids, labels=labels, **batch.pictures.tensors, **(kinds if "qwen" in small.chat.dialect.name else {})
    )
    ours, _ = small.loss(batch, isolation="segments", norm=whole(batch))
    assert ours == pytest.approx(theirs.loss.item(), rel=1e-6)


def test_per_token_and_per_sample_are_what_they_say(saved, tmp_path):
    small = tiny(saved("llava"))
    batch = small.collate(four(tmp_path))
    isolate(small.model, "segments")
    with torch.no_grad():
        states, _ = hidden_states(small.model, batch, "segments")
        chance = small.model.lm_head(states)[0].log_softmax(-1)
        each = [
            [-chance[place, batch.targets[0, place]].item() for place in places.tolist()]
            for number in range(4)
            for places in [((batch.sequences[0] == number) & (batch.targets[0] != IGNORED)).nonzero()[:, 0]]
        ]
        per_token = batch_loss(small.model, batch, norm=whole(batch, "token"), isolation="segments").item()
        per_sample = batch_loss(small.model, batch, norm=whole(batch, "sample"), isolation="segments").item()
    assert len({len(one) for one in each}) > 1
    assert per_token == pytest.approx(math.fsum(functools.reduce(operator.iadd, each, [])) / sum(map(len, each)), rel=1e-5)
    assert per_sample == pytest.approx(math.fsum(math.fsum(one) / len(one) for one in each) / 4, rel=1e-5)


@pytest.mark.parametrize("per", ["token", "sample"])
def test_a_step_in_pieces_is_the_step_at_once(saved, tmp_path, per):
    small = tiny(saved("qwen3_vl"))
    samples = four(tmp_path)
    at_once = small.collate(samples)
    norm = whole(at_once, per)
    loss, gradients = small.loss(at_once, isolation="segments", norm=norm)
    pieces = [
        small.loss(small.collate(part), isolation="segments", norm=replace(norm, pieces=2)) for part in (samples[:3], samples[3:])
    ]
    averaged = {name: (pieces[0][1][name] + pieces[1][1][name]) / 2 for name in gradients}
    assert sum(one for one, _ in pieces) / 2 == pytest.approx(loss, rel=1e-6)
    assert worst(averaged, gradients) < (2e-5, "")


def test_a_batch_without_supervised_tokens_gives_every_parameter_a_gradient_of_nothing(small, tmp_path):
    batch = small.collate(four(tmp_path))
    silent = replace(batch, targets=torch.full_like(batch.targets, IGNORED), num_supervised=(0, 0, 0, 0))
    loss, gradients = small.loss(silent, isolation="segments", norm=Norm("token", 7))
    _, usual = small.loss(batch, isolation="segments", norm=whole(batch))
    assert loss == 0
    assert gradients.keys() == usual.keys()
    assert not any(gradient.any() for gradient in gradients.values())


def test_units_are_supervised_tokens_or_samples_that_have_any():
    assert units((3, 0, 5), "token") == 8
    assert units((3, 0, 5), "sample") == 2
