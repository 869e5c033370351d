"""Rooms with a red and a blue balloon: what is on them, that answers are true, and that no room is in two splits."""

import json
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

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


def test_every_answer_follows_from_the_pixels_of_that_colour_and_their_depth(root):
    answers = {row["id"]: row["conversations"][1]["value"] for split in ("train", "val") for row in _rows(root, split)}
    for scan in PreparedScans(root):
        frame = scan.frames[0]
        assert frame.depth is not None
        picture, depth = read_rgb(root / frame.image).astype(int), read_depth(root / frame.depth, frame.metres_per_unit)
        red, green, blue = np.moveaxis(picture, -1, 0)
        found = [np.median(depth[mask]) for mask in (red - np.maximum(green, blue) > 70, blue - np.maximum(red, green) > 70)]
        for name, metres in zip(("red", "blue"), found, strict=True):
            assert float(answers[f"{scan.scan_id}-far-{name}"]) == pytest.approx(metres, abs=0.06)
        assert answers[f"{scan.scan_id}-nearer"] == ("A" if found[0] < found[1] else "B")


def test_frames_have_depth_and_poses_and_no_room_is_in_two_splits(root):
    scans = list(PreparedScans(root))
    assert [scan.scan_id for scan in scans] == [f"room_{number:06d}" for number in range(NUM_TRAIN + NUM_VALIDATION)]
    assert scans_of(root, range(2)) == scans[:2]
    assert all(len(scan.frames) == 2 and frame.depth and frame.camera for scan in scans for frame in scan.frames)
    names = [{row["scene_name"] for row in _rows(root, split)} for split in ("train", "val")]
    assert [len(each) for each in names] == [NUM_TRAIN, NUM_VALIDATION]
    assert not names[0] & names[1]


def test_neither_place_nor_size_nor_colour_gives_the_nearer_balloon_away():
    """Of 80 rooms each rule is right in 40 +- 4.5; 26 to 54 is three times that."""
    right: dict[str, list[bool]] = {"red": [], "lower": [], "larger": []}
    for room in (draw_near_far(number, seed=0) for number in range(80)):
        red, green, blue = np.moveaxis(np.asarray(Image.open(BytesIO(room.pictures[0]))).astype(int), -1, 0)
        masks = red - np.maximum(green, blue) > 70, blue - np.maximum(red, green) > 70
        rows, areas = ([measure(mask) for mask in masks] for measure in (lambda mask: np.nonzero(mask)[0].mean(), np.sum))
        is_red = room.metres[0] < room.metres[1]
        for rule, says in (("red", True), ("lower", rows[0] > rows[1]), ("larger", areas[0] > areas[1])):
            right[rule].append(says == is_red)
    assert all(26 <= sum(found) <= 54 for found in right.values()), {rule: sum(found) for rule, found in right.items()}


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
