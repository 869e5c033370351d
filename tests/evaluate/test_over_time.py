"""Answers over the frames of a clip. A box of 4 x 4 pixels is worth 1 if it is exact, 0.5 if its lower half is missing."""

import pytest

from sightline.errors import InputError
from sightline.evaluate.over_time import frame_overlaps
from sightline.evaluate.predict import read_geometry
from sightline.types import BoxTrack, MaskRle, MaskTrack, NotVisible, Reading, Span
from tests.evaluate.expressions import asked, block, scored

BOX, HALF, FAR = (0.0, 0.0, 4.0, 4.0), (0.0, 0.0, 4.0, 2.0), (10.0, 0.0, 14.0, 4.0)
UNREADABLE = Reading(status="unreadable")


def track(*frames):
    """A track of one box, or none, a frame."""
    return BoxTrack(frames=tuple(() if box is None else (box,) for box in frames))


def test_a_box_track_is_measured_in_time_and_in_space():
    example = asked("refer_track", track(None, BOX, BOX, BOX), num_frames=4)
    found = scored(example, track(BOX, BOX, HALF, None))
    # either side has a box in all 4 frames, both in 2: tIoU 2/4, vIoU (1 + 0.5) / 4; on the 3 true frames (1 + 0.5 + 0) / 3
    assert found.values == {"viou": 0.375, "tiou": 0.5, "gt_viou": 0.5, "frame_iou": 0.375}
    assert (found.iou, found.hit, found.correct) == (0.375, False, False)


def test_a_frame_in_which_nothing_is_rightly_there_counts_in_the_frame_mean_alone():
    example = asked("refer_track", track(None, BOX), num_frames=2)
    found = scored(example, track(None, HALF))
    assert found.values == {"viou": 0.5, "tiou": 1.0, "gt_viou": 0.5, "frame_iou": 0.75}
    assert found.correct  # 0.5 is enough


def test_frames_of_which_nothing_is_known_do_not_count():
    example = asked("refer_track", track(BOX, None, BOX), num_frames=3, scored=(0, 2))
    answer = track(BOX, FAR, BOX)
    assert scored(example, answer).values["viou"] == 1.0
    assert frame_overlaps(example, read_geometry(answer, example.question)) == [1.0, None, 1.0]


def test_only_the_first_box_of_a_frame_counts_unless_several_objects_may_be_meant():
    truth, answer = track(BOX, BOX), BoxTrack(frames=((BOX, FAR), (BOX, FAR)))
    assert scored(asked("refer_track", truth, num_frames=2), answer).iou == 1.0
    several = scored(asked("refer_track", truth, num_frames=2, several=True), answer)
    assert (several.iou, several.values["f1"]) == (0.5, pytest.approx(2 / 3))  # one of two boxes in each frame


@pytest.mark.parametrize(("answer", "frame_iou"), [(NotVisible(), 0.5), (UNREADABLE, 0.0)])
def test_an_answer_that_nothing_is_there_is_a_track_without_boxes_and_one_that_cannot_be_read_is_worth_nothing(answer, frame_iou):
    found = scored(asked("refer_track", track(None, BOX), num_frames=2), answer)
    assert found.values == {"viou": 0.0, "tiou": 0.0, "gt_viou": 0.0, "frame_iou": frame_iou}
    assert not found.correct


def test_without_a_target_a_clip_has_no_overlap_and_only_the_claim_is_judged():
    example = asked("refer_track", NotVisible(), num_frames=2)
    said, boxes = scored(example, NotVisible()), scored(example, track(BOX, None))
    assert (said.correct, said.iou, said.values) == (True, None, {})
    assert (boxes.correct, boxes.iou, boxes.values) == (False, None, {})
    assert frame_overlaps(example, read_geometry(track(BOX, None), example.question)) == [0.0, 1.0]


def test_a_mask_track_has_the_j_and_f_of_the_frames():
    whole, half = block(0, 0, 4, 4), block(0, 0, 4, 2)
    example = asked("refer_mask_track", MaskTrack(frames=(whole, None, whole)), num_frames=3, scored=(0, 1))
    found = scored(example, MaskTrack(frames=(half, None, None)))
    # frame 0: J 8/16; frame 1 has no mask on either side: 1; frame 2 does not count
    assert found.values["j"] == 0.75
    assert (found.iou, found.hit) == (0.75, True)
    assert found.values["jf"] == pytest.approx((found.values["j"] + found.values["f"]) / 2)
    assert frame_overlaps(example, read_geometry(MaskTrack(frames=(half, None, None)), example.question)) == [0.5, 1.0, None]


def test_masks_that_cannot_be_read_are_worth_nothing_even_where_nothing_is_there():
    example = asked("refer_mask_track", MaskTrack(frames=(block(0, 0, 4, 4), None)), num_frames=2)
    assert scored(example, UNREADABLE).values == {"j": 0.0, "f": 0.0, "jf": 0.0}
    assert scored(example, NotVisible()).values == {"j": 0.5, "f": 0.5, "jf": 0.5}
    assert frame_overlaps(example, UNREADABLE) == [0.0, 0.0]


def test_masks_of_another_size_are_an_error_that_names_the_example():
    example = asked("refer_mask_track", MaskTrack(frames=(block(0, 0, 4, 4), None)), num_frames=2)
    wide = MaskRle(height=10, width=2, counts="d0")
    with pytest.raises(InputError, match=r"refer_mask_track/clip/1.*2 x 10 pixels; the clip has 20 x 10"):
        scored(example, Reading(status="ok", answer=MaskTrack(frames=(wide, None))))


def test_a_stretch_of_time_is_compared_by_its_length():
    example = asked("refer_span", Span(start_s=1.0, end_s=3.0), num_frames=8)
    found = scored(example, Span(start_s=2.0, end_s=4.0))
    assert (found.iou, found.values, found.correct) == (pytest.approx(1 / 3), {"tiou": pytest.approx(1 / 3)}, False)
    assert scored(example, Span(start_s=1.0, end_s=2.0)).correct  # 0.5 is enough
    assert scored(example, NotVisible()).iou == 0.0
    assert scored(example, Reading(status="unreadable", answer=Span(start_s=3.0, end_s=1.0))).iou == 0.0


def test_a_mask_track_of_another_size_cannot_be_read():
    example = asked("refer_mask_track", MaskTrack(frames=(block(0, 0, 4, 4), None)), num_frames=2)
    wide = MaskRle(height=10, width=2, counts="d0")
    reading = read_geometry(MaskTrack(frames=(wide, None)), example.question)
    assert (reading.status, reading.notes) == ("unreadable", ("mask_of_another_size",))
