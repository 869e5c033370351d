"""Which other object an answer overlaps most, and what is counted of answers with words and masks."""

import msgspec
import pytest

from sightline.evaluate.run import read_scores
from sightline.evaluate.summary import read_summary
from sightline.report.clips import boundaries_of, clip_detail
from sightline.report.confusions import Companions, Referring, expression_of, marks, refers
from sightline.taskset.store import TaskSet
from sightline.types import MaskTrack, Truth
from tests.report.clip_world import make_clip_world
from tests.report.referring_world import LEFT, NUM_FRAMES, PLATE, RIGHT, answers, make_referring_world, said


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    return make_referring_world(tmp_path_factory.mktemp("referring"))


@pytest.fixture(scope="module")
def taskset(world):
    return TaskSet(world[0])


@pytest.fixture(scope="module")
def companions(taskset):
    return Companions(taskset, taskset.masks)


def test_an_answer_on_the_other_cup_is_on_another_object_of_the_same_class(taskset, companions):
    left = taskset[0]
    found = companions.confusion(left, answers(list(taskset))[0].reading)
    # the answer is on the right cup in 2 frames, on the left one in 1, nowhere in 1; a cup has 192 pixels
    # with the right one: 2 / (4 + 3 - 2), with the left one: 1 / (4 + 3 - 1)
    assert (found.object_id, found.expression, found.label, found.same_class) == ("2", "the right cup", "cup", True)
    assert (found.iou, found.own_iou) == (pytest.approx(2 / 5), pytest.approx(1 / 6))
    assert found.mistaken


def test_what_overlaps_nothing_else_is_no_confusion(taskset, companions):
    left = taskset[0]
    assert companions.confusion(left, said(left, "", [LEFT] * NUM_FRAMES).reading) is None
    assert companions.confusion(left, said(left, "", None).reading) is None


def test_a_little_overlap_is_named_but_no_mistake(taskset, companions):
    cups = taskset[3]
    found = companions.confusion(cups, said(cups, "", [LEFT, LEFT, RIGHT, PLATE]).reading)
    # of the plate (420 pixels a frame): 420 / (4 * 420 + 3 * 192); of the two cups (384 a frame): 3 * 192 / (4 * 384 + 420)
    assert (found.object_id, found.same_class, found.mistaken) == ("3", False, False)
    assert (found.iou, found.own_iou) == (pytest.approx(420 / 2256), pytest.approx(576 / 1956))


def test_where_nothing_is_meant_any_object_is_another_one(taskset, companions):
    spoon = taskset[4]
    found = companions.confusion(spoon, answers(list(taskset))[4].reading)
    assert (found.object_id, found.same_class, found.iou, found.own_iou, found.mistaken) == ("3", None, 1.0, 0.0, True)


def test_frames_in_which_the_truth_is_unknown_do_not_count(taskset, companions):
    left = taskset[0]
    known = msgspec.structs.replace(left, truth=msgspec.structs.replace(left.truth, scored_frames=(2, 3)))
    assert companions.confusion(known, answers(list(taskset))[0].reading) is None


def test_the_expression_is_what_stands_between_the_quotes(taskset):
    assert expression_of(taskset[0].question) == "the left cup"


def test_notes_confusions_and_clips_without_the_object_are_counted(taskset, companions):
    counts = Referring()
    for example, prediction in zip(taskset, answers(list(taskset)), strict=True):
        counts.add(example, prediction, companions.confusion(example, prediction.reading))
    assert (counts.num_answers, counts.num_spoken) == (5, 5)
    assert counts.notes == {"no_seg": 1, "cut": 1}
    assert (counts.several, counts.more_than_objects) == (2, 1)  # two [SEG] for two cups are no more than objects
    assert (counts.absent, counts.drawn) == (1, 1)
    assert counts.mistaken == {True: 1, None: 1}
    assert [(each[1], each[3].object_id) for each in counts.listed] == [(taskset[4].id, "3"), (taskset[0].id, "2")]


def test_marks_are_the_notes_and_what_follows_from_them(taskset, companions):
    found = [
        marks(example, prediction, companions.confusion(example, prediction.reading))
        for example, prediction in zip(taskset, answers(list(taskset)), strict=True)
    ]
    assert found == [
        ("on_other_object", "on_other_of_same_class"),
        ("3_seg", "several_seg", "more_seg_than_objects"),
        ("no_seg", "cut"),
        ("2_seg", "several_seg"),  # two cups are meant
        ("on_other_object",),  # a spoon that is not there
    ]


def test_an_answer_without_seg_is_scored_as_empty_and_stays_in_the_denominator(world):
    run = world[0].parent / "runs" / "words"
    plate = next(score for score in read_scores(run) if score.id.endswith("the plate"))
    assert (plate.iou, plate.values["jf"], plate.correct) == (0.0, 0.0, False)
    assert read_summary(run).metrics["jf"].n == 4  # all but the spoon, which is not there


def test_questions_that_ask_for_no_mask_have_no_companions(tmp_path):
    clips = make_clip_world(tmp_path)
    boxes = TaskSet(clips.root / "refer_track")
    assert not refers(boxes[0].question)
    assert Companions(boxes, boxes.masks)._masks == {}


def test_edges_are_measured_frame_by_frame(taskset):
    left, _, plate, _, spoon = list(taskset)
    spoken = answers(list(taskset))
    assert boundaries_of(left, spoken[0]) == [0.0, 0.0, 1.0, 0.0]
    assert boundaries_of(plate, spoken[2]) == [0.0] * NUM_FRAMES
    assert boundaries_of(spoon, spoken[4]) is None
    leaves = msgspec.structs.replace(plate, truth=Truth(answer=MaskTrack(frames=(PLATE, PLATE, None, None)), panel_index=0))
    assert boundaries_of(leaves, spoken[2]) == [0.0, 0.0, 1.0, 1.0]  # rightly nothing


def test_a_frame_has_the_box_of_each_object_that_is_meant(taskset):
    detail = clip_detail(taskset[3], [0])
    assert detail is not None
    assert detail["frames"][0]["boxes"] == ((4, 10, 20, 22), (30, 10, 46, 22))


def test_the_page_counts_notes_and_lists_who_was_mistaken_for_whom(world):
    page = world[1].read_text()
    part = page[page.index("Words and masks") :]
    part = part[: part.index("</details>")]
    for title in ("No [SEG]", "Several [SEG]", "More [SEG] than objects", "Cut", "On another object", "of the same class"):
        assert f">{title}</th>" in part
    assert "the right cup (object 2, cup)" in part
    assert part.index("the spoon") < part.index("the left cup")  # the clearest first
    assert part.count('<td class="none">') == 4  # the model without words has no [SEG]
