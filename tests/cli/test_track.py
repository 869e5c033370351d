"""`track`, `build segment` and `export track-masks` from the command line."""

import json
import shutil
from pathlib import Path

import msgspec
import pytest

from sightline.cli import run
from sightline.evaluate.vos.saved import list_frames, read_labels, read_object
from tests.cli.test_full_disk import run_limited
from tests.davis_tree import labels, save_palette, save_picture, write_tree
from tests.video_file import write_video


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    for number in range(4):
        save_picture(tmp_path / "clip" / f"{number:05d}.jpg", seed=number)
    save_palette(tmp_path / "first.png", labels({1: (4, 6, 14, 16)}))
    return tmp_path / "clip"


def test_a_folder_is_followed_from_a_first_mask_and_a_late_box_into_three_layouts(clip: Path, tmp_path: Path) -> None:
    late = {"objects": {"2": [{"frame": 2, "box": [20, 8, 40, 24]}]}}
    (tmp_path / "late.json").write_bytes(msgspec.json.encode(late))
    given = ["--mask", str(tmp_path / "first.png"), "--prompts", str(tmp_path / "late.json")]
    layouts = ["--write", "palette", "--write", "objects", "--write", "rle"]
    command = ["track", str(clip), "--model", "copy-first-mask", "--out", str(tmp_path / "out"), *given, *layouts]
    assert run(command) == 0
    out = tmp_path / "out"
    assert list_frames(out / "palette" / "clip") == [f"{number:05d}.png" for number in range(4)]
    assert (read_labels(out / "palette", "clip", "00000.png") == labels({1: (4, 6, 14, 16)})).all()
    assert (read_labels(out / "palette", "clip", "00003.png") == labels({1: (4, 6, 14, 16), 2: (20, 8, 40, 24)})).all()
    assert (read_object(out / "objects", "clip", "2", "00003.png") == (labels({2: (20, 8, 40, 24)}) == 2)).all()
    assert len(json.loads((out / "rle" / "masks.json").read_text())["annotations"]) == 4 + 2


def test_the_same_command_keeps_what_is_finished_and_other_prompts_are_refused(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [
        "track",
        str(clip),
        "--model",
        "copy-first-mask",
        "--mask",
        str(tmp_path / "first.png"),
        "--out",
        str(tmp_path / "out"),
    ]
    assert run([*command, "--json"]) == 0
    (first,) = json.loads(capsys.readouterr().out)
    assert ("num_kept" in first, first["num_masks"]) == (False, 4)
    assert run([*command, "--json"]) == 0
    (again,) = json.loads(capsys.readouterr().out)
    assert (again["num_kept"], "num_masks" in again) == (1, False)
    save_palette(tmp_path / "first.png", labels({1: (5, 6, 14, 16)}))
    assert run(command) == 2
    assert "holds other masks" in capsys.readouterr().err


def test_a_video_file_is_followed(tmp_path: Path) -> None:
    path = write_video(tmp_path / "walk.mp4", num_frames=5)
    save_palette(tmp_path / "third.png", labels({1: (4, 6, 14, 16)}))
    given = ["--mask", f"2={tmp_path / 'third.png'}", "--both-directions"]
    assert run(["track", str(path), "--model", "flow-warp", "--out", str(tmp_path / "out"), *given]) == 0
    names = list_frames(tmp_path / "out" / "palette" / "walk")
    assert names == [f"{number:05d}.png" for number in range(5)]
    assert all(read_labels(tmp_path / "out" / "palette", "walk", name).any() for name in names)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ([], "nothing to follow: give --prompts"),
        (["--mask", "9={first}"], "frame 9: the clip has the frames 0 to 3"),
        (["--mask", "{first}", "--model", "center"], "follows nothing"),
    ],
)
def test_what_cannot_be_followed_is_said_in_one_line(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], more: list[str], words: str
) -> None:
    given = [text.format(first=tmp_path / "first.png") for text in more]
    assert run(["track", str(clip), "--model", "copy-first-mask", "--out", str(tmp_path / "out"), *given]) == 2
    assert words in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_masks_of_a_run_are_scored_by_eval_vos_as_they_were(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_tree(tmp_path / "davis")
    build = ["build", "segment", "--data", "davis", "--root", str(root), "--split", "train", "--out", str(tmp_path / "tasks")]
    assert run([*build, "--workers", "1"]) == 0
    tasks, made = tmp_path / "tasks" / "segment-train", tmp_path / "run"
    assert run(["predict", str(tasks), "--model", "copy-first-mask", "--out", str(made)]) == 0
    capsys.readouterr()
    masks, scored = tmp_path / "masks", root / "Annotations" / "480p"
    for kept in (0, 1):  # the second finds everything there
        assert run(["export", "track-masks", str(made), "--out", str(masks), "--json"]) == 0
        assert json.loads(capsys.readouterr().out).get("num_kept", 0) == kept
    truth = shutil.copytree(scored / "duel", tmp_path / "truth" / "duel").parent
    assert run(["eval-vos", str(masks), str(truth), "--protocol", "davis2017", "--json", "--workers", "1"]) == 0
    columns = json.loads(capsys.readouterr().out)["columns"]
    # frames 1 to 4: object 1 moves two of its ten columns a frame, object 2 is gone in the fourth
    moved = [(10 - 2 * k) / (10 + 2 * k) for k in range(1, 5)]
    assert columns["J mean"] == pytest.approx((sum(moved) / 4 + 3 / 4) / 2)


def test_masks_that_filled_the_disk_are_not_there_at_all_and_the_same_command_writes_them(clip: Path, tmp_path: Path) -> None:
    command = ["track", str(clip), "--model", "copy-first-mask", "--mask", str(tmp_path / "first.png"), "--write", "objects"]
    full = run_limited(100, *command, "--out", str(tmp_path / "none"))  # too small for the note of what they are of
    assert full.returncode == 2
    assert "a file may not become larger" in full.stderr
    assert not [path for path in (tmp_path / "none").rglob("*") if path.is_file() and path.stat().st_size]
    command += ["--write", "rle", "--out", str(tmp_path / "out")]
    assert run_limited(900, *command).returncode == 2  # enough for pictures of 48 x 32, not for the JSON
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["objects", "rle"]
    assert not (tmp_path / "out" / "rle" / "masks.json").exists()
    assert len(list_frames(tmp_path / "out" / "objects" / "clip" / "1")) == 4
    assert run(command) == 0
    assert (tmp_path / "out" / "rle" / "masks.json").is_file()
