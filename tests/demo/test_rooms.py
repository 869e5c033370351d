"""Rooms as they stand on disk, read with code of this file alone: layout, exactness, fairness, and the situations that occur."""

import json
import shutil
from dataclasses import dataclass, replace
from itertools import permutations
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from sightline.demo import rooms
from sightline.demo.render import Lens, cast
from sightline.demo.rooms import write_rooms
from sightline.errors import InputError

REQUEST: dict[str, Any] = {"num_train": 1, "num_validation": 2, "seed": 0, "width": 240, "height": 180}
SCENES = ["train/room_000", "validation/room_001", "validation/room_002"]


@dataclass(frozen=True)
class SeenView:
    """What the files of one view of one target hold, in metres and bool."""

    original: np.ndarray
    inpainted: np.ndarray
    mask: np.ndarray
    dilated: np.ndarray
    depth: np.ndarray
    inpainted_depth: np.ndarray
    pose: np.ndarray
    item: dict
    lens: dict


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rooms") / "root"
    write_rooms(folder, **REQUEST)
    return folder


@pytest.fixture(scope="module")
def targets(root):
    """{scene: {uid: its five views}}"""
    return {scene: {folder.name: _read_target(root, folder) for folder in sorted((root / scene).iterdir())} for scene in SCENES}


def _read_target(root, folder):
    (annotation,) = folder.glob("*_five_frames.json")
    assert annotation.name == f"{folder.parent.name}_{folder.name}_five_frames.json"
    lens = json.loads((folder / "intrinsics.json").read_text())
    views = []
    for item in json.loads(annotation.read_text()):
        stem = root / item["original"].removesuffix("original.png")
        assert stem.parent == folder

        def read(name, flags, stem=stem):
            picture = cv2.imread(f"{stem}{name}.png", flags)
            assert picture is not None
            return picture

        mask, dilated = read("mask", cv2.IMREAD_UNCHANGED), read("mask_dialated", cv2.IMREAD_UNCHANGED)
        assert set(np.unique(mask)) <= {0, 255}
        depth, behind = read("depth", cv2.IMREAD_UNCHANGED), read("inpainted_depth", cv2.IMREAD_UNCHANGED)
        assert depth.dtype == behind.dtype == np.uint16
        pose = np.loadtxt(f"{stem}pose.txt")
        colours = read("original", cv2.IMREAD_COLOR), read("inpainted", cv2.IMREAD_COLOR)
        views.append(SeenView(*colours, mask > 0, dilated > 0, depth / 1000, behind / 1000, pose, item, lens))
    return views


def _write(root, **changes):
    write_rooms(root, **(REQUEST | changes))


def _every_view(targets):
    return [view for objects in targets.values() for views in objects.values() for view in views]


def _every_pair(targets):
    """Ordered pairs of views of one target of which the first shows it."""
    return [
        (first, second)
        for objects in targets.values()
        for views in objects.values()
        for first, second in permutations(views, 2)
        if first.mask.any()
    ]


def _carry(first, second, where):
    """Pixels `where` of the first view in the second: (row, column, depth) of those inside it, and which they are."""
    lens = first.lens
    rows, columns = np.nonzero(where)
    z = first.depth[rows, columns]
    x = (columns + 0.5 - lens["cx"]) / lens["fx"] * z
    y = (rows + 0.5 - lens["cy"]) / lens["fy"] * z
    world = first.pose @ np.stack([x, y, z, np.ones_like(z)])
    x, y, z, _ = np.linalg.inv(second.pose) @ world
    column, row = np.floor(x / z * lens["fx"] + lens["cx"]), np.floor(y / z * lens["fy"] + lens["cy"])
    inside = (z > 0.1) & (column >= 0) & (column < lens["width"]) & (row >= 0) & (row < lens["height"])
    return row[inside].astype(int), column[inside].astype(int), z[inside]


def _files(root):
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


# ---------------------------------------------------------------- the tree


def test_the_same_bytes_for_one_worker_and_two(root, tmp_path):
    write_rooms(tmp_path / "again", **REQUEST, workers=2)
    assert _files(tmp_path / "again") == _files(root)


def test_each_scene_is_in_one_split_and_each_target_has_five_views_of_the_same_pictures(root, targets):
    assert sorted(path.relative_to(root).as_posix() for path in root.glob("*/room_*")) == SCENES
    for objects in targets.values():
        assert 3 <= len(objects) <= 4
        for views in objects.values():
            assert [Path(view.item["original"]).name[:2] for view in views] == ["01", "02", "03", "04", "05"]
            assert all(int(view.item["frame_id"]) % 10 == 0 for view in views)
        for same_view in zip(*objects.values(), strict=True):
            assert all((view.original == same_view[0].original).all() for view in same_view)
            assert all((view.depth == same_view[0].depth).all() for view in same_view)


def test_boxes_are_those_of_the_masks_with_exclusive_ends(targets):
    for view in _every_view(targets):
        item = view.item
        assert (item["img_w"], item["img_h"]) == (view.lens["width"], view.lens["height"]) == view.mask.shape[::-1]
        box = [item[name] for name in ("x0", "y0", "x1", "y1")]
        if not view.mask.any():
            assert box == [None] * 4
            assert item["cx_norm"] is item["cy_norm"] is None
            continue
        rows, columns = np.nonzero(view.mask)
        assert box == [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]
        assert item["cx_norm"] == pytest.approx((box[0] + box[2]) / 2 / item["img_w"], abs=1e-4)


def test_poses_are_rigid(targets):
    for view in _every_view(targets):
        assert view.pose[:3, :3] @ view.pose[:3, :3].T == pytest.approx(np.eye(3), abs=1e-9)
        assert view.pose[3].tolist() == [0, 0, 0, 1]


# ---------------------------------------------------------------- exactness


def test_the_twin_differs_inside_the_mask_only(targets):
    for view in _every_view(targets):
        assert (view.inpainted[~view.mask] == view.original[~view.mask]).all()
        assert (view.inpainted_depth[~view.mask] == view.depth[~view.mask]).all()


def test_the_mask_is_where_the_twin_lies_deeper(targets):
    for view in _every_view(targets):
        deeper = view.inpainted_depth > view.depth
        assert not (deeper & ~view.mask).any()
        # at most the line along which an object touches the floor is less than a millimetre in front of it
        assert deeper.sum() >= 0.98 * view.mask.sum()


def test_the_dilated_mask_adds_a_rim_of_two_percent_of_the_width(targets):
    radius = round(0.02 * REQUEST["width"])
    for view in _every_view(targets):
        distance = cv2.distanceTransform((~view.mask).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        assert (view.dilated[view.mask]).all()
        if view.mask.any():
            assert view.dilated[distance <= radius - 1].all()
            assert not view.dilated[distance > radius + 0.5].any()
        else:
            assert not view.dilated.any()


def test_surface_points_seen_in_another_view_fall_on_its_mask_there_and_others_do_not(targets):
    on_mask, beside = [], []
    some = np.arange(REQUEST["width"] * REQUEST["height"]).reshape(REQUEST["height"], -1) % 7 == 0
    for first, second in _every_pair(targets):
        for where, found in ((first.mask, on_mask), (~first.mask & some, beside)):
            row, column, z = _carry(first, second, where)
            seen = np.abs(second.depth[row, column] - z) < 0.01
            found.append(second.mask[row, column][seen])
    assert np.concatenate(on_mask).size > 5000
    assert np.concatenate(on_mask).mean() >= 0.99
    assert np.concatenate(beside).mean() <= 0.001


# ---------------------------------------------------------------- fairness


def test_an_object_is_well_visible_or_not_at_all(targets):
    for view in _every_view(targets):
        assert view.mask.mean() >= 0.001 or not view.mask.any()
    for objects in targets.values():
        for views in objects.values():
            assert views[0].mask.any()
            assert sum(view.mask.any() for view in views) >= 2


def test_two_views_of_an_object_share_a_clear_patch_of_it(targets):
    pairs = [(first, second) for first, second in _every_pair(targets) if second.mask.any()]
    assert len(pairs) > 20
    for first, second in pairs:
        row, column, z = _carry(first, second, first.mask)
        seen = second.mask[row, column] & (np.abs(second.depth[row, column] - z) < 5.0 / first.lens["fx"] + 0.001)
        assert seen.sum() >= max(20, 0.1 * first.mask.sum() - 1)
        inner = cv2.erode(np.pad(second.mask, 2).astype(np.uint8), np.ones((5, 5), np.uint8))[2:-2, 2:-2]
        assert inner[row[seen], column[seen]].any()


def test_where_an_object_is_not_visible_none_of_its_surface_passes_a_depth_test(targets):
    pairs = [(first, second) for first, second in _every_pair(targets) if not second.mask.any()]
    assert len(pairs) > 20
    for first, second in pairs:
        row, column, z = _carry(first, second, first.mask)
        assert (z - second.depth[row, column] > np.maximum(0.05, 0.05 * z) - 0.002).all()


def test_removing_one_target_shows_nothing_new_of_another():
    room = rooms.draw_room(seed=0, number=2, lens=Lens(240, 180))
    parts = room.layout.parts
    uids = [part.uid for part in parts]
    for target in (k for k, uid in enumerate(uids) if uid):
        emptier = replace(room.layout, parts=parts[:target] + parts[target + 1 :])
        left = [k for k, uid in enumerate(uids) if uid and k != target]
        for hits, pose in zip(room.views, room.layout.poses, strict=True):
            after = cast(emptier, pose, lens=room.lens)
            for other in left:
                assert ((hits.part == other) == (after.part == other - (other > target))).all()


def test_every_room_has_an_out_of_view_target_with_a_distractor_and_a_hidden_one(targets):
    for objects in targets.values():
        situations = set()
        for view_index in range(5):
            for uid, views in objects.items():
                here = views[view_index]
                if here.mask.any():
                    continue
                landings = [len(_carry(views[0], here, views[0].mask)[0])]
                if landings[0]:
                    situations.add("hidden")
                    continue
                situations.add("out of view")
                others = [other[view_index] for name, other in objects.items() if name != uid]
                if any(other.mask.any() and other.item["label"] == here.item["label"] for other in others):
                    situations.add("distractor")
        assert situations == {"hidden", "out of view", "distractor"}


# ---------------------------------------------------------------- running it again, and bad requests


def test_complete_rooms_are_kept_and_missing_ones_come_back_the_same(root, tmp_path):
    tree = tmp_path / "tree"
    shutil.copytree(root, tree)
    kept = next((tree / "train").rglob("*_pose.txt"))
    kept.write_text("touched by the user")
    shutil.rmtree(tree / "validation/room_001")
    (tree / "validation/.room_001.123.tmp").mkdir()
    told = []
    write_rooms(tree, **REQUEST, on_scene=told.append)
    assert sorted(told) == ["room_000", "room_001", "room_002"]
    expected = _files(root) | {kept.relative_to(tree).as_posix(): b"touched by the user"}
    assert _files(tree) == expected
    assert not list(tree.rglob("*.tmp"))


def test_another_request_against_the_same_folder_is_refused(root):
    with pytest.raises(InputError, match=r"seed=0.*seed=1"):
        _write(root, seed=1)


def test_a_folder_with_other_data_is_refused_and_left_alone(tmp_path):
    (tmp_path / "train").mkdir()
    with pytest.raises(InputError, match=r"not a tree of demo rooms"):
        write_rooms(tmp_path, **REQUEST)
    assert not (tmp_path / "rooms.json").exists()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"num_train": -1}, "num_train is -1"),
        ({"num_train": 0, "num_validation": 0}, r"num_train \+ num_validation is 0; expected 1 to 1000"),
        ({"seed": -1}, "seed is -1"),
        ({"width": 10}, "width is 10; expected 64"),
        ({"workers": 0}, "workers is 0"),
    ],
)
def test_a_request_out_of_range_is_refused(tmp_path, wrong, message):
    with pytest.raises(InputError, match=message):
        _write(tmp_path / "new", **wrong)
    assert not (tmp_path / "new").exists()


def test_pictures_too_small_to_be_fair_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(rooms, "MAX_ATTEMPTS", 3)
    with pytest.raises(InputError, match=r"room_000: none of 3 layouts.*64 x 64"):
        _write(tmp_path, width=64, height=64)
