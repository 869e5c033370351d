import msgspec
import numpy as np

from sightline.evaluate.predict import read_geometry
from sightline.evaluate.score import score_example
from sightline.models.baselines.difference import MIN_DIFFERENCE, difference, differing_pixels, largest_region
from sightline.types import NotVisible, Prediction


def test_the_difference_task_on_clean_removals_is_solved_by_subtraction(rooms):
    for example in rooms["t2b"]:
        reading = read_geometry(difference(example.question, rooms["t2b"]), example.question)
        assert score_example(example, Prediction(id=example.id, reading=reading), rooms["t2b"].read_mask).hit


def test_nothing_that_differs_is_not_visible(rooms):
    question = rooms["t2b"][0].question
    before, after = question.panels
    same = msgspec.structs.replace(question, panels=(before, msgspec.structs.replace(after, source=before.source)))
    assert difference(same, rooms["t2b"]) == NotVisible()


def test_a_pixel_differs_from_the_threshold_on_in_any_channel():
    before = np.full((1, 4, 3), 100, dtype=np.uint8)
    after = before.copy()
    after[0, 0, 1] += MIN_DIFFERENCE - 1
    after[0, 1, 1] += MIN_DIFFERENCE
    after[0, 2, 2] -= MIN_DIFFERENCE  # downwards too: no wrapping of bytes
    after[0, 3, 0] -= MIN_DIFFERENCE - 1
    assert differing_pixels(before, after).tolist() == [[False, True, True, False]]


def test_the_largest_region_is_connected_over_corners_and_small_ones_are_noise():
    mask = np.array(
        [
            [1, 0, 0, 0, 0, 1],
            [0, 1, 0, 0, 0, 1],
            [0, 0, 1, 0, 0, 0],
        ],
        dtype=bool,
    )
    region = largest_region(mask, min_pixels=3)
    assert region is not None
    assert np.argwhere(region).tolist() == [[0, 0], [1, 1], [2, 2]]
    assert largest_region(mask, min_pixels=4) is None
    assert largest_region(np.zeros_like(mask), min_pixels=1) is None


def test_pictures_of_different_size_are_compared_at_the_asked_ones_size(rooms):
    # The reference of a cross-view question replaced by the marked picture of a concatenated one, twice as wide.
    example = next(iter(rooms["t1_multi"]))
    wide = next(iter(rooms["t1_concat"])).question.images[0]
    assert wide.width != example.question.panels[1].source.width
    folder = rooms["t1_concat"].path / "media"
    taskset = type(rooms["t1_multi"])(rooms["t1_multi"].path, roots={"media": folder})
    reference, query = example.question.panels
    question = msgspec.structs.replace(example.question, panels=(msgspec.structs.replace(reference, source=wide), query))
    assert read_geometry(difference(question, taskset), question).status == "ok"
