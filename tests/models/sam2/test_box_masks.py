"""Answered boxes as prompts of SAM 2: a frame is encoded once for all expressions of its clip, and no mask depends on that."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("transformers", reason="needs the models extra")

from sightline.evaluate.choosing import choose  # noqa: E402
from sightline.evaluate.predict import predict  # noqa: E402
from sightline.evaluate.run import read_predictions  # noqa: E402
from sightline.geometry.masks import decode_mask  # noqa: E402
from sightline.models import ModelOptions  # noqa: E402
from sightline.models.sam2.architecture import tiny_config  # noqa: E402
from sightline.models.sam2.clip import ClipModel  # noqa: E402
from sightline.models.sam2.parts import fresh_model  # noqa: E402
from sightline.models.sam2.tracker import Sam2Tracker  # noqa: E402
from sightline.models.sam2.weights import write_folder  # noqa: E402
from sightline.models.tracking.box_masks import BoxMasks, Pointed  # noqa: E402
from sightline.taskset.store import TaskSet  # noqa: E402
from sightline.types import MaskTrack, Prediction, Question  # noqa: E402
from tests.evaluate.box_world import NUM_FRAMES, make_sets  # noqa: E402

NO_OPTIONS = ModelOptions(device="cpu")


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> dict[str, TaskSet]:
    return make_sets(tmp_path_factory.mktemp("boxes"))


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Random weights with which every object is there: the masks of absent ones would all be equal."""
    model = fresh_model(tiny_config(64), seed=1)
    with torch.no_grad():
        model.mask_decoder.pred_obj_score_head.proj_out.bias.fill_(5)
    folder = tmp_path_factory.mktemp("checkpoints") / "tiny"
    write_folder(model, folder)
    return folder


def model_of(sets: dict[str, TaskSet], checkpoint: Path, *, batch_size: int = 64) -> BoxMasks:
    make = choose(f"boxes:{sets['refer_track'].path}#{checkpoint}", NO_OPTIONS).answering
    made = make(sets["refer_mask_track"])
    assert isinstance(made, BoxMasks)
    return BoxMasks(made.name, made.tracker, made.source, batch_size=batch_size)


def masks_of(taskset: TaskSet, model: BoxMasks, out: Path) -> np.ndarray:
    """(example, frame, h, w)."""
    predict(taskset, model, out)
    return np.stack([_stacked(prediction) for prediction in read_predictions(out)])


def _stacked(prediction: Prediction) -> np.ndarray:
    answer = prediction.reading.answer
    assert isinstance(answer, MaskTrack)
    assert len(answer.frames) == NUM_FRAMES
    return np.stack([np.zeros((32, 48), bool) if rle is None else decode_mask(rle) for rle in answer.frames])


def test_expressions_together_have_the_masks_of_each_alone(sets: dict[str, TaskSet], checkpoint: Path, tmp_path: Path) -> None:
    together = masks_of(sets["refer_mask_track"], model_of(sets, checkpoint), tmp_path / "together")
    alone = masks_of(sets["refer_mask_track"], model_of(sets, checkpoint, batch_size=1), tmp_path / "alone")
    assert (together != alone).mean() < 1e-3  # sums over a batch round otherwise
    assert 0 < together.mean() < 1
    # the third expression means the objects of the other two
    assert ((together[0] | together[1]) != together[2]).mean() < 1e-3


def test_each_frame_is_encoded_once_for_all_expressions(
    sets: dict[str, TaskSet], checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[int] = []
    encode = ClipModel.encode

    def counted(self: ClipModel, pictures: Any) -> object:
        encoded.append(len(pictures))
        return encode(self, pictures)

    monkeypatch.setattr(ClipModel, "encode", counted)
    masks_of(sets["refer_mask_track"], model_of(sets, checkpoint), tmp_path / "together")
    # six frames; the last is prompted for one object and followed for the other, and looked at again for that
    assert sum(encoded) == NUM_FRAMES + 1
    encoded.clear()
    masks_of(sets["refer_mask_track"], model_of(sets, checkpoint, batch_size=1), tmp_path / "alone")
    # the moving object is prompted on frames 0, 2 and 5, the still one on 0 and 2; both together as the first way
    assert sum(encoded) == 6 + 6 + 7


def test_a_prompt_on_another_frame_changes_the_masks(sets: dict[str, TaskSet], checkpoint: Path, tmp_path: Path) -> None:
    model = model_of(sets, checkpoint)
    example = sets["refer_mask_track"][0]
    whole = model.source.pointed(example.question)
    assert isinstance(whole, Pointed)
    assert [sorted(boxes) for boxes in whole.objects] == [[0, 2, 5]]
    assert isinstance(model.tracker, Sam2Tracker)

    class First:
        def describe(self) -> dict[str, object]:
            return {}

        def pointed(self, question: Question) -> Pointed:  # noqa: ARG002 - whatever is asked
            return Pointed(objects=[{0: whole.objects[0][0]}])

    every = masks_of(sets["refer_mask_track"], model, tmp_path / "every")[0]
    first = masks_of(sets["refer_mask_track"], BoxMasks("first", model.tracker, First()), tmp_path / "first")[0]
    assert (every[0] == first[0]).all()  # a prompted frame is decoded by itself
    assert (every[5] != first[5]).any()
