"""Tubes and box tracks: worked by hand, and the official scorer's numbers."""

import json
import math
from pathlib import Path

import pytest

from sightline.errors import InputError
from sightline.evaluate.video.tubes import Tube, TubeScore, sample_frames, score_box_track, score_tube, score_tubes

OFFICIAL = json.loads((Path(__file__).parent / "official_tubes.json").read_text())["tubes"]
BOX = (0.0, 0.0, 10.0, 10.0)
HALF = (0.0, 0.0, 5.0, 10.0)


def tube(start: int, end: int, box: tuple[float, float, float, float] = BOX) -> Tube:
    return Tube((start, end), dict.fromkeys(range(start, end), box))


@pytest.mark.parametrize("case", OFFICIAL, ids=lambda case: f"{case['video_fps']} fps")
def test_tubes_score_as_the_official_scorer_says(case):
    sampled = sample_frames(case["start"], case["end"], video_fps=float(case["video_fps"]))
    assert (len(sampled), sampled[-1]) == (case["num_sampled"], case["last_sampled"])
    x0, y0, x1, y1 = map(float, case["first_true_box"])
    true_boxes = {frame: (x0 + frame % 3, y0, x1 + frame % 3, y1) for frame in range(*case["true_span"])}
    left, top, right, bottom = map(float, case["predicted_box"])
    found_boxes = dict.fromkeys(range(case["start"], case["end"]), (left, top, right, bottom))
    true_span, found_span = ((case[key][0], case[key][1]) for key in ("true_span", "predicted_span"))
    score = score_tube(Tube(true_span, true_boxes), Tube(found_span, found_boxes), sampled=sampled)
    assert (score.tiou, score.viou, score.gt_viou) == pytest.approx((case["tiou"], case["viou"], case["gt_viou"]), abs=1e-14)


def test_viou_is_over_the_sampled_frames_of_either_span():
    # sampled 0, 2, .., 18; true 4..11: 4, 6, 8, 10; found 8..15: 8, 10, 12, 14; both: 8, 10 with IoU 1/2 each; either: 6
    score = score_tube(tube(4, 12), tube(8, 16, HALF), sampled=range(0, 20, 2))
    assert score.viou == pytest.approx((0.5 + 0.5) / 6)
    assert score.tiou == pytest.approx(4 / 12)
    assert score.gt_viou == pytest.approx((0.5 + 0.5) / 4)  # 4 and 6 have no predicted box


def test_boxes_outside_the_predicted_span_count_for_space_alone():
    found = Tube((8, 16), dict.fromkeys(range(20), BOX))
    assert score_tube(tube(4, 12), found, sampled=range(0, 20, 2)) == TubeScore(tiou=4 / 12, viou=2 / 6, gt_viou=1.0)


def test_a_query_without_a_target_is_right_where_nothing_is_found():
    nothing = Tube(None)
    assert score_tube(nothing, nothing, sampled=range(5)) == TubeScore(tiou=1.0, viou=1.0, gt_viou=0.0)
    assert score_tube(nothing, tube(0, 3), sampled=range(5)) == TubeScore(tiou=0.0, viou=0.0, gt_viou=0.0)
    assert score_tube(tube(0, 3), nothing, sampled=range(5)) == TubeScore(tiou=0.0, viou=0.0, gt_viou=0.0)


def test_spans_between_two_sampled_frames_have_no_viou():
    assert score_tube(tube(1, 2), tube(1, 2), sampled=(0, 5)) == TubeScore(tiou=1.0, viou=0.0, gt_viou=0.0)


def test_a_set_counts_queries_above_the_threshold_and_not_at_it():
    scores = [TubeScore(tiou=0.5, viou=viou, gt_viou=viou) for viou in (0.3, 0.5, 0.6)]
    found = score_tubes(scores)
    assert found.viou_above == found.gt_viou_above == {0.3: 2 / 3, 0.5: 1 / 3}
    assert (found.mean_tiou, found.mean_viou, found.n) == (0.5, pytest.approx(1.4 / 3), 3)
    assert math.isnan(score_tubes([]).mean_tiou)


def test_box_tracks_count_rightly_absent_frames_and_are_reported_without_them_too():
    found = score_box_track([BOX, BOX, None, None], [HALF, None, None, BOX])
    assert found.per_frame.tolist() == [0.5, 0.0, 1.0, 0.0]
    assert (found.mean, found.mean_present) == (1.5 / 4, 0.5 / 3)
    assert (found.n, found.n_present) == (4, 3)


def test_frames_without_annotation_do_not_count():
    found = score_box_track([BOX, None, None], [BOX, BOX, None], labelled=[True, False, False])
    assert (found.mean, found.n) == (1.0, 1)
    assert math.isnan(score_box_track([None], [None]).mean_present)


def test_box_tracks_of_two_lengths_are_refused():
    with pytest.raises(ValueError, match="longer"):
        score_box_track([BOX], [BOX, BOX])


def test_frames_are_taken_as_the_rate_passes_whole_numbers():
    assert sample_frames(3, 20, video_fps=10.0) == [3, 4, 6, 8, 10, 12, 14, 16, 18]  # halves: 1.5, 2, 3, ..
    assert sample_frames(0, 10, video_fps=5.0, most=4) == [0, 2, 5, 7]
    with pytest.raises(InputError, match="cannot be sampled at 5"):
        sample_frames(0, 10, video_fps=3.0)
