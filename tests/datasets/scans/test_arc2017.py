"""One real RGB-D frame with masks: through the public geometry, and as a folder of one frame made as docs/scans.md says."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sightline.datasets.scans import open_scans
from sightline.datasets.scans.pixels import ScanPixels
from sightline.datasets.scans.poses import make_camera
from sightline.geometry.boxes import mask_to_box
from sightline.geometry.camera import project, unproject
from sightline.geometry.visibility import mask_points
from sightline.types import Camera

DOCS = Path(__file__).parents[3] / "docs/scans.md"


@pytest.fixture(scope="module")
def frame(shared_data):
    """The arrays, read without pickle, and the camera."""
    folder = shared_data / "arc2017_rgbd"
    info = json.loads((folder / "camera_info.json").read_text())
    k = np.reshape(info["K"], (3, 3))
    size = (info["width"], info["height"])
    camera = make_camera(np.eye(4), (k[0, 0], k[1, 1], k[0, 2], k[1, 2]), size=size, world="tote")
    with np.load(folder / "data.npz", allow_pickle=False) as arrays:
        return camera, {name: arrays[name] for name in arrays.files}


def test_the_camera_is_that_of_the_picture(frame):
    camera, arrays = frame
    assert isinstance(camera, Camera)
    assert arrays["rgb"].shape == (camera.height, camera.width, 3)
    assert arrays["depth"].shape == (camera.height, camera.width)
    assert camera.cx == pytest.approx(camera.width / 2, abs=10)  # 317.96 + 0.5 of 640
    assert camera.cy == pytest.approx(camera.height / 2, abs=10)


def test_boxes_of_the_masks_are_the_stored_boxes_with_rows_first(frame):
    _, arrays = frame
    assert len(arrays["masks"]) == 8
    for mask, (top, left, bottom, right) in zip(arrays["masks"] > 0, arrays["bboxes"].tolist(), strict=True):
        assert mask_to_box(mask) == (left, top, right, bottom)


def test_depth_goes_into_the_world_and_back_to_its_pixels(frame):
    camera, arrays = frame
    rows, columns = np.nonzero(np.isfinite(arrays["depth"]))
    chosen = np.linspace(0, len(rows) - 1, 5000).astype(int)
    centres = np.stack([columns[chosen] + 0.5, rows[chosen] + 0.5], axis=1)
    metres = arrays["depth"][rows[chosen], columns[chosen]].astype(np.float64)
    pixels, z_m = project(unproject(centres, metres, camera), camera)
    assert pixels == pytest.approx(centres)
    assert z_m == pytest.approx(metres)


def test_objects_in_a_tote_are_as_large_as_things_one_can_hold(frame):
    camera, arrays = frame
    depth = np.nan_to_num(arrays["depth"], nan=0.0).astype(np.float64)
    for mask in arrays["masks"] == 1:
        points = mask_points(mask, depth, camera)
        low, high = np.percentile(points, [5, 95], axis=0)
        assert 0.02 < (high - low)[:2].max() < 0.4
        assert 0.4 < np.median(points[:, 2]) < 0.7


def test_the_documented_lines_make_a_folder_of_one_frame(frame, shared_data, tmp_path):
    _, arrays = frame
    lines = next(block for block in re.findall(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL) if "data.npz" in block)
    for name in ("data.npz", "camera_info.json", "class_names.txt"):
        shutil.copy(shared_data / "arc2017_rgbd" / name, tmp_path / name)
    subprocess.run([sys.executable, "-c", lines], cwd=tmp_path, check=True)
    (scan,) = open_scans("rgbd", tmp_path / "frame")
    assert scan.z_up
    assert scan.problems == ()
    assert len(scan.objects) == 8
    assert {"irish_spring_soap", "ice_cube_tray"} < {each.category for each in scan.objects}
    assert all(each.unseen_deg == 360 for each in scan.objects)
    with ScanPixels(scan, tmp_path / "frame") as pixels:
        stored = pixels.depth_m(scan.frames[0])
    assert stored is not None
    known = np.isfinite(arrays["depth"]) & (arrays["depth"] < 65)
    assert stored[known] == pytest.approx(arrays["depth"][known], abs=0.0006)
    assert (stored[~known] == 0).all()
