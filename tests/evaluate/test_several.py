"""Expressions in one picture: several objects, one, or none."""

import numpy as np
import pytest

from sightline.errors import InputError
from sightline.evaluate.referring_boxes import box_set_iou
from sightline.evaluate.referring_masks import overlap_codes, overlap_rles
from sightline.geometry.masks import encode_mask
from sightline.types import Boxes, BoxTrack, MaskAnswer, MaskRle, NotVisible, ObjectTruth, Points, Reading
from tests.evaluate.expressions import asked, block, scored

LEFT, RIGHT, FAR = (0.0, 0.0, 4.0, 4.0), (10.0, 0.0, 14.0, 4.0), (0.0, 6.0, 2.0, 8.0)
UNREADABLE = Reading(status="unreadable")


def boxes(*found):
    return Boxes(boxes=found)


def test_of_two_objects_both_must_be_found_and_nothing_else():
    example = asked("refer_box", boxes(LEFT, RIGHT), several=True, box=LEFT)
    both, one, more = (scored(example, boxes(*found)) for found in ((RIGHT, LEFT), (LEFT,), (LEFT, RIGHT, FAR)))
    assert (both.correct, both.iou, both.values) == (True, 1.0, {"f1": 1.0})
    assert (one.correct, one.iou, one.values["f1"]) == (
        False,
        0.5,
        pytest.approx(2 / 3),
    )  # 1 of max(2, 1) boxes; F1 = 2 / (2 + 0 + 1)
    assert (more.correct, more.hit, more.iou, more.values["f1"]) == (False, False, pytest.approx(2 / 3), 0.8)  # F1 = 4 / (4 + 1)


def test_where_one_object_is_meant_the_first_box_gives_the_iou_and_a_second_one_spoils_the_answer():
    example = asked("refer_box", boxes(LEFT), several=True, box=LEFT)
    found = scored(example, boxes((0.0, 0.0, 4.0, 3.0), RIGHT))
    assert (found.iou, found.hit, found.correct) == (0.75, False, False)


def test_a_box_is_compared_after_it_is_clipped_to_the_picture():
    example = asked("refer_box", boxes((16.0, 0.0, 20.0, 4.0)), several=True, box=LEFT)
    found = scored(example, boxes((16.0, -3.0, 30.0, 4.0)))
    assert (found.status, found.iou, found.correct) == ("out_of_range", 1.0, True)


def test_without_a_target_only_saying_so_is_right():
    example = asked("refer_box", NotVisible(), several=True)
    said, box, unreadable = (scored(example, answer) for answer in (NotVisible(), boxes(LEFT), UNREADABLE))
    assert (said.correct, said.iou, said.hit, said.values) == (True, None, None, {"f1": 1.0})
    assert (box.correct, box.values) == (False, {"f1": 0.0})
    assert (unreadable.correct, unreadable.values) == (False, {"f1": 0.0})


def test_boxes_of_another_picture_find_nothing():
    example = asked("refer_box", boxes(LEFT, RIGHT), several=True, box=LEFT, num_frames=2)
    found = scored(example, Boxes(boxes=(LEFT, RIGHT), image_index=1))
    assert (found.iou, found.hit, found.wrong_panel) == (0.0, False, True)


def test_a_mask_adds_its_pixels_to_the_sums_of_ciou():
    example = asked("refer_mask", MaskAnswer(rle=block(0, 0, 4, 4)))
    found = scored(example, MaskAnswer(rle=block(0, 0, 4, 2)))
    assert (found.iou, found.hit) == (0.5, True)
    assert found.values == {"giou": 0.5, "intersection_px": 8.0, "union_px": 16.0}


@pytest.mark.parametrize(
    ("answer", "values", "correct"),
    [
        (NotVisible(), (1.0, 0, 0), True),
        (MaskAnswer(rle=block(0, 0, 0, 0)), (1.0, 0, 0), True),  # an empty mask says that nothing is meant
        (MaskAnswer(rle=block(0, 0, 5, 2)), (0.0, 0, 10), False),
        (UNREADABLE, (0.0, 0, 0), False),
    ],
)
def test_without_a_target_a_mask_grows_the_union_and_no_mask_does_not(answer, values, correct):
    found = scored(asked("refer_mask", NotVisible()), answer)
    assert tuple(found.values[name] for name in ("giou", "intersection_px", "union_px")) == values
    assert (found.correct, found.iou) == (correct, None)


def test_saying_that_nothing_is_meant_costs_the_whole_target():
    found = scored(asked("refer_mask", MaskAnswer(rle=block(0, 0, 4, 4))), NotVisible())
    assert (found.iou, found.correct, found.said_visible) == (0.0, False, False)
    assert found.values == {"giou": 0.0, "intersection_px": 0.0, "union_px": 16.0}


def test_a_mask_of_another_size_is_an_error_that_names_the_example():
    example = asked("refer_mask", MaskAnswer(rle=block(0, 0, 4, 4)))
    small = MaskAnswer(rle=MaskRle(height=2, width=2, counts=encode_mask(np.ones((2, 2), dtype=bool)).counts))
    with pytest.raises(InputError, match=r"refer_mask/clip/1.*2 x 2.*20 x 10"):
        scored(example, Reading(status="ok", answer=small))


def test_arithmetic_on_runs_gives_the_pixels_of_the_decoded_masks():
    rng = np.random.default_rng(3)
    for _ in range(40):
        truth, found = (encode_mask(rng.random((9, 13)) < rng.random()) for _ in range(2))
        assert overlap_codes(truth, found, said_none=False) == overlap_rles(truth, found, said_none=False)
        assert overlap_codes(None, found, said_none=True) == overlap_rles(None, found, said_none=True)


def test_points_on_several_objects_are_counted_from_both_sides():
    masks = {"a": np.zeros((10, 20), dtype=bool), "b": np.zeros((10, 20), dtype=bool), "both": np.zeros((10, 20), dtype=bool)}
    masks["a"][0:4, 0:4] = masks["b"][0:4, 10:14] = True
    masks["both"] = masks["a"] | masks["b"]
    objects = tuple(ObjectTruth(object_id=name, boxes=(LEFT,), masks=(name,)) for name in "ab")
    truth = {"mask": "both", "box": (0.0, 0.0, 14.0, 4.0), "objects": objects}
    example = asked("refer_point", Points(points=((2.0, 2.0), (12.0, 2.0))), several=True, **truth)
    found = scored(example, Points(points=((1.0, 1.0), (3.0, 3.0), (19.0, 9.0))), masks)
    assert (found.hit, found.correct, found.l2_px) == (True, True, None)  # the first point is on one of them; no single distance
    assert found.values == {"point_precision": pytest.approx(2 / 3), "point_recall": 0.5}
    assert scored(example, UNREADABLE, masks).values == {"point_precision": 0.0, "point_recall": 0.0}


def test_the_overlap_of_sets_is_that_of_the_best_matching():
    assert box_set_iou([LEFT, RIGHT], [RIGHT, LEFT]) == 1.0
    assert box_set_iou([LEFT], [LEFT, RIGHT]) == 0.5
    assert box_set_iou([], []) == 0.0
    assert box_set_iou([LEFT, RIGHT], [(5.0, 5.0, 5.0, 5.0)]) == 0.0  # no area


def test_no_boxes_at_all_say_that_nothing_is_meant_where_any_number_is_asked_for():
    assert scored(asked("refer_box", NotVisible(), several=True), boxes()).correct
    assert scored(asked("refer_box", NotVisible()), boxes()).status == "empty"


def test_an_empty_mask_and_a_track_without_boxes_say_no_however_they_were_read():
    empty = MaskAnswer(rle=block(0, 0, 0, 0))
    assert scored(asked("refer_mask", NotVisible()), Reading(status="ok", answer=empty)).correct
    nowhere = BoxTrack(frames=((), ()))
    assert scored(asked("refer_track", NotVisible(), num_frames=2), Reading(status="ok", answer=nowhere)).correct
