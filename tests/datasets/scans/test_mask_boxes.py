import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

from sightline import media
from sightline.datasets.scans import ScanOptions, open_scans
from sightline.errors import InputError
from sightline.files import write_whole
from sightline.label_png import encode_label_png
from sightline.prepare.instances import write_instances
from sightline.types import Scan
from tests.datasets.scans.rendered_folder import write_room
from tests.scan_trees import write_matrix
from tests.tasks.spatial.rooms import rendered

WHOLE_DEG = 150.0
SHELF = 7


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    folder = tmp_path_factory.mktemp("drawn") / "room"
    write_room(folder, 0)
    return folder


@pytest.fixture
def room(drawn, tmp_path):
    return Path(shutil.copytree(drawn, tmp_path / "room"))


def scan_of(room, up: str | None = "z") -> Scan:
    (scan,) = open_scans("rgbd", room, ScanOptions(up=up))
    return scan


def corners(box) -> np.ndarray:
    """The lowest and highest corner of the box's own upright bounds."""
    half = np.abs(np.reshape(box.axes, (3, 3))).T @ np.array(box.lengths) / 2
    return np.array([box.centre - half, box.centre + half])


def test_boxes_are_no_larger_than_the_true_ones_and_fill_them_where_all_sides_are_seen(room):
    known = {str(int(each.object_id) + 1): each for each in rendered(0)[0].objects}
    scan = scan_of(room)
    whole = [each for each in scan.objects if not each.cut and each.unseen_deg <= WHOLE_DEG]
    assert len(whole) >= 3
    for each in scan.objects:
        true = known[each.object_id].box
        assert each.category == known[each.object_id].label
        assert corners(each.box)[0, 2] > corners(true)[0, 2] - 0.02
        assert corners(each.box)[1, 2] < corners(true)[1, 2] + 0.02
        assert each.box.lengths[0] * each.box.lengths[1] < 1.05 * true.lengths[0] * true.lengths[1]
    for each in whole:  # a pixel is 2 cm wide here, and the lowest row of a mask is its border with the floor
        assert sorted(each.box.lengths) == pytest.approx(sorted(known[each.object_id].box.lengths), abs=0.04)


def test_a_mask_that_runs_over_in_one_frame_is_mended_by_the_others(room):
    before = {each.object_id: each for each in scan_of(room).objects}[str(SHELF)]
    path = room / "instances/0.png"
    labels = media.read_indices(path)
    wider = cv2.dilate((labels == SHELF).astype(np.uint8), np.ones((25, 25), np.uint8)) > 0
    assert wider.sum() > 2 * (labels == SHELF).sum()
    write_whole(path, encode_label_png(np.where(wider, np.uint8(SHELF), labels)))
    after = {each.object_id: each for each in scan_of(room).objects}[str(SHELF)]
    assert corners(after.box) == pytest.approx(corners(before.box), abs=0.1)  # 12 pixels of 2 cm wider without the others


def test_specks_far_from_an_object_are_left_out(room):
    before = {each.object_id: each for each in scan_of(room).objects}[str(SHELF)]
    for number in range(8):  # a blot of its label in the same corner of each picture: no other frame sees the same surface
        path = room / f"instances/{number}.png"
        labels = media.read_indices(path).copy()
        labels[4:9, 4:9] = SHELF
        write_whole(path, encode_label_png(labels))
    after = {each.object_id: each for each in scan_of(room).objects}[str(SHELF)]
    assert corners(after.box) == pytest.approx(corners(before.box), abs=0.02)


def test_poses_that_do_not_fit_the_masks_give_no_boxes_but_a_reason(room):
    for number in (0, 2, 4, 6):
        pose = np.loadtxt(room / f"pose/{number}.txt")
        pose[:3, 3] += (1.2, -0.9, 0.4)
        write_matrix(room / f"pose/{number}.txt", pose)
    found = scan_of(room)
    reasons = [entry.reason for entry in found.problems]
    assert "masks_disagree" in reasons
    assert len(found.objects) < len(rendered(0)[0].objects) - reasons.count("object_without_points")


def test_an_object_that_ends_at_the_border_or_behind_another_is_cut(room):
    for path in room.glob("*/*"):
        if path.stem != "0":
            path.unlink()
    (room / "objects.json").write_text(json.dumps({str(SHELF): "shelf"}))
    (shelf,) = scan_of(room).objects
    assert not shelf.cut
    labels, depth = media.read_indices(room / "instances/0.png"), media.read_depth(room / "depth/0.png", 1.0)
    columns = np.flatnonzero((labels == SHELF).any(axis=0))
    middle = int(columns.mean())
    nearer = depth.astype(np.uint16)
    nearer[:, middle:] = 400  # something 40 cm before the camera, over half of it
    hidden = labels.copy()
    hidden[:, middle:] = 0
    write_whole(room / "depth/0.png", media.encode_grey_png(nearer))
    write_whole(room / "instances/0.png", encode_label_png(hidden))
    assert scan_of(room).objects[0].cut
    write_whole(room / "depth/0.png", media.encode_grey_png(np.ascontiguousarray(nearer[:, :middle])))
    write_whole(room / "instances/0.png", encode_label_png(np.ascontiguousarray(hidden[:, :middle])))
    write_whole(room / "color/0.png", media.encode_png(np.ascontiguousarray(media.read_rgb(room / "color/0.png")[:, :middle])))
    lens = json.loads((room / "intrinsics.json").read_text())
    (room / "intrinsics.json").write_text(json.dumps(lens | {"width": middle}))
    assert scan_of(room).objects[0].cut


def test_without_up_or_points_there_are_no_boxes_and_the_ledger_says_so(room):
    plain = scan_of(room, up=None)
    assert plain.objects == ()
    assert [entry.reason for entry in plain.problems] == ["objects_without_up"]
    (room / "objects.json").write_text('{"200": "ghost"}')
    ghost = scan_of(room)
    assert [(entry.unit, entry.reason) for entry in ghost.problems] == [("room/object 200", "object_without_points")]


@pytest.mark.parametrize(
    ("names", "message"),
    [('{"0": "lamp"}', "label '0'"), ('{"255": "lamp"}', "label '255'"), ('{"1": " "}', "empty name"), ("[1]", "objects.json")],
)
def test_names_that_belong_to_no_label_are_refused(room, names, message):
    (room / "objects.json").write_text(names)
    with pytest.raises(InputError, match=message):
        scan_of(room)


def test_boxes_of_real_frames_have_the_size_of_what_is_seen(shared_data, tmp_path):
    folder = tmp_path / "room"
    for path in (shared_data / "icl_nuim_5view").rglob("*"):
        if path.is_file():
            write_whole(folder / path.relative_to(shared_data / "icl_nuim_5view"), path.read_bytes())
    write_instances(shared_data / "x3_icl_nuim", "iclnuim_lr0", folder)
    (scan,) = open_scans("rgbd", folder, ScanOptions(depth_scale=5000, intrinsics=(481.2, -480.0, 319.5, 239.5), up="y"))
    lengths = {each.category: sorted(each.box.lengths) for each in scan.objects}
    # In view 1 the picture is 190 x 144 pixels at a depth of 3.38 m: 190 * 3.38 / 481.2 = 1.33 m by 144 * 3.38 / 480 = 1.01 m.
    assert lengths["picture"][1:] == pytest.approx([1.01, 1.33], abs=0.03)
    assert lengths["picture"][0] < 0.06
    # The lampshade: 62 x 43 pixels at 2.75 m: 0.35 m wide (its outline is farther away) and 0.25 m high.
    assert lengths["lampshade"][1:] == pytest.approx([0.25, 0.39], abs=0.04)
    assert all(each.unseen_deg > WHOLE_DEG for each in scan.objects)
