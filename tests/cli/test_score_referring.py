"""`score`, `compare` and their tables on referring runs."""

import json
from pathlib import Path

import pytest

from sightline.cli import run
from sightline.types import Answer, MaskTrack, NotVisible
from tests.report.clip_world import clip, reading, region, write_set
from tests.report.world import write_run


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A run on two clips of two frames: half right (J 1 and 0), and right."""
    whole = MaskTrack(frames=(region(0), region(1)))
    examples = [clip(tmp_path, "refer_mask_track", name, whole, num_frames=2) for name in ("first", "second")]
    answers: list[Answer] = [MaskTrack(frames=(region(0), None)), whole]
    taskset = write_set(tmp_path, "refer_mask_track", examples)
    write_run(tmp_path / "other", taskset, "other", [reading(NotVisible())] * 2)
    return write_run(tmp_path / "run", taskset, "model", [reading(answer) for answer in answers])


def test_the_table_has_the_columns_of_the_task(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["score", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert "J&F %" in shown
    assert "75.0" in shown  # (0.5 + 1) / 2


def test_a_benchmarks_own_rule_stands_beside_ours(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["score", str(folder), "--protocol", "mevis-original", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(each["name"], each["value"], each["n"]) for each in told["mevis-original"]["figures"]] == [
        ("J", 0.75, 2),
        ("F", 0.75, 2),
        ("J&F", 0.75, 2),
    ]
    assert told["summary"]["metrics"]["j"]["value"] == 0.75
    assert (folder / "summary.mevis-original.json").is_file()


def test_a_benchmark_of_another_task_is_an_error_of_one_paragraph(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["score", str(folder), "--protocol", "grefcoco-original"]) == 2
    assert "is for refer_box, refer_mask, the run answers refer_mask_track" in " ".join(capsys.readouterr().err.split())


def test_runs_are_compared_by_what_is_measured(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["compare", str(folder), str(folder.parent / "other"), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)["means"]["j"]
    assert (told["a"], told["b"], told["n"]) == (0.75, 0.0, 2)
