import numpy as np
import pytest

from sightline.datasets.scans.mesh import SegmentGroup, read_ply, upright_box, vertex_objects
from sightline.errors import InputError
from tests.scan_trees import room_mesh, write_ply


@pytest.mark.parametrize("binary", [True, False])
def test_a_mesh_is_read_as_it_was_written(tmp_path, binary):
    vertices, triangles, _ = room_mesh()
    write_ply(tmp_path / "a.ply", vertices, triangles, binary=binary)
    found = read_ply(tmp_path / "a.ply")
    assert (found.vertices == vertices).all()
    assert (found.triangles == triangles).all()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (b"ply\n", b"plx\n", "expected a PLY mesh"),
        (b"binary_little_endian", b"binary_big_endian", "format 'binary_big_endian'"),
        (b"element vertex 12", b"element vertex 99999", "ends inside its 99,999 vertex"),
        (b"element face 14", b"element face 15", "ends inside its 15 face"),
        (b"property float z", b"property float q", "without x, y and z"),
        (b"property float z", b"property string z", "property of type 'string'"),
        (b"vertex_indices\n", b"vertex_indices\nproperty int colour\n", "a list and more"),
        (b"\x03\x00\x00\x00\x00", b"\x04\x00\x00\x00\x00", "not triangles"),
    ],
)
def test_a_damaged_mesh_is_refused(tmp_path, old, new, message):
    vertices, triangles, _ = room_mesh()
    path = tmp_path / "a.ply"
    write_ply(path, vertices, triangles)
    content = path.read_bytes()
    assert old in content
    path.write_bytes(content.replace(old, new, 1))
    with pytest.raises(InputError, match=message):
        read_ply(path)


def test_a_face_of_a_vertex_that_is_not_there_is_refused(tmp_path):
    vertices, triangles, _ = room_mesh()
    write_ply(tmp_path / "a.ply", vertices, triangles + 1)
    with pytest.raises(InputError, match="vertices that are not there"):
        read_ply(tmp_path / "a.ply")


def test_vertices_belong_to_the_first_group_with_their_segment():
    groups = (SegmentGroup(label="a", segments=(5, 7)), SegmentGroup(label="b", segments=(7, 9, 100)))
    assert vertex_objects(np.array([5, 7, 9, 1, 7]), groups).tolist() == [0, 0, 1, -1, 0]
    assert vertex_objects(np.array([5]), ()).tolist() == [-1]


@pytest.mark.parametrize("degrees", [0, 30, 100])
def test_the_upright_box_of_a_turned_cuboid_is_that_cuboid(degrees):
    rng = np.random.default_rng(1)
    angle = np.deg2rad(degrees)
    corners = np.array([[x, y, z] for x in (-1, 1) for y in (-0.25, 0.25) for z in (0, 3)], float)
    inner = rng.uniform(-1, 1, (50, 3)) * (1, 0.25, 1.5) + (0, 0, 1.5)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    box = upright_box(np.vstack([corners, inner]) @ turn.T + (4, 5, 6))
    assert box.centre == pytest.approx((4, 5, 7.5), abs=1e-4)
    assert sorted(box.lengths) == pytest.approx([0.5, 2, 3], abs=1e-4)
    assert np.reshape(box.axes, (3, 3)) @ np.reshape(box.axes, (3, 3)).T == pytest.approx(np.eye(3))
