import json

import numpy as np
import pytest

from sightline.datasets.scans import open_scans
from sightline.datasets.scans.pixels import ScanPixels
from sightline.errors import InputError
from tests.scan_trees import (
    BOX,
    DEPTH_SIZE,
    INTRINSICS,
    depth_mm,
    matrix_of,
    picture,
    pose_at,
    write_matrix,
    write_picture,
    write_scannet_room,
    write_sens,
)

NAME = "scene0000_00"


def turned(degrees: float, shift: float = 0.0) -> np.ndarray:
    angle = np.deg2rad(degrees)
    matrix = np.eye(4)
    matrix[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    matrix[0, 3] = shift
    return matrix.round(12)


@pytest.fixture
def scene(tmp_path):
    folder = tmp_path / "scans" / NAME
    write_scannet_room(folder)
    lost = np.full((4, 4), -np.inf)
    write_sens(folder / f"{NAME}.sens", [pose_at(0), lost, pose_at(0.5)])
    return folder


def only_scan(tmp_path):
    (scan,) = open_scans("scannet", tmp_path)
    return scan


@pytest.mark.usefixtures("scene")
def test_frames_of_the_container_have_cameras_and_lost_poses_are_dropped(tmp_path):
    scan = only_scan(tmp_path)
    assert [frame.frame_id for frame in scan.frames] == ["000000", "000002"]
    assert [(entry.unit, entry.reason) for entry in scan.problems] == [
        (f"{NAME}/000001", "pose_invalid"),
        (f"{NAME}/object 1", "object_without_vertices"),
    ]
    frame = scan.frames[1]
    assert frame.camera is not None
    assert frame.depth_camera is not None
    assert (frame.camera.cx, frame.depth_camera.cx, frame.depth_camera.fx) == (24, 12, 20)
    assert frame.timestamp_s == 2
    with ScanPixels(scan, tmp_path) as pixels:
        assert (pixels.depth_units(frame) == depth_mm(2)).all()
        assert np.abs(pixels.rgb(frame).astype(int) - picture(2)).max() < 20


@pytest.mark.usefixtures("scene")
def test_objects_are_upright_boxes_around_their_vertices_and_labelled_from_one(tmp_path):
    (box,) = only_scan(tmp_path).objects
    assert (box.object_id, box.category, box.label) == ("0", "box", 1)
    assert box.box.centre == pytest.approx((0, 2.5, 0.5), abs=1e-6)
    assert sorted(box.box.lengths) == pytest.approx([1, 1, 1], abs=1e-6)


def test_the_axis_alignment_is_applied_to_poses_boxes_and_extent(tmp_path, scene):
    plain = only_scan(tmp_path)
    write_scannet_room(scene, alignment=turned(90, shift=10))
    aligned = only_scan(tmp_path)
    # A quarter turn takes (x, y) to (-y, x): the centre (0, 2.5, 0.5) to (-2.5 + 10, 0, 0.5).
    assert aligned.objects[0].box.centre == pytest.approx((7.5, 0, 0.5), abs=1e-6)
    before, after = plain.frames[1].camera, aligned.frames[1].camera
    assert before is not None
    assert after is not None
    expected = turned(90, shift=10) @ np.reshape(before.camera_to_world, (4, 4))
    assert np.reshape(after.camera_to_world, (4, 4)) == pytest.approx(expected)
    assert plain.extent == ((-4, 0.5, 0), (4, 8, 1))
    assert aligned.extent is not None
    assert aligned.extent[0] == pytest.approx((2, -4, 0))
    assert BOX[1][2] == aligned.extent[1][2]


def test_without_an_alignment_the_ledger_says_so_and_a_wrong_one_is_refused(tmp_path, scene):
    path = scene / f"{NAME}.txt"
    path.write_text("colorHeight = 36\n")
    assert "not_aligned" in [entry.reason for entry in only_scan(tmp_path).problems]
    path.write_text("axisAlignment = 1 2 3\n")
    with pytest.raises(InputError, match="3 numbers, not 16"):
        only_scan(tmp_path)


def test_a_mesh_without_segments_gives_no_objects_and_a_ledger_entry(tmp_path, scene):
    (scene / f"{NAME}_vh_clean_2.0.010000.segs.json").unlink()
    scan = only_scan(tmp_path)
    assert scan.objects == ()
    assert scan.extent is not None
    assert "mesh_without_segments" in [entry.reason for entry in scan.problems]


def test_segments_of_another_mesh_are_refused(tmp_path, scene):
    path = scene / f"{NAME}_vh_clean_2.0.010000.segs.json"
    path.write_text(json.dumps({"segIndices": [3, 3, 7]}))
    with pytest.raises(InputError, match="segments of 3 vertices, the mesh has 12"):
        only_scan(tmp_path)


def test_a_container_cut_in_the_middle_gives_the_frames_before(tmp_path, scene):
    path = scene / f"{NAME}.sens"
    path.write_bytes(path.read_bytes()[:-10])
    scan = only_scan(tmp_path)
    assert [frame.frame_id for frame in scan.frames] == ["000000"]
    assert (scan.problems[0].reason, scan.problems[0].action) == ("sens_cut", "altered")


def test_the_extracted_form_gives_the_same_cameras(tmp_path, scene):
    from_container = only_scan(tmp_path)
    (scene / f"{NAME}.sens").unlink()
    half = (20.0, 20.0, 11.5, 8.5)
    for kind, values in (("color", INTRINSICS), ("depth", half)):
        write_matrix(scene / f"intrinsic/intrinsic_{kind}.txt", matrix_of(values))
    for index, pose in enumerate([pose_at(0), np.full((4, 4), -np.inf), pose_at(0.5)]):
        write_picture(scene / f"color/{index}.jpg", picture(index))
        write_picture(scene / f"depth/{index}.png", depth_mm(index))
        write_matrix(scene / f"pose/{index}.txt", pose)
    write_picture(scene / "instance-filt/0.png", np.ones(DEPTH_SIZE[::-1], np.uint8))
    extracted = only_scan(tmp_path)
    assert [frame.camera for frame in extracted.frames] == [frame.camera for frame in from_container.frames]
    assert [frame.depth_camera for frame in extracted.frames] == [frame.depth_camera for frame in from_container.frames]
    assert extracted.objects == from_container.objects
    assert extracted.frames[0].instances == f"scans/{NAME}/instance-filt/0.png"
    with ScanPixels(extracted, tmp_path) as pixels:
        labels = pixels.instances(extracted.frames[0])
        assert labels is not None
        assert labels.shape == (36, 48)  # the size of the colour picture
        assert (pixels.depth_units(extracted.frames[1]) == depth_mm(2)).all()
