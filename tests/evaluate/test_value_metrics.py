import pytest

from sightline.evaluate.metrics import tabulate
from sightline.evaluate.value_metrics import measure_values
from sightline.types import Choice, MaskAnswer, NotVisible, Score
from tests.evaluate.expressions import asked, block, scored


def score(name, group="clip", **fields):
    values = {"task": "refer_track", "tier": "V", "status": "ok", "visible": True, "correct": False, "said_visible": True}
    return Score(id=name, group=group, **values | fields)


def measure(*scores):
    return measure_values(tabulate(scores))


def test_tubes_count_above_a_threshold_and_boxes_and_spans_at_it():
    found = measure(*(score(str(k), iou=value, values={"viou": value, "tiou": value}) for k, value in enumerate((0.3, 0.5, 0.7))))
    assert found["viou_030"].value == pytest.approx(2 / 3)  # 0.5 and 0.7 are above
    assert found["viou_050"].value == pytest.approx(1 / 3)
    assert found["tiou_050"].value == pytest.approx(2 / 3)
    assert found["acc_iou_070"].value == pytest.approx(1 / 3)
    assert (found["m_viou"].value, found["m_viou"].n) == (pytest.approx(0.5), 3)


def test_a_value_is_averaged_over_the_examples_that_have_it():
    found = measure(score("a", values={"f1": 1.0}), score("b"), score("c", values={"f1": 0.5, "j": 0.2}))
    assert (found["f1"].value, found["f1"].n) == (0.75, 2)
    assert (found["j"].value, found["j"].n) == (0.2, 1)
    assert "viou_030" not in found


def test_values_stand_in_the_rows_of_their_examples():
    found = tabulate([score("a"), score("b", values={"f1": 0.5}), score("c"), score("d", values={"f1": 1.0}), score("e")]).values
    assert [None if value != value else value for value in found["f1"].tolist()] == [None, 0.5, None, 1.0, None]


def test_ciou_divides_sums_of_pixels_and_giou_averages():
    truth = MaskAnswer(rle=block(0, 0, 4, 4))
    pairs = [  # I, U: 8, 16; 0, 16; no target with a mask: 0, 10; no target, said: 0, 0
        (truth, MaskAnswer(rle=block(0, 0, 4, 2)), "a"),
        (truth, NotVisible(), "b"),
        (NotVisible(), MaskAnswer(rle=block(0, 0, 5, 2)), "a"),
        (NotVisible(), NotVisible(), "b"),
    ]
    found = measure(
        *(scored(asked("refer_mask", true, group=group, name=str(k)), answer) for k, (true, answer, group) in enumerate(pairs))
    )
    assert (found["ciou"].value, found["ciou"].n) == (pytest.approx(8 / 42), 4)
    assert found["giou"].value == pytest.approx((0.5 + 0 + 0 + 1) / 4)
    assert (found["n_acc"].value, found["t_acc"].value, found["precision_070"].n) == (0.5, 0.5, 2)
    # Both groups drawn twice or once each: group a has 8 of 26, b 0 of 16.
    assert (found["ciou"].low, found["ciou"].high) == (0.0, pytest.approx(8 / 26))


def test_a_pair_is_right_if_all_its_examples_are():
    words = ("left", "right")
    answers = [
        ("p", "left", "left"),
        ("p", "right", "right"),
        ("q", "left", "left"),
        ("q", "right", "left"),
        ("alone", "left", "left"),
    ]
    scores = [
        scored(asked("relation_choice", Choice(value=truth), pair_id=pair, options=words, name=str(k)), Choice(value=said))
        for k, (pair, truth, said) in enumerate(answers)
    ]
    found = measure(*scores)["pair_accuracy"]
    assert [each.correct for each in scores] == [True, True, True, False, True]
    assert (found.value, found.n) == (0.5, 2)  # p is right, q is half right, and a single example is no pair
    assert measure(*reversed(scores))["pair_accuracy"].value == 0.5


def test_yes_and_no_are_claims_among_relation_choices():
    example = asked("relation_choice", Choice(value="no"), options=("yes", "no"))
    assert [scored(example, Choice(value=word)).correct for word in ("no", "yes")] == [True, False]


def test_scores_without_values_or_pairs_have_no_such_metrics():
    assert measure(score("a", iou=0.4)) == {}
