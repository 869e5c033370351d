import cv2
import msgspec
import numpy as np
import pytest

from sightline.errors import InputError
from sightline.geometry.camera import pose_from_quaternion, project, unproject
from sightline.geometry.points import pixel_indices
from sightline.geometry.visibility import frame_overlap, mask_points, point_visibility, tolerance_m
from sightline.types import Camera


def camera(x_m=0.0, world="w"):
    """8 x 4 pixels, 4 pixels per metre at 1 m, looking along z from (x_m, 0, 0)."""
    pose = np.eye(4)
    pose[0, 3] = x_m
    return Camera(width=8, height=4, fx=4.0, fy=4.0, cx=4.0, cy=2.0, camera_to_world=tuple(pose.ravel().tolist()), world=world)


WALL = np.full((4, 8), 2.0)  # metres


def judged(point, depth_m=WALL):
    seen = point_visibility(np.array([point], dtype=np.float64), camera(), depth_m)
    return bool(seen.in_frame[0]), bool(seen.visible[0]), bool(seen.occluded[0])


@pytest.mark.parametrize(
    ("point", "in_frame", "visible", "occluded"),
    [
        ((0, 0, 2.0), True, True, False),
        ((0, 0, 2.09), True, True, False),  # tolerance 0.05 * 2.09 = 0.1045 m
        ((0, 0, 2.11), True, False, True),  # 0.11 behind the wall, tolerance 0.1055
        ((0, 0, 1.92), True, True, False),  # 0.08 before it, tolerance 0.096
        ((0, 0, 1.85), True, False, False),  # 0.15 before it, tolerance 0.0925: in free space
        ((0, 0, -2.0), False, False, False),
        ((0, 0, 0.1), False, False, False),  # not more than 0.1 m away
        ((2.0, 0, 2.0), True, True, False),  # u = 4 * 2 / 2 + 4 = 8 = width: last column
        ((2.01, 0, 2.0), False, False, False),
        ((0, -1.0, 2.0), True, True, False),  # v = 4 * -1 / 2 + 2 = 0
        ((0, -1.01, 2.0), False, False, False),
    ],
)
def test_a_point_is_judged_by_the_surface_measured_at_its_pixel(point, in_frame, visible, occluded):
    assert judged(point) == (in_frame, visible, occluded)


def test_where_no_depth_was_measured_nothing_is_proved():
    assert judged((0, 0, 5.0), np.zeros((4, 8))) == (True, False, False)


def test_the_tolerance_is_five_centimetres_near_and_five_percent_far():
    assert tolerance_m(np.array([0.2, 1.0, 4.0])) == pytest.approx([0.05, 0.05, 0.2])


def test_pixels_are_reported_for_all_points_in_front():
    seen = point_visibility(np.array([[0.5, 0.25, 2.0], [0.0, 0.0, -1.0]]), camera(), WALL)
    assert seen.pixels[0].tolist() == [5.0, 2.5]  # 4 * 0.5 / 2 + 4, 4 * 0.25 / 2 + 2
    assert np.isnan(seen.pixels[1]).all()


def test_depth_of_another_size_than_the_camera_is_refused():
    small = np.ones((2, 4))
    with pytest.raises(InputError, match="depth picture of 4 x 2, camera of 8 x 4"):
        point_visibility(np.zeros((1, 3)), camera(), small)
    with pytest.raises(InputError, match="depth picture of 4 x 2, camera of 8 x 4"):
        mask_points(np.ones((2, 4), dtype=bool), small, camera())


def test_mask_points_lie_at_the_centres_of_pixels_that_have_depth():
    mask = np.zeros((4, 8), dtype=bool)
    mask[1, 4:7] = True
    depth = WALL.copy()
    depth[1, 5] = 0.0
    # Centres (4.5, 1.5) and (6.5, 1.5): x = 0.5 / 4 * 2 = 0.25 and 2.5 / 4 * 2 = 1.25, y = -0.5 / 4 * 2 = -0.25.
    assert mask_points(mask, depth, camera()).tolist() == [[0.25, -0.25, 2.0], [1.25, -0.25, 2.0]]


def test_mask_points_are_an_even_selection_that_never_changes():
    mask = np.ones((4, 8), dtype=bool)
    points = mask_points(mask, WALL, camera(), max_points=4)
    # 32 pixels, every 8th: the first of each row; centre (0.5, r + 0.5): x = -3.5 / 4 * 2 = -1.75.
    assert points[:, 0].tolist() == [-1.75] * 4
    assert points[:, 1].tolist() == [-0.75, -0.25, 0.25, 0.75]
    assert (mask_points(mask, WALL, camera(), max_points=4) == points).all()
    assert len(mask_points(mask, WALL, camera(), max_points=5)) == 5


def test_a_mask_without_depth_has_no_points():
    assert mask_points(np.ones((4, 8), dtype=bool), np.zeros((4, 8)), camera()).shape == (0, 3)


def test_overlap_of_a_wall_seen_from_two_places():
    # The wall at 2 m is 4 m wide in the picture. A step of 2 m to the right shows half of it again: a half of 4 and 4, so
    # common 2, union 6. A step of 4 m shows nothing of it again.
    assert frame_overlap(WALL, camera(), WALL, camera()) == 1.0
    assert frame_overlap(WALL, camera(), WALL, camera(x_m=2.0)) == pytest.approx(1 / 3)
    assert frame_overlap(WALL, camera(), WALL, camera(x_m=4.0)) == 0.0


def test_overlap_counts_occluded_surface_as_unseen():
    # From the second place a screen at 1 m hides the wall; the screen itself is not what the first picture shows.
    assert frame_overlap(WALL, camera(), WALL / 2, camera()) == 0.0


def test_overlap_of_pictures_without_depth_is_zero():
    assert frame_overlap(np.zeros((4, 8)), camera(), np.zeros((4, 8)), camera()) == 0.0


def test_cameras_of_different_worlds_are_never_related():
    with pytest.raises(AssertionError, match="different worlds"):
        frame_overlap(WALL, camera(), WALL, camera(world="elsewhere"))


def icl_view(folder, number):
    """Camera and depth of one ICL-NUIM view. Its calibration has pixel centres at whole numbers: 319.5 + 0.5 = 320 here."""
    row = np.loadtxt(folder / "pose.txt")[number - 1]
    pose = pose_from_quaternion(row[:3], row[3:])
    depth = cv2.imread(str(folder / "depth" / f"{number}.png"), cv2.IMREAD_UNCHANGED)
    assert depth is not None
    matrix = tuple(pose.ravel().tolist())
    return depth / 5000, Camera(width=640, height=480, fx=481.2, fy=-480.0, cx=320.0, cy=240.0, camera_to_world=matrix, world="icl")


def test_a_real_view_lands_on_the_surfaces_of_another(shared_data):
    folder = shared_data / "icl_nuim_5view"
    depth_4, camera_4 = icl_view(folder, 4)
    depth_2, camera_2 = icl_view(folder, 2)
    points = mask_points(np.ones((480, 640), dtype=bool), depth_4, camera_4, max_points=20_000)
    pixels, z = project(points, camera_2)
    index, inside = pixel_indices(pixels, 640, 480)
    measured = depth_2[index[:, 0], index[:, 1]]
    kept = inside & (measured > 0)
    assert kept.mean() > 0.5
    assert (np.abs(z - measured)[kept] < 0.03).mean() >= 0.9
    seen = point_visibility(points, camera_2, depth_2)
    assert seen.visible[kept].mean() >= 0.9


def test_a_real_view_seen_through_a_flipped_axis_does_not_land(shared_data):
    folder = shared_data / "icl_nuim_5view"
    depth_4, camera_4 = icl_view(folder, 4)
    depth_2, camera_2 = icl_view(folder, 2)
    upright = [msgspec.structs.replace(camera, fy=480.0) for camera in (camera_4, camera_2)]
    rows, columns = np.nonzero(depth_4)
    centres = np.stack([columns + 0.5, rows + 0.5], axis=1)[::15]
    points = unproject(centres, depth_4[rows, columns][::15], upright[0])
    assert point_visibility(points, upright[1], depth_2).visible.mean() < 0.5


def test_overlap_of_real_views_is_symmetric_and_full_with_itself(shared_data):
    folder = shared_data / "icl_nuim_5view"
    depth_4, camera_4 = icl_view(folder, 4)
    depth_2, camera_2 = icl_view(folder, 2)
    there = frame_overlap(depth_4, camera_4, depth_2, camera_2, max_points=5000)
    assert 0.3 < there < 1.0
    assert there == frame_overlap(depth_2, camera_2, depth_4, camera_4, max_points=5000)
    assert frame_overlap(depth_4, camera_4, depth_4, camera_4, max_points=5000) > 0.99
