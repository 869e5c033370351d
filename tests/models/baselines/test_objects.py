"""Baselines that know a clip's objects and not the words: which object they take, and what they are not for."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline.demo.worded import SPLITS, write_worded
from sightline.geometry.masks import encode_mask, rle_area
from sightline.models import NotApplicable, get_model
from sightline.models.baselines.objects import largest, most_central
from sightline.tasks.refer import ReferOptions
from sightline.taskset.build import BuildRequest, build
from sightline.taskset.store import TaskSet


def square(row, column, side):
    mask = np.zeros((20, 20), dtype=bool)
    mask[row : row + side, column : column + side] = True
    return encode_mask(mask)


@pytest.fixture(scope="module")
def tasksets(tmp_path_factory):
    root = tmp_path_factory.mktemp("objects")
    write_worded(root / "clips", num_train=1, num_validation=2)
    tasks = ("refer_mask_track", "refer_track")
    request = BuildRequest(reader="mevis", root=str(root / "clips"), splits=SPLITS[1:], tasks=tasks, options=ReferOptions())
    return {part.manifest.task: TaskSet(Path(part.path)) for part in build(request, root / "tasks")}


def test_the_largest_covers_the_most_over_all_frames():
    assert largest((square(0, 0, 4), None)) == 16  # 4 x 4
    assert largest((square(0, 0, 3), square(0, 0, 3))) == 18  # 2 x 3 x 3


def test_the_most_central_is_measured_in_the_frames_that_show_it():
    assert most_central((square(8, 8, 4), None)) == 0.0  # rows and columns 8 to 11: centre 10 of 20
    assert most_central((square(8, 3, 4), None)) == pytest.approx(-0.25)  # centre 5 of 20 in x
    assert most_central((None, None)) == -np.inf


def test_all_questions_about_a_clip_get_the_masks_of_one_true_object(tasksets):
    taskset = tasksets["refer_mask_track"]
    for name in ("largest-object", "center-object"):
        answers = get_model(name).answer([example.question for example in taskset], taskset)
        of_clip: dict[str, list[Any]] = {}
        example: Any
        answer: Any
        for example, answer in zip(taskset, answers, strict=True):
            of_clip.setdefault(example.group, []).append((example.truth.answer.frames, answer.frames))
        assert len(of_clip) == 2
        for pairs in of_clip.values():
            said = {frames for _, frames in pairs}
            assert len(said) == 1
            truths = {truth for truth, _ in pairs}
            assert said <= truths
            if name == "largest-object":
                areas = [sum(rle_area(mask) for mask in truth if mask) for truth in truths]
                assert sum(rle_area(mask) for mask in said.pop() if mask) == max(areas)


def test_boxes_are_not_theirs(tasksets):
    with pytest.raises(NotApplicable, match="refer_mask_track"):
        get_model("largest-object").check(tasksets["refer_track"])
