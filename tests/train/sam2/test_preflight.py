"""The largest clip first, and what is said when it does not fit."""

import pytest

import sightline  # noqa: F401 - mends torchvision before transformers and lightning look at it

torch = pytest.importorskip("torch", reason="needs the models extra")
for package in ("transformers", "hydra"):
    pytest.importorskip(package, reason="needs the models and train extras")

from sightline.errors import InputError  # noqa: E402
from sightline.models.sam2.clip import ClipModel  # noqa: E402
from sightline.train.sam2.module import Sam2Training  # noqa: E402
from sightline.train.sam2.preflight import largest_clip, run_preflight  # noqa: E402
from tests.train.sam2.small import settings  # noqa: E402

CPU = torch.device("cpu")


def test_the_clip_with_most_objects_is_taken_with_all_that_a_clip_may_have(tmp_path):
    training = Sam2Training(settings(tmp_path, "data.clips.num_frames=4"))
    found = largest_clip(training.plan)
    assert found.names == ("left/1", "left/2")  # the other video has one object


def test_it_measures_what_is_kept_and_leaves_the_model_as_it_was(tmp_path):
    own = settings(tmp_path)
    training = Sam2Training(own)
    before = {name: tensor.clone() for name, tensor in training.clips.state_dict().items()}
    state = torch.get_rng_state()
    found = run_preflight(training.clips, training.plan, own, device=CPU)
    assert (found.clips, found.frames, found.image_size) == (2, 3, 64)
    assert found.activations.per_frame > 64 * 64 * 3 * 4  # more than the picture itself
    assert found.activations.per_object_frame > 0
    # 4 bytes a number, and for each trained one a gradient and two moments
    numbers = sum(each.numel() for each in training.clips.parameters())
    trained = sum(each.numel() for each in training.clips.parameters() if each.requires_grad)
    assert found.weights == 4 * (numbers + 3 * trained)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(before[name], tensor) for name, tensor in training.clips.state_dict().items())
    assert all(each.grad is None for each in training.clips.parameters())
    assert "2 clip(s), 3 frames" in str(found)


def test_a_frozen_encoder_keeps_nothing(tmp_path):
    own = settings(tmp_path, "model.freeze=[image_encoder,mask_decoder,prompt_encoder]")
    training = Sam2Training(own)
    free = run_preflight(training.clips, training.plan, own, device=CPU).activations
    whole = settings(tmp_path)
    other = Sam2Training(whole)
    assert free.per_frame < 0.2 * run_preflight(other.clips, other.plan, whole, device=CPU).activations.per_frame


def test_a_clip_that_does_not_fit_is_named_with_its_objects_and_frames(tmp_path, monkeypatch):
    own = settings(tmp_path)
    training = Sam2Training(own)
    forward = ClipModel.forward

    def short_of_memory(self, images, *args, **kwargs):
        if len(images) > 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return forward(self, images, *args, **kwargs)

    monkeypatch.setattr(ClipModel, "forward", short_of_memory)
    with pytest.raises(
        InputError, match=r"out of memory: clip 'left'.* object\(s\) in 3 frames of 2 clip\(s\) at 64 px\. It keeps about"
    ):
        run_preflight(training.clips, training.plan, own, device=CPU)
