"""Referring J&F and ReVOS: small clips worked by hand, and the official scripts' own output."""

import math

import numpy as np
import pytest

from sightline.errors import InputError
from sightline.evaluate.video.referring import (
    ExpressionScore,
    mean_over_expressions,
    mean_over_passes,
    pack_prediction,
    pack_truth,
    score_expression,
)
from sightline.evaluate.video.region_boundary import score_frames
from sightline.evaluate.video.revos import (
    NO_OBJECT,
    REASONING,
    REFERRING,
    RevosScore,
    foreground_area,
    revos_table,
    robustness,
    score_revos_expression,
)
from sightline.geometry.masks import encode_mask
from tests.evaluate.sa2va_scores import read_scores, to_rle

SIZE = (10, 20)


def rectangle(x0: int, x1: int):
    """All rows of the columns x0..x1-1 of a picture of 20 x 10."""
    mask = np.zeros(SIZE, bool)
    mask[:, x0:x1] = True
    return encode_mask(mask)


def expression(region: float, boundary: float, n: int = 1) -> ExpressionScore:
    return ExpressionScore(region=region, boundary=boundary, n=n)


def revos(value: float) -> RevosScore:
    return RevosScore(region=value, boundary=value, accuracy=value, robustness=value, n=1)


def test_every_frame_counts_and_both_empty_is_right():
    # J: 50/100 in the first frame, both empty in the second, a false positive in the third
    found = score_expression([[rectangle(0, 10), None, None]], [rectangle(0, 5), None, rectangle(0, 5)], num_frames=3, size=SIZE)
    assert found.region == pytest.approx((0.5 + 1 + 0) / 3)
    assert found.boundary == pytest.approx((0 + 1 + 0) / 3)  # columns 4 and 9 are more than one pixel apart
    assert found.n == 3


def test_the_truth_of_several_objects_is_their_union():
    both = score_expression([[rectangle(0, 10)], [rectangle(5, 15)]], [rectangle(0, 15)], num_frames=1, size=SIZE)
    assert (both.region, both.boundary, both.mean) == (1.0, 1.0, 1.0)


def test_an_expression_of_nothing_is_right_where_nothing_is_predicted():
    assert score_expression([], [None, None], num_frames=2, size=SIZE).mean == 1.0
    assert score_expression([], [None, rectangle(0, 1)], num_frames=2, size=SIZE).mean == 0.5


def test_no_prediction_at_all_scores_zero_even_where_nothing_is_there():
    found = score_expression([], None, num_frames=4, size=SIZE)
    assert (found.mean, found.n) == (0.0, 4)


@pytest.mark.parametrize(("truth", "predicted"), [([[None]], [None, None]), ([[None, None]], [None])])
def test_a_track_of_another_length_is_refused(truth, predicted):
    with pytest.raises(InputError, match="mask track of 1 frames for a clip of 2"):
        score_expression(truth, predicted, num_frames=2, size=SIZE)


def test_the_set_is_the_mean_over_expressions_whatever_their_length():
    row = mean_over_expressions([expression(1.0, 0.5, n=100), expression(0.0, 0.0, n=1)])
    assert (row.region, row.boundary, row.mean, row.n) == (0.5, 0.25, 0.375, 2)
    assert math.isnan(mean_over_expressions([]).mean)


def test_passes_are_averaged_and_not_their_expressions():
    passes = {"annotator 1": [expression(1.0, 1.0)], "annotator 2": [expression(0.0, 0.5), expression(0.0, 0.5)]}
    row = mean_over_passes(passes)
    assert (row.region, row.boundary, row.n) == (0.5, 0.75, 3)
    assert mean_over_passes({}).n == 0


def test_accuracy_and_robustness_of_a_frame():
    # 20 x 10: truth 100 pixels, prediction 100, common 50 -> unlike 100 of 200; wrong 50 of 120 foreground pixels
    found = score_revos_expression([[rectangle(0, 10)]], [rectangle(5, 15)], [120], size=SIZE)
    assert found.accuracy == 0.5
    assert found.robustness == pytest.approx(1 - 50 / 120, abs=1e-8)


@pytest.mark.parametrize(("wrong", "foreground", "expected"), [(0, 0, 1.0), (5, 0, 0.0), (200, 100, 0.0), (0, 100, 1.0)])
def test_robustness_at_its_ends(wrong, foreground, expected):
    assert robustness(wrong, foreground) == expected


def test_the_official_overlap_counts_covered_twice_as_wrong():
    truth = [[rectangle(0, 10)], [rectangle(5, 15)]]  # 50 pixels covered twice
    ours = score_revos_expression(truth, [rectangle(0, 15)], [150], size=SIZE)
    theirs = score_revos_expression(truth, [rectangle(0, 15)], [150], size=SIZE, official_overlap=True)
    assert (ours.accuracy, ours.robustness) == (1.0, 1.0)
    assert (theirs.accuracy, theirs.robustness) == (0.75, 0.0)  # 50 of 200 unlike; 50 * 255 wrong ones
    assert theirs.mean == ours.mean == 1.0


def test_foreground_pixels_are_those_of_any_object():
    masks = [rectangle(0, 10), rectangle(5, 15)]
    assert (foreground_area(masks), foreground_area(masks, official_overlap=True), foreground_area([])) == (150, 200, 0)


def test_overall_is_the_mean_of_the_two_rows_and_leaves_out_expressions_of_nothing():
    table = revos_table([(REFERRING, revos(0.2)), (REFERRING, revos(0.4)), (REASONING, revos(0.9)), (NO_OBJECT, revos(0.0))])
    assert table.referring.accuracy == pytest.approx(0.3)
    assert table.overall.robustness == pytest.approx(0.6)
    assert (table.referring.n, table.reasoning.n, table.overall.n) == (2, 1, 3)
    assert math.isnan(revos_table([(REFERRING, revos(0.2))]).overall.mean)


def test_the_official_table_averages_rounded_percentages():
    scores = [(REFERRING, revos(0.12346)), (REFERRING, revos(0.12348)), (REASONING, revos(0.5))]
    assert revos_table(scores).referring.region == pytest.approx(0.12347, abs=1e-12)
    assert revos_table(scores, official_rounding=True).referring.region == pytest.approx(0.1235, abs=1e-12)


def test_an_unknown_type_is_refused():
    with pytest.raises(InputError, match="type_id 3"):
        revos_table([(3, revos(0.1))])


def test_frames_of_the_reference_clips_are_equal(shared_data):
    expected = read_scores(shared_data, "clip_scores.json")
    rows = []
    for clip, scores in zip(read_scores(shared_data, "clips.json")["clips"], expected["clips"], strict=True):
        size, n = (clip["height"], clip["width"]), len(clip["gt"])
        truth, predicted = ([to_rle(mask) for mask in clip[side]] for side in ("gt", "pred"))
        frames = score_frames(pack_truth([truth], num_frames=n, size=size), pack_prediction(predicted, num_frames=n, size=size))
        assert (frames.region.tolist(), frames.boundary.tolist()) == (scores["J_per_frame"], scores["F_per_frame"])
        rows.append(score_expression([truth], predicted, num_frames=n, size=size))
        assert (rows[-1].region, rows[-1].boundary) == (scores["J"], scores["F"])
    row = mean_over_expressions(rows)
    assert [row.region, row.boundary, row.mean] == pytest.approx([expected["mean"][key] for key in ("J", "F", "J&F")], abs=1e-15)


@pytest.mark.parametrize("official", [True, False])
def test_mevis_and_revos_score_as_the_official_scripts(shared_data, official):
    videos = read_scores(shared_data, "rvos/meta_expressions.json")["videos"]
    masks, foregrounds, predictions = (
        read_scores(shared_data, f"rvos/{name}.json") for name in ("mask_dict", "mask_dict_foreground", "predictions")
    )
    plain, rows = {}, {}
    for video, entry in videos.items():
        size = (entry["height"], entry["width"])
        frames = [to_rle(mask) for mask in foregrounds[video]["masks_rle"]]
        areas = [foreground_area([mask] if mask else [], official_overlap=official) for mask in frames]
        for number, asked in entry["expressions"].items():
            truth = [[to_rle(mask) for mask in masks[str(anno)]] for anno in asked["anno_id"]]
            found = [to_rle(mask) for mask in predictions[video][number]["prediction_masks"]]
            plain[f"{video}_{number}"] = score_expression(truth, found, num_frames=len(entry["frames"]), size=size)
            score = score_revos_expression(truth, found, areas, size=size, official_overlap=official)
            rows[f"{video}_{number}"] = (asked["type_id"], score)
    mevis, expected = read_scores(shared_data, "rvos/mevis_scores.json"), read_scores(shared_data, "rvos/revos_scores.json")
    assert {name: {"J": each.region, "F": each.boundary} for name, each in plain.items()} == mevis["per_expression"]
    row = mean_over_expressions(list(plain.values()))
    percent = {key: round(100 * value, 2) for key, value in (("J", row.region), ("F", row.boundary), ("J&F", row.mean))}
    assert percent == mevis["result_file"]

    key = "per_expression" if official else "per_expression_with_union_ground_truth"
    for name, (_, score) in rows.items():
        ours = {"J": score.region, "F": score.boundary, "A": score.accuracy, "R": score.robustness}
        assert ours == expected[key][name], name
    if official:
        table = revos_table(list(rows.values()), official_rounding=True)
        for ours, theirs in ((table.referring, "referring"), (table.reasoning, "reason"), (table.overall, "overall")):
            figures = [ours.region, ours.boundary, ours.accuracy, ours.robustness, ours.mean]
            wanted = [expected["result_file"][theirs][column] for column in ("J", "F", "A", "R", "JF")]
            assert [100 * figure for figure in figures] == pytest.approx(wanted, abs=1e-12)
