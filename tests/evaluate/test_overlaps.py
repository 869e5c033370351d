"""Answers that are boxes, masks and words: how they are read and scored. The view is 100 x 50; the object fills columns 30..49 and
rows 10..29: box (30, 10, 50, 30), 400 pixels."""

import msgspec
import numpy as np
import pytest

from sightline.dialects import Size, get_dialect
from sightline.evaluate.metrics import measure, tabulate
from sightline.evaluate.overlaps import box_iou, mask_iou
from sightline.evaluate.predict import read_geometry
from sightline.evaluate.score import score_example
from sightline.geometry.masks import encode_mask
from sightline.types import AnswerForm, Boxes, Choice, Example, MaskAnswer, NotVisible, Points, Prediction, Reading, Score

TRUE_BOX = (30.0, 10.0, 50.0, 30.0)
WORDS = AnswerForm(shape="choice", image_index=1, options=("yes", "no"))


def mask(x0, y0, x1, y1, *, width=100, height=50):
    array = np.zeros((height, width), dtype=bool)
    array[y0:y1, x0:x1] = True
    return array


def mask_answer(*box, image_index=1, **size):
    return MaskAnswer(rle=encode_mask(mask(*box, **size)), image_index=image_index)


@pytest.fixture
def asked(make_example):
    """`asked(task, visible=)`: an example of a variant, made from the hand-made ones."""

    def make(task: str, *, visible: bool = True) -> Example:
        example = make_example("t2a" if task == "t2a_yesno" else "t2b", visible=visible)
        shape = {"t2a_yesno": "choice", "t2b_box": "box", "t2b_mask": "mask"}[task]
        form = WORDS if shape == "choice" else AnswerForm(shape=shape, image_index=1)  # pyright: ignore[reportArgumentType]
        prompt = tuple(form if isinstance(part, AnswerForm) else part for part in example.question.prompt)
        answers = {
            "choice": Choice(value="yes" if visible else "no"),
            "box": Boxes(boxes=(TRUE_BOX,), image_index=1),
            "mask": mask_answer(30, 10, 50, 30),
        }
        question = msgspec.structs.replace(example.question, task=task, prompt=prompt)
        truth = msgspec.structs.replace(example.truth, answer=answers[shape])
        return msgspec.structs.replace(example, question=question, truth=truth)

    return make


@pytest.fixture
def score(asked, masks):
    def run(task, answer, *, visible=True) -> Score:
        example = asked(task, visible=visible)
        reading = answer if isinstance(answer, Reading) else read_geometry(answer, example.question)
        return score_example(example, Prediction(id=example.id, reading=reading), masks)

    return run


def box_answer(*box, image_index=1):
    x0, y0, x1, y1 = map(float, box)
    return Boxes(boxes=((x0, y0, x1, y1),), image_index=image_index)


@pytest.mark.parametrize(
    ("box", "iou", "hit", "status"),
    [
        ((30, 10, 50, 30), 1.0, True, "ok"),
        ((30, 10, 50, 20), 0.5, True, "ok"),  # the upper half: 200 of 400; 0.5 is a hit
        ((30, 10, 50, 19), 0.45, False, "ok"),  # 180 / 400
        ((40, 20, 60, 40), 1 / 7, False, "ok"),  # 100 common, 400 + 400 - 100 together
        ((30, 10, 50, 70), 0.5, True, "out_of_range"),  # clipped at 50: 400 of 20 * 40 = 800
        ((60, 10, 80, 30), 0.0, False, "ok"),
        ((-9, -9, -1, -1), 0.0, False, "out_of_range"),
        ((50, 30, 30, 10), 0.0, False, "out_of_range"),  # reversed ends: nothing is left when it is clipped
    ],
)
def test_a_box_is_clipped_and_scored_by_its_overlap(score, box, iou, hit, status):
    found = score("t2b_box", box_answer(*box))
    assert found.iou == pytest.approx(iou)
    assert (found.hit, found.correct, found.status, found.said_visible) == (hit, hit, status, True)
    assert (found.hit_dilated, found.l2_px, found.l2_norm) == (None, None, None)


@pytest.mark.parametrize(
    ("region", "iou", "hit"),
    [
        ((30, 10, 50, 30), 1.0, True),
        ((30, 10, 50, 20), 0.5, True),  # 200 / 400
        ((30, 10, 50, 19), 0.45, False),
        ((0, 0, 100, 50), 0.08, False),  # 400 / 5000
    ],
)
def test_a_mask_is_scored_by_its_overlap(score, region, iou, hit):
    found = score("t2b_mask", mask_answer(*region))
    assert found.iou == pytest.approx(iou)
    assert (found.hit, found.correct, found.status) == (hit, hit, "ok")


@pytest.mark.parametrize("task", ["t2b_box", "t2b_mask"])
@pytest.mark.parametrize(
    "answer",
    [
        NotVisible(),
        Points(points=((40.0, 20.0),), image_index=1),
        Reading(status="unreadable"),
        Reading(status="ambiguous"),
        Reading(status="truncated"),
        Boxes(boxes=(), image_index=1),
        MaskAnswer(rle=encode_mask(mask(0, 0, 0, 0)), image_index=1),
    ],
)
def test_an_answer_of_another_kind_or_none_overlaps_by_nothing_and_stays_in_the_denominator(score, task, answer):
    found = score(task, answer)
    assert (found.iou, found.hit, found.correct) == (0.0, False, False)


def test_the_right_place_in_the_other_picture_is_in_the_wrong_panel(score):
    box = score("t2b_box", box_answer(30, 10, 50, 30, image_index=0))
    assert (box.iou, box.wrong_panel) == (0.0, True)
    reading = Reading(status="ok", answer=mask_answer(30, 10, 50, 30, image_index=0), num_found=1)
    assert (score("t2b_mask", reading).iou, score("t2b_mask", reading).wrong_panel) == (0.0, True)


def test_masks_of_another_size_and_of_a_picture_that_is_not_there_are_not_kept(asked):
    question = asked("t2b_mask").question
    small = read_geometry(mask_answer(0, 0, 5, 5, width=10, height=10), question)
    assert (small.status, small.answer, small.notes) == ("unreadable", None, ("mask_of_another_size",))
    assert read_geometry(mask_answer(0, 0, 5, 5, image_index=7), question).notes == ("no_such_image",)
    assert read_geometry(mask_answer(0, 0, 0, 0), question).status == "empty"


def test_the_overlap_is_measured_in_the_view_and_not_in_the_whole_picture(asked, masks):
    # Both views side by side: the second at (60, 0) of a picture of 160 x 60.
    example = asked("t2b_mask")
    before, after = example.question.panels
    picture = msgspec.structs.replace(example.question.images[1], width=160, height=60)
    question = msgspec.structs.replace(
        example.question, images=(picture, picture), panels=(before, msgspec.structs.replace(after, x=60))
    )
    example = msgspec.structs.replace(example, question=question)
    answer = mask_answer(90, 10, 110, 30, width=160, height=60)
    found = score_example(example, Prediction(id=example.id, reading=read_geometry(answer, question)), masks)
    assert found.iou == 1.0
    form = AnswerForm(shape="box", image_index=1)
    prompt = tuple(form if isinstance(part, AnswerForm) else part for part in question.prompt)
    example = msgspec.structs.replace(example, question=msgspec.structs.replace(question, prompt=prompt))
    reading = read_geometry(box_answer(90, 10, 110, 20), example.question)
    assert score_example(example, Prediction(id=example.id, reading=reading), masks).iou == 0.5  # the upper half, 60 to the right


def test_overlaps_of_nothing_with_nothing_are_zero():
    assert mask_iou(mask(0, 0, 0, 0), mask(0, 0, 0, 0)) == 0.0
    assert box_iou((1.0, 1.0, 1.0, 1.0), (1.0, 1.0, 1.0, 1.0)) == 0.0


@pytest.mark.parametrize("name", ["roborefer", "qwen25", "gemini"])
def test_a_box_in_text_is_scored_through_its_dialect(asked, masks, name):
    example = asked("t2b_box")
    dialect, sizes = get_dialect(name), [Size.of(image) for image in example.question.images]
    reading = dialect.decode(dialect.encode(example.truth.answer, sizes), example.question.form, sizes)
    found = score_example(example, Prediction(id=example.id, reading=reading), masks)
    assert found.hit
    assert found.iou == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize(
    ("answer", "visible", "said", "correct"),
    [
        (Choice(value="yes"), True, True, True),
        (Choice(value="yes"), False, True, False),
        (Choice(value="no"), True, False, False),
        (Choice(value="no"), False, False, True),
        (Reading(status="ambiguous"), True, None, False),
        (Reading(status="unreadable"), False, None, False),
        (Reading(status="truncated", answer=Choice(value="no"), num_found=1), False, False, True),
    ],
)
def test_yes_and_no_are_claims_and_nothing_else(score, answer, visible, said, correct):
    found = score("t2a_yesno", answer, visible=visible)
    assert (found.visible, found.said_visible, found.correct) == (visible, said, correct)
    assert (found.hit, found.iou, found.l2_px) == (None, None, None)


def scored(tier="V", *, iou=None, said=True, group="a"):
    visible = tier == "V"
    correct = iou is not None and iou >= 0.5 if visible else said is False
    return Score(
        id="x", task="t2b_box", group=group, tier=tier, status="ok", visible=visible, correct=correct, said_visible=said,
        hit=correct if visible else None, iou=iou,
    )  # fmt: skip


def test_overlap_metrics_are_over_all_that_were_asked_for_a_box_or_mask():
    metrics = measure(tabulate([scored(iou=iou) for iou in (1.0, 0.5, 0.49, 0.0)] + [scored(iou=None)]))
    assert (metrics["acc_iou_050"].value, metrics["acc_iou_050"].n) == (0.5, 4)  # 1.0 and 0.5 of four
    assert (metrics["iou_mean"].value, metrics["iou_mean"].n) == (pytest.approx(1.99 / 4), 4)
    assert metrics["iou_median"].value == pytest.approx((0.5 + 0.49) / 2)
    points_only = measure(tabulate([scored(iou=None)]))
    assert (points_only["acc_iou_050"].value, points_only["iou_mean"].n) == (None, 0)


def test_the_absent_only_set_holds_natural_absences_and_a_constant_answer_wins_it():
    tiers = ("N1", "N2", "N12", "N3", "N4", "N0", "V", "VC")
    constant = measure(tabulate([scored(tier, said=False) for tier in tiers]))
    assert (constant["absent_only"].value, constant["absent_only"].n) == (1.0, 4)
    mixed = measure(tabulate([scored(tier, said=tier in ("N1", "N4")) for tier in tiers]))
    assert (mixed["absent_only"].value, mixed["absent_only"].n) == (3 / 4, 4)  # N1 was said to be visible; N4 does not count
    assert measure(tabulate([scored("V")]))["absent_only"].value is None
