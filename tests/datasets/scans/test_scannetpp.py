import json
import zlib

import lz4.block
import numpy as np
import pytest

from sightline.datasets.scans import open_scans
from sightline.datasets.scans.depth_stream import HEIGHT, WIDTH, DepthStream
from sightline.datasets.scans.pixels import ScanPixels
from sightline.errors import InputError
from tests.scan_trees import annotated_box, pose_at, room_mesh, write_ply
from tests.video_file import write_video

NUM_FRAMES = 3


def metres(index: int) -> np.ndarray:
    return np.random.default_rng(index).integers(500, 5000, (HEIGHT, WIDTH)).astype(np.float32) / np.float32(1000)


def deflated(content: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(content) + packer.flush()


def counted(parts: list[bytes]) -> bytes:
    return b"".join(len(part).to_bytes(4, "little") + part for part in parts)


def stream(encoding: str) -> bytes:
    frames = [metres(index) for index in range(NUM_FRAMES)]
    if encoding == "whole_deflate":
        return deflated(b"".join(frame.tobytes() for frame in frames))
    if encoding == "frame_deflate":
        return counted([deflated(frame.tobytes()) for frame in frames])
    millimetres = [np.rint(frame * 1000).astype("<u2").tobytes() for frame in frames]
    return counted([lz4.block.compress(each, store_size=False) for each in millimetres])


@pytest.mark.parametrize("encoding", ["whole_deflate", "frame_deflate", "frame_lz4"])
def test_each_encoding_of_depth_is_told_apart_and_read_in_any_order(tmp_path, encoding):
    path = tmp_path / "depth.bin"
    path.write_bytes(stream(encoding))
    with DepthStream(path) as depth:
        assert depth.encoding == encoding
        assert depth.num_frames == (None if encoding == "whole_deflate" else NUM_FRAMES)
        for index in (0, 2, 2, 1):
            assert depth.metres(index) == pytest.approx(metres(index))
        with pytest.raises(InputError, match="no frame 3, it has 3"):
            depth.metres(3)


def test_a_depth_stream_cut_in_the_middle_is_refused_or_ends_at_the_cut(tmp_path):
    path = tmp_path / "depth.bin"
    path.write_bytes(stream("frame_lz4")[:-100])
    with pytest.raises(InputError, match=r"cut short|one whole frame"):
        DepthStream(path)
    path.write_bytes(stream("whole_deflate")[:-100])
    with DepthStream(path) as depth:
        assert depth.metres(0) == pytest.approx(metres(0))
        with pytest.raises(InputError, match="no frame 2, it has 2"):
            depth.metres(2)


def test_depth_that_is_no_number_is_no_depth(tmp_path):
    frame = metres(0)
    frame[0, :3] = np.nan, np.inf, -1
    path = tmp_path / "depth.bin"
    path.write_bytes(deflated(frame.tobytes()))
    with DepthStream(path) as depth:
        assert depth.metres(0)[0, :4].tolist() == [0, 0, 0, frame[0, 3]]


@pytest.fixture
def iphone(tmp_path):
    folder = tmp_path / "data/0a1b2c/iphone"
    write_video(folder / "rgb.mkv", num_frames=NUM_FRAMES)
    (folder / "depth.bin").write_bytes(stream("frame_deflate"))
    entries = {
        f"frame_{index:06d}": {
            "intrinsic": [[1500, 0, 959.5], [0, 1500, 719.5], [0, 0, 1]],
            "aligned_pose": pose_at(index).tolist(),
        }
        for index in range(NUM_FRAMES)
    }
    (folder / "pose_intrinsic_imu.json").write_text(json.dumps(entries))
    return folder


def only_scan(tmp_path):
    (scan,) = open_scans("scannetpp", tmp_path)
    return scan


def write_annotation(tmp_path, groups):
    scans = tmp_path / "data/0a1b2c/scans"
    vertices, triangles, segments = room_mesh()
    write_ply(scans / "mesh_aligned_0.05.ply", vertices, triangles, binary=False)
    (scans / "segments.json").write_text(json.dumps({"segIndices": segments}))
    (scans / "segments_anno.json").write_text(json.dumps({"segGroups": groups}))


@pytest.mark.usefixtures("iphone")
def test_arkit_poses_and_annotated_boxes_make_a_scan(tmp_path):
    broken = {
        "id": 5,
        "label": "lamp",
        "segments": [1],
        "obb": {"centroid": [0, 0, 0], "axesLengths": [1, 0, 1], "normalizedAxes": [0] * 9},
    }
    write_annotation(tmp_path, [annotated_box("box", 4), broken])
    scan = only_scan(tmp_path)
    assert [frame.frame_id for frame in scan.frames] == ["000000", "000001", "000002"]
    camera = scan.frames[2].camera
    assert camera is not None
    assert (camera.width, camera.height, camera.cx) == (1920, 1440, 960)
    assert np.reshape(camera.camera_to_world, (4, 4)).tolist() == pose_at(2).tolist()
    assert scan.frames[2].timestamp_s == pytest.approx(2 / 24)
    (box,) = scan.objects
    assert (box.object_id, box.label, box.box.axes[:3]) == ("4", 1, (0, 1, 0))
    assert scan.mesh is not None
    assert [(entry.unit, entry.reason) for entry in scan.problems] == [("0a1b2c/object 5", "box_invalid")]
    with ScanPixels(scan, tmp_path) as pixels:
        depth = pixels.depth_m(scan.frames[1])
        assert depth is not None
        assert depth == pytest.approx(metres(1), abs=0.0006)


def test_colmap_poses_are_inverted_and_preferred(tmp_path, iphone):
    (iphone / "colmap").mkdir()
    (iphone / "colmap/cameras.txt").write_text("# comment\n1 OPENCV 48 32 40 41 24 16 0.1 0 0 0\n")
    # Turned by a quarter about x (w = x = sqrt 0.5), then moved by (1, 2, 3): world to camera.
    (iphone / "colmap/images.txt").write_text("# comment\n1 0.70710678 0.70710678 0 0 1 2 3 1 frame_000002.jpg\n\n")
    scan = only_scan(tmp_path)
    (frame,) = scan.frames
    assert frame.camera is not None
    assert (frame.image_index, frame.camera.fx, frame.camera.cx) == (2, 40, 24)  # COLMAP's centres count from 0.5
    world_to_camera = np.array([[1, 0, 0, 1], [0, 0, -1, 2], [0, 1, 0, 3], [0, 0, 0, 1.0]])
    assert np.reshape(frame.camera.camera_to_world, (4, 4)) == pytest.approx(np.linalg.inv(world_to_camera), abs=1e-6)
    assert {"distortion_ignored", "no_objects"} == {entry.reason for entry in scan.problems}
    with ScanPixels(scan, tmp_path) as pixels:
        assert np.abs(pixels.rgb(frame).astype(int) - 40).max() < 12  # write_video: 20 + 10 * 2


def test_a_frame_with_a_pose_that_the_video_lacks_is_named(tmp_path, iphone):
    (iphone / "colmap").mkdir()
    (iphone / "colmap/cameras.txt").write_text("1 PINHOLE 48 32 40 41 24 16\n")
    (iphone / "colmap/images.txt").write_text("1 1 0 0 0 1 2 3 1 frame_000007.jpg\n\n")
    scan = only_scan(tmp_path)
    with ScanPixels(scan, tmp_path) as pixels, pytest.raises(InputError, match="frame 7 is not in the video"):
        pixels.rgb(scan.frames[0])


def test_a_scene_without_poses_and_unknown_cameras_are_refused(tmp_path, iphone):
    (iphone / "pose_intrinsic_imu.json").unlink()
    with pytest.raises(FileNotFoundError, match="no poses"):
        only_scan(tmp_path)
    (iphone / "colmap").mkdir()
    (iphone / "colmap/cameras.txt").write_text("1 WOBBLY 48 32 40 41 24 16\n")
    (iphone / "colmap/images.txt").write_text("1 1 0 0 0 1 2 3 1 frame_000000.jpg\n\n")
    with pytest.raises(InputError, match="camera model 'WOBBLY'"):
        only_scan(tmp_path)
