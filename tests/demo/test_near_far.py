"""Chequered rooms: that answers are true, that constant ones are no better than chance, and that no room is in two splits."""

import json
from pathlib import Path

import numpy as np
import pytest

from sightline.datasets.scans.prepared import PreparedScans
from sightline.demo.near_far import draw_near_far, scans_of, write_near_far
from sightline.errors import InputError
from sightline.media import read_depth, read_rgb

NUM_TRAIN, NUM_VALIDATION = 4, 2


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("near_far") / "rooms"
    write_near_far(root, num_train=NUM_TRAIN, num_validation=NUM_VALIDATION, seed=1)
    return root


def _rows(root: Path, split: str) -> list[dict]:
    return json.loads((root / f"{split}.json").read_text())


def test_every_answer_follows_from_the_depth_of_the_first_frame(root):
    answers = {row["id"]: row["conversations"][1]["value"] for split in ("train", "val") for row in _rows(root, split)}
    for scan in PreparedScans(root):
        frame = scan.frames[0]
        assert frame.depth is not None
        assert read_rgb(root / frame.image).shape == (84, 112, 3)
        depth = read_depth(root / frame.depth, frame.metres_per_unit)
        left, right, middle = (np.median(part) for part in (depth[:, :28], depth[:, 84:], depth[28:56, 42:70]))
        assert float(answers[f"{scan.scan_id}-far"]) == pytest.approx(middle, abs=0.06)
        assert answers[f"{scan.scan_id}-nearer"] == ("A" if left < right else "B")
        assert abs(left - right) > 0.29


def test_frames_have_depth_and_poses_and_no_room_is_in_two_splits(root):
    scans = list(PreparedScans(root))
    assert [scan.scan_id for scan in scans] == [f"room_{number:06d}" for number in range(NUM_TRAIN + NUM_VALIDATION)]
    assert scans_of(root, range(2)) == scans[:2]
    assert all(len(scan.frames) == 2 and frame.depth and frame.camera for scan in scans for frame in scan.frames)
    names = [{row["scene_name"] for row in _rows(root, split)} for split in ("train", "val")]
    assert [len(each) for each in names] == [NUM_TRAIN, NUM_VALIDATION]
    assert not names[0] & names[1]


def test_left_is_as_often_nearer_as_right():
    """Of 80 rooms in 40 +- 4.5; 26 to 54 is three times that."""
    rooms = [draw_near_far(number, seed=0) for number in range(80)]
    assert 26 <= sum(room.metres[0] < room.metres[1] for room in rooms) <= 54
    assert 0.2 < min(room.metres[2] for room in rooms) < 2 < max(room.metres[2] for room in rooms) < 9.9


def test_a_room_depends_on_seed_and_number_alone(root, tmp_path):
    write_near_far(tmp_path / "other", num_train=1, num_validation=2, seed=1, workers=2)
    for number in range(3):
        place = f"room_{number:06d}/colour/000000.png"
        assert (tmp_path / "other" / place).read_bytes() == (root / place).read_bytes()
    assert draw_near_far(0, seed=2).metres != draw_near_far(0, seed=1).metres


def test_the_same_request_keeps_what_is_there_and_another_one_is_refused(root):
    before = {path: path.stat().st_mtime_ns for path in root.rglob("*")}
    write_near_far(root, num_train=NUM_TRAIN, num_validation=NUM_VALIDATION, seed=1)
    assert {path: path.stat().st_mtime_ns for path in root.rglob("*")} == before
    with pytest.raises(InputError, match=r"seed=1.*seed=2"):
        write_near_far(root, num_train=NUM_TRAIN, num_validation=NUM_VALIDATION, seed=2)


def test_another_folder_is_refused_and_left_alone(tmp_path):
    (tmp_path / "mine").write_text("x")
    with pytest.raises(InputError, match=r"has no rooms\.json"):
        write_near_far(tmp_path, num_train=1, num_validation=1)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
