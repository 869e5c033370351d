"""`sightline leaks` and the options of builds that belong to it."""

import json
from pathlib import Path

import pytest

from sightline.cli import run
from tests.davis_tree import write_tree
from tests.taskset.test_build_refer import write_clips


def test_a_registry_is_made_of_a_split_on_disk_and_of_a_list(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, registry = write_tree(tmp_path / "davis"), tmp_path / "held_out.jsonl"
    assert run(["leaks", "add", str(registry), "--data", "davis", "--root", str(root), "--split", "val", "--json"]) == 0
    added = json.loads(capsys.readouterr().out)
    assert added == {"recordings": 3, "new": 3, "without_hash": 2}  # solo has pictures; unseen and nowhere have none
    ids = tmp_path / "ids.txt"
    ids.write_text("0a1b2c3d\nOVIS/77\n")
    assert run(["leaks", "add", str(registry), "--data", "mose", "--ids", str(ids), "--split", "valid"]) == 0
    capsys.readouterr()
    assert run(["leaks", "list", str(registry), "--json"]) == 0
    listed = {(entry["video_id"], entry["dataset"], entry["split"]) for entry in json.loads(capsys.readouterr().out)}
    assert {("davis/solo", "davis", "val"), ("mose/0a1b2c3d", "mose", "valid"), ("ovis/77", "mose", "valid")} <= listed


def test_what_is_missing_on_the_command_line_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    registry = str(tmp_path / "held_out.jsonl")
    assert run(["leaks", "add", registry, "--ids", str(tmp_path / "ids.txt")]) == 2
    assert "--split" in capsys.readouterr().err
    assert run(["leaks", "add", registry]) == 2
    assert "no recording to enter" in capsys.readouterr().err
    assert run(["leaks", "check", str(tmp_path)]) == 2
    assert "--against" in capsys.readouterr().err
    assert run(["leaks", "different", registry, "davis/a", "davis/a"]) == 2
    assert not (tmp_path / "held_out.jsonl").exists()


def test_an_address_without_ray_and_dropping_without_a_registry_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_tree(tmp_path / "davis")
    common = ["--root", str(root), "--out", str(tmp_path / "out")]
    assert run(["build", "x3", *common, "--address", "10.0.0.1:6379"]) == 2
    assert "--engine ray" in capsys.readouterr().err
    assert run(["build", "relations", "--data", "davis", *common, "--drop-leaks"]) == 2
    assert "--leaks REGISTRY" in capsys.readouterr().err


def test_a_mixture_that_trains_on_a_test_video_is_refused_and_names_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    registry, table, mixture = tmp_path / "held_out.jsonl", tmp_path / "own_table.txt", tmp_path / "out/refer_track-train"
    command = ["build", "refer", "--data", "mevis", "--root", str(write_clips(tmp_path / "data")), "--out", str(tmp_path / "out")]
    assert run([*command, "--task", "refer_track", "--workers", "1", "--json"]) == 0
    table.write_text("ffff\n")
    add = ["leaks", "add", str(registry), "--data", "mevis", "--ids", str(table), "--split", "valid_u"]
    assert run(add) == 0
    assert run(["leaks", "check", str(mixture), "--registry", str(registry)]) == 0
    table.write_text("000000000001\n")
    assert run(add) == 0
    capsys.readouterr()
    assert run(["leaks", "check", str(mixture), "--registry", str(registry)]) == 2
    said = " ".join(capsys.readouterr().err.split())
    assert "1 recording(s) are trained on and tested on" in said
    assert "mevis/000000000001 (mevis, train), tested on mevis/000000000001 (mevis, valid_u): the same id" in said
