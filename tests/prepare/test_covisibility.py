import json

import msgspec
import numpy as np
import pytest

from sightline import media
from sightline.datasets.scans import ScanOptions, open_scans
from sightline.datasets.scans.pixels import ScanPixels, depth_camera
from sightline.demo.scans import write_room_scan
from sightline.errors import InputError
from sightline.geometry.visibility import mask_points, point_visibility
from sightline.prepare.covisibility import covisibility


@pytest.fixture(scope="module")
def room(tmp_path_factory):
    root = tmp_path_factory.mktemp("rooms")
    return root, write_room_scan(root, seed=1, number=0, width=160, height=120)


def test_an_object_is_covisible_where_its_mask_has_pixels_and_not_where_it_has_none(room):
    root, scan = room
    found = covisibility(scan, root)
    assert found.object_ids == tuple(each.object_id for each in scan.objects)
    with ScanPixels(scan, root) as pixels:
        for frame, row in zip(scan.frames, found.visible, strict=True):
            labels = pixels.instances(frame)
            for each, share in zip(scan.objects, row, strict=True):
                count = int((labels == each.label).sum())
                if count > 60:
                    assert share is not None
                    assert share > 0.05
                if count == 0:
                    assert share is None or share < 0.02  # points on the rim, within the tolerance of what hides them
    assert any(share == 0 for row in found.visible for share in row)


def test_overlap_is_symmetric_and_full_with_itself(room):
    root, scan = room
    overlap = np.array(covisibility(scan, root).overlap)
    assert (overlap == overlap.T).all()
    assert np.diag(overlap).min() > 0.99
    assert 0 < overlap[0, 1] < 1


def test_the_numbers_are_read_again_until_the_record_changes(room):
    root, scan = room
    covisibility(scan, root)
    path = root / scan.scan_id / "covisibility.json"
    content = json.loads(path.read_text())
    content["overlap"][0][1] = 0.123
    path.write_text(json.dumps(content))
    assert covisibility(scan, root).overlap[0][1] == 0.123
    fewer = msgspec.structs.replace(scan, frames=scan.frames[:2])
    again = covisibility(fewer, root)
    assert len(again.overlap) == 2
    assert again.overlap[0][1] != 0.123


def test_frames_without_depth_and_too_many_frames_are_refused(room):
    root, scan = room
    bare = msgspec.structs.replace(scan.frames[0], depth=None)
    with pytest.raises(InputError, match="no depth or no pose"):
        covisibility(msgspec.structs.replace(scan, frames=(bare,)), root)
    with pytest.raises(InputError, match="at most 256 frames"):
        covisibility(msgspec.structs.replace(scan, frames=scan.frames * 60), root)


def test_the_shares_of_the_real_tree_are_found_again(shared_data):
    """`reprojection_check.json` came with the tree: shares of the mask's points in the other picture, and in its mask."""
    options = ScanOptions(depth_scale=5000, intrinsics=(481.2, -480.0, 319.5, 239.5))
    (scan,) = open_scans("rgbd", shared_data / "icl_nuim_5view", options)
    tree = shared_data / "x3_icl_nuim"
    expected = json.loads((tree / "reprojection_check.json").read_text())
    frames = {int(frame.frame_id): frame for frame in scan.frames}
    checked = 0
    with ScanPixels(scan, shared_data / "icl_nuim_5view") as pixels:
        depths = {number: pixels.depth_m(frame) for number, frame in frames.items()}
    for name, numbers in expected.items():
        uid, _, pair = name.partition(" view ")
        a, b = (int(word) for word in pair.split("->"))
        masks = {int(path.name[:2]): media.read_mask(path) for path in tree.glob(f"*/*/{uid}/*_mask.png")}
        depth_a, depth_b = depths[a], depths[b]
        assert depth_a is not None
        assert depth_b is not None
        points = mask_points(masks[a], depth_a, depth_camera(frames[a], depth_a))
        seen = point_visibility(points, depth_camera(frames[b], depth_b), depth_b)
        assert seen.in_frame.mean() == pytest.approx(numbers["projected_in_image"], abs=0.02)
        columns, rows = np.floor(seen.pixels[seen.visible]).astype(int).T
        in_mask = masks[b][np.minimum(rows, 479), np.minimum(columns, 639)].mean()
        assert in_mask == pytest.approx(numbers["visible_points_in_target_mask"], abs=0.03)
        checked += 1
    assert checked == 16
