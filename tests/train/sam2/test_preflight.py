"""The largest clip first, and what is said when it does not fit."""

import pytest

import sightline  # noqa: F401 - mends torchvision before transformers and lightning look at it

torch = pytest.importorskip("torch", reason="needs the models extra")
for package in ("transformers", "hydra"):
    pytest.importorskip(package, reason="needs the models and train extras")

from sightline.errors import InputError  # noqa: E402
from sightline.models.sam2.clip import ClipModel  # noqa: E402
from sightline.train.sam2.module import Sam2Training  # noqa: E402
from sightline.train.sam2.preflight import (  # noqa: E402
    GIB,
    Activations,
    Preflight,
    is_out_of_memory,
    largest_clip,
    out_of_memory,
    run_preflight,
    shrunk,
)
from tests.train.sam2.small import settings  # noqa: E402

CPU = torch.device("cpu")
MEASURED = Preflight(
    clip="clip 'a'",
    clips=1,
    frames=2,
    objects=1,
    image_size=512,
    activations=Activations(per_frame=0.5 * GIB, per_object_frame=0.25 * GIB),
    weights=2 * GIB,
    peak=4 * GIB,
    available=10 * GIB,
)


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


def test_what_would_fit_follows_from_the_measured_sizes(tmp_path):
    own = settings(tmp_path)
    batch = largest_clip(Sam2Training(own).plan)
    big = shrunk(batch, objects=1, frames=3)
    big = type(big)(
        torch.zeros(8, 1, 3, 512, 512), torch.zeros(8, 6, 2, 2), torch.ones(8, 6), torch.zeros(6), tuple("abcdef"), batch.windows
    )
    message = str(out_of_memory(big, MEASURED, own))
    # it keeps 8 * 0.5 + 6 * 8 * 0.25 = 16 GiB; room is 0.9 * 10 - 2 = 7 GiB:
    # objects (7 - 4) / (8 * 0.25) = 1.5; frames 7 / (0.5 + 6 * 0.25) = 3.5; pixels 512 * sqrt(7 / 16) = 338.7, to a multiple of 32
    assert "6 object(s) in 8 frames of 1 clip(s) at 512 px. It keeps about 16.00 GiB" in message
    assert "By this, 1 objects or 3 frames or 320 px would fit." in message
    assert "model.checkpoint_blocks=true" in message


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


def test_other_errors_are_no_lack_of_memory():
    assert is_out_of_memory(RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"))
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
