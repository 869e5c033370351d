"""The definitions of the x3 pipeline's evaluator, worked by hand; see `conftest` for the object's place.

Exact mask: columns 30..49, rows 10..29 of 100 x 50 pixels. Dilated: columns 25..54, rows 5..34: its box's centre by indices is
(39.5, 19.5), rounded to even (40, 20), so their truth is (40.5 / 100, 20.5 / 50) = (0.405, 0.41).
"""

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import pytest
from PIL import Image

from sightline.dialects import get_dialect
from sightline.errors import InputError
from sightline.evaluate.predict import predict
from sightline.evaluate.protocols.x3_compare import compare_protocols
from sightline.evaluate.protocols.x3_original import box_centre_point, evaluate_x3, export_results, hit_at_mask, summarise_x3
from sightline.evaluate.score import score_run
from sightline.evaluate.summary import summarise
from sightline.export.predictions import read_answers
from sightline.models import get_model
from sightline.taskset.store import TaskSet
from sightline.types import AnswerForm, Example

ROBOREFER = get_dialect("roborefer")
METRICS = [
    "total",
    "gt_not_visible",
    "visible_gt",
    "not_visible_accuracy",
    "mean_l2_error",
    "std_l2_error",
    "median_l2_error",
    "success_002",
    "success_005",
    "success_010",
    "hit_at_mask",
    "hit_at_mask_count",
    "hit_at_mask_total",
]
ROW = ["id", "pred_text", "pred_parsed", "gt", "l2_error", "success_l2_010", "hit_mask"]

TEXTS = {
    "room/uid_1/01_000010/02_000020": "[(0.405, 0.410)]",  # on the truth
    "room/uid_1/01_000010/03_000030": "[(0.265, 0.410)]",  # column round(0.265 * 99) = 26: on the dilated mask only
    "room/uid_1/01_000010/04_000040": "NOT_VISIBLE",  # wrong, but then it is in no denominator of hits
    "room/uid_1/01_000010/05_000050": "nothing",
    "room/uid_2/01_000010/02_000020": "I say NOT_VISIBLE [(0.1, 0.1)]",  # absent: right
    "room/uid_2/01_000010/03_000030": "[(0.1, 0.1)]",  # absent: wrong
}


@pytest.fixture
def taskset(make_example: Callable[..., Example], write_taskset: Callable[..., TaskSet]) -> TaskSet:
    return write_taskset([make_example("t1_multi", name, visible="uid_1" in name) for name in TEXTS])


def run_of(taskset: TaskSet, texts: dict[str, str], folder: Path) -> Path:
    """A run that answers `texts`, read from a result JSON."""
    results = [{"id": f"{taskset.manifest.task}/{name}", "pred_text": text} for name, text in texts.items()]
    (folder / "answers.json").write_text(json.dumps({"metrics": {}, "results": results}))
    predict(
        taskset, read_answers(folder / "answers.json", "x3-results", taskset=taskset, dialect=ROBOREFER, name="old"), folder / "run"
    )
    return folder / "run"


def test_metrics_by_hand(taskset: TaskSet, tmp_path: Path) -> None:
    summary = summarise_x3(run_of(taskset, TEXTS, tmp_path))
    metrics = summary.metrics
    assert (metrics.total, metrics.gt_not_visible, metrics.visible_gt) == (6, 2, 4)
    assert metrics.not_visible_accuracy == 1 / 2
    # distances of the two parsed points: 0 and 0.405 - 0.265 = 0.14
    assert metrics.mean_l2_error == pytest.approx(0.07)
    assert metrics.std_l2_error == pytest.approx(0.07)
    assert metrics.median_l2_error == pytest.approx(0.07)
    assert [metrics.success_002, metrics.success_005, metrics.success_010] == [1 / 4, 1 / 4, 1 / 4]
    assert (metrics.hit_at_mask, metrics.hit_at_mask_count, metrics.hit_at_mask_total) == (1.0, 2, 2)
    assert (summary.num_mask_files, summary.num_stored_masks, summary.num_rewritten) == (0, 4, 0)
    stored = json.loads((tmp_path / "run" / "summary.x3-original.json").read_text())
    assert list(stored["metrics"]) == METRICS


def test_ours_and_theirs_stand_side_by_side(taskset: TaskSet, tmp_path: Path) -> None:
    run = run_of(taskset, TEXTS, tmp_path)
    score_run(run)
    lines = {line.label: line for line in compare_protocols(summarise(run), summarise_x3(run))}
    # ours: 1 of 4 visible objects is hit; theirs: 2 of the 2 points that were read
    assert (lines["Hit %"].ours, lines["Hit %"].theirs) == ("25.0 (4)", "100.0 (2)")
    assert (lines["Hit dilated %"].ours, lines["Hit dilated %"].theirs) == ("50.0 (4)", "100.0 (2)")
    # theirs finds the word in "NOT_VISIBLE [(0.1, 0.1)]"; to us that is ambiguous
    assert (lines["Not-visible accuracy %"].ours, lines["Not-visible accuracy %"].theirs) == ("0.0 (2)", "50.0 (2)")
    assert lines["Balanced accuracy %"].theirs == "–"
    assert all(line.why for line in lines.values())


def test_the_result_file_has_exactly_their_keys(taskset: TaskSet, tmp_path: Path) -> None:
    export_results(run_of(taskset, TEXTS, tmp_path), tmp_path / "results.json")
    written = json.loads((tmp_path / "results.json").read_text())
    assert list(written) == ["metrics", "results"]
    assert list(written["metrics"]) == METRICS
    assert all(list(row) == ROW for row in written["results"])
    first, _, third, fourth, fifth, _ = written["results"]
    assert first == {
        "id": "T1_MULTI_room_uid1_A01000010_B02000020",
        "pred_text": "[(0.405, 0.410)]",
        "pred_parsed": {"is_not_visible": False, "coord": [0.405, 0.41]},
        "gt": {"text": "[(0.405, 0.410)]", "is_not_visible": False, "coord": [0.405, 0.41]},
        "l2_error": 0.0,
        "success_l2_010": True,
        "hit_mask": True,
    }
    assert third["pred_parsed"] == {"is_not_visible": True, "coord": None}
    assert fourth["pred_parsed"] == {"is_not_visible": False, "coord": None}
    assert fifth["gt"] == {"text": "NOT_VISIBLE", "is_not_visible": True, "coord": None}
    assert [row["hit_mask"] for row in written["results"]] == [True, True, None, None, None, None]


def test_an_unfinished_run_is_no_result_file(taskset: TaskSet, tmp_path: Path) -> None:
    predict(taskset, get_model("center"), tmp_path / "center", limit=4)
    with pytest.raises(InputError, match="2 of 6 examples have no prediction yet"):
        export_results(tmp_path / "center", tmp_path / "results.json")
    assert summarise_x3(tmp_path / "center", partial=True).metrics.total == 4
    predict(taskset, get_model("center"), tmp_path / "center")
    assert not (tmp_path / "center" / "summary.x3-original.json").exists()  # it would be of fewer examples


def test_a_result_file_read_again_gives_the_same_results(taskset: TaskSet, tmp_path: Path) -> None:
    first = export_results(run_of(taskset, TEXTS, tmp_path), tmp_path / "results.json")
    predict(
        taskset,
        read_answers(tmp_path / "results.json", "x3-results", taskset=taskset, dialect=ROBOREFER, name="again"),
        tmp_path / "again",
    )
    assert evaluate_x3(tmp_path / "again")[1] == first


def test_baselines_without_text_are_written_in_the_roborefer_dialect(taskset: TaskSet, tmp_path: Path) -> None:
    predict(taskset, get_model("center"), tmp_path / "center")
    summary, results = evaluate_x3(tmp_path / "center")
    assert {result.pred_text for result in results.results} == {"[(0.500, 0.500)]"}
    assert summary.num_rewritten == 6
    # hypot(0.5 - 0.405, 0.5 - 0.41) = hypot(0.095, 0.09) = 0.13086
    assert summary.metrics.mean_l2_error == pytest.approx(0.13086, abs=1e-5)
    # column round(49.5) = 50, row round(24.5) = 24: on the dilated mask (to column 54)
    assert summary.metrics.hit_at_mask == 1.0


def test_concatenated_answers_are_measured_against_the_truth_of_view_b(
    make_example: Callable[..., Example], write_taskset: Callable[..., TaskSet], tmp_path: Path
) -> None:
    texts = {
        # 160 x 60 pixels, B from column 60: the true point is ((60 + 40.5) / 160, 20.5 / 60). Theirs takes halves for the views:
        # (0.703 - 0.5) * 2 = 0.406, column round(40.19) = 40, row round(0.342 * 49) = 17: a hit
        "room/uid_1/01_000010/02_000020": "[(0.703, 0.342)]",
        "room/uid_1/01_000010/03_000030": "[(0.405, 0.410)]",  # left half: a miss, though equal to their truth
    }
    taskset = write_taskset([make_example("t1_concat", name) for name in texts])
    _, results = evaluate_x3(run_of(taskset, texts, tmp_path))
    assert [result.hit_mask for result in results.results] == [True, False]
    assert results.results[0].l2_error == pytest.approx(np.hypot(0.703 - 0.405, 0.342 - 0.41))
    assert results.results[1].l2_error == 0.0


def test_a_mask_file_is_read_above_zero(
    make_example: Callable[..., Example], write_taskset: Callable[..., TaskSet], tmp_path: Path
) -> None:
    name = "room/uid_1/01_000010/02_000020"
    grey = np.zeros((50, 100), np.uint8)
    grey[0:11, 0:21] = 1  # centre by indices (10, 5): truth (10.5 / 100, 5.5 / 50)
    folder = tmp_path / "validation" / "room" / "uid_1"
    folder.mkdir(parents=True)
    taskset = write_taskset([make_example("t1_multi", name)])
    run = run_of(taskset, {name: "[(0.1, 0.1)]"}, tmp_path)
    Image.fromarray(grey).save(folder / "02_000020_mask.png")
    summary, results = evaluate_x3(run)
    assert results.results[0].gt.coord == (0.105, 0.11)
    assert (summary.num_mask_files, summary.num_stored_masks) == (1, 0)
    grey[:] = 0
    grey[20, 60] = 200  # the dilated one comes first
    Image.fromarray(grey).save(folder / "02_000020_mask_dialated.png")
    assert evaluate_x3(run)[1].results[0].gt.coord == (0.605, 0.41)


def test_the_truth_of_a_ring_is_the_task_sets_own_point(
    make_example: Callable[..., Example], write_taskset: Callable[..., TaskSet], tmp_path: Path
) -> None:
    name = "room/uid_1/01_000010/02_000020"
    taskset = write_taskset([make_example("t1_multi", name)])
    run = run_of(taskset, {name: "nothing"}, tmp_path)
    ring = np.zeros((50, 100), np.uint8)
    ring[10:31, 20:41] = 255
    ring[15:26, 25:36] = 0
    assert box_centre_point(ring > 0) is None
    folder = tmp_path / "validation" / "room" / "uid_1"
    folder.mkdir(parents=True)
    Image.fromarray(ring).save(folder / "02_000020_mask.png")
    assert evaluate_x3(run)[1].results[0].gt.coord == (0.4, 0.4)  # (40, 20) of 100 x 50


@pytest.mark.parametrize(
    ("coord", "hit"),
    [
        ((1.7, 0.0), True),  # clamped to the last column
        ((1.0, 0.0), True),
        ((0.995, 0.0), True),  # round(98.505) = 99; floor(99.5) = 99
        ((0.99, 0.0), False),  # round(98.01) = 98, though floor(0.99 * 100) = 99
        ((0.99, 1.0), False),
        ((320.0, 0.0), True),  # pixels, clamped
    ],
)
def test_hits_are_clamped_and_rounded(coord: tuple[float, float], hit: bool) -> None:
    mask = np.zeros((50, 100), bool)
    mask[0, 99] = True
    assert hit_at_mask(mask, coord, concatenated=False) is hit


def test_the_left_half_of_a_concatenated_picture_is_a_miss_and_not_clamped_to_the_seam() -> None:
    mask = np.zeros((50, 100), bool)
    mask[0, 0] = True
    assert hit_at_mask(mask, (0.5, 0.0), concatenated=True)
    assert not hit_at_mask(mask, (0.499, 0.0), concatenated=True)


def test_halves_round_to_even() -> None:
    mask = np.zeros((4, 8), bool)
    mask[0:2, 2:4] = True  # centre by indices (2.5, 0.5): pixel (2, 0), so (2.5 / 8, 0.5 / 4)
    assert box_centre_point(mask) == (0.312, 0.125)
    assert box_centre_point(np.zeros((4, 8), bool)) is None


def test_a_task_that_does_not_ask_for_a_point_is_refused(
    make_example: Callable[..., Example], write_taskset: Callable[..., TaskSet], tmp_path: Path
) -> None:
    example = make_example("t2b", "room/uid_1/02_000020")
    box = AnswerForm(shape="box", image_index=1)
    prompt = (*example.question.prompt[:-1], box)
    example = msgspec.structs.replace(example, question=msgspec.structs.replace(example.question, prompt=prompt))
    taskset = write_taskset([example])
    run = run_of(taskset, {"room/uid_1/02_000020": "[(0.1, 0.1)]"}, tmp_path)
    with pytest.raises(InputError, match="asks for a box"):
        evaluate_x3(run)
