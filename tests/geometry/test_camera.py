import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.errors import InputError
from sightline.geometry.camera import check_pose, pose_from_quaternion, project, scale_camera, turn_camera, unproject
from sightline.types import Camera


def camera(pose=None, fx=100.0, fy=100.0, cx=32.0, cy=24.0):
    matrix = np.eye(4) if pose is None else pose
    return Camera(width=64, height=48, fx=fx, fy=fy, cx=cx, cy=cy, camera_to_world=tuple(matrix.ravel().tolist()), world="w")


def test_pixels_are_continuous_and_depth_is_along_the_axis():
    # The principal point sees (0, 0, z). (42, 24): x = (42 - 32) / 100 * 2 = 0.2 m, z stays 2 although the ray is longer.
    points = unproject(np.array([[32.0, 24.0], [42.0, 24.0], [32.0, 14.0]]), np.array([2.0, 2.0, 4.0]), camera())
    assert points == pytest.approx(np.array([[0.0, 0, 2], [0.2, 0, 2], [0, -0.4, 4]]))


def test_a_pose_carries_camera_points_into_the_world():
    # Camera at (1, 2, 3), turned 90 degrees about y: its z axis is world x, its x axis is world -z.
    pose = np.array([[0.0, 0, 1, 1], [0, 1, 0, 2], [-1, 0, 0, 3], [0, 0, 0, 1]])
    # The camera point (0.2, 0, 2) is origin + 0.2 * (0, 0, -1) + 2 * (1, 0, 0) = (3, 2, 2.8).
    assert unproject(np.array([[42.0, 24.0]]), np.array([2.0]), camera(pose)) == pytest.approx(np.array([[3.0, 2.0, 2.8]]))
    pixels, z = project(np.array([[3.0, 2.0, 2.8]]), camera(pose))
    assert pixels == pytest.approx(np.array([[42.0, 24.0]]))
    assert z == pytest.approx(np.array([2.0]))


def test_points_behind_the_camera_have_no_pixel_but_a_z():
    pixels, z = project(np.array([[0.0, 0, -1], [0, 0, 0], [0, 0, 1]]), camera())
    assert np.isnan(pixels).all(axis=1).tolist() == [True, True, False]
    assert z.tolist() == [-1.0, 0.0, 1.0]


def test_a_negative_focal_length_mirrors_its_axis():
    # fy = -100: a point 0.1 m down at 1 m is 10 pixels above the principal point.
    pixels, _ = project(np.array([[0.0, 0.1, 1.0]]), camera(fy=-100.0))
    assert pixels == pytest.approx(np.array([[32.0, 14.0]]))
    assert unproject(pixels, np.array([1.0]), camera(fy=-100.0)) == pytest.approx(np.array([[0.0, 0.1, 1.0]]))


numbers = st.floats(-1, 1)
quaternions = (
    st.tuples(numbers, numbers, numbers, numbers).filter(lambda q: math.hypot(*q) > 0.2).map(lambda q: np.array(q) / math.hypot(*q))
)


@given(
    quaternions,
    st.tuples(numbers, numbers, numbers),
    st.floats(0, 64),
    st.floats(0, 48),
    st.floats(0.1, 20),
    st.sampled_from([90.0, -90.0]),
)
def test_projecting_undoes_unprojecting(quaternion, position, x, y, depth, fy):
    posed = camera(pose_from_quaternion(position, quaternion), fy=fy)
    pixels, z = project(unproject(np.array([[x, y]]), np.array([depth]), posed), posed)
    assert pixels == pytest.approx(np.array([[x, y]]), abs=1e-6)
    assert z == pytest.approx(np.array([depth]))


def test_a_quaternion_turns_as_written_by_hand():
    # 90 degrees about y: q = (0, sin 45, 0, cos 45); z axis -> x axis, x axis -> -z axis.
    half = math.sqrt(0.5)
    pose = pose_from_quaternion((1.0, 2.0, 3.0), (0.0, half, 0.0, half))
    assert pose == pytest.approx(np.array([[0.0, 0, 1, 1], [0, 1, 0, 2], [-1, 0, 0, 3], [0, 0, 0, 1]]), abs=1e-12)
    # 90 degrees about z: x axis -> y axis.
    assert pose_from_quaternion((0.0, 0.0, 0.0), (0.0, 0.0, half, half))[:3, 0] == pytest.approx([0, 1, 0], abs=1e-12)


@given(quaternions)
def test_a_slightly_rounded_quaternion_still_gives_a_rigid_pose(quaternion):
    check_pose(pose_from_quaternion((0.0, 0.0, 0.0), quaternion * 0.995))


@pytest.mark.parametrize(
    "quaternion", [(0.0, 0.0, 0.0, 0.0), (1.0, 1.0, 0.0, 0.0), (0.0, 0.0, math.nan, 1.0), (0.0, 0.0, 0.0, math.inf)]
)
def test_a_quaternion_that_is_not_of_unit_length_is_refused(quaternion):
    with pytest.raises(InputError, match="expected 1"):
        pose_from_quaternion((0.0, 0.0, 0.0), quaternion)


def changed(row, column, value):
    pose = np.eye(4)
    pose[row, column] = value
    return pose


@pytest.mark.parametrize(
    ("pose", "reason"),
    [
        (changed(0, 3, math.nan), "not finite"),
        (np.full((4, 4), -math.inf), "not finite"),  # how ScanNet marks a lost pose
        (changed(3, 0, 0.5), "the last row is [0.5, 0.0, 0.0, 1.0]"),
        (changed(3, 3, 0.0), "the last row"),
        (changed(0, 0, 1.1), "|R'R - I| is 0.21"),  # 1.1^2 - 1
        (changed(0, 1, 0.002), "|R'R - I| is 0.002"),
        (changed(2, 2, -1.0), "mirrored"),
    ],
)
def test_a_pose_that_is_not_rigid_is_refused_with_its_reason(pose, reason):
    with pytest.raises(InputError, match=re.escape(reason)):
        check_pose(pose)


def test_a_pose_with_rounding_errors_is_accepted():
    check_pose(changed(0, 1, 0.0009))
    check_pose(np.eye(4, dtype=np.float32))


def test_a_lost_translation_is_refused_from_a_quaternion_too():
    with pytest.raises(InputError, match="not finite"):
        pose_from_quaternion((math.inf, 0.0, 0.0), (0.0, 0.0, 0.0, 1.0))


def test_scaling_a_camera_multiplies_its_numbers():
    half = scale_camera(camera(), 32, 12)
    assert (half.width, half.height, half.fx, half.fy, half.cx, half.cy) == (32, 12, 50.0, 25.0, 16.0, 6.0)
    point = np.array([[0.1, 0.1, 1.0]])
    # (42, 34) in the full picture is (21, 8.5) at half the width and a quarter of the height.
    assert project(point, half)[0] == pytest.approx(np.array([[21.0, 8.5]]))


@pytest.mark.parametrize("turns", [1, 2, 3, 4, -1])
def test_a_turned_camera_puts_points_where_the_turned_picture_has_them(turns):
    pose = pose_from_quaternion((0.1, 0.2, 0.3), (0.1, 0.2, 0.3, 0.927362))
    camera = Camera(
        width=40, height=30, fx=35.0, fy=-33.0, cx=19.0, cy=16.0, camera_to_world=tuple(pose.ravel().tolist()), world="w"
    )
    pixels = np.array([[5.5, 7.5], [33.5, 21.5]])
    points = unproject(pixels, np.array([2.0, 3.0]), camera)
    turned, z = project(points, turn_camera(camera, turns))
    for (x, y), (new_x, new_y) in zip(pixels, turned, strict=True):
        marked = np.zeros((30, 40), bool)
        marked[int(y), int(x)] = True
        assert np.rot90(marked, turns)[int(new_y), int(new_x)]
        assert np.rot90(marked, turns).sum() == 1
    assert z == pytest.approx([2.0, 3.0])
    check_pose(np.reshape(turn_camera(camera, turns).camera_to_world, (4, 4)))
