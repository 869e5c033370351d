import numpy as np
import pytest

from sightline.geometry.camera import turn_camera
from sightline.geometry.raster import NEAR_M, NO_TRIANGLE, rasterise
from sightline.types import Camera

POSE = np.eye(4)


def camera(width=40, height=30, *, fy=30.0, pose=POSE):
    return Camera(
        width=width,
        height=height,
        fx=30.0,
        fy=fy,
        cx=width / 2,
        cy=height / 2,
        camera_to_world=tuple(pose.ravel().tolist()),
        world="w",
    )


def ray_cast(vertices, triangles, lens):
    """Every pixel's ray against every triangle, by solving for the crossing of the ray with its plane: the plain way."""
    number, depth = np.full((lens.height, lens.width), NO_TRIANGLE), np.zeros((lens.height, lens.width))
    pose = np.reshape(lens.camera_to_world, (4, 4))
    local = (vertices - pose[:3, 3]) @ pose[:3, :3]
    for row in range(lens.height):
        for column in range(lens.width):
            ray = np.array([(column + 0.5 - lens.cx) / lens.fx, (row + 0.5 - lens.cy) / lens.fy, 1.0])
            for index, corners in enumerate(local[triangles]):
                system = np.stack([ray, corners[0] - corners[1], corners[0] - corners[2]], axis=1)
                if abs(np.linalg.det(system)) < 1e-12:
                    continue
                z, u, v = np.linalg.solve(system, corners[0])
                if min(u, v) >= 0 and u + v <= 1 and z >= NEAR_M and (depth[row, column] == 0 or z < depth[row, column]):
                    number[row, column], depth[row, column] = index, z
    return number, depth


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("fy", [30.0, -30.0])
def test_random_triangles_are_seen_as_rays_see_them(seed, fy):
    rng = np.random.default_rng(seed)
    vertices = rng.uniform((-2, -2, -0.5), (2, 2, 4), (24, 3))  # some reach behind the camera
    triangles = rng.permutation(24).reshape(8, 3)
    lens = camera(24, 18, fy=fy)
    found = rasterise(vertices, triangles, lens)
    number, depth = ray_cast(vertices, triangles, lens)
    assert (found.triangle == number).all()
    assert found.depth_m == pytest.approx(depth, rel=1e-9)
    assert (number != NO_TRIANGLE).mean() > 0.2


def test_shared_edges_are_taken_exactly_once_even_through_pixel_centres():
    # A fan around a point that is the centre of pixel (20, 15), with edges along rows, columns and diagonals of centres.
    angles = np.deg2rad([0, 45, 90, 135, 180, 225, 270, 315])
    middle = np.array([0.5, 0.5])
    rim = middle + 8 * np.round(np.stack([np.cos(angles), np.sin(angles)], axis=1) * 2) / 2
    pixels = np.vstack([middle, rim])
    vertices = np.column_stack([pixels / 30, np.ones(len(pixels))])  # z = 1: pixel = 30 x + 20
    triangles = np.array([[0, 1 + k, 1 + (k + 1) % 8] for k in range(8)])
    taken = np.zeros((30, 40), int)
    for triangle in triangles:
        taken += rasterise(vertices, triangle[None], camera()).triangle != NO_TRIANGLE
    assert taken.max() == 1
    together = rasterise(vertices, triangles, camera()).triangle != NO_TRIANGLE
    assert (together == (taken == 1)).all()
    assert together[15, 20]
    rows, columns = np.indices(together.shape)
    assert together[np.abs(rows - 15) + np.abs(columns - 20) < 8].all()  # the rim is a diamond: no hole in it


def test_depth_of_a_slanted_plane_is_exact():
    # The plane z = 2 + x: on the ray x = a z it lies at z = 2 / (1 - a).
    vertices = np.array([[-1.0, -9, 1], [1, -9, 3], [1, 9, 3], [-1, 9, 1]])
    found = rasterise(vertices, np.array([[0, 1, 2], [0, 2, 3]]), camera())
    slope = (np.arange(40) + 0.5 - 20) / 30
    seen = found.depth_m[15] > 0
    assert seen.sum() > 15
    assert found.depth_m[15][seen] == pytest.approx((2 / (1 - slope))[seen])


def test_the_nearer_triangle_hides_and_of_equal_ones_the_first_is_seen():
    square = np.array([[-9.0, -9, 0], [9, -9, 0], [0, 9, 0]])
    vertices = np.vstack([square + np.array([0, 0, z]) for z in (3, 2, 2)])
    found = rasterise(vertices, np.array([[0, 1, 2], [3, 4, 5], [6, 7, 8]]), camera())
    assert found.triangle[15, 20] == 1
    assert found.depth_m[15, 20] == pytest.approx(2)


def test_nothing_is_seen_of_an_empty_mesh_and_of_one_behind_the_camera():
    empty = rasterise(np.zeros((0, 3)), np.zeros((0, 3), np.int64), camera())
    assert (empty.triangle == NO_TRIANGLE).all()
    behind = rasterise(np.array([[-1.0, -1, -2], [1, -1, -2], [0, 1, -2]]), np.array([[0, 1, 2]]), camera())
    assert not behind.depth_m.any()


def test_a_turned_camera_sees_the_turned_picture():
    rng = np.random.default_rng(7)
    vertices = rng.uniform((-2, -2, 0.5), (2, 2, 4), (24, 3))
    triangles = np.arange(24).reshape(8, 3)
    upright = rasterise(vertices, triangles, camera())
    for turns in (1, 2, 3):
        turned = rasterise(vertices, triangles, turn_camera(camera(), turns))
        assert (turned.triangle == np.rot90(upright.triangle, turns)).mean() > 0.995  # rounding on edges
