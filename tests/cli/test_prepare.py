"""`sightline prepare` as a user types it."""

import json
from pathlib import Path

import pytest

from sightline.cli import run
from tests.davis_tree import write_list, write_tree


def prepare(data: str, root: Path, out: Path, *options: str) -> int:
    return run(["prepare", "x3", "--data", data, "--root", str(root), "--out", str(out), "--workers", "1", *options])


def test_clips_become_task_sets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, out, tasks = write_tree(tmp_path / "davis"), tmp_path / "x3", tmp_path / "tasks"
    assert prepare("davis", root, out, "--split-as", "validation", "--inpaint", "ns", "--scale", "1/2", "--json") == 0
    tree = json.loads(capsys.readouterr().out)
    assert (tree["scenes"], tree["num_objects"]) == ({"validation": 2}, 3)
    options = json.loads((out / "prepare.json").read_text())["options"]
    assert (options["inpaint"], options["scale"], options["views"]) == ("ns", 0.5, 5)
    assert run(["build", "x3", "--root", str(out), "--out", str(tasks), "--workers", "1"]) == 0
    assert run(["check-data", "x3", str(out)]) == 0
    assert (tasks / "t2a-validation" / "manifest.json").is_file()


def test_a_clip_of_two_lists_is_prepared_once_and_one_split_can_be_chosen(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_tree(tmp_path / "davis")
    write_list(root, "2017", "trainval", ["duel", "solo"])
    assert prepare("davis", root, tmp_path / "all", "--json") == 0
    assert json.loads(capsys.readouterr().out)["num_units"] == 4
    assert prepare("davis", root, tmp_path / "train", "--split", "train", "--json") == 0
    assert json.loads(capsys.readouterr().out)["num_units"] == 1
    assert prepare("davis", root, tmp_path / "train", "--split", "trainval", "--json") == 0  # adds the other
    assert json.loads(capsys.readouterr().out)["num_units"] == 2


def test_a_tree_without_scenes_says_so(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_tree(tmp_path / "davis")
    write_list(root, "2017", "val", ["unseen"])
    assert prepare("davis", root, tmp_path / "x3", "--split", "val") == 0
    assert "Nothing to build from" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("data", "options", "said"),
    [
        ("daviz", [], "no data is called 'daviz'. Choose from: davis, removal"),
        ("davis", ["--split", "test"], "has no split 'test'; it has train, val"),
        ("davis", ["--scale", "half"], "--scale 'half': expected a number above 0 and up to 1, such as 0.5 or 1/3"),
        ("davis", ["--scale", "2"], "scale is 2.0; expected 0.01 to 1"),
        ("davis", ["--views", "1"], "views is 1; expected 2 to 99"),
        ("removal", ["--views", "3", "--split", "val"], "--views, --split: a removal is one picture"),
    ],
)
def test_mistakes_are_one_paragraph(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], data: str, options: list[str], said: str
) -> None:
    root = write_tree(tmp_path / "davis")
    assert prepare(data, root, tmp_path / "x3", *options) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ")
    assert said in error
    assert not (tmp_path / "x3" / "prepare.json").exists()


def test_datasets_lists_it_and_check_data_says_to_prepare_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["datasets", "--json"]) == 0
    assert {"x3", "davis", "removal"} <= set(json.loads(capsys.readouterr().out))
    assert run(["check-data", "davis", str(tmp_path)]) == 2
    assert "sightline prepare x3 --data davis" in capsys.readouterr().err
