"""What answers are worth, on the task sets of two rooms."""

import msgspec
import pytest

pytest.importorskip("torch", reason="the package of the training is imported with it")

from sightline.dialects import Size, get_dialect
from sightline.errors import InputError
from sightline.evaluate.predict import cut_reading
from sightline.export.rendered import render
from sightline.train.reward.rewards import check_verifiable, reward_of
from sightline.train.reward.settings import RewardWeights
from sightline.types import Example, Points, Prediction

DIALECT = get_dialect("roborefer")
WEIGHTS = RewardWeights(hit=1.0, not_visible=0.7, format=0.1)


def example(rooms, task: str, *, visible: bool) -> Example:
    return next(each for each in rooms[task] if each.truth.visible == visible)


def judged(rooms, asked: Example, text: str, *, cut: bool = False):
    task = asked.question.task
    reading = DIALECT.decode(text, asked.question.form, Size.all_of(asked.question))
    reading = cut_reading(reading) if cut else reading
    return reward_of(asked, Prediction(id=asked.id, reading=reading), rooms[task].read_mask)


def truth(asked: Example) -> str:
    return render(asked, DIALECT).answer


def test_a_point_on_the_object_is_a_hit_and_one_beside_it_is_only_well_formed(rooms):
    asked = example(rooms, "t1_multi", visible=True)
    right = judged(rooms, asked, truth(asked))
    assert (right.hit, right.not_visible, right.format, right.correct) == (1.0, None, 1.0, True)
    assert right.total(WEIGHTS) == pytest.approx(1.1)
    answer = asked.truth.answer
    assert isinstance(answer, Points)
    wrong = judged(rooms, asked, "[(0.999, 0.001)]")
    assert (wrong.hit, wrong.format, wrong.correct) == (0.0, 1.0, False)
    assert wrong.total(WEIGHTS) == pytest.approx(0.1)


def test_saying_that_it_is_not_visible_is_right_where_it_is_not_and_wrong_where_it_is(rooms):
    absent, there = example(rooms, "t1_multi", visible=False), example(rooms, "t1_multi", visible=True)
    said = truth(absent)
    right = judged(rooms, absent, said)
    assert (right.hit, right.not_visible, right.format) == (None, 1.0, 1.0)
    assert right.total(WEIGHTS) == pytest.approx(0.8)
    wrong = judged(rooms, there, said)
    assert (wrong.hit, wrong.not_visible, wrong.format) == (0.0, None, 1.0)
    claimed = judged(rooms, absent, "[(0.5, 0.5)]")
    assert (claimed.hit, claimed.not_visible, claimed.format) == (None, 0.0, 1.0)


@pytest.mark.parametrize("text", ["hello", "", "[(1.5, 0.5)]"])
def test_an_answer_that_cannot_be_read_or_lies_outside_is_worth_nothing(rooms, text):
    assert judged(rooms, example(rooms, "t1_multi", visible=True), text).total(WEIGHTS) == 0
    assert judged(rooms, example(rooms, "t1_multi", visible=False), text).total(WEIGHTS) == 0


def test_a_point_that_was_cut_off_may_hit_but_is_not_well_formed(rooms):
    asked = example(rooms, "t1_multi", visible=True)
    cut = judged(rooms, asked, truth(asked), cut=True)
    assert (cut.hit, cut.format) == (1.0, 0.0)


def test_yes_and_no_are_rewarded_by_whether_they_are_right(rooms):
    for visible in (True, False):
        asked = example(rooms, "t2a", visible=visible)
        other = example(rooms, "t2a", visible=not visible)
        assert judged(rooms, asked, truth(asked)).total(WEIGHTS) == pytest.approx(1.1 if visible else 0.8)
        assert judged(rooms, asked, truth(other)).total(WEIGHTS) == pytest.approx(0.1)


@pytest.mark.parametrize("shape", ["mask", "text", "number", "mask_track", "box_track", "span"])
def test_answers_without_a_verifiable_reward_are_named(rooms, shape):
    asked = example(rooms, "t1_multi", visible=True)
    check_verifiable(asked, rooms["t1_multi"])
    form = msgspec.structs.replace(asked.question.form, shape=shape)
    prompt = tuple(form if part == asked.question.form else part for part in asked.question.prompt)
    other = msgspec.structs.replace(asked, question=msgspec.structs.replace(asked.question, prompt=prompt))
    with pytest.raises(InputError, match=f"{asked.id}.*t1_multi.*{shape}.*no verifiable reward.*point, box, choice"):
        check_verifiable(other, rooms["t1_multi"])
