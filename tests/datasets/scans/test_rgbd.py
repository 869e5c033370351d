import json

import numpy as np
import pytest

from sightline.datasets.scans import ScanOptions, ScanReader, open_scans
from sightline.datasets.scans.pixels import ScanPixels, depth_camera
from sightline.errors import InputError
from sightline.geometry.camera import project
from sightline.geometry.points import pixel_indices
from sightline.geometry.visibility import mask_points
from tests.scan_trees import DEPTH_SIZE, HEIGHT, INTRINSICS, WIDTH, depth_mm, picture, pose_at, write_matrix, write_picture


@pytest.fixture
def root(tmp_path):
    for index in (2, 10):  # by number, not by name
        write_picture(tmp_path / f"room/color/{index}.png", picture(index))
        write_picture(tmp_path / f"room/depth/{index}.png", depth_mm(index))
        write_matrix(tmp_path / f"room/pose/{index}.txt", pose_at(index))
    intrinsics = dict(zip(("fx", "fy", "cx", "cy"), INTRINSICS, strict=True))
    (tmp_path / "room/intrinsics.json").write_text(json.dumps({"width": WIDTH, "height": HEIGHT, **intrinsics}))
    return tmp_path


def test_a_plain_folder_is_a_scan(root):
    reader = open_scans("rgbd", root)
    assert isinstance(reader, ScanReader)
    assert reader.scan_ids() == ["room"]
    (scan,) = reader
    assert [frame.frame_id for frame in scan.frames] == ["000002", "000010"]
    camera = scan.frames[1].camera
    assert camera is not None
    assert (camera.fx, camera.cx, camera.cy) == (40, 24, 18)  # centres count from 0: half a pixel is added
    assert np.reshape(camera.camera_to_world, (4, 4)).tolist() == pose_at(10).tolist()
    with ScanPixels(scan, root) as pixels:
        assert (pixels.rgb(scan.frames[0]) == picture(2)).all()
        depth = pixels.depth_m(scan.frames[0])
        assert depth is not None
        assert depth == pytest.approx(depth_mm(2) * 0.001)
        assert depth_camera(scan.frames[0], depth).fx == 20  # the depth picture is half as wide


def test_pictures_of_object_labels_are_taken_where_there_are_any(root):
    labels = np.zeros((HEIGHT, WIDTH), np.uint8)
    labels[5:9, 3:20] = 7
    write_picture(root / "room/instances/10.png", labels)
    (scan,) = open_scans("rgbd", root)
    assert [frame.instances for frame in scan.frames] == [None, "room/instances/10.png"]
    with ScanPixels(scan, root) as pixels:
        assert (pixels.instances(scan.frames[1]) == labels).all()


def test_poses_of_the_world_to_the_camera_are_inverted_and_the_depth_scale_is_taken(root):
    (scan,) = open_scans("rgbd", root, ScanOptions(invert_poses=True, depth_scale=5000, intrinsics=(50.0, -50.0, 23.5, 17.5)))
    camera = scan.frames[0].camera
    assert camera is not None
    assert np.linalg.inv(np.reshape(camera.camera_to_world, (4, 4))) == pytest.approx(pose_at(2))
    assert (camera.fx, camera.fy, scan.frames[0].metres_per_unit) == (50, -50, 1 / 5000)


def test_a_lost_pose_drops_its_frame_and_the_ledger_says_why(root):
    write_matrix(root / "room/pose/2.txt", np.full((4, 4), -np.inf))
    (scan,) = open_scans("rgbd", root)
    assert [frame.frame_id for frame in scan.frames] == ["000010"]
    assert [(entry.unit, entry.reason) for entry in scan.problems] == [("room/000002", "pose_invalid")]


def test_a_pose_file_with_another_number_of_lines_than_pictures_is_refused(root):
    (root / "room/pose.txt").write_text("0 0 0 0 0 0 1\n")
    with pytest.raises(InputError, match="1 poses for 2 colour pictures"):
        open_scans("rgbd", root)[0]


def test_zero_intrinsics_and_intrinsics_of_another_size_are_refused(root):
    with pytest.raises(InputError, match="focal lengths other than 0"):
        open_scans("rgbd", root, ScanOptions(intrinsics=(0.0, 40.0, 24.0, 18.0)))[0]
    path = root / "room/intrinsics.json"
    path.write_text(path.read_text().replace(f'"width": {WIDTH}', '"width": 640'))
    with pytest.raises(InputError, match="intrinsics of pictures of 640 x"):
        open_scans("rgbd", root)[0]
    path.unlink()
    with pytest.raises(FileNotFoundError, match="no intrinsics"):
        open_scans("rgbd", root)[0]


def test_depth_of_another_shape_than_the_picture_is_refused(root):
    write_picture(root / "room/depth/2.png", depth_mm(2, (24, 24)))
    (scan,) = open_scans("rgbd", root)
    with ScanPixels(scan, root) as pixels, pytest.raises(InputError, match="depth or labels of 24 x 24 for a camera of 48 x 36"):
        pixels.depth_m(scan.frames[0])
    assert DEPTH_SIZE == (24, 18)


def test_names_and_options_are_checked(root, tmp_path):
    with pytest.raises(InputError, match="Did you mean 'scannet'"):
        open_scans("scanet", root)
    with pytest.raises(InputError, match="leave the depth scale"):
        open_scans("scannet", root, ScanOptions(depth_scale=5000))
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match="no scan in it"):
        open_scans("rgbd", tmp_path / "empty")


def test_depth_of_a_real_folder_lands_on_the_surfaces_of_another_view(shared_data):
    root = shared_data / "icl_nuim_5view"
    options = ScanOptions(depth_scale=5000, intrinsics=(481.2, -480.0, 319.5, 239.5))
    (scan,) = open_scans("rgbd", root, options)
    frames = {int(frame.frame_id): frame for frame in scan.frames}
    with ScanPixels(scan, root) as pixels:
        depth_4, depth_2 = pixels.depth_m(frames[4]), pixels.depth_m(frames[2])
    assert depth_4 is not None
    assert depth_2 is not None
    points = mask_points(np.ones(depth_4.shape, bool), depth_4, depth_camera(frames[4], depth_4), max_points=20_000)
    camera_2 = depth_camera(frames[2], depth_2)
    projected, z = project(points, camera_2)
    index, inside = pixel_indices(projected, camera_2.width, camera_2.height)
    measured = depth_2[index[:, 0], index[:, 1]]
    kept = inside & (measured > 0)
    assert kept.mean() > 0.5
    assert (np.abs(z - measured)[kept] < 0.03).mean() >= 0.9
