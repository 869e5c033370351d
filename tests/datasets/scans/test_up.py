import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.datasets.scans import ScanOptions, open_scans
from sightline.datasets.scans.gravity import up_of_normals
from sightline.datasets.scans.up import parse_up, rotation_to_z, turned_up
from sightline.errors import InputError
from sightline.geometry.camera import project
from sightline.types import Camera, Scan, ScanFrame
from tests.datasets.scans.rendered_folder import write_room

UPRIGHT = np.array([0.0, 0.0, 1.0])
# A world that is none of the axes' own: z of the room goes to about -y.
TILTED = rotation_to_z((0.2 / 3.0, -2.9 / 3.0, np.sqrt(1 - (0.2**2 + 2.9**2) / 9))).T


def directions(share: float, towards: np.ndarray, *, count: int = 2000) -> np.ndarray:
    """`share` of `count` normals along `towards`, the others strewn evenly."""
    rng = np.random.default_rng(0)
    strewn = rng.normal(size=(count, 3))
    strewn[: int(share * count)] = towards
    return strewn / np.linalg.norm(strewn, axis=1, keepdims=True)


def mirrored_scan() -> tuple[Scan, Camera]:
    """One frame whose fy is negative: its camera's y goes up in the picture, and so does the world's."""
    pose = np.eye(4)
    pose[:3, 3] = (0.5, 1.0, -2.0)
    camera = Camera(width=64, height=48, fx=50, fy=-50, cx=32, cy=24, camera_to_world=tuple(pose.ravel().tolist()), world="w")
    frame = ScanFrame(frame_id="0", image="0.png", metres_per_unit=0.001, camera=camera)
    return Scan(scan_id="w", dataset="rgbd", frames=(frame,), z_up=False), camera


@pytest.mark.parametrize(
    ("text", "expected"), [("y", (0, 1, 0)), ("-Z", (0, 0, -1)), ("0,-2,0", (0, -1, 0)), ("3, 0, 4", (0.6, 0, 0.8)), ("auto", None)]
)
def test_the_way_up_is_an_axis_or_a_vector_or_auto(text, expected):
    assert parse_up(text) == expected


@pytest.mark.parametrize("text", ["w", "", "1,2", "0,0,0", "nan,0,1", "inf,0,0", "1,2,3,4"])
def test_anything_else_is_no_way_up(text):
    with pytest.raises(InputError, match=r"--up .*expected the way up"):
        parse_up(text)


@given(st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda vector: np.linalg.norm(vector) > 1e-3))
def test_the_rotation_takes_up_to_z_and_is_one(vector):
    up = np.array(vector) / np.linalg.norm(vector)
    found = rotation_to_z(up.tolist())
    assert found @ up == pytest.approx(UPRIGHT, abs=1e-4)
    assert found @ found.T == pytest.approx(np.eye(3), abs=1e-4)
    assert np.linalg.det(found) > 0


def turn_of(scan: Scan) -> np.ndarray:
    """The rotation that was applied to the scan's world."""
    assert scan.alignment is not None
    return np.reshape(scan.alignment, (4, 4))[:3, :3]


def test_a_mirrored_world_is_mirrored_back_and_its_pictures_stay(tmp_path):
    scan, before = mirrored_scan()
    turned = turned_up(scan, tmp_path, (0.0, 1.0, 0.0))
    after = turned.frames[0].camera
    assert after is not None
    assert turned.z_up
    assert (after.fx, after.fy) == (50, 50)
    pose, world = np.reshape(after.camera_to_world, (4, 4)), turn_of(turned)
    assert np.linalg.det(pose[:3, :3]) == pytest.approx(1)
    assert np.linalg.det(world) == pytest.approx(-1)
    # The camera looks along its world's z, x is to its right and y up. From above, right must be a quarter clockwise from ahead:
    # with x kept and z up, ahead is +y.
    assert pose[:3, 0].tolist() == [1, 0, 0]
    assert pose[:3, 2].tolist() == [0, 1, 0]
    points = np.array([[0.6, 1.3, 1.0], [0.1, 0.7, 2.0]])
    assert project(points @ world.T, after)[0] == pytest.approx(project(points, before)[0])


def test_a_folder_says_itself_which_way_is_up_or_is_told(tmp_path):
    write_room(tmp_path / "room", 0, turned=TILTED, names=False)
    (plain,) = open_scans("rgbd", tmp_path)
    assert not plain.z_up
    vector = ",".join(str(value) for value in TILTED[:, 2])
    (told,) = open_scans("rgbd", tmp_path, ScanOptions(up=vector))
    write_room(tmp_path / "room", 0, turned=TILTED, names=False, up=vector)
    (says,) = open_scans("rgbd", tmp_path)
    assert told == says
    assert told.z_up
    heights = [np.reshape(frame.camera.camera_to_world, (4, 4))[2, 3] for frame in told.frames if frame.camera]
    assert heights == pytest.approx([1.9] * 8, abs=1e-6)  # the cameras' own height in the room
    with pytest.raises(InputError, match="expected the way up"):
        open_scans("rgbd", tmp_path, ScanOptions(up="sideways"))


def test_up_is_found_from_depth_in_a_room_that_lies_askew(tmp_path):
    write_room(tmp_path / "room", 1, turned=TILTED, names=False)
    (scan,) = open_scans("rgbd", tmp_path, ScanOptions(up="auto"))
    assert [entry.reason for entry in scan.problems] == ["up_estimated"]
    turn = turn_of(scan)
    off_deg = np.degrees(np.arccos(np.clip((turn @ TILTED)[2, 2], -1, 1)))
    assert off_deg < 0.5


def test_up_that_is_not_sure_stays_unknown_and_the_ledger_says_why(tmp_path):
    write_room(tmp_path / "room", 1, names=False)
    for path in (tmp_path / "room/depth").iterdir():
        path.unlink()
    (scan,) = open_scans("rgbd", tmp_path, ScanOptions(up="auto"))
    assert not scan.z_up
    assert scan.problems[-1].reason == "up_unsure"
    assert "0 places of smooth surface in 0 frames" in (scan.problems[-1].detail or "")


def test_a_guess_is_refused():
    level = np.concatenate([directions(0.3, UPRIGHT), directions(1.0, np.array([1.0, 0, 0]), count=600)])
    assert up_of_normals(level, UPRIGHT * 0.95, num_frames=3).up == pytest.approx((0, 0, 1), abs=0.01)
    assert "agree to 0.50" in up_of_normals(level, UPRIGHT * 0.5, num_frames=3).detail
    assert "of the surface is level" in up_of_normals(directions(1.0, np.array([1.0, 0, 0])), UPRIGHT, num_frames=3).detail
    assert "is upright" in up_of_normals(directions(1.0, UPRIGHT), UPRIGHT, num_frames=3).detail
    roof = np.array([np.sin(np.radians(30)), 0, np.cos(np.radians(30))])
    both = np.concatenate([level, directions(0.3, roof)])
    assert "two directions may be up" in up_of_normals(both, UPRIGHT, num_frames=3).detail


def test_up_of_a_real_folder_is_y(shared_data):
    options = ScanOptions(depth_scale=5000, intrinsics=(481.2, -480.0, 319.5, 239.5), up="auto")
    (scan,) = open_scans("rgbd", shared_data / "icl_nuim_5view", options)
    turn = turn_of(scan)
    assert np.degrees(np.arccos(min(1.0, turn[2, 1]))) < 1.0
