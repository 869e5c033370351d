"""`sightline prepare scan` as a user types it."""

import json

import numpy as np
import pytest

from sightline.cli import run
from tests.scan_trees import INTRINSICS, depth_mm, picture, pose_at, write_matrix, write_picture


@pytest.fixture
def arguments(tmp_path):
    for index in (1, 2, 3):
        write_picture(tmp_path / f"room/color/{index}.png", picture(index))
        write_picture(tmp_path / f"room/depth/{index}.png", depth_mm(index))
        write_matrix(tmp_path / f"room/pose/{index}.txt", pose_at(index) if index != 2 else np.full((4, 4), np.inf))
    fixed = ["--root", str(tmp_path / "room"), "--out", str(tmp_path / "out"), "--workers", "1"]
    return ["prepare", "scan", "--data", "rgbd", *fixed, f"--intrinsics={','.join(map(str, INTRINSICS))}"]


def test_a_folder_is_prepared_and_what_was_dropped_is_counted(arguments, tmp_path, capsys):
    assert run([*arguments, "--depth-scale", "5000", "--verify", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["num_scans"], found["num_frames"], found["dropped"]) == (1, 2, {"pose_invalid": 1})
    (entry,) = (json.loads(line) for line in (tmp_path / "out/ledger.jsonl").read_text().splitlines())
    assert entry["unit"] == "room/000002"
    assert run([*arguments, "--depth-scale", "5000"]) == 0  # the same frames again: nothing is left to do
    assert "frames" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (["--size", "640"], "expected WIDTHxHEIGHT"),
        (["--intrinsics", "1,2,3"], "expected fx,fy,cx,cy"),
        (["--depth-scale", "0"], "stored units a metre, above 0"),
        (["--fps", "2"], "its frames have no times"),
        (["--scan", "kitchen"], "no scan 'kitchen'; there are room"),
    ],
)
def test_a_wrong_option_is_named(arguments, capsys, option, message):
    assert run([*arguments, *option]) == 2
    assert message in capsys.readouterr().err.replace("\n", " ")


def test_a_picture_that_changed_behind_the_checksums_is_found(arguments, tmp_path, capsys):
    assert run(arguments) == 0
    path = tmp_path / "out/room/colour/000003.png"
    path.write_bytes(path.read_bytes()[:-1] + b"?")
    assert run([*arguments, "--verify"]) == 2
    assert "room/colour/000003.png" in capsys.readouterr().err
