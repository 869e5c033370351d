"""What is said of a batch that does not fit into memory."""

from dataclasses import replace

import pytest

import sightline  # noqa: F401 - mends torchvision before transformers and lightning look at it

torch = pytest.importorskip("torch", reason="needs the models extra")
for package in ("transformers", "hydra"):
    pytest.importorskip(package, reason="needs the models and train extras")

from sightline.train.sam2 import memory  # noqa: E402
from sightline.train.sam2.batches import Batch  # noqa: E402
from sightline.train.sam2.memory import (  # noqa: E402
    GIB,
    Activations,
    Extent,
    Preflight,
    available_memory,
    is_out_of_memory,
    out_of_memory,
)
from sightline.train.sam2.windows import Window  # noqa: E402
from tests.train.sam2.small import settings  # noqa: E402

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


def batch(clips: int = 1) -> Batch:
    """Six objects in 8 frames of 512 pixels."""
    return Batch(
        images=torch.zeros(8, clips, 3, 512, 512),
        masks=torch.zeros(8, 6, 2, 2, dtype=torch.bool),
        known=torch.ones(8, 6, dtype=torch.bool),
        video_of_object=torch.zeros(6, dtype=torch.long),
        names=tuple("abcdef"),
        windows=(Window(0, "a", tuple(range(8)), 0, 0),),
    )


def test_what_would_fit_follows_from_the_measured_sizes(tmp_path):
    message = str(out_of_memory(batch(), MEASURED, settings(tmp_path)))
    # it keeps 8 * 0.5 + 6 * 8 * 0.25 = 16 GiB; room is 0.9 * 10 - 2 = 7 GiB:
    # objects (7 - 4) / (8 * 0.25) = 1.5; frames 7 / (0.5 + 6 * 0.25) = 3.5; pixels 512 * sqrt(7 / 16) = 338.7, to a multiple of 32
    assert "6 object(s) in 8 frames of 1 clip(s) at 512 px. It keeps about 16.00 GiB" in message
    assert "of 10.00 GiB. By this, 1 objects or 3 frames or 320 px would fit." in message
    assert "model.checkpoint_blocks=true" in message
    assert "data.batch_size" not in message


def test_of_several_clips_fewer_may_fit(tmp_path):
    # 2 * 8 * 0.5 + 6 * 8 * 0.25 = 20 GiB, 10 a clip; room is 0.9 * 15 - 2 = 11.5 GiB
    message = str(out_of_memory(batch(clips=2), replace(MEASURED, available=15 * GIB), settings(tmp_path)))
    assert " or 1 clips or " in message
    assert "fewer clips at a time (data.batch_size, with more trainer.accumulate)" in message


def test_nothing_is_promised_where_the_weights_alone_fill_the_memory(tmp_path):
    message = str(out_of_memory(batch(), replace(MEASURED, available=2 * GIB), settings(tmp_path)))
    assert "No smaller clip of this kind would fit." in message


def test_a_batch_that_should_fit_points_at_what_else_holds_memory(tmp_path):
    message = str(out_of_memory(batch(), replace(MEASURED, available=80 * GIB), settings(tmp_path)))
    assert "By this it would fit: something else holds the memory" in message
    assert "px would fit" not in message


def test_without_a_measurement_the_largest_batch_that_went_through_says_what_fits(tmp_path):
    message = str(out_of_memory(batch(), None, settings(tmp_path), passed=Extent(clips=1, frames=8, objects=5)))
    assert "The largest batch that went through before had 5 object(s) in 8 frames of 1 clip(s)." in message
    assert "It keeps" not in message


def test_a_container_that_may_use_less_than_the_machine_counts(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "CONTAINER_LIMIT", tmp_path / "memory.max")
    whole = available_memory(torch.device("cpu"))
    assert whole is not None
    (tmp_path / "memory.max").write_text("max\n")
    assert available_memory(torch.device("cpu")) == whole
    (tmp_path / "memory.max").write_text("1048576\n")
    assert available_memory(torch.device("cpu")) == 2**20


def test_other_errors_are_no_lack_of_memory():
    assert is_out_of_memory(RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory"))
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
