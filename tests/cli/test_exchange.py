"""`sightline export`, `import` and the scoring protocol of the x3 pipeline, as a user types them."""

import json
from pathlib import Path

import pytest

from sightline.cli import run
from tests.x3_tree import write_tree


def test_out_and_in_again_and_scored_by_both_protocols(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_tree(tmp_path / "data")
    assert run(["build", "x3", "--root", str(root), "--split", "train", "--out", str(tmp_path / "tasks"), "--workers", "1"]) == 0
    sets = [str(tmp_path / "tasks" / f"{task}-train") for task in ("t1_multi", "t2a", "t2b")]
    assert run(["export", "x3", *sets, "--out", str(tmp_path / "files")]) == 0
    files = sorted(str(path) for path in (tmp_path / "files").glob("t*.json"))
    assert run(["import", "x3", *files, "--out", str(tmp_path / "back")]) == 0
    taskset, folder = str(tmp_path / "back" / "t1_multi-train"), str(tmp_path / "run")
    assert run(["predict", taskset, "--model", "not-visible", "--out", folder]) == 0
    capsys.readouterr()
    assert run(["score", folder, "--protocol", "x3-original"]) == 0
    assert "why they differ" in capsys.readouterr().out
    assert run(["score", folder, "--protocol", "x3-original", "--json"]) == 0
    both = json.loads(capsys.readouterr().out)
    # nothing was parsed as a point: a hit rate of 0/0 there, 0 of 4 here
    assert both["x3-original"]["metrics"]["hit_at_mask"] is None
    assert both["summary"]["metrics"]["hit_exact"]["value"] == 0.0
    results = tmp_path / "results.json"
    assert run(["export", "x3-results", folder, "--out", str(results)]) == 0
    assert run(["import", "x3-results", str(results), "--taskset", taskset, "--out", str(tmp_path / "old")]) == 0
    capsys.readouterr()
    assert run(["score", str(tmp_path / "old"), "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["run"]["model"] == "results"
    assert again["metrics"] == both["summary"]["metrics"]


def test_paths_of_another_machine_are_one_clear_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    query = "/data/x3/validation/room/uid_1/02_000020_original.png"
    row = {
        "id": "T1_MULTI_room_uid1_A01000010_B02000020",
        "task": "t1_multi",
        "image": ["/data/sft/a.png", query],
        "query_original": query,
        "conversations": [{"from": "human", "value": "?"}, {"from": "gpt", "value": "NOT_VISIBLE"}],
    }
    (tmp_path / "t1_val_multi.json").write_text(json.dumps([row]))
    assert run(["import", "x3", str(tmp_path / "t1_val_multi.json"), "--out", str(tmp_path / "out")]) == 2
    assert "--root-map /data/x3=" in capsys.readouterr().err
