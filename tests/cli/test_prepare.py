"""`sightline prepare` as a user types it."""

import json
from pathlib import Path

import pytest

from sightline.cli import run
from sightline.datasets.clips.merged import Merged
from tests.davis_tree import write_list, write_tree
from tests.video_file import write_video
from tests.video_tree import write_frames, write_json, write_masklets


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
        ("daviz", [], "no reader of clips or removals is called 'daviz'. Did you mean 'davis'? Choices: davis, "),
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
    assert run(["check-data", "removal", str(tmp_path)]) == 2
    assert "sightline prepare x3 --data removal" in capsys.readouterr().err


def test_videos_become_frames_and_two_sources_one_collection(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sav, davis, out = tmp_path / "sav", write_tree(tmp_path / "davis"), tmp_path / "all"
    write_masklets(sav / "sav_train" / "sav_000", "sav_000001", [[(4, 4, 14, 14)]] * 3)
    write_video(sav / "sav_train" / "sav_000" / "sav_000001.mp4", num_frames=12, slope=True)
    assert run(["prepare", "frames", "--root", str(sav), "--fps", "12", "--workers", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["num_videos"], found["num_pictures"]) == (1, 6)
    assert run(["prepare", "frames", "--root", str(sav), "--fps", "12", "--workers", "1"]) == 0
    assert "JPEGImages_12fps" in "".join(capsys.readouterr().out.split())
    sources = [f"davis:train:{davis}", f"film=sav:train:{sav}"]
    assert run(["prepare", "merge", *sources, "--out", str(out), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["clips"] == {"davis": 1, "film": 1}
    assert run(["prepare", "merge", *sources, "--out", str(out)]) == 0
    assert "clipsoffilm" in "".join(capsys.readouterr().out.split())
    assert Merged(out, "train").clip_ids() == ["davis_duel", "film_sav_000001"]


@pytest.mark.parametrize("source", ["davis", "davis:train", "davis::/data", ":train:/data"])
def test_a_source_says_its_data_its_split_and_its_root(tmp_path: Path, capsys: pytest.CaptureFixture[str], source: str) -> None:
    assert run(["prepare", "merge", source, "--out", str(tmp_path / "all")]) == 2
    assert "expected [NAME=]DATA:SPLIT:ROOT, such as mose:train:/data/MOSE" in capsys.readouterr().err


def test_objects_are_absent_only_where_the_annotation_says_so(tmp_path: Path) -> None:
    root, shown = tmp_path / "vos", {0: {1: (4, 4, 14, 14)}, 5: {1: (4, 4, 14, 14)}, 10: {}, 15: {}}
    write_frames(root / "train", "00ab12cd34", shown)
    objects = {"1": {"category": "penguin", "frames": ["00000", "00005", "00010"]}}
    write_json(root / "train" / "meta.json", {"videos": {"00ab12cd34": {"objects": objects}}})
    assert prepare("youtube-vos", root, tmp_path / "x3", "--split-as", "train", "--no-controls", "--json") == 0
    views = sorted(path.name for path in (tmp_path / "x3" / "train" / "00ab12cd34" / "uid_1").glob("*_mask.png"))
    assert views == ["01_00000_mask.png", "02_00005_mask.png", "03_00010_mask.png"]  # in frame 15 nothing is known of it
