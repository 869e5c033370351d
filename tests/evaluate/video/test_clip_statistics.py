"""Mean, recall and decay against the official scorer, on pinned values and on real results."""

import json
import math
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from sightline import media
from sightline.evaluate.video.clip_statistics import (
    ObjectStatistics,
    object_statistics,
    score_davis_object,
    set_statistics,
    statistics,
)
from sightline.evaluate.video.packed import pack_mask
from sightline.evaluate.video.region_boundary import FrameScores, score_frames

OFFICIAL = json.loads((Path(__file__).parent / "official_davis.json").read_text())["statistics"]


def values(n: int) -> np.ndarray:
    return ((np.arange(n) * 37) % 101) / 100


@pytest.mark.parametrize("case", OFFICIAL, ids=lambda case: f"{case['n']} frames")
def test_statistics_are_the_official_ones_with_its_overflow(case):
    found = statistics(values(case["n"]), official_overflow=True)
    assert (found.mean, found.recall, found.n) == (case["mean"], case["recall"], case["n"])
    assert math.isnan(found.decay) if case["decay"] is None else found.decay == case["decay"]


def test_decay_of_a_long_clip_compares_its_first_quarter_with_its_last():
    # 401 frames: quarters of 101 frames that share their borders, 0..100 and 300..400; means 0 and (2 * 1 + 99 * 0.25) / 101
    falling = np.zeros(401)
    falling[300:] = 0.25
    falling[[300, 400]] = 1.0
    assert statistics(falling).decay == pytest.approx(-(2 + 99 * 0.25) / 101, abs=1e-15)
    assert statistics(falling, official_overflow=True).decay == 0.0


def test_recall_counts_values_above_one_half_only():
    assert statistics(np.array([0.5, 0.500001, 1.0, 0.0])).recall == 0.5


def test_no_frames_have_no_statistics():
    assert [math.isnan(value) for value in asdict(statistics(np.zeros(0))).values()] == [True, True, True, False]


def test_every_object_counts_once_in_the_set_however_long_its_clip():
    def constant(j: float, f: float, n: int) -> ObjectStatistics:
        return object_statistics(FrameScores(region=np.full(n, j), boundary=np.full(n, f)))

    row = set_statistics([constant(0.25, 0.75, 4), constant(0.75, 0.75, 400)])
    assert (row.region_mean, row.boundary_mean, row.mean) == (0.5, 0.75, 0.625)
    assert (row.region_recall, row.boundary_recall, row.region_decay, row.n) == (0.5, 1.0, 0.0, 2)
    assert math.isnan(set_statistics([]).mean)


def test_the_first_and_the_last_frame_are_left_out():
    full, empty = pack_mask(np.eye(9, dtype=bool)), pack_mask(np.zeros((9, 9), bool))
    found = score_davis_object([full] * 4, [empty, full, full, empty])
    assert (found.region.mean, found.boundary.mean, found.mean, found.region.n) == (1.0, 1.0, 1.0, 2)


def test_real_results_score_as_the_official_scorer_says(shared_data: Path):
    root = shared_data / "davis"
    expected = json.loads((root / "expected_scores.json").read_text())
    for name, row in expected["per_sequence"].items():
        truth, found = (
            [pack_mask(media.read_labels(path) > 0) for path in sorted((root / folder / name).glob("*.png"))]
            for folder in ("Annotations/480p", "osvos_results")
        )
        assert len(truth) == row["frames"]
        scored = score_davis_object(truth, found)
        ours = {
            f"{letter}_{key}": getattr(part, key)
            for letter, part in (("J", scored.region), ("F", scored.boundary))
            for key in ("mean", "recall", "decay")
        } | {"JF_mean": scored.mean}
        assert ours == pytest.approx({key: row[key] for key in ours}, abs=1e-12), name
        if name in expected["per_frame"]:
            frames = score_frames(truth[1:-1], found[1:-1])
            assert frames.region == pytest.approx(expected["per_frame"][name]["J"], abs=1e-6)
            assert frames.boundary == pytest.approx(expected["per_frame"][name]["F"], abs=1e-6)
