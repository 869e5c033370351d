import json

import numpy as np
import pytest

from sightline import media
from sightline.cli import run
from sightline.datasets import CLIP_READERS, ClipFormat
from sightline.datasets.scans import open_scans, scannetpp
from sightline.errors import InputError
from sightline.prepare.scans import ScanFrameOptions, damaged_files, prepare_scans
from tests.datasets.scans.rendered_folder import write_room
from tests.scan_trees import BOX, HEIGHT, WIDTH, depth_mm, pose_at, write_scannet_room, write_sens
from tests.video_file import write_video

NAME = "scene0000_00"
FRAMES = 9


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source" / NAME
    write_scannet_room(folder)
    # Along x: in the first and last frames the box (x from -0.5 to 0.5, two metres ahead) is out of view.
    write_sens(folder / f"{NAME}.sens", [pose_at(x) for x in np.linspace(-4, 4, FRAMES)])
    return tmp_path / "source"


def prepared(source, out, **options):
    reader = open_scans("scannet", source)
    return prepare_scans(reader, out, dataset="scannet", options=ScanFrameOptions(**options))


def only_scan(out):
    (scan,) = open_scans("prepared", out)
    return scan


def test_frames_keep_their_bytes_and_depth_where_nothing_changes(source, tmp_path):
    out = tmp_path / "out"
    summary = prepared(source, out)
    assert (summary.num_scans, summary.num_frames, summary.num_objects) == (1, FRAMES, 1)
    assert summary.dropped == {"object_without_vertices": 1}
    scan = only_scan(out)
    original = open_scans("scannet", source)[0]
    assert [frame.camera for frame in scan.frames] == [frame.camera for frame in original.frames]
    assert [frame.depth_camera for frame in scan.frames] == [frame.depth_camera for frame in original.frames]
    assert scan.objects == original.objects
    frame = scan.frames[2]
    assert frame.depth is not None
    assert media.read_depth(out / frame.depth, 0.001) == pytest.approx(depth_mm(2) * 0.001)
    assert (out / frame.image).read_bytes() in (source / NAME / f"{NAME}.sens").read_bytes()


def test_size_and_rate_are_kept_and_the_cameras_rescaled(source, tmp_path):
    out = tmp_path / "out"
    prepared(source, out, size=(24, 18), fps=0.5)  # the frames are a second apart
    scan = only_scan(out)
    assert [frame.frame_id for frame in scan.frames] == ["000000", "000002", "000004", "000006", "000008"]
    camera = scan.frames[0].camera
    assert camera is not None
    assert (camera.width, camera.height, camera.fx, camera.cx, camera.cy) == (24, 18, 20, 12, 9)
    assert media.read_rgb(out / scan.frames[0].image).shape == (18, 24, 3)
    assert scan.fps == 0.5


def test_masks_from_the_mesh_are_where_the_box_projects(source, tmp_path):
    out = tmp_path / "out"
    prepared(source, out)
    frame = only_scan(out).frames[FRAMES // 2]
    assert frame.instances is not None
    labels = media.read_labels(out / frame.instances)
    # From (0, 0, 1) along y the face at y = 2 spans x from -0.5 to 0.5, z from 0 to 1: columns 24 +- 40 * 0.5 / 2 = 14 to 34, rows
    # from 18 (z = 1, the camera's height) to 18 + 40 * 1 / 2 = 38, cut at 36.
    expected = np.zeros((HEIGHT, WIDTH), np.uint8)
    expected[18:36, 14:34] = 1
    assert (labels == expected).all()
    assert BOX[0][1] == 2


def test_the_same_command_resumes_and_damage_is_found(source, tmp_path):
    out = tmp_path / "out"
    prepared(source, out)
    scan_path = out / NAME / "scan.json"
    before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file() and path.name != ".lock"}
    picture = out / only_scan(out).frames[3].image
    scan_path.unlink()
    picture.unlink()
    prepared(source, out)
    assert {path: path.read_bytes() for path in before} == before
    assert damaged_files(out, NAME) == []
    picture.write_bytes(picture.read_bytes()[:-1] + b"x")
    assert damaged_files(out, NAME) == [f"colour/{picture.name}"]
    with pytest.raises(InputError, match="other options"):
        prepared(source, out, every=2)


def test_options_out_of_range_and_unknown_scans_are_refused(source, tmp_path):
    with pytest.raises(InputError, match="--fps 0"):
        prepared(source, tmp_path / "out", fps=0.0)
    with pytest.raises(InputError, match="--every 0"):
        prepared(source, tmp_path / "out", every=0)
    reader = open_scans("scannet", source)
    with pytest.raises(InputError, match="no scan 'other'"):
        prepare_scans(reader, tmp_path / "out", dataset="scannet", options=ScanFrameOptions(), scan_ids=["other"])
    (tmp_path / "full").mkdir()
    (tmp_path / "full/a.txt").touch()
    with pytest.raises(InputError, match=r"holds a\.txt but no prepare\.json"):
        prepared(source, tmp_path / "full")


@pytest.mark.parametrize(("poses", "reason"), [(2, "frames_without_pose"), (4, "unreadable")])
def test_a_video_with_another_number_of_frames_than_its_poses_is_in_the_ledger(tmp_path, monkeypatch, poses, reason):
    iphone = tmp_path / "s/iphone"
    write_video(iphone / "rgb.mkv", num_frames=3)
    intrinsic = [[40, 0, 23.5], [0, 40, 15.5], [0, 0, 1]]
    entries = {f"frame_{index:06d}": {"intrinsic": intrinsic, "aligned_pose": pose_at(index).tolist()} for index in range(poses)}
    (iphone / "pose_intrinsic_imu.json").write_text(json.dumps(entries))
    reader = open_scans("scannetpp", tmp_path)
    monkeypatch.setattr(scannetpp, "COLOUR_SIZE", (48, 32))  # the true one would be a large video
    summary = prepare_scans(reader, tmp_path / "out", dataset="scannetpp", options=ScanFrameOptions())
    assert summary.num_frames == min(poses, 3)
    assert (summary.dropped | summary.altered)[reason] == 1


def test_a_prepared_scan_becomes_an_x3_tree_with_absent_frames_and_a_task_set(source, tmp_path, capsys):
    assert isinstance(CLIP_READERS["scans"][0](), ClipFormat)
    out, x3, tasks = tmp_path / "out", tmp_path / "x3", tmp_path / "tasks"
    scan = ["prepare", "scan", "--data", "scannet", "--root", str(source), "--out", str(out), "--workers", "1", "--verify"]
    assert run(scan) == 0
    tree = ["prepare", "x3", "--data", "scans", "--root", str(out), "--out", str(x3), "--workers", "1", "--split-as", "train"]
    assert run([*tree, "--scale", "1/3", "--min-area", "0.01", "--no-controls"]) == 0
    items = json.loads(next(x3.rglob("*_five_frames.json")).read_text())
    assert len(items) == 5
    assert {item["label"] for item in items} == {"box"}
    assert sum(item["x0"] is None for item in items) == 2  # absent
    frame = only_scan(out).frames[0]
    lens = json.loads(next(x3.rglob("intrinsics.json")).read_text())
    assert (lens["width"], lens["fx"], lens["cx"]) == (16, pytest.approx(40 / 3), 8)
    assert frame.camera is not None
    view = next(x3.rglob(f"*_{frame.frame_id}_pose.txt"))
    assert np.loadtxt(view) == pytest.approx(np.reshape(frame.camera.camera_to_world, (4, 4)))
    # Depth of 24 x 18 with half the colour's intrinsics, seen in 16 x 12: column k looks at depth column floor(1.5 k + 0.75).
    stored = media.read_depth(view.with_name(view.name.replace("pose.txt", "depth.png")), 0.001)
    columns, rows = (np.floor(1.5 * np.arange(n) + 0.75).astype(int) for n in (16, 12))
    assert stored == pytest.approx(depth_mm(0)[rows[:, None], columns] * 0.001)
    assert run(["build", "x3", "--root", str(x3), "--out", str(tasks), "--workers", "1"]) == 0
    assert any(path.stat().st_size for path in tasks.rglob("examples-*.jsonl"))
    assert "Next:" in capsys.readouterr().out


def test_other_numbers_for_a_plain_folder_are_refused_and_the_same_command_is_not(tmp_path, capsys):
    write_room(tmp_path / "room", 0)
    command = [
        "prepare",
        "scan",
        "--data",
        "rgbd",
        "--root",
        str(tmp_path / "room"),
        "--out",
        str(tmp_path / "out"),
        "--workers",
        "1",
    ]
    told = [*command, "--up", "z", "--size", "96x72", "--intrinsics=153.6,153.6,96,72"]
    assert run(told) == 0
    scan = only_scan(tmp_path / "out")
    assert scan.z_up
    assert scan.alignment is not None
    assert len(scan.objects) > 5
    assert run(told) == 0
    capsys.readouterr()
    assert run([*told, "--depth-scale", "5000"]) == 2
    assert "depth_scale: 1000.0 there, 5000.0 now" in capsys.readouterr().err
    assert run([*command, "--size", "96x72", "--intrinsics=153.6,153.6,96,72"]) == 2
    assert "up: z there" in capsys.readouterr().err
