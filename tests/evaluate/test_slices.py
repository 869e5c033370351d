import msgspec
import numpy as np
import pytest

from sightline.evaluate.metrics import tabulate
from sightline.evaluate.predict import predict
from sightline.evaluate.score import score_run
from sightline.evaluate.slices import SLICINGS, bin_members, measure_slices
from sightline.evaluate.summary import read_summary, summarise
from sightline.models import get_model
from tests.evaluate.test_metrics import score


def unknown(count: int) -> dict[str, np.ndarray]:
    return {slicing.value: np.full(count, np.nan) for slicing in SLICINGS.values()}


def test_every_slicing_has_a_bin_more_than_edges_in_rising_order():
    for slicing in SLICINGS.values():
        assert len(slicing.bins) == len(slicing.edges) + 1
        assert list(slicing.edges) == sorted(set(slicing.edges))


def test_a_bin_holds_its_lower_edge_and_what_is_not_known_has_its_own():
    values = np.array([0.0, 0.0099, 0.01, 0.0499, 0.05, 1.0, np.nan])
    members = bin_members(SLICINGS["size"], values)
    assert {name: np.flatnonzero(chosen).tolist() for name, chosen in members.items()} == {
        "small <1%": [0, 1],
        "medium 1-5%": [2, 3],
        "large >5%": [4, 5],
        "unknown": [6],
    }


# Row by row: what the object covers of the query view, what of its surface both views show, and the outcome.
ROWS = [
    (0.004, 0.10, score(True, hit=True, group="a")),
    (0.008, 0.30, score(True, hit=False, group="b")),
    (0.009, 0.80, score(True, hit=False, group="a")),
    (0.020, 0.90, score(True, hit=True, group="b")),
    (np.nan, 0.75, score(True, hit=True, group="a")),
    (0.000, 0.00, score(False, said=False, group="a")),
    (0.000, 0.05, score(False, said=True, group="b")),
    (0.000, np.nan, score(False, said=True, group="b")),
]
VALUES = unknown(len(ROWS)) | {
    "query_area": np.array([row[0] for row in ROWS]),
    "covisible": np.array([row[1] for row in ROWS]),
}


def test_each_bin_has_the_metrics_worked_out_by_hand():
    found = measure_slices(tabulate([row[2] for row in ROWS]), VALUES)
    assert list(found) == ["size", "overlap"]  # of reference and occlusion nothing is known
    numbers = {
        (slicing, name): tuple(
            (metrics[key].value, metrics[key].n) for key in ("joint_accuracy", "hit_exact", "not_visible_accuracy")
        )
        for slicing, bins in found.items()
        for name, metrics in bins.items()
    }
    third = pytest.approx(1 / 3)
    assert numbers == {
        ("size", "small <1%"): ((third, 3), (third, 3), (None, 0)),  # 1 of 3 hit; the absent objects have no size
        ("size", "medium 1-5%"): ((1.0, 1), (1.0, 1), (None, 0)),
        ("size", "large >5%"): ((None, 0), (None, 0), (None, 0)),
        ("size", "unknown"): ((1.0, 1), (1.0, 1), (None, 0)),
        ("overlap", "<25%"): ((pytest.approx(2 / 3), 3), (1.0, 1), (0.5, 2)),  # a hit, a right and a wrong absence
        ("overlap", "25-50%"): ((0.0, 1), (0.0, 1), (None, 0)),
        ("overlap", "50-75%"): ((None, 0), (None, 0), (None, 0)),
        ("overlap", ">75%"): ((pytest.approx(2 / 3), 3), (pytest.approx(2 / 3), 3), (None, 0)),  # .75, .80 and .90
        ("overlap", "unknown"): ((0.0, 1), (None, 0), (0.0, 1)),
    }


def test_the_bins_of_a_slicing_hold_all_that_it_asks_about():
    found = measure_slices(tabulate([row[2] for row in ROWS]), VALUES)
    assert sum(metrics["joint_accuracy"].n for metrics in found["overlap"].values()) == len(ROWS)
    assert sum(metrics["joint_accuracy"].n for metrics in found["size"].values()) == 5  # the visible ones


def test_the_summary_has_the_slices_of_the_task_set(make_example, write_taskset, tmp_path):
    examples = [
        msgspec.structs.replace(make_example("t1_multi", str(index), group=f"room_{index % 2}"), slices=slices)
        for index, slices in enumerate(
            [{"query_area": 0.001}, {"query_area": 0.2, "covisible": 0.5}, {"covisible": 0.6}, {}, {"query_area": 0.01}]
        )
    ]
    taskset = write_taskset(examples)
    np.testing.assert_array_equal(taskset.slice_values("query_area"), [0.001, 0.2, np.nan, np.nan, 0.01])
    np.testing.assert_array_equal(taskset.slice_values("nothing"), [np.nan] * 5)
    predict(taskset, get_model("not-visible"), tmp_path / "run", limit=3)
    score_run(tmp_path / "run", partial=True)
    summary = summarise(tmp_path / "run")  # of the first three examples
    assert summary == read_summary(tmp_path / "run")
    assert {name: {label: metrics["hit_exact"].n for label, metrics in bins.items()} for name, bins in summary.slices.items()} == {
        "size": {"small <1%": 1, "medium 1-5%": 0, "large >5%": 1, "unknown": 1},
        "overlap": {"<25%": 0, "25-50%": 0, "50-75%": 2, ">75%": 0, "unknown": 1},
    }
