"""Box scores worked by hand."""

import math

import pytest

from sightline.evaluate.referring_boxes import Matched, centre_hit, match_boxes, score_box, score_boxes, score_matched

TRUE = (10.0, 10.0, 30.0, 20.0)  # 20 x 10
NAN, INF = math.nan, math.inf


@pytest.mark.parametrize(
    ("predicted", "expected"),
    [
        (TRUE, 1.0),
        ((10.0, 10.0, 20.0, 20.0), 0.5),
        ((20.0, 10.0, 40.0, 20.0), 100 / 300),
        ((30.0, 10.0, 40.0, 20.0), 0.0),
        (None, 0.0),
        ((30.0, 20.0, 10.0, 10.0), 0.0),  # ends reversed
        ((10.0, 10.0, 10.0, 20.0), 0.0),
        ((10.0, 10.0, INF, 20.0), 0.0),
        ((10.0, NAN, 30.0, 20.0), 0.0),
    ],
)
def test_a_box_scores_its_overlap_and_what_is_no_box_scores_nothing(predicted, expected):
    assert score_box(TRUE, predicted) == pytest.approx(expected)


def test_accuracy_accepts_the_threshold_itself_and_counts_every_expression():
    score = score_boxes([TRUE, TRUE, TRUE, TRUE], [TRUE, (10.0, 10.0, 20.0, 20.0), (20.0, 10.0, 40.0, 20.0), None])
    assert score.accuracy == {0.1: 0.75, 0.3: 0.75, 0.5: 0.5, 0.7: 0.25, 0.9: 0.25}
    assert score.mean_iou == pytest.approx((1 + 0.5 + 1 / 3 + 0) / 4)
    assert score.n == 4


def test_no_expressions_have_no_score():
    score = score_boxes([], [])
    assert (score.n, math.isnan(score.mean_iou), math.isnan(score.accuracy[0.5])) == (0, True, True)


@pytest.mark.parametrize(
    ("predicted", "expected"),
    [
        ((0.0, 0.0, 20.0, 20.0), True),  # centre (10, 10): the corner
        ((20.0, 10.0, 40.0, 30.0), True),  # (30, 20): the opposite one
        ((20.0, 10.0, 40.1, 30.0), False),
        ((30.0, 20.0, 10.0, 10.0), False),  # reversed, though its middle is inside
        (None, False),
    ],
)
def test_a_centre_hits_with_the_edges_included(predicted, expected):
    assert centre_hit(TRUE, predicted) is expected


def test_nothing_at_the_origin_hits_a_corner_only_as_in_lmms_eval():
    corner = (0.0, 0.0, 5.0, 5.0)
    assert centre_hit(corner, None, missing_at_origin=True)
    assert not centre_hit(corner, None)


def test_boxes_are_matched_one_to_one():
    left, right = (0.0, 0.0, 10.0, 10.0), (100.0, 0.0, 110.0, 10.0)
    assert match_boxes([left, right], [right, right, left]) == Matched(2, 1, 0)
    assert match_boxes([left, right], [left]) == Matched(1, 0, 1)
    assert match_boxes([left], [right]) == Matched(0, 1, 1)


def test_a_matching_takes_two_pairs_above_the_threshold_rather_than_the_best_one_alone():
    # lengths on a line of height 1: a = 0..10; b = 4..14; predicted p = 0.5..10.5, q = 0..7
    a, b = (0.0, 0.0, 10.0, 1.0), (4.0, 0.0, 14.0, 1.0)
    p, q = (1.5, 0.0, 11.5, 1.0), (0.0, 0.0, 7.0, 1.0)
    # IoU: a-p 8.5/11.5, a-q 7/10, b-p 7.5/12.5, b-q 3/14: a-p is the largest, a-q with b-p are two above 0.5
    assert match_boxes([a, b], [p, q]) == Matched(2, 0, 0)


def test_pairs_below_the_threshold_do_not_keep_a_better_one_apart():
    # on a line: a-p 7.5/12.5 = 0.6, a-q 6.2/13.8 = 0.45, b-p 6.2/13.8 = 0.45, b-q 0: the two 0.45 add up to more than 0.6
    a, b = (10.0, 0.0, 20.0, 1.0), (16.3, 0.0, 26.3, 1.0)
    p, q = (12.5, 0.0, 22.5, 1.0), (6.2, 0.0, 16.2, 1.0)
    assert match_boxes([a, b], [p, q]) == Matched(1, 1, 1)


def test_a_box_that_is_none_is_a_false_positive():
    assert match_boxes([TRUE], [TRUE, (5.0, 5.0, 5.0, 9.0)]) == Matched(1, 1, 0)


def test_pairs_below_the_threshold_are_two_errors():
    assert match_boxes([TRUE], [(20.0, 10.0, 40.0, 20.0)]) == Matched(0, 1, 1)
    assert match_boxes([TRUE], [(20.0, 10.0, 40.0, 20.0)], threshold=0.3) == Matched(1, 0, 0)


def test_expressions_without_a_target_are_scored_by_silence():
    score = score_matched([Matched(0, 0, 0), Matched(0, 2, 0), Matched(1, 1, 1), Matched(2, 0, 0)])
    assert score.f1 == pytest.approx((1 + 0 + 0.5 + 1) / 4)
    assert (score.perfect, score.no_target_accuracy, score.n, score.n_no_target) == (0.5, 0.5, 4, 2)
    assert math.isnan(score_matched([Matched(1, 0, 0)]).no_target_accuracy)
    assert math.isnan(score_matched([]).f1)
