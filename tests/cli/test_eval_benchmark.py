"""`eval --protocol benchmark`: every run by the rules of the data set that its task set is from."""

import json
from pathlib import Path

import pytest

from sightline.cli import run
from tests.datasets.referring.refer_trees import write_refcoco
from tests.evaluate.box_world import write_tree


def test_runs_of_two_benchmarks_are_scored_by_the_rules_of_each(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shared = ["--workers", "1", "--json"]
    mevis = ["build", "refer", "--data", "mevis", "--root", str(write_tree(tmp_path / "mevis")), "--split", "valid_u"]
    assert run([*mevis, "--task", "refer_mask_track", "--frames", "all", "--out", str(tmp_path / "m"), *shared]) == 0
    assert (
        run(
            [
                *mevis,
                "--task",
                "refer_mask_track",
                "--frames",
                "uniform",
                "--num-frames",
                "3",
                "--out",
                str(tmp_path / "few"),
                *shared,
            ]
        )
        == 0
    )
    refcoco = ["build", "refer", "--data", "refcoco", "--root", str(write_refcoco(tmp_path / "refcoco")), "--split", "train"]
    assert run([*refcoco, "--task", "refer_mask", "--out", str(tmp_path / "r"), *shared]) == 0
    capsys.readouterr()
    sets = [str(tmp_path / "m" / "refer_mask_track-valid_u"), str(tmp_path / "r" / "refer_mask-train")]
    ask = ["--model", "boxes:truth?absent=empty#copy-first-mask", "--protocol", "benchmark", "--json"]
    assert run(["eval", *sets, "--out", str(tmp_path / "runs"), *ask]) == 0
    told = json.loads(capsys.readouterr().out)
    theirs = {each["protocol"]: {one["name"]: one["value"] for one in each["figures"]} for each in told["benchmark"]}
    assert theirs["mevis-original"] == {"J": 1.0, "F": 1.0, "J&F": 1.0}  # objects are squares, filled boxes the truth
    assert theirs["refcoco-original"]["cIoU (sa2va)"] == pytest.approx(1.0, abs=1e-6)
    assert run(["eval", str(tmp_path / "few" / "refer_mask_track-valid_u"), "--out", str(tmp_path / "other"), *ask]) == 0
    told = capsys.readouterr()
    assert json.loads(told.out)["benchmark"] == []
    assert "does not show, or does not know, every frame" in " ".join(told.err.split())
