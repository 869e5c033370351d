"""Kinds of error, worked by hand on the 100 x 50 view of the conftest (mask: columns 30..49, rows 10..29; centre (40, 20))."""

import msgspec
import numpy as np
import pytest

from sightline.evaluate.score import score_example
from sightline.evaluate.taxonomy import KINDS, Neighbours, error_kind
from sightline.types import STATUSES, NotVisible, Points, Prediction, Reading

OTHER = "other"  # columns 80..89, all rows


@pytest.fixture
def all_masks(masks):
    other = np.zeros((50, 100), dtype=bool)
    other[:, 80:90] = True
    return lambda name: other if name == OTHER else masks(name)


@pytest.fixture
def kind(make_example, all_masks):
    def of(reading: Reading, task: str = "t1_multi", *, visible: bool = True, others: tuple[str, ...] = ()) -> str:
        example = make_example(task, visible=visible)
        prediction = Prediction(id=example.id, reading=reading)
        return error_kind(example, prediction, score_example(example, prediction, all_masks), all_masks, others=others)

    return of


def at(x: float, y: float, image_index: int = 1) -> Reading:
    return Reading(status="ok", answer=Points(points=((float(x), float(y)),), image_index=image_index), num_found=1)


def test_a_right_answer_is_no_error(kind):
    assert kind(at(40, 20)) == "right"
    assert kind(Reading(status="not_visible", answer=NotVisible()), visible=False) == "right"
    assert kind(at(99, 1), "t2a") == "right"  # asks only whether it is visible


def test_a_near_miss_is_on_the_dilated_mask_or_within_a_twentieth(kind, make_example):
    assert kind(at(53, 20)) == "near_miss"  # columns 25..54 are dilated; (53 - 40) / 100 = 0.13
    # column 24 is outside the dilated mask, and (40 - 24.5) / 100 = 0.155 is far
    assert kind(at(24.5, 20)) != "near_miss"
    # a tiny object: the true point (40, 20), a miss at (45, 20) is hypot(5/100, 0) = 0.05 away, one at (45.1, 20) is not
    example = make_example("t1_multi")
    nothing = np.zeros((50, 100), dtype=bool)
    for x, expected in ((45.0, "near_miss"), (45.1, "far_miss")):
        prediction = Prediction(id=example.id, reading=at(x, 20))
        score = score_example(example, prediction, lambda _: nothing)
        assert error_kind(example, prediction, score, lambda _: nothing) == expected


def test_a_point_whose_mirror_image_hits_is_a_flip(kind):
    assert kind(at(60, 20)) == "flip"  # 100 - 60 = 40, the centre
    assert kind(at(60, 35)) == "far_miss"  # row 35 is below the mask
    # concatenated: the view begins at x = 60, so view x = 60 is picture x = 120
    assert kind(at(120, 20, 0), "t1_concat") == "flip"


def test_another_object_comes_before_the_rest(kind):
    assert kind(at(85, 20), others=(OTHER,)) == "other_object"
    assert kind(at(85, 20)) == "far_miss"  # 100 - 85 = 15 is left of the mask
    assert kind(at(60, 20), others=(OTHER,)) == "flip"


def test_the_wrong_view_and_outside_the_picture(kind):
    assert kind(at(30, 20, 0), "t1_concat") == "reference_half"
    assert kind(at(30, 20, 0)) == "reference_half"  # in the reference picture
    assert kind(Reading(status="out_of_range", answer=Points(points=((900.0, 20.0),), image_index=1))) == "out_of_range"
    assert kind(at(120, 55, 0), "t1_concat") == "far_miss"  # the black below the query view


def test_false_claims(kind):
    assert kind(Reading(status="not_visible", answer=NotVisible())) == "false_not_visible"
    assert kind(at(40, 20), visible=False) == "false_visible"
    assert kind(at(30, 20, 0), "t1_concat", visible=False) == "false_visible"


def test_a_truncated_answer_with_a_point_is_judged_by_it(kind):
    assert kind(Reading(status="truncated", answer=Points(points=((60.0, 20.0),), image_index=1))) == "flip"


def test_an_answer_without_a_claim_has_its_status_as_kind(kind):
    silent = ("unreadable", "ambiguous", "empty", "truncated", "error")
    for status in silent:
        assert kind(Reading(status=status)) == kind(Reading(status=status), visible=False) == status
        assert status in KINDS
    assert set(STATUSES) - set(silent) == {"ok", "not_visible", "out_of_range"}


def test_neighbours_are_the_other_objects_of_the_same_picture(make_example):
    def example(name: str, object_id: str, mask: str, *, digest: str = "1"):
        made = make_example("t1_multi", name)
        truth = msgspec.structs.replace(made.truth, mask=mask)
        query = msgspec.structs.replace(made.question.panels[1].source, digest=digest * 32)
        panels = (made.question.panels[0], msgspec.structs.replace(made.question.panels[1], source=query))
        question = msgspec.structs.replace(made.question, panels=panels)
        return msgspec.structs.replace(made, question=question, truth=truth, object_id=object_id)

    cup, pot = example("a", "cup", "cup's mask"), example("b", "pot", "pot's mask")
    alone = example("c", "jar", "jar's mask", digest="2")
    neighbours = Neighbours([cup, pot, alone])
    assert neighbours.of(cup) == ("pot's mask",)
    assert neighbours.of(pot) == ("cup's mask",)
    assert neighbours.of(alone) == ()
