import math

import pytest

from sightline.evaluate.video.spans import score_spans, span_iou


@pytest.mark.parametrize(
    ("truth", "predicted", "expected"),
    [
        ((2.0, 6.0), (4.0, 8.0), 2 / 6),
        ((2.0, 6.0), (2.0, 6.0), 1.0),
        ((2.0, 6.0), (3.0, 4.0), 0.25),
        ((2.0, 6.0), (6.0, 9.0), 0.0),  # half-open: they touch
        ((0.0, 1.0), (5.0, 9.0), 0.0),
        (None, None, 1.0),
        ((3.0, 3.0), None, 1.0),
        ((2.0, 6.0), None, 0.0),
        (None, (2.0, 6.0), 0.0),
        ((2.0, 6.0), (6.0, 2.0), 0.0),
        ((2.0, 6.0), (math.nan, 6.0), 0.0),
    ],
)
def test_spans_overlap_by_their_common_length(truth, predicted, expected):
    assert span_iou(truth, predicted) == pytest.approx(expected)


def test_every_query_counts_and_the_threshold_itself_is_accepted():
    score = score_spans([(0.0, 10.0)] * 4, [(0.0, 10.0), (0.0, 7.0), (0.0, 3.0), None])
    assert score.recall == {0.3: 0.75, 0.5: 0.5, 0.7: 0.5}
    assert score.mean_tiou == pytest.approx((1 + 0.7 + 0.3 + 0) / 4)
    assert (score.n, math.isnan(score_spans([], []).mean_tiou)) == (4, True)
