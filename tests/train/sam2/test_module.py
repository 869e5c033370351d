"""The losses of a batch, whoever computes which part of it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import sightline  # noqa: F401 - mends torchvision before transformers and lightning look at it

torch = pytest.importorskip("torch", reason="needs the models extra")
for package in ("transformers", "hydra"):
    pytest.importorskip(package, reason="needs the models and train extras")

from sightline.errors import InputError  # noqa: E402
from sightline.train.sam2 import module as module_file  # noqa: E402
from sightline.train.sam2.module import Sam2Training  # noqa: E402
from sightline.train.trainable import Processes  # noqa: E402
from tests.train.sam2.small import settings  # noqa: E402

MIXED = ("prompts.kind=mixed", "prompts.max_prompted=2", "prompts.num_clicks=2", "data.clips.late_objects=1.0")


def gradients(training: Sam2Training, number: int, processes: Processes) -> dict[str, Any]:
    (batch,) = training.batches(range(number, number + 1), processes)
    training.clips.zero_grad(set_to_none=True)
    sum(training.losses(batch, number).values(), torch.zeros(())).backward()
    return {name: each.grad for name, each in training.clips.named_parameters() if each.grad is not None}


class TwoProcesses:
    """The other process's part of the sums, as gloo would add it."""

    def __init__(self, other: Sam2Training, number: int, rank: int) -> None:
        self.other, self.number, self.rank = other, number, rank

    def is_available(self) -> bool:
        return True

    def is_initialized(self) -> bool:
        return True

    def get_world_size(self) -> int:
        return 2

    def all_reduce(self, counts: Any) -> None:
        (batch,) = self.other.batches(range(self.number, self.number + 1), Processes(self.rank, 2))
        assert batch.batch is not None
        counts[0] += len(batch.batch.names)
        counts[1:] += (~batch.batch.known).sum(dim=1)


@pytest.mark.parametrize("number", [0, 1, 4, 5])
def test_gradients_of_two_halves_average_to_those_of_the_whole(tmp_path: Path, monkeypatch, number):
    training = Sam2Training(settings(tmp_path, *MIXED))
    whole = gradients(training, number, Processes())
    halves = []
    for rank in (0, 1):
        monkeypatch.setattr(module_file, "dist", TwoProcesses(training, number, 1 - rank))
        halves.append(gradients(training, number, Processes(rank, 2)))
    assert whole.keys() == halves[0].keys() | halves[1].keys()
    largest = max(float(gradient.abs().max()) for gradient in whole.values())
    for name, gradient in whole.items():
        mean = sum(half.get(name, torch.zeros_like(gradient)) for half in halves) / 2
        assert torch.allclose(mean, gradient, atol=2e-5 * largest), name


def test_a_batch_is_the_same_for_the_same_number_and_its_clips_are_named(tmp_path):
    training = Sam2Training(settings(tmp_path))
    first, second = training.batches(range(3, 5), Processes())
    (again,) = training.batches(range(4, 5), Processes())
    assert training.note(second).ids == training.note(again).ids
    assert training.note(first).counts == {"clips": 2, "frames": 6, "objects": 2}
    assert all("clip '" in name for name in training.note(first).ids)


def test_weights_of_the_losses_are_factors_of_the_terms(tmp_path):
    own = settings(tmp_path)
    training = Sam2Training(own)
    (batch,) = training.batches(range(1), Processes())
    plain = training.losses(batch, 0)
    training.settings = replace(own, losses=replace(own.losses, presence=3.0, iou=0.0))
    changed = training.losses(batch, 0)
    assert float(changed["presence"].detach()) == pytest.approx(3 * float(plain["presence"].detach()))
    assert float(changed["iou"].detach()) == 0


def test_a_clip_with_a_corrupt_picture_stops_training_or_is_left_out_and_listed(tmp_path):
    own = settings(tmp_path)
    training = Sam2Training(own)
    (tmp_path / "right/00002.jpg").write_bytes(b"no picture")
    with pytest.raises(InputError, match=r"(?s)step \d+, row \d.*right/00002\.jpg.*on_bad_clip=skip"):
        list(training.batches(range(6), Processes()))
    skipped = []
    lenient = Sam2Training(replace(own, data=replace(own.data, on_bad_clip="skip")), on_skip=skipped.append)
    batches = list(lenient.batches(range(6), Processes()))
    assert skipped
    assert all(entry.reason == "clip_not_loaded" and "right/00002.jpg" in entry.detail for entry in skipped)
    assert sum(lenient.note(batch).counts["clips"] for batch in batches) == 12 - len(skipped)


def test_a_process_without_clips_still_gives_gradients_of_zero(tmp_path):
    training = Sam2Training(settings(tmp_path))
    (batch,) = training.batches(range(1), Processes())
    losses = training.losses(replace(batch, batch=None), 0)
    sum(losses.values(), torch.zeros(())).backward()
    trained = [each for each in training.clips.parameters() if each.requires_grad]
    assert all(each.grad is not None and not each.grad.any() for each in trained)


def test_a_stage_of_the_gap_counts_updates_not_batches(tmp_path):
    gaps = "data.clips.gaps=[{from_step: 0, smallest: 1, largest: 1}, {from_step: 3, smallest: 2, largest: 2}]"
    training = Sam2Training(settings(tmp_path, gaps, "trainer.accumulate=2", "data.clips.num_frames=2"))
    assert [training.plan.options.gap_at(number).smallest for number in (0, 5, 6)] == [1, 1, 2]
