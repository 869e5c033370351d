"""One pass for each distinct picture gives the losses and gradients of a pass for each use."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch

pytest.importorskip("transformers", reason="transformers is not installed: pip install 'sightline[models]'")

from sightline.errors import InputError
from sightline.train.vlm.loss import batch_loss
from sightline.train.vlm.pack import isolate
from sightline.train.vlm.samples import MediaRef
from sightline.train.vlm.shared_images import encode_pictures
from tests.train.vlm.packs import FAMILIES, Tiny, four, picture, sample, tiny, whole, worst


@pytest.fixture(params=FAMILIES)
def small(request, saved) -> Tiny:
    return tiny(saved(request.param))


def test_shared_pictures_are_repeated_pictures_in_loss_and_every_gradient(small, tmp_path):
    samples = four(tmp_path)
    shared, repeated = small.collate(samples), small.collate(samples, shared=False)
    assert (len(shared.pictures.tiles), shared.pictures.uses.tolist()) == (3, [0, 1, 1, 0, 2, 0])
    assert (len(repeated.pictures.tiles), repeated.pictures.uses.tolist()) == (6, [0, 1, 2, 3, 4, 5])
    loss, gradients = small.loss(shared, isolation="segments", norm=whole(shared))
    plain, expected = small.loss(repeated, isolation="segments", norm=whole(repeated))
    assert loss == pytest.approx(plain, rel=1e-6)
    assert worst(gradients, expected) < (2e-5, "")
    tower = [name for name in expected if "vis" in name]
    assert tower
    assert all(gradients[name].any() for name in tower if name.endswith("weight"))


def test_every_use_has_the_features_of_the_models_own_pass(small, tmp_path):
    samples = four(tmp_path)
    shared, repeated = small.collate(samples), small.collate(samples, shared=False)
    with torch.no_grad():
        ours, _ = encode_pictures(small.model, shared.pictures)
        theirs = small.model.model.get_image_features(**repeated.pictures.tensors, return_dict=True)
    levels = [(ours.pooler_output, theirs.pooler_output)]
    levels += list(zip(getattr(ours, "deepstack_features", []), getattr(theirs, "deepstack_features", []), strict=True))
    assert len(levels) == (2 if small.model.config.model_type == "qwen3_vl" else 1)
    for mine, their in levels:
        for one, two in zip(mine, their, strict=True):
            torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-6)


def test_the_same_pixels_in_two_files_are_one_picture(small, tmp_path):
    first = picture(tmp_path, 1)
    second = MediaRef(Path(shutil.copy(first.path, tmp_path / "copy.png")))
    batch = small.collate([sample("a", (first,)), sample("b", (second, picture(tmp_path, 2)))])
    assert batch.pictures.uses.tolist() == [0, 0, 1]


def test_a_batch_without_pictures_gives_the_tower_gradients_of_nothing(small):
    batch = small.collate([sample("a", (), answer="yes")], [sample("b", (), answer="no")])
    assert not batch.pictures.uses.numel()
    assert len(batch.pictures.tiles) == 1
    _, gradients = small.loss(batch, isolation="segments", norm=whole(batch))
    _, with_pictures = small.loss(batch, isolation="mask", norm=whole(batch))
    tower = [name for name in gradients if "vis" in name or "multi_modal" in name]
    assert tower
    assert not any(gradients[name].any() for name in tower)
    assert gradients["model.language_model.embed_tokens.weight"].any()
    assert gradients.keys() == with_pictures.keys()


def test_a_family_that_is_not_proven_is_named(saved, tmp_path):
    small = tiny(saved("llava"))
    batch = small.collate(four(tmp_path))
    config = type(small.model.config).from_dict(small.model.config.to_dict())
    config.model_type = "smolvlm"
    other = type("Other", (), {"config": config})()
    with pytest.raises(InputError, match="sharing pictures is not proven for smolvlm; it is for internvl, llava"):
        encode_pictures(other, batch.pictures)
    with pytest.raises(InputError, match="pictures cannot be shared in smolvlm"):
        batch_loss(other, replace(batch), norm=whole(batch), isolation="none")
    isolate(small.model, "none")
