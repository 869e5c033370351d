"""Answers drawn in their pictures, and which evaluations are shown."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from sightline.geometry.masks import encode_mask
from sightline.report.answer_overlay import answer_pictures
from sightline.report.pictures import Pictures
from sightline.report.training.answers import chosen_steps
from sightline.taskset.store import TaskSet
from sightline.types import Answer, Boxes, MaskAnswer, Points, Prediction, Reading


@pytest.fixture
def pictures(tmp_path) -> Iterator[Pictures]:
    with ThreadPoolExecutor(1) as pool:
        yield Pictures(tmp_path, pool)


def drawn(world, pictures: Pictures, answer: Answer | None) -> list[str]:
    """The pictures of the first visible example of two, answered so."""
    taskset = TaskSet(world.root / "multi")
    example = next(each for each in taskset if each.truth.mask is not None)
    assert [image.width for image in example.question.images] == [320, 320]
    return [*answer_pictures(taskset, example, Prediction(id=example.id, reading=Reading(status="ok", answer=answer)), pictures)]


def test_the_truth_is_drawn_in_its_own_picture_alone(world, pictures):
    reference, query = drawn(world, pictures, None)
    assert 'class="mask"' not in reference
    for part in ("mask", "dilated", "truth"):
        assert query.count(f'class="{part}"') == 1
    assert "point" not in query
    assert len(list(pictures.folder.glob("*.webp"))) == 2


def test_a_point_is_a_disc_and_hollow_at_the_edge_where_it_lies_outside(world, pictures):
    _, query = drawn(world, pictures, Points(points=((10.0, 20.0), (400.0, -5.0)), image_index=1))
    assert 'class="point run-0" cx="10.0" cy="20.0"' in query
    assert 'class="point run-0 outside" cx="320.0" cy="0.0"' in query  # of 320 x 240 pixels
    assert "answer: 400.0, -5.0" in query
    reference, query = drawn(world, pictures, Points(points=((10.0, 20.0),), image_index=0))
    assert "point run-0" in reference
    assert "point run-0" not in query


def test_boxes_and_masks_are_drawn_as_they_lie(world, pictures):
    _, query = drawn(world, pictures, Boxes(boxes=((1.0, 2.0, 30.0, 40.0),), image_index=1))
    assert 'class="run-0" d="M1 2H30V40H1z"' in query
    mask = np.zeros((240, 320), bool)
    mask[2, 3] = True
    _, query = drawn(world, pictures, MaskAnswer(rle=encode_mask(mask), image_index=1))
    assert 'class="run-0" d="M3 2' in query


def test_of_many_evaluations_the_last_the_best_and_others_between_are_shown():
    steps = list(range(100, 2100, 100))
    assert chosen_steps(steps, best=300, limit=20) == steps
    # 18 others (100, 200, 400, ..., 1900): the first and the last of them
    assert chosen_steps(steps, best=300, limit=4) == [100, 300, 1900, 2000]
    assert chosen_steps(steps, best=300, limit=2) == [300, 2000]
    assert chosen_steps(steps, best=None, limit=2) == [100, 2000]
    assert chosen_steps(steps, best=55, limit=2) == [100, 2000]  # none that answers were kept of
