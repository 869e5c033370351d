"""The x3 reader on tiny trees in the true layout."""

import json
from pathlib import Path

import numpy as np
import pytest

from sightline.datasets.x3 import X3
from sightline.errors import InputError
from tests.x3_tree import write_object, write_tree


def test_reads_scenes_objects_and_views_in_order(tmp_path: Path) -> None:
    scenes = list(X3(write_tree(tmp_path), "train"))
    assert [scene.scene_id for scene in scenes] == ["kitchen", "office"]
    assert [item.object_id for item in scenes[0].objects] == ["1", "2"]
    view = scenes[0].objects[0].views[1]
    assert (view.view_index, view.frame_id) == (2, "000020")
    assert view.image == "train/kitchen/uid_1/02_000020_original.png"
    assert view.mask == "train/kitchen/uid_1/02_000020_mask.png"
    assert scenes[0].objects[0].label == "cup"


@pytest.mark.parametrize("spelling", ["mask_dialated", "mask_dilated"])
def test_reads_both_spellings_of_dilated(tmp_path: Path, spelling: str) -> None:
    write_object(tmp_path, "train", "hall", 3, [(2, 2, 8, 8)], dilated=spelling)
    view = X3(tmp_path, "train")[0].objects[0].views[0]
    assert view.mask_dilated == f"train/hall/uid_3/01_000010_{spelling}.png"


def test_json_boxes_stay_in_full_resolution(tmp_path: Path) -> None:
    view = X3(write_tree(tmp_path), "train")[0].objects[0].views[0]
    assert view.box_full == (6.0, 6.0, 24.0, 24.0)  # 3 * (2, 2, 8, 8)
    assert view.box_full_size == (72, 54)


def test_uids_are_ordered_as_numbers(tmp_path: Path) -> None:
    for uid in (10, 9):
        write_object(tmp_path, "train", "hall", uid, [(2, 2, 8, 8)])
    assert [item.object_id for item in X3(tmp_path, "train")[0].objects] == ["9", "10"]


def test_a_view_without_mask_file_has_no_mask(tmp_path: Path) -> None:
    folder = write_object(tmp_path, "train", "hall", 1, [(2, 2, 8, 8), (3, 3, 9, 9)])
    (folder / "02_000020_mask.png").unlink()
    assert [view.mask is None for view in X3(tmp_path, "train")[0].objects[0].views] == [False, True]


def test_a_view_without_original_is_a_problem_that_names_it(tmp_path: Path) -> None:
    folder = write_object(tmp_path, "train", "hall", 1, [(2, 2, 8, 8), (3, 3, 9, 9)])
    (folder / "02_000020_original.png").unlink()
    scene = X3(tmp_path, "train")[0]
    assert [problem.reason for problem in scene.problems] == ["original_missing"]
    assert scene.problems[0].unit == "hall/uid_1/02_000020"


@pytest.mark.parametrize(
    "content",
    [
        "{",
        '{"scene_id": "hall"}',
        '[{"scene_id": "hall", "uid": 1, "frame_id": "x"}]',
        '[{"scene_id": 3, "uid": 1, "frame_id": 1}]',
    ],
    ids=["cut", "not a list", "frame is no number", "wrong type"],
)
def test_broken_json_drops_the_object_and_names_the_file(tmp_path: Path, content: str) -> None:
    folder = write_object(tmp_path, "train", "hall", 1, [(2, 2, 8, 8)])
    (folder / "hall_uid_1_five_frames.json").write_text(content)
    scene = X3(tmp_path, "train")[0]
    assert scene.objects == ()
    assert scene.problems[0].reason == "annotation_unreadable"
    assert "hall_uid_1_five_frames.json" in scene.problems[0].detail


def test_json_of_another_object_is_refused(tmp_path: Path) -> None:
    folder = write_object(tmp_path, "train", "hall", 1, [(2, 2, 8, 8)])
    items = [{"scene_id": "hall", "uid": 9, "frame_id": "000010"}]
    (folder / "hall_uid_1_five_frames.json").write_text(json.dumps(items))
    assert "describes object 9" in X3(tmp_path, "train")[0].problems[0].detail


def _with_pose(root: Path, pose: np.ndarray, **intrinsics: float) -> Path:
    folder = write_object(root, "train", "hall", 1, [(2, 2, 8, 8)])
    np.savetxt(folder / "01_000010_pose.txt", pose)
    numbers = {"width": 24, "height": 18, "fx": 20.0, "fy": 20.0, "cx": 12.0, "cy": 9.0} | intrinsics
    (folder / "intrinsics.json").write_text(json.dumps(numbers))
    return root


def test_pixel_centres_at_integers_are_shifted_by_half(tmp_path: Path) -> None:
    camera = X3(_with_pose(tmp_path, np.eye(4), cx=11.5, cy=8.5, pixel_centre=0.0), "train")[0].objects[0].views[0].camera
    assert camera is not None
    assert (camera.cx, camera.cy, camera.world) == (12.0, 9.0, "hall")


@pytest.mark.parametrize("entry", [np.nan, np.inf, 2.0], ids=["nan", "infinite", "not orthonormal"])
def test_a_bad_pose_leaves_the_view_without_camera_and_says_so(tmp_path: Path, entry: float) -> None:
    pose = np.eye(4)
    pose[0, 0] = entry
    scene = X3(_with_pose(tmp_path, pose), "train")[0]
    assert scene.objects[0].views[0].camera is None
    assert (scene.problems[0].reason, scene.problems[0].action) == ("pose_invalid", "altered")
    assert scene.problems[0].path == "train/hall/uid_1/01_000010_pose.txt"


def test_zero_focal_length_drops_the_object(tmp_path: Path) -> None:
    scene = X3(_with_pose(tmp_path, np.eye(4), fx=0.0), "train")[0]
    assert scene.objects == ()
    assert "intrinsics.json" in scene.problems[0].detail


def test_a_link_out_of_the_root_is_refused(tmp_path: Path) -> None:
    outside = write_object(tmp_path / "outside", "train", "hall", 1, [(2, 2, 8, 8)])
    (tmp_path / "root" / "train" / "hall").mkdir(parents=True)
    (tmp_path / "root" / "train" / "hall" / "uid_1").symlink_to(outside)
    scene = X3(tmp_path / "root", "train")[0]
    assert scene.objects == ()
    assert "leaves its root" in scene.problems[0].detail


def test_missing_root_wrong_split_and_empty_split_are_clear(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        X3(tmp_path / "nowhere", "train")
    (tmp_path / "train").mkdir()
    with pytest.raises(InputError, match="no split 'test'; it has train"):
        X3(tmp_path, "test")
    with pytest.raises(InputError, match="is empty"):
        X3(tmp_path, "train")
    with pytest.raises(InputError, match="not an x3 tree"):
        X3(tmp_path / "train", "train")


def test_real_sample(shared_data: Path) -> None:
    scene = X3(shared_data / "x3_icl_nuim", "train")[0]
    assert [(item.object_id, item.label, len(item.views)) for item in scene.objects] == [
        ("2", "picture", 5),
        ("3", "red cushion", 5),
    ]
    assert scene.problems == ()
