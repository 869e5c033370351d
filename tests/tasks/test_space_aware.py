"""Frames by what they see: the choices of the published tool, exact numbers of frames, and the plain way in sets beside ours."""

import json
import struct
from pathlib import Path

import numpy as np
import pytest

from sightline.errors import InputError
from sightline.geometry.depth_cells import CellCounter, space_of
from sightline.geometry.voxels import filled, max_coverage
from sightline.tasks.space_aware import points_aware, reference, space_aware
from sightline.types import Camera

CASES = ("1_room_walk", "2_saturating", "3_all_tied", "4_unsure_frames", "5_low_confidence", "6_corridor_far_origin")


def read_tensors(path: Path) -> dict[str, np.ndarray]:
    """A safetensors file: a length, a JSON header, numbers."""
    content = path.read_bytes()
    (size,) = struct.unpack("<Q", content[:8])
    header, body = json.loads(content[8 : 8 + size]), content[8 + size :]
    kinds = {"F32": np.float32, "U8": np.uint8}
    return {
        name: np.frombuffer(body[slice(*each["data_offsets"])], dtype=kinds[each["dtype"]]).reshape(each["shape"])
        for name, each in header.items()
        if name != "__metadata__"
    }


def camera(x: float, *, width: int = 32, height: int = 24, turned: bool = False) -> Camera:
    forward = (-1.0, 0.0, 0.0, x, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0, -1.0, 0.0) if turned else (1.0, 0, 0, x, 0, 1.0, 0, 0, 0, 0, 1.0, 0)
    pose = tuple(float(each) for each in (*forward, 0, 0, 0, 1))
    return Camera(width=width, height=height, fx=20, fy=20, cx=width / 2, cy=height / 2, camera_to_world=pose, world="w")


@pytest.mark.parametrize("case", CASES)
def test_the_reference_mode_chooses_what_the_published_tool_chooses(case: str, shared_data: Path):
    folder = shared_data.parent / "golden" / "space_aware_sampling"
    if not folder.is_dir():
        pytest.skip("the golden choices are not here")
    expected = json.loads((folder / f"case_{case}.json").read_text())
    tensors = read_tensors(folder / f"case_{case}.safetensors")
    for count, frames in expected["selected"].items():
        chosen = reference(tensors["world_points"], tensors["world_points_conf"], int(count))
        assert list(chosen.frames) == frames
        assert list(chosen.order) == expected["selection_order"][count]
        assert list(chosen.gains) == expected["gains_in_selection_order"][: len(chosen.gains)]
        exact = points_aware(tensors["world_points"], tensors["world_points_conf"], int(count))
        assert len(exact.frames) == int(count)
        assert (exact.num_greedy, exact.num_filled) == (len(frames), int(count) - len(frames))


def test_of_equal_frames_the_first_is_taken_and_the_rest_is_filled_from_far_in_time():
    cells = [np.array([1, 2]), np.array([1, 2]), np.array([2]), np.array([3, 4]), np.array([3]), np.array([4])]
    found = max_coverage(cells, 5)
    assert (found.frames, found.gains) == ((0, 3), (2, 2))
    # chosen 0 and 3 of six: frame 5 is 2 away, the others 1; then 1, 2 and 4 are 1 away, 1 comes first
    assert filled(found.frames, 4, 6) == (5, 1)
    assert filled((), 2, 4) == (0, 3)
    assert filled((0,), 9, 2) == (1,)


def test_cells_of_a_depth_picture_are_those_of_its_points():
    depth = np.full((24, 32), 2.0, dtype=np.float32)
    depth[0, 0] = 0
    depth[5, 5] = np.inf
    views = [camera(0.0), camera(0.5, turned=True)]
    space = space_of([depth, depth], views, 0.25)
    counter = CellCounter(space)
    for view in views:
        expected = set()
        pose = np.array(view.camera_to_world).reshape(4, 4)
        for row in range(24):
            for column in range(32):
                z = float(depth[row, column])
                if 0 < z < np.inf:
                    ray = np.array([(column + 0.5 - view.cx) / view.fx * z, (row + 0.5 - view.cy) / view.fy * z, z])
                    expected.add(tuple(np.floor((pose[:3, :3] @ ray + pose[:3, 3]) / 0.25).astype(int) - space.first))
        found = counter.cells(depth, view)
        assert len(found) == len(set(found.tolist()))
        assert {tuple(int(place) for place in np.unravel_index(each, space.shape)) for each in found} == expected


def test_views_of_other_places_come_before_repeated_ones_and_the_number_is_exact():
    depth = np.full((24, 32), 2.0, dtype=np.float32)
    views = [camera(0.0), camera(0.0), camera(0.0), camera(9.0), camera(0.0), camera(0.0, turned=True)]
    chosen = space_aware([depth] * 6, views, 4)
    assert set(chosen.order) == {0, 3, 5}
    assert (chosen.frames, chosen.num_filled) == ((0, 1, 3, 5), 1)
    assert space_aware([depth] * 6, views, 10).frames == (0, 1, 2, 3, 4, 5)


def test_what_cannot_be_sampled_says_why():
    depth = np.zeros((24, 32), dtype=np.float32)
    with pytest.raises(InputError, match="has any depth"):
        space_aware([depth], [camera(0.0)], 2)
    with pytest.raises(InputError, match="one camera a picture"):
        space_aware([depth], [], 2)
    with pytest.raises(InputError, match="more than"):
        space_aware([depth + 1e6], [camera(0.0)], 2)
    flat = np.zeros((2, 3, 3, 3), dtype=np.float32)
    with pytest.raises(InputError, match="no extent"):
        reference(flat, np.ones((2, 3, 3), dtype=np.float32), 2)
    with pytest.raises(InputError, match="no points"):
        reference(flat, np.zeros((2, 3, 3), dtype=np.float32), 2)
