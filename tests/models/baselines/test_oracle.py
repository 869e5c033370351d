import shutil

import msgspec
import numpy as np
import pytest

from sightline import media
from sightline.evaluate.predict import predict, read_geometry
from sightline.evaluate.score import score_example
from sightline.geometry.camera import pose_from_quaternion
from sightline.models import NotApplicable, get_model
from sightline.models.baselines.baseline import deepest_pixel
from sightline.models.baselines.oracle import PosedDepth, oracle, visible_patch
from sightline.taskset.store import TaskSet
from sightline.types import Camera, Prediction

IDENTITY = tuple(float(value) for value in np.eye(4).ravel())


@pytest.mark.parametrize("task", ["t1_multi", "t1_concat", "t2a", "t2b"])
def test_the_oracle_makes_no_mistake_on_exact_rooms(rooms, task):
    taskset = rooms[task]
    get_model("oracle").check(taskset)
    scores = []
    for example in taskset:
        reading = read_geometry(oracle(example.question, taskset), example.question)
        scores.append(score_example(example, Prediction(id=example.id, reading=reading), taskset.read_mask))
    assert [score.id for score in scores if not score.correct or score.hit is False] == []
    tiers = {score.tier for score in scores}
    assert {"V"} | ({"N1", "N2"} if task.startswith("t1") else set()) | ({"N0", "N4", "VC"} if task == "t2a" else set()) <= tiers


def shifted(x_m: float) -> tuple[float, ...]:
    """A camera `x_m` to the right."""
    pose = np.eye(4)
    pose[0, 3] = x_m
    return tuple(float(value) for value in pose.ravel())


def view(depth_m: np.ndarray, pose: tuple[float, ...] = IDENTITY) -> PosedDepth:
    """A camera of focal length 100 px whose principal point is the middle of the picture."""
    height, width = depth_m.shape
    camera = Camera(width=width, height=height, fx=100.0, fy=100.0, cx=width / 2, cy=height / 2, camera_to_world=pose, world="w")
    return PosedDepth(depth_m.astype(np.float32), camera)


def wall_with_plate(columns: slice) -> tuple[np.ndarray, np.ndarray]:
    """A wall 4 m away with a plate 2 m away in rows 20..29 and the given columns of 80 x 60 pixels: depth, mask of the plate."""
    mask = np.zeros((60, 80), dtype=bool)
    mask[20:30, columns] = True
    return np.where(mask, 2.0, 4.0), mask


def test_a_plate_is_found_where_the_other_camera_sees_it():
    # The second camera stands 0.2 m to the right: the plate, 2 m away, moves 0.2 * 100 / 2 = 10 pixels to the left.
    depth, mask = wall_with_plate(slice(40, 50))
    other_depth, other_mask = wall_with_plate(slice(30, 40))
    patch = visible_patch(mask, view(depth), view(other_depth, shifted(0.2)))
    assert patch is not None
    assert not (patch & ~other_mask).any()
    row, column, _ = deepest_pixel(patch)
    assert (row, column) in {(r, c) for r in (24, 25) for c in (34, 35)}  # its middle


def test_a_plate_behind_something_nearer_is_not_visible():
    depth, mask = wall_with_plate(slice(40, 50))
    other_depth, _ = wall_with_plate(slice(30, 40))
    other_depth[:, 25:45] = 1.0
    assert visible_patch(mask, view(depth), view(other_depth, shifted(0.2))) is None


def test_a_plate_that_was_taken_away_is_not_visible():
    depth, mask = wall_with_plate(slice(40, 50))
    assert visible_patch(mask, view(depth), view(np.full((60, 80), 4.0), shifted(0.2))) is None


def test_a_plate_out_of_view_is_not_visible():
    depth, mask = wall_with_plate(slice(40, 50))
    assert visible_patch(mask, view(depth), view(np.full((60, 80), 4.0), shifted(2.0))) is None  # moves 100 pixels


def test_a_wall_close_behind_a_plate_that_was_taken_away_is_not_mistaken_for_it():
    # 3 cm behind: within the 5 cm of the co-visibility rule, but not the same surface.
    depth, mask = wall_with_plate(slice(40, 50))
    depth = np.where(mask, 3.97, 4.0)
    assert visible_patch(mask, view(depth), view(np.full((60, 80), 4.0))) is None
    assert visible_patch(mask, view(depth), view(depth)) is not None


def test_holes_in_the_depth_are_no_evidence():
    depth, mask = wall_with_plate(slice(40, 50))
    assert visible_patch(mask, view(np.where(mask, 0.0, depth)), view(depth)) is None
    assert visible_patch(mask, view(depth), view(np.where(mask, 0.0, depth))) is None


def test_fewer_pixels_than_a_patch_are_not_visible():
    depth, mask = wall_with_plate(slice(40, 50))
    narrow = np.where(np.isin(np.arange(80), (44, 45)), depth, 1.0)  # all but two columns hidden
    assert visible_patch(mask, view(depth), view(narrow)) is None


def without(taskset: TaskSet, field: str) -> TaskSet:
    """The task set with depth or camera of the asked view taken out of its last example."""
    path = taskset.path / "examples-00000.jsonl"
    lines = path.read_bytes().splitlines()
    example = msgspec.json.decode(lines[-1])
    del example["question"]["panels"][1][field]
    path.write_bytes(b"\n".join([*lines[:-1], msgspec.json.encode(example)]) + b"\n")
    return taskset


@pytest.mark.parametrize(
    ("task", "field", "lack"),
    [
        ("t1_multi", "depth", "the query view has no depth"),
        ("t1_multi", "camera", "the query view has no camera pose"),
        ("t2b", "depth", "a picture has no depth"),
    ],
)
def test_without_depth_or_pose_the_oracle_refuses_before_anything_is_written(rooms, tmp_path, task, field, lack):
    taskset = without(TaskSet(shutil.copytree(rooms[task].path, tmp_path / "set")), field)
    with pytest.raises(NotApplicable, match=f"cannot answer task set '{task}-validation': {lack} .example '{task}/"):
        predict(taskset, get_model("oracle"), tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_view_of_another_world_needs_no_depth(rooms):
    foreign = [example for example in rooms["t2a"] if example.tier == "N0"]
    assert foreign
    assert all(example.question.panels[1].depth is None for example in foreign)
    get_model("oracle").check(rooms["t2a"])


def test_on_real_posed_depth_every_object_is_found_where_its_mask_is_and_nowhere_else(shared_data):
    """ICL-NUIM living room, five views: the masks of the x3 sample against the depth and poses of the RGB-D sample."""
    posed = {}
    lines = (shared_data / "icl_nuim_5view" / "pose.txt").read_text().split("\n")
    for number, line in enumerate([line for line in lines if line.strip()], start=1):
        *_, tx, ty, tz, qx, qy, qz, qw = map(float, line.split())
        pose = pose_from_quaternion((tx, ty, tz), (qx, qy, qz, qw))
        camera = Camera(
            width=640,
            height=480,
            fx=481.2,
            fy=-480.0,
            cx=320.0,
            cy=240.0,
            camera_to_world=tuple(pose.ravel().tolist()),
            world="icl",
        )
        posed[number] = PosedDepth(media.read_depth(shared_data / "icl_nuim_5view" / "depth" / f"{number}.png", 1 / 5000), camera)
    asked = found = 0
    for folder in sorted((shared_data / "x3_icl_nuim").glob("*/*/uid_*")):
        masks = {int(path.name[:2]): media.read_mask(path) for path in folder.glob("*_mask.png")}
        for a, b in ((a, b) for a in masks for b in masks if a != b and masks[a].any()):
            patch = visible_patch(masks[a], posed[a], posed[b])
            asked += 1
            found += patch is not None
            assert (patch is not None) == masks[b].any(), (folder.name, a, b)
            assert patch is None or masks[b][deepest_pixel(patch)[:2]], (folder.name, a, b)
    assert (asked, found) == (32, 16)
