"""Pictures with one red object, as a task set, and a fresh tiny model that can be asked about them."""

from pathlib import Path

import numpy as np
import pytest

from sightline.demo.pointing import write_pointing
from sightline.errors import InputError
from sightline.media import read_rgb
from sightline.tasks.questions import QuestionOptions
from sightline.taskset.build import BuildRequest, build
from sightline.taskset.store import TaskSet
from sightline.types import TextPart


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("pointing") / "questions"
    write_pointing(root, count=4, seed=1, first_room=7)
    return root


def test_the_object_is_red_and_large_enough_and_nothing_else_is_as_red(root):
    for number in range(4):
        picture = read_rgb(root / "images" / f"{number:05d}.png").astype(float)
        mask = read_rgb(root / "masks" / f"{number:05d}.png")[..., 0] >= 128
        redness = picture[..., 0] - picture[..., 1:].max(axis=-1)
        assert picture.shape == (64, 96, 3)
        assert mask.mean() >= 0.008
        assert redness[mask].min() > 80
        assert np.median(redness[~mask]) < 40


def test_a_room_is_the_same_in_any_set_of_the_seed(root, tmp_path):
    write_pointing(tmp_path / "other", count=1, seed=1, first_room=9)
    assert (tmp_path / "other/images/00000.png").read_bytes() == (root / "images/00002.png").read_bytes()
    with pytest.raises(InputError, match="is there already"):
        write_pointing(tmp_path / "other", count=1)


def test_it_becomes_a_task_set_that_a_fresh_tiny_model_answers(root, tmp_path):
    pytest.importorskip("torch", reason="needs the models extra")
    pytest.importorskip("transformers", reason="needs the models extra")
    from sightline.demo.tiny_vlm import tiny_vlm  # noqa: PLC0415
    from sightline.models import ModelOptions, get_model  # noqa: PLC0415
    from sightline.models.model import Said  # noqa: PLC0415

    request = BuildRequest(
        reader="where2place", root=str(root), splits=("test",), tasks=("where2place",), options=QuestionOptions()
    )
    (built,) = build(request, tmp_path / "sets")
    taskset = TaskSet(Path(built.path))
    questions = [example.question for example in taskset]
    assert len(questions) == 4
    words = [part.text for question in questions for part in question.prompt if isinstance(part, TextPart)]
    folder = tiny_vlm(tmp_path / "tiny", words)
    said = get_model(f"hf:{folder}", ModelOptions(dialect="roborefer", max_new_tokens=3)).answer(questions, taskset)
    exposures = [one.exposure for one in said if isinstance(one, Said) and one.exposure is not None]
    assert [each.processed_sizes for each in exposures] == [((96, 64),)] * 4
    assert [each.num_image_tokens for each in exposures] == [24] * 4  # 6 x 4 squares of 16 pixels
    again = tiny_vlm(tmp_path / "again", words)
    assert (folder / "model.safetensors").read_bytes() == (again / "model.safetensors").read_bytes()
