import json

import numpy as np
import pytest

from sightline import media
from sightline.cli import run
from sightline.datasets.scans import ScanOptions, open_scans
from sightline.errors import InputError
from sightline.prepare.instances import merged_labels, write_instances
from tests.scan_trees import INTRINSICS, picture, pose_at, write_matrix, write_picture

SCENE = "s1"


@pytest.fixture
def folder(tmp_path):
    for number in (3, 8):
        write_picture(tmp_path / f"room/rgb/{number}.png", picture(number))
        write_matrix(tmp_path / f"room/pose/{number}.txt", pose_at(number))
    return tmp_path / "room"


def write_x3(root, masks: dict[str, dict[int, np.ndarray]], labels: dict[str, str]) -> None:
    """An x3 tree of one scene: the mask of each view of each object."""
    for uid, views in masks.items():
        place = root / f"train/{SCENE}/uid_{uid}"
        for kk, (frame, mask) in enumerate(views.items(), start=1):
            write_picture(place / f"{kk:02d}_{frame:06d}_original.png", picture(frame))
            write_picture(place / f"{kk:02d}_{frame:06d}_mask.png", mask.astype(np.uint8) * 255)
        items = [{"scene_id": SCENE, "uid": int(uid), "frame_id": frame, "label": labels[uid]} for frame in views]
        (place / f"{SCENE}_uid_{uid}_five_frames.json").write_text(json.dumps(items))


def block(rows: slice, columns: slice) -> np.ndarray:
    mask = np.zeros((36, 48), bool)
    mask[rows, columns] = True
    return mask


@pytest.fixture
def x3(tmp_path):
    left, right, none = block(slice(5, 20), slice(0, 20)), block(slice(10, 30), slice(15, 40)), block(slice(0, 0), slice(0, 0))
    write_x3(tmp_path / "x3", {"4": {3: left, 8: none}, "12": {3: right}}, {"4": "lamp", "12": "box"})
    return tmp_path / "x3"


def test_masks_become_labels_with_255_where_two_claim_a_pixel_or_one_is_missing(x3, folder):
    found = write_instances(x3, SCENE, folder)
    assert found.names == {"1": "lamp", "2": "box"}
    assert (found.num_pictures, found.without_mask, found.not_in_folder) == (2, 1, 0)
    first, second = (media.read_indices(folder / f"instances/{number}.png") for number in (3, 8))
    assert [int((first == value).sum()) for value in (1, 2, 255)] == [15 * 20 - 50, 20 * 25 - 50, 50]  # 10 rows x 5 columns of both
    assert (second == 255).all()  # nothing of the lamp; of the box nobody says
    (scan,) = open_scans("rgbd", folder, ScanOptions(intrinsics=INTRINSICS))
    assert [frame.instances for frame in scan.frames] == ["instances/3.png", "instances/8.png"]


def test_names_changed_by_hand_stay_and_the_same_command_changes_nothing(x3, folder):
    write_instances(x3, SCENE, folder)
    before = (folder / "instances/3.png").read_bytes()
    (folder / "objects.json").write_text('{"1": "floor lamp", "2": "box"}')
    assert write_instances(x3, SCENE, folder).names["1"] == "floor lamp"
    assert (folder / "instances/3.png").read_bytes() == before


def test_other_masks_or_names_that_are_there_are_not_written_over(x3, folder):
    write_picture(folder / "instances/3.png", np.zeros((36, 48), np.uint8))
    with pytest.raises(InputError, match="is another picture"):
        write_instances(x3, SCENE, folder)
    (folder / "objects.json").write_text('{"7": "chair"}')
    with pytest.raises(InputError, match="with the labels 7; this scene has 1, 2"):
        write_instances(x3, SCENE, folder)


def test_scenes_frames_and_sizes_that_do_not_fit_are_refused(x3, folder, tmp_path, capsys):
    with pytest.raises(InputError, match="no scene 's2'; there are s1"):
        write_instances(x3, "s2", folder)
    (folder / "rgb/3.png").rename(folder / "rgb/30.png")
    (folder / "rgb/8.png").rename(folder / "rgb/80.png")
    with pytest.raises(InputError, match="no picture with a frame number of scene s1"):
        write_instances(x3, SCENE, folder)
    with pytest.raises(InputError, match="masks of several sizes"):
        merged_labels({1: np.zeros((2, 2), bool), 2: np.zeros((3, 2), bool)}, rest=0)
    empty = tmp_path / "empty"
    empty.mkdir()
    assert run(["prepare", "instances", "--x3", str(x3), "--scene", SCENE, "--root", str(empty)]) == 2
    assert "no folder of colour pictures" in capsys.readouterr().err


def test_the_command_says_what_comes_next(x3, folder, capsys):
    assert run(["prepare", "instances", "--x3", str(x3), "--scene", SCENE, "--root", str(folder)]) == 0
    assert "Next: sightline prepare scan --data rgbd" in capsys.readouterr().out
