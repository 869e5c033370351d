"""Frames become a prepared scan with VGGT's cameras and depth, whole, once, and only as asked for."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")

from safetensors.torch import save_file  # noqa: E402

from sightline.cli import run  # noqa: E402
from sightline.datasets.scans.prepared import PreparedScans  # noqa: E402
from sightline.errors import InputError  # noqa: E402
from sightline.media import encode_png, read_depth, read_rgb  # noqa: E402
from sightline.models.vggt.config import values_of_config  # noqa: E402
from sightline.models.vggt.model import Vggt  # noqa: E402
from sightline.models.vggt.pictures import prepare_pictures  # noqa: E402
from sightline.models.vggt.scene import SceneOptions, write_scene  # noqa: E402
from sightline.prepare.covisibility import covisibility  # noqa: E402
from sightline.tasks.frame_rules import FrameRule  # noqa: E402
from sightline.tasks.pictures import Studio  # noqa: E402
from sightline.tasks.scan_coverage import scan_coverage  # noqa: E402
from sightline.tasks.spatial.options import SpatialOptions  # noqa: E402
from sightline.tasks.spatial.scan import scan_questions  # noqa: E402
from sightline.types import LedgerEntry  # noqa: E402
from tests.models.vggt.tiny import SMALL  # noqa: E402


@pytest.fixture(scope="module")
def network() -> Any:
    torch.manual_seed(0)
    model = Vggt(SMALL).eval()
    with torch.no_grad():
        assert model.camera_head is not None
        model.camera_head.pose_branch.fc2.bias[-2:] += 0.2  # fields of view above 0, as trained weights have them
    return model


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """Five small pictures."""
    folder = tmp_path / "room"
    folder.mkdir()
    for index in range(5):
        picture = np.random.default_rng(index).integers(0, 256, (30, 185, 3), dtype=np.uint8)
        (folder / f"{index}.png").write_bytes(encode_png(picture))
    return folder


def test_a_scene_is_a_prepared_scan_with_the_networks_cameras_and_depth(network: Any, room: Path, tmp_path: Path) -> None:
    done = write_scene(room, network, tmp_path / "out", options=SceneOptions(max_frames=3, metres_per_unit=2.0))
    assert (done.num_frames, done.new) == (3, True)
    (scan,) = list(PreparedScans(tmp_path / "out"))
    assert [frame.frame_id for frame in scan.frames] == ["000000", "000001", "000003"]
    images = prepare_pictures([read_rgb(room / f"{index}.png") for index in (0, 1, 3)])
    with torch.no_grad():
        expected = network(torch.from_numpy(images)[None])
    stored = np.load(tmp_path / "out" / "room" / "geometry.npz")
    np.testing.assert_allclose(stored["points"], 2 * expected.points[0].numpy(), atol=2e-5)
    for place, frame in enumerate(scan.frames):
        assert frame.depth is not None
        assert frame.camera is not None
        found = read_depth(tmp_path / "out" / frame.depth, frame.metres_per_unit)
        np.testing.assert_allclose(found, 2 * expected.depth[0, place].numpy(), atol=frame.metres_per_unit * 0.51)
        assert read_rgb(tmp_path / "out" / frame.image).shape == (*images.shape[2:], 3)
        pose = np.asarray(frame.camera.camera_to_world).reshape(4, 4)
        world_to_camera = expected.extrinsics[0, place].double().numpy()
        there = world_to_camera[:, :3] @ pose[:3, 3] + 2 * world_to_camera[:, 3]  # the camera is where its own place is 0
        np.testing.assert_allclose(there, 0, atol=1e-5)
        np.testing.assert_allclose(frame.camera.fx, expected.intrinsics[0, place, 0, 0].item(), rtol=1e-5)
    assert scan.problems == ()
    assert scan.in_metres
    assert covisibility(scan, tmp_path / "out").frame_ids == ("000000", "000001", "000003")


def test_a_scale_that_is_not_known_is_said_and_unsure_depth_is_left_out(network: Any, room: Path, tmp_path: Path) -> None:
    with torch.no_grad():
        sure = network(torch.from_numpy(prepare_pictures([read_rgb(room / "0.png")]))[None]).depth_confidence[0, 0].numpy()
    least = float(np.median(sure))
    write_scene(room, network, tmp_path / "out", options=SceneOptions(max_frames=1, min_confidence=least))
    (scan,) = list(PreparedScans(tmp_path / "out"))
    assert [entry.reason for entry in scan.problems] == ["scale_unknown"]
    (frame,) = scan.frames
    assert frame.depth is not None
    found = read_depth(tmp_path / "out" / frame.depth, frame.metres_per_unit)
    assert np.array_equal(found > 0, sure >= least)


def test_nothing_is_told_in_metres_of_a_scan_in_another_unit(network: Any, room: Path, tmp_path: Path) -> None:
    write_scene(room, network, tmp_path / "out", options=SceneOptions(max_frames=3))
    (scan,) = list(PreparedScans(tmp_path / "out"))
    assert not scan.in_metres
    with pytest.raises(InputError, match=r"own unit, and what is visible is told in metres.*--metres-per-unit"):
        covisibility(scan, tmp_path / "out")
    with pytest.raises(InputError, match=r"cells are in metres.*choose-frames"):
        scan_coverage(scan, tmp_path / "out", FrameRule(policy="space_aware", num_frames=2))
    found = list(scan_questions(scan, Studio(tmp_path / "out"), SpatialOptions(min_moved_m=0.0, min_turned_deg=0.0), split="train"))
    told = {entry.reason: entry.detail for entry in found if isinstance(entry, LedgerEntry)}
    assert "camera_displacement, camera_movement_direction are not asked" in told["not_in_metres"]
    assert len(told) == len(found)  # no example


def test_the_same_command_does_nothing_twice_and_another_is_refused(network: Any, room: Path, tmp_path: Path) -> None:
    options = SceneOptions(max_frames=2)
    write_scene(room, network, tmp_path / "out", options=options)
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*") if path.is_file() and path.name != ".lock"}
    assert not write_scene(room, network, tmp_path / "out", options=options).new
    assert {path: path.stat().st_mtime_ns for path in before} == before
    with pytest.raises(InputError, match="made with other options"):
        write_scene(room, network, tmp_path / "out", options=SceneOptions(max_frames=2, mode="pad"))
    other = Vggt(SMALL).eval()
    with pytest.raises(InputError, match="made with other weights"):
        write_scene(room, other, tmp_path / "out", options=options)
    (room / "0.png").write_bytes(encode_png(np.zeros((30, 185, 3), np.uint8)))
    with pytest.raises(InputError, match="made with other source"):
        write_scene(room, network, tmp_path / "out", options=options)


def test_sources_without_frames_and_options_out_of_range_are_refused(network: Any, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("x")
    options = SceneOptions()
    with pytest.raises(InputError, match="no frames in it"):
        write_scene(tmp_path / "empty", network, tmp_path / "out", options=options)
    with pytest.raises(InputError, match="expected a folder of pictures, a prepared scan, or a video"):
        write_scene(tmp_path / "notes.txt", network, tmp_path / "out", options=options)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        write_scene(tmp_path / "nowhere", network, tmp_path / "out", options=options)
    with pytest.raises(InputError, match="at least 1 frame"):
        write_scene(tmp_path / "empty", network, tmp_path / "out", options=SceneOptions(max_frames=0))


def test_the_command_writes_a_scan(network: Any, room: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    weights = tmp_path / "vggt"
    weights.mkdir()
    save_file(network.state_dict(), weights / "model.safetensors")
    (weights / "config.json").write_text(json.dumps(values_of_config(SMALL)))
    arguments = [
        "geometry",
        str(room),
        "--model",
        str(weights),
        "--out",
        str(tmp_path / "out"),
        "--max-frames",
        "2",
        "--device",
        "cpu",
    ]
    assert run([*arguments, "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == [{"path": str(tmp_path / "out" / "room"), "num_frames": 2, "new": True}]
    assert run([*arguments, "--json"]) == 0
    assert not json.loads(capsys.readouterr().out)[0]["new"]
    assert run([*arguments[:-1], "toaster"]) == 2
    assert "--device 'toaster': expected cpu, cuda or cuda:N" in capsys.readouterr().err
    assert run([*arguments, str(room)]) == 2
    assert "two sources are called 'room'" in capsys.readouterr().err


def test_frames_of_a_video_keep_their_numbers_and_times(network: Any, tmp_path: Path) -> None:
    write_video(tmp_path / "walk.mp4", num_frames=6, rate=2)
    write_scene(tmp_path / "walk.mp4", network, tmp_path / "out", options=SceneOptions(max_frames=3))
    (scan,) = list(PreparedScans(tmp_path / "out"))
    assert scan.scan_id == "walk"
    assert [(frame.frame_id, frame.timestamp_s) for frame in scan.frames] == [("000000", 0.0), ("000002", 1.0), ("000004", 2.0)]


def write_video(path: Path, *, num_frames: int, rate: int) -> None:
    import av  # noqa: PLC0415

    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=rate)
        stream.width, stream.height = 184, 32
        for index in range(num_frames):
            pixels = np.full((32, 184, 3), 40 * index, np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgb24")))
        container.mux(stream.encode(None))
