"""`compare` and `score --by` as a user types them."""

import json
from pathlib import Path

import pytest

from sightline.cli import run
from sightline.cli.runs import By, Kind
from sightline.evaluate.breakdown import BREAKDOWNS
from sightline.evaluate.compare import KINDS
from tests.x3_tree import write_tree


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    """Folder of the runs `{model}/{task set}` of two models on two task sets."""
    root = write_tree(tmp_path / "data")
    assert run(["build", "x3", "--root", str(root), "--out", str(tmp_path / "tasks"), "--workers", "1"]) == 0
    for model in ("not-visible", "difference"):
        for name in ("t1_multi-train", "t2b-train"):
            folder = str(tmp_path / "runs" / model / name)
            assert run(["predict", str(tmp_path / "tasks" / name), "--model", model, "--out", folder]) == 0
            assert run(["score", folder]) == 0
    return tmp_path / "runs"


def test_the_choices_are_those_of_the_library() -> None:
    assert tuple(By) == BREAKDOWNS
    assert tuple(Kind) == tuple(KINDS)


def test_compare_prints_the_table_and_lists_ids(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pair = [str(runs / model / "t2b-train") for model in ("difference", "not-visible")]
    capsys.readouterr()
    assert run(["compare", *pair, "--list", "only-a"]) == 0
    shown = capsys.readouterr().out
    assert "t2b-train: A = difference, B = not-visible" in shown
    listed = [line for line in shown.splitlines() if line.startswith("t2b/")]
    assert run(["compare", *pair, "--list", "only-a", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    # Subtraction finds every removed square of the tiny tree, and "not visible" is never right there.
    assert found["ids"] == listed
    assert len(listed) == found["outcomes"]["correct"]["only_a"] == found["num_examples"] > 0
    assert run(["compare", *pair, "--json"]) == 0
    assert "ids" not in json.loads(capsys.readouterr().out)


def test_runs_of_different_task_sets_are_one_clear_error(runs: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert run(["compare", str(runs / "difference" / "t2b-train"), str(runs / "difference" / "t1_multi-train")]) == 2
    assert "different task sets" in capsys.readouterr().err


@pytest.mark.parametrize("by", BREAKDOWNS)
def test_score_takes_the_results_apart(runs: Path, capsys: pytest.CaptureFixture[str], by: str) -> None:
    capsys.readouterr()
    assert run(["score", str(runs / "not-visible" / "t1_multi-train"), "--by", by]) == 0
    shown = capsys.readouterr().out
    special = {
        "overlap": "t1_multi-train by overlap: unknown",  # the tiny tree has neither depth nor poses
        "occlusion": "t1_multi-train by occlusion: unknown",
        "claims": 'how far "not visible" can be trusted',
    }
    assert special.get(by, f"t1_multi-train by {by}") in shown
