"""AP and AR of tracks are those of the official program, and what it would pass over is an error."""

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline.cli import run
from sightline.errors import InputError
from sightline.evaluate.vos.file_protocols import report_ytvis
from sightline.evaluate.vos.ytvis import Tracks, columns
from sightline.evaluate.vos.ytvis_files import score_ytvis
from sightline.geometry.masks import encode_mask
from tests.evaluate.vos.track_world import tracks

OFFICIAL: dict[str, Any] = json.loads(Path(__file__).with_name("ytvis_official.json").read_text())


def _save(folder: Path, annotation: dict[str, Any], results: Any) -> tuple[Path, Path]:
    (folder / "truth.json").write_text(json.dumps(annotation))
    (folder / "found.json").write_text(json.dumps(results))
    return folder / "found.json", folder / "truth.json"


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    return _save(tmp_path_factory.mktemp("ytvis"), *tracks(12))


def test_all_twelve_figures_are_the_official_ones_to_the_last_bit(saved: tuple[Path, Path]) -> None:
    found = columns(list(score_ytvis(*saved).categories.values()))
    assert found == OFFICIAL["columns"]


def test_each_category_has_its_official_ap(saved: tuple[Path, Path]) -> None:
    categories = report_ytvis(*saved).summary.categories
    assert categories.keys() == OFFICIAL["AP by category"].keys()
    for name, value in OFFICIAL["AP by category"].items():
        assert categories[name]["AP"] == (None if value is None else pytest.approx(value, abs=1e-15))


def _tracks(overlaps: list[list[float]], *, areas: list[float], crowd: list[bool]) -> Tracks:
    return Tracks(
        overlaps=np.array(overlaps),
        scores=np.linspace(0.9, 0.1, len(overlaps)),
        found_areas=np.full(len(overlaps), 100.0),
        areas=np.array(areas),
        crowd=np.array(crowd),
    )


def test_a_crowd_takes_any_number_of_found_tracks_out_of_the_count() -> None:
    # the first two lie on the crowd and count for nothing, the third finds the only track that counts
    found = columns([[_tracks([[0.96, 0.1], [0.97, 0.2], [0.0, 0.98]], areas=[100.0, 100.0], crowd=[True, False])]])
    assert (found["AP"], found["AR100"]) == pytest.approx((1, 1))
    # without the crowd the two are wrong: precision 1/3 at every recall
    alone = columns([[_tracks([[0.1], [0.2], [0.98]], areas=[100.0], crowd=[False])]])
    assert alone["AP"] == pytest.approx(1 / 3)


def test_a_track_at_128_squared_is_both_small_and_medium() -> None:
    found = columns([[_tracks([[0.97]], areas=[128.0**2], crowd=[False])]])
    assert (found["AP small"], found["AP medium"]) == pytest.approx((1, 1))
    assert math.isnan(found["AP large"])


def test_annotated_tracks_that_nobody_found_are_recall_0() -> None:
    found = columns([[Tracks(np.zeros((0, 1)), np.zeros(0), np.zeros(0), np.array([100.0]), np.array([False]))]])
    assert (found["AP"], found["AR100"]) == (0, 0)


def _toy() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """One video of two frames of 4x6, one track in the first frame, found exactly."""
    mask = np.zeros((4, 6), dtype=bool)
    mask[1:3, 2:5] = True
    code = {"size": [4, 6], "counts": encode_mask(mask).counts}
    annotation = {"id": 7, "video_id": 3, "category_id": 2, "iscrowd": 0, "segmentations": [code, None]}
    video = {"id": 3, "width": 6, "height": 4, "file_names": ["toy/0.jpg", "toy/1.jpg"]}
    result = {"video_id": 3, "category_id": 2, "score": 0.5, "segmentations": [code, None]}
    return {"videos": [video], "categories": [{"id": 2, "name": "cup"}], "annotations": [annotation]}, [result]


def test_annotations_without_areas_have_those_of_their_masks(tmp_path: Path) -> None:
    scores = score_ytvis(*_save(tmp_path, *_toy()))
    (row,) = scores.rows
    assert (row.video, row.object_id, row.category, row.area, row.overlap, row.score) == ("toy", "7", "cup", 6.0, 1.0, 0.5)


def test_a_mask_too_many_or_of_another_size_is_named(tmp_path: Path) -> None:
    annotation, results = _toy()
    results[0]["segmentations"] = [None] * 3
    with pytest.raises(InputError, match=r"found\.json, result 0: 3 masks for a video of 2 frames"):
        score_ytvis(*_save(tmp_path, annotation, results))
    results[0]["segmentations"] = [None, {"size": [4, 5], "counts": [20]}]
    with pytest.raises(InputError, match=r"result 0, frame 1: a mask of 5x4 pixels in a video of 6x4"):
        score_ytvis(*_save(tmp_path, annotation, results))
    results[0]["segmentations"] = [None, {"size": [4, 6], "counts": "zz"}]
    with pytest.raises(InputError, match=r"result 0, frame 1: mask code"):
        score_ytvis(*_save(tmp_path, annotation, results))


@pytest.mark.parametrize(("key", "value"), [("video_id", 4), ("category_id", 9)])
def test_results_of_something_unknown_are_refused(tmp_path: Path, key: str, value: int) -> None:
    annotation, results = _toy()
    results[0][key] = value
    with pytest.raises(InputError, match=f"result 0: .*{value}.*the annotation does not list both"):
        score_ytvis(*_save(tmp_path, annotation, results))


def test_an_annotation_without_annotations_is_refused(tmp_path: Path) -> None:
    annotation, results = _toy()
    with pytest.raises(InputError, match="the files of valid and test have none"):
        score_ytvis(*_save(tmp_path, annotation | {"annotations": None}, results))


def test_the_command_writes_a_row_for_each_category_and_track(
    saved: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["eval-vos", *map(str, saved), "--protocol", "ytvis", "--out", str(tmp_path / "out")]) == 0
    shown = capsys.readouterr().out
    assert "AP50" in shown
    assert f"{100 * OFFICIAL['columns']['AP']:.2f}" in shown
    rows = (tmp_path / "out" / "categories.csv").read_text().splitlines()
    assert [row.split(",")[0] for row in rows] == ["category", "cat", "dog", "owl", "yak"]
    annotated = json.loads(saved[1].read_text())["annotations"]
    assert len((tmp_path / "out" / "tracks.csv").read_text().splitlines()) == 1 + len(annotated)
    assert json.loads((tmp_path / "out" / "summary.json").read_text())["columns"]["AR10"] == OFFICIAL["columns"]["AR10"]


def test_folders_are_refused_where_files_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["eval-vos", str(tmp_path), str(tmp_path), "--protocol", "ytvis"]) == 2
    assert "is a folder; this protocol compares two JSON files" in " ".join(capsys.readouterr().err.split())
