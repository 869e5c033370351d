import json

import cv2
import numpy as np
import pytest

from sightline.datasets.scans import open_scans
from sightline.datasets.scans.pixels import ScanPixels
from sightline.errors import InputError
from sightline.geometry.camera import project
from tests.scan_trees import annotated_box, depth_mm, picture, pose_at, write_picture

VIDEO = "41048190"
TIMES = (10.000, 10.100, 11.000)


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "Training" / VIDEO
    rows = []
    for index, time in enumerate(TIMES):
        name = f"{VIDEO}_{time:.3f}"
        write_picture(folder / f"lowres_wide/{name}.png", picture(index, (24, 18)))
        write_picture(folder / f"lowres_depth/{name}.png", depth_mm(index))
        beside = f"{VIDEO}_{time + (0.001 if index == 1 else 0):.3f}"  # the files round differently
        (folder / "lowres_wide_intrinsics").mkdir(exist_ok=True)
        (folder / f"lowres_wide_intrinsics/{beside}.pincam").write_text("24 18 20 21 11.5 8.5\n")
        world_to_camera = np.linalg.inv(pose_at(0.5 * index))
        angle = cv2.Rodrigues(world_to_camera[:3, :3])[0].ravel()
        late = 0.2 if index == 2 else 0.01
        rows.append(" ".join(f"{value:.9f}" for value in (time + late, *angle, *world_to_camera[:3, 3])))
    (folder / "lowres_wide.traj").write_text("\n".join(rows) + "\n")
    box = annotated_box("box", 0)
    annotated = {"uid": "abc", "label": "box", "segments": {"obbAligned": box["obb"]}, "modelId": None}
    (folder / f"{VIDEO}_3dod_annotation.json").write_text(json.dumps({"data": [annotated], "skipped": False}))
    return tmp_path


def write_sky(root, direction):
    (root / "metadata.csv").write_text(f"video_id,visit_id,fold,sky_direction\n{VIDEO},7,Training,{direction}\n")


def only_scan(root):
    (scan,) = open_scans("arkitscenes", root)
    return scan


def test_the_trajectory_is_inverted_once_and_matched_by_time(root):
    write_sky(root, "Up")
    scan = only_scan(root)
    assert [frame.frame_id for frame in scan.frames] == ["000010000", "000010100"]
    assert [(entry.unit, entry.reason) for entry in scan.problems] == [(f"{VIDEO}/11.000", "pose_invalid")]
    assert "200 ms away" in scan.problems[0].detail
    camera = scan.frames[1].camera
    assert camera is not None
    assert np.reshape(camera.camera_to_world, (4, 4)) == pytest.approx(pose_at(0.5), abs=1e-6)
    assert (camera.fx, camera.fy, camera.cx) == (20, 21, 12)
    assert scan.fps == pytest.approx(10)
    (box,) = scan.objects
    assert (box.object_id, box.category, box.box.lengths) == ("abc", "box", (1, 1, 1))


@pytest.mark.parametrize(("sky", "turns"), [("Up", 0), ("Right", 1), ("Down", 2), ("Left", 3)])
def test_pictures_depth_intrinsics_and_pose_are_turned_together(root, sky, turns):
    write_sky(root, "Up")
    stored = only_scan(root).frames[0].camera
    write_sky(root, sky)
    scan = only_scan(root)
    frame = scan.frames[0]
    camera = frame.camera
    assert stored is not None
    assert camera is not None
    # A world point keeps its depth, and the pixel it falls on is the same one of the turned picture.
    point = np.array([[0.3, 2.0, 1.2]])
    (before,), z_before = project(point, stored)
    (after,), z_after = project(point, camera)
    assert z_after == pytest.approx(z_before)
    marked = np.zeros((18, 24), bool)
    marked[int(before[1]), int(before[0])] = True
    assert np.rot90(marked, turns)[int(after[1]), int(after[0])]
    with ScanPixels(scan, root) as pixels:
        assert (pixels.rgb(frame) == np.rot90(picture(0, (24, 18)), turns)).all()
        assert (pixels.depth_units(frame) == np.rot90(depth_mm(0), turns)).all()


def test_the_sky_on_the_right_is_up_after_turning(root):
    write_sky(root, "Right")
    scan = only_scan(root)
    with ScanPixels(scan, root) as pixels:
        upright = pixels.rgb(scan.frames[0])
    assert upright.shape == (24, 18, 3)
    assert (upright[0] == picture(0, (24, 18))[:, -1]).all()  # the right column is the top row


def test_an_unknown_sky_goes_to_the_ledger_and_a_wrong_one_is_refused(root):
    assert "sky_unknown" in {entry.reason for entry in only_scan(root).problems}
    write_sky(root, "Sideways")
    with pytest.raises(InputError, match="sky_direction 'Sideways'"):
        only_scan(root)


def test_a_trajectory_of_other_columns_is_refused(root):
    (root / "Training" / VIDEO / "lowres_wide.traj").write_text("1 2 3\n")
    with pytest.raises(InputError, match="rows of 7 numbers"):
        only_scan(root)
