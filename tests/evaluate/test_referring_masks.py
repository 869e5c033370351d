"""cIoU, gIoU and companions: worked by hand for each protocol, and the reference implementation's output."""

import math

import numpy as np
import pytest

from sightline.errors import InputError
from sightline.evaluate.referring_masks import (
    MaskOverlap,
    official_polygon_sum,
    overlap_masks,
    overlap_rles,
    score_masks,
)
from sightline.geometry.masks import encode_mask
from tests.evaluate.sa2va_scores import read_scores, to_rle


def columns(x0: int, x1: int) -> np.ndarray:
    """Columns x0..x1-1 of a picture of 20 x 10."""
    mask = np.zeros((10, 20), bool)
    mask[:, x0:x1] = True
    return mask


NOTHING = columns(0, 0)
CASES = {
    "half": overlap_masks(columns(0, 10), columns(0, 5)),  # 50 / 100
    "missed": overlap_masks(columns(0, 10), None),  # 0 / 100, said none
    "rightly none": overlap_masks(NOTHING, None),
    "wrongly some": overlap_masks(NOTHING, columns(0, 4)),  # 0 / 40
}


def test_overlaps_are_the_same_from_masks_and_from_their_codes():
    for truth, predicted in (
        (columns(0, 10), columns(5, 15)),
        (columns(0, 10), NOTHING),
        (NOTHING, columns(1, 2)),
        (NOTHING, None),
    ):
        codes = [None if mask is None or not mask.any() else encode_mask(mask) for mask in (truth, predicted)]
        assert overlap_masks(truth, predicted) == overlap_rles(*codes)
    assert overlap_masks(columns(0, 10), columns(5, 15)) == MaskOverlap(50, 150, 100, False)


def test_masks_of_two_sizes_are_refused():
    with pytest.raises(InputError, match="9 x 10 pixels for a true one of 20 x 10"):
        overlap_rles(encode_mask(NOTHING), encode_mask(np.zeros((10, 9), bool)))


@pytest.mark.parametrize("protocol", ["sightline", "grefcoco"])
def test_targets_and_their_absence_are_told_apart(protocol):
    score = score_masks(list(CASES.values()), protocol=protocol)
    assert score.cumulative_iou == 50 / (100 + 100 + 40)
    assert score.mean_iou == (0.5 + 0 + 1 + 0) / 4
    assert (score.no_target_accuracy, score.target_accuracy) == (0.5, 0.5)
    assert (score.n, score.n_no_target) == (4, 2)


def test_an_unreadable_answer_is_not_the_answer_that_nothing_is_there():
    unread = overlap_masks(NOTHING, None, said_none=False)
    score = score_masks([unread])
    assert (score.mean_iou, score.no_target_accuracy) == (0.0, 0.0)
    assert math.isnan(score.cumulative_iou)
    assert score_masks([unread], protocol="sa2va").mean_iou == 1.0


def test_saying_none_beside_a_mask_takes_the_mask_back():
    # ReLA has a head of its own for "no target": of a target the masks' union stays in U, of none nothing
    said = [overlap_masks(columns(0, 10), columns(0, 5), said_none=True), overlap_masks(NOTHING, columns(0, 4), said_none=True)]
    score = score_masks([CASES["half"], *said], protocol="grefcoco")
    assert (score.cumulative_iou, score.mean_iou) == (50 / (100 + 100), (0.5 + 0 + 1) / 3)
    assert (score.no_target_accuracy, score.target_accuracy) == (1.0, 0.5)


def test_precision_is_over_targets_and_accepts_the_threshold_itself():
    seven = overlap_masks(columns(0, 10), columns(0, 7))
    score = score_masks([seven, CASES["half"], CASES["rightly none"], overlap_masks(columns(0, 10), columns(0, 9))])
    assert score.precision == {0.7: 2 / 3, 0.8: 1 / 3, 0.9: 1 / 3}


def test_nothing_to_divide_is_nan_or_what_the_protocol_says():
    ours, theirs = (score_masks([CASES["half"]], protocol=protocol) for protocol in ("sightline", "grefcoco"))
    assert (math.isnan(ours.no_target_accuracy), ours.target_accuracy) == (True, 1.0)
    assert (theirs.no_target_accuracy, theirs.target_accuracy) == (0.0, 0.0)
    for protocol in ("sightline", "grefcoco", "sa2va", "lisa"):
        assert math.isnan(score_masks([], protocol=protocol).mean_iou)


def test_lisa_divides_by_a_little_more_than_the_number_of_masks():
    both = [CASES["half"], CASES["rightly none"]]
    ious = 50 / (100 + 1e-5) + 1
    assert score_masks(both, protocol="sa2va").mean_iou == pytest.approx(ious / 2, abs=1e-15)
    assert score_masks(both, protocol="lisa").mean_iou == pytest.approx(ious / (2 + 1e-5), abs=1e-15)
    assert score_masks(both, protocol="lisa").cumulative_iou == pytest.approx(0.5, abs=1e-10)


def test_an_unknown_protocol_names_those_there_are():
    with pytest.raises(InputError, match="sightline, grefcoco, sa2va, lisa"):
        score_masks([], protocol="refcoco")


def test_the_reference_set_scores_as_the_reference_says(shared_data):
    expected = read_scores(shared_data, "res_scores.json")
    overlaps = [
        overlap_rles(to_rle(truth), None if predicted is None else to_rle(predicted[0]))
        for image in read_scores(shared_data, "res_masks.json")["images"]
        for truth, predicted in zip(image["gt_masks"], image["prediction_masks"], strict=True)
    ]
    assert [(each.intersection, each.union) for each in overlaps] == [
        (row["intersection"], row["union"]) for row in expected["per_mask"]
    ]
    score = score_masks(overlaps, protocol="sa2va")
    assert score.cumulative_iou == pytest.approx(expected["all"]["cIoU"], abs=1e-6)
    assert score.mean_iou == pytest.approx(expected["all"]["gIoU"], abs=1e-6)
    assert score.n == expected["all"]["num_masks"]


@pytest.mark.parametrize("name", ["overlapping_polygons", "overlapping_polygons_shared_edge"])
def test_overlapping_polygons_become_what_the_official_code_makes_of_them(shared_data, name):
    case = read_scores(shared_data, "res_scores.json")[name]
    added = np.array(case["summed_mask"])
    assert official_polygon_sum([added >= 1, added >= 2]).astype(int).tolist() == case["after_rle_round_trip"]
    assert case["after_rle_round_trip"] != case["union_mask"]


def test_polygons_that_do_not_overlap_are_their_union():
    assert np.array_equal(official_polygon_sum([columns(0, 3), columns(7, 9)]), columns(0, 3) | columns(7, 9))
