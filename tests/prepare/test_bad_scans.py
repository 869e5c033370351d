"""What is wrong with a scan on disk, through `sightline prepare scan`: a clear error, or a ledger entry and the rest."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from sightline import media
from sightline.cli import run
from sightline.datasets.scans import open_scans
from sightline.types import Scan
from tests.scan_trees import (
    HEIGHT,
    INTRINSICS,
    WIDTH,
    depth_mm,
    picture,
    pose_at,
    room_mesh,
    write_matrix,
    write_picture,
    write_ply,
    write_scannet_room,
    write_sens,
)
from tests.video_file import write_video

LOST = np.full((4, 4), -np.inf)
NAME = "scene0000_00"


def rgbd(root: Path, **lens: float) -> Path:
    for number in (1, 2, 3):
        write_picture(root / f"room/color/{number}.png", picture(number))
        write_picture(root / f"room/depth/{number}.png", depth_mm(number))
        write_matrix(root / f"room/pose/{number}.txt", pose_at(number))
    known = dict(zip(("fx", "fy", "cx", "cy"), INTRINSICS, strict=True))
    (root / "room/intrinsics.json").write_text(json.dumps({"width": WIDTH, "height": HEIGHT} | known | lens))
    return root


def scannet(root: Path, poses: list[np.ndarray]) -> Path:
    write_scannet_room(root / NAME)
    write_sens(root / NAME / f"{NAME}.sens", poses)
    return root


def prepare(data: str, root: Path, out: Path, *options: str) -> int:
    return run(["prepare", "scan", "--data", data, "--root", str(root), "--out", str(out), "--workers", "1", *options])


def prepared(out: Path) -> tuple[Scan, dict[str, str]]:
    """The only scan, and the detail of each reason in the ledger file."""
    (scan,) = open_scans("prepared", out)
    entries = [json.loads(line) for line in (out / "ledger.jsonl").read_text().splitlines()]
    return scan, {entry["reason"]: entry["detail"] for entry in entries}


def test_lost_poses_drop_their_frames(tmp_path):
    write_matrix(rgbd(tmp_path / "in") / "room/pose/2.txt", LOST)
    assert prepare("rgbd", tmp_path / "in", tmp_path / "out") == 0
    scan, ledger = prepared(tmp_path / "out")
    assert [frame.frame_id for frame in scan.frames] == ["000001", "000003"]
    assert "not finite" in ledger["pose_invalid"]


def test_lost_poses_of_a_container_drop_their_frames(tmp_path):
    scannet(tmp_path / "in", [pose_at(0), LOST, pose_at(1)])
    assert prepare("scannet", tmp_path / "in", tmp_path / "out") == 0
    scan, ledger = prepared(tmp_path / "out")
    assert [frame.frame_id for frame in scan.frames] == ["000000", "000002"]
    assert "pose_invalid" in ledger


def test_depth_of_another_shape_leaves_its_frame_without_depth(tmp_path):
    write_picture(rgbd(tmp_path / "in") / "room/depth/2.png", depth_mm(2, (24, 24)))
    (tmp_path / "in/room/depth/3.png").write_bytes(b"\x89PNG\r\n\x1a\nand no more")
    assert prepare("rgbd", tmp_path / "in", tmp_path / "out") == 0
    scan, ledger = prepared(tmp_path / "out")
    assert [frame.depth is not None for frame in scan.frames] == [True, False, False]
    assert "3.png" in ledger["depth_unusable"]
    details = [entry.detail or "" for entry in scan.problems]
    assert any("depth or labels of 24 x 24 for a camera of 48 x 36" in detail for detail in details)


@pytest.mark.parametrize("lens", [{"fx": 0}, {"fy": 0.0}])
def test_zero_intrinsics_of_a_plain_folder_are_an_error(tmp_path, capsys, lens):
    rgbd(tmp_path / "in", **lens)
    assert prepare("rgbd", tmp_path / "in", tmp_path / "out") == 2
    told = capsys.readouterr().err
    assert "focal lengths other than 0" in told
    assert "room" in told
    assert not list((tmp_path / "out").glob("*/scan.json"))


def test_zero_intrinsics_of_a_container_are_an_error(tmp_path, capsys):
    path = scannet(tmp_path / "in", [pose_at(0)]) / NAME / f"{NAME}.sens"
    whole = path.read_bytes()
    first = 4 + 8 + len("StructureSensor")  # fx is the first number behind the sensor's name
    path.write_bytes(whole[:first] + bytes(4) + whole[first + 4 :])
    assert prepare("scannet", tmp_path / "in", tmp_path / "out") == 2
    assert "focal lengths other than 0" in capsys.readouterr().err


def test_zero_intrinsics_of_a_phone_are_an_error(tmp_path, capsys):
    folder = tmp_path / "in/Training/41048190"
    write_picture(folder / "lowres_wide/41048190_1.000.png", picture(0, (24, 18)))
    (folder / "lowres_wide_intrinsics").mkdir()
    (folder / "lowres_wide_intrinsics/41048190_1.000.pincam").write_text("24 18 0 21 11.5 8.5\n")
    world_to_camera = np.linalg.inv(pose_at(0))
    angle = cv2.Rodrigues(world_to_camera[:3, :3])[0].ravel()
    (folder / "lowres_wide.traj").write_text(" ".join(f"{value:.9f}" for value in (1.0, *angle, *world_to_camera[:3, 3])) + "\n")
    assert prepare("arkitscenes", tmp_path / "in", tmp_path / "out") == 2
    assert "focal lengths other than 0" in capsys.readouterr().err


def test_a_mesh_without_segments_gives_frames_without_masks(tmp_path):
    folder = scannet(tmp_path / "in", [pose_at(0)]) / NAME
    (folder / f"{NAME}_vh_clean_2.0.010000.segs.json").unlink()
    assert prepare("scannet", tmp_path / "in", tmp_path / "out") == 0
    scan, ledger = prepared(tmp_path / "out")
    assert scan.frames[0].instances is None
    assert scan.objects == ()
    assert "mesh_without_segments" in ledger


def test_a_mesh_of_a_phone_without_segments_gives_frames_without_masks(tmp_path):
    iphone = tmp_path / "in/data/0a1b/iphone"
    write_video(iphone / "rgb.mkv", num_frames=1)
    entry = {"intrinsic": [[1500, 0, 959.5], [0, 1500, 719.5], [0, 0, 1]], "aligned_pose": pose_at(0).tolist()}
    (iphone / "pose_intrinsic_imu.json").write_text(json.dumps({"frame_000000": entry}))
    vertices, triangles, _ = room_mesh()
    write_ply(tmp_path / "in/data/0a1b/scans/mesh_aligned_0.05.ply", vertices, triangles)
    (scan,) = open_scans("scannetpp", tmp_path / "in")
    assert "mesh_without_segments" in {entry.reason for entry in scan.problems}


def test_a_container_cut_in_the_middle_gives_the_frames_before_the_cut(tmp_path, capsys):
    path = scannet(tmp_path / "in", [pose_at(0), pose_at(1), pose_at(2)]) / NAME / f"{NAME}.sens"
    path.write_bytes(path.read_bytes()[:-40])
    assert prepare("scannet", tmp_path / "in", tmp_path / "out") == 0
    scan, ledger = prepared(tmp_path / "out")
    assert [frame.frame_id for frame in scan.frames] == ["000000", "000001"]
    assert "sens_cut" in ledger
    assert "altered: sens_cut" in capsys.readouterr().out
    assert all(media.read_rgb(tmp_path / "out" / frame.image).shape == (HEIGHT, WIDTH, 3) for frame in scan.frames)
