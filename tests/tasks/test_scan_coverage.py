"""Space-aware frames of questions by the scan of their scene: which, how often they are computed, and what is said without one."""

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest

from sightline.cli import run
from sightline.files import read_json, write_json, write_whole
from sightline.media import encode_grey_png, encode_png
from sightline.tasks import scan_coverage as under_test
from sightline.tasks.frame_rules import FrameRule
from sightline.tasks.pictures import Studio
from sightline.tasks.scan_coverage import SceneUnseenError, scan_coverage, video_coverage
from sightline.tasks.spatial.options import SpatialOptions
from sightline.tasks.spatial.scan import scan_questions, see_scan
from sightline.taskset.store import TaskSet
from sightline.types import Camera, LedgerEntry, Scan, ScanFrame
from tests.qa_trees import save_frames, vsi_rows, write_lines

SCENE = "7b6477cb95"
# Cameras look along z from these places on the x axis at a wall 1 m away, of which each sees 0.8 m by 0.6 m in cells of 10 cm.
PLACES_M = (0.0, 0.0, 0.1, 3.0, 3.1, 6.0)


def look_from(x: float) -> Camera:
    pose = (1.0, 0.0, 0.0, x + 0.001, 0.0, 1.0, 0.0, 0.001, 0.0, 0.0, 1.0, 0.05, 0.0, 0.0, 0.0, 1.0)
    return Camera(width=40, height=30, fx=50, fy=50, cx=20, cy=15, camera_to_world=pose, world="w")


def write_scan(root: Path, scan_id: str = SCENE, places: tuple[float, ...] = PLACES_M) -> Scan:
    frames = []
    for number, x in enumerate(places):
        name = f"{scan_id}/{{}}/{number:06d}.png"
        write_whole(root / name.format("colour"), encode_png(np.full((30, 40, 3), 9 * number, np.uint8)))
        write_whole(root / name.format("depth"), encode_grey_png(np.full((30, 40), 1000, np.uint16)))
        frames.append(
            ScanFrame(
                frame_id=f"{number:06d}",
                image=name.format("colour"),
                depth=name.format("depth"),
                camera=look_from(x),
                timestamp_s=5.0 + number,
            )
        )
    scan = Scan(scan_id=scan_id, dataset="scannetpp", frames=tuple(frames))
    write_json(root / scan_id / "scan.json", scan)
    return scan


def rule(scans: Path, count: int = 3, cache: Path | None = None) -> FrameRule:
    return FrameRule(policy="space_aware", num_frames=count, scans=str(scans), cache=None if cache is None else str(cache))


def test_the_frames_of_a_scan_are_those_that_together_see_most(tmp_path: Path):
    scan = write_scan(tmp_path)
    found = scan_coverage(scan, tmp_path, rule(tmp_path))
    assert found.frames == (0, 3, 5)  # of frames that see the same, the first
    assert (found.num_greedy, found.num_filled) == (3, 0)
    more = scan_coverage(scan, tmp_path, rule(tmp_path, count=6))
    assert (more.frames, more.num_filled) == ((0, 1, 2, 3, 4, 5), 6 - more.num_greedy)
    assert more.num_filled >= 1  # frame 1 sees what frame 0 sees


def test_a_video_takes_the_moments_that_its_scan_chooses(tmp_path: Path):
    write_scan(tmp_path)
    # 11 frames of a video over six of the scan: frame 2k of the video is frame k of the scan; one between two sees as the earlier
    found = video_coverage("scannetpp", SCENE, 11, rule(tmp_path))
    assert found.frames == (0, 6, 10)
    assert len(video_coverage("scannetpp", SCENE, 11, rule(tmp_path, count=9)).frames) == 9
    assert video_coverage("scannetpp", SCENE, 2, rule(tmp_path)).frames == (0, 1)


def test_frames_without_depth_or_pose_do_not_count(tmp_path: Path):
    scan = write_scan(tmp_path)
    bare = tuple(msgspec.structs.replace(frame, camera=None) if number == 3 else frame for number, frame in enumerate(scan.frames))
    assert scan_coverage(msgspec.structs.replace(scan, frames=bare), tmp_path, rule(tmp_path)).frames == (0, 4, 5)
    write_json(tmp_path / SCENE / "scan.json", msgspec.structs.replace(scan, frames=bare))
    assert video_coverage("scannetpp", SCENE, 6, rule(tmp_path)).frames == (0, 4, 5)


def test_a_choice_is_made_once_and_kept_until_depth_or_settings_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    write_scan(tmp_path / "scans")
    asked = rule(tmp_path / "scans", cache=tmp_path / "cache")
    first = video_coverage("scannetpp", SCENE, 6, asked)
    (kept,) = (tmp_path / "cache").iterdir()
    assert kept.name.startswith(f"scannetpp-{SCENE}-")

    made: list[int] = []
    real = under_test.space_aware
    monkeypatch.setattr(under_test, "space_aware", lambda *args, **kwargs: made.append(1) or real(*args, **kwargs))
    assert video_coverage("scannetpp", SCENE, 6, asked) == first  # another question of the scene
    under_test._kept.cache_clear()
    assert video_coverage("scannetpp", SCENE, 6, asked) == first  # another process
    assert not made
    video_coverage("scannetpp", SCENE, 6, msgspec.structs.replace(asked, num_frames=2))
    assert len(made) == 1
    depth = tmp_path / "scans" / SCENE / "depth" / "000003.png"
    write_whole(depth, encode_grey_png(np.zeros((30, 40), np.uint16)))
    under_test._kept.cache_clear()
    assert 3 not in video_coverage("scannetpp", SCENE, 6, asked).frames
    assert len(made) == 2


def test_a_scene_is_found_by_its_id_also_below_its_data_set(tmp_path: Path):
    write_scan(tmp_path / "scannetpp")
    assert video_coverage("scannetpp", SCENE, 6, rule(tmp_path)).frames == (0, 3, 5)
    assert under_test.scan_records(tmp_path) == [tmp_path / "scannetpp" / SCENE / "scan.json"]
    with pytest.raises(SceneUnseenError, match=r"no scan scene0011_00.*prepare scan"):
        video_coverage("scannet", "scene0011_00", 6, rule(tmp_path))
    with pytest.raises(SceneUnseenError, match="question without a scene"):
        video_coverage("scannet", "", 6, rule(tmp_path))
    (tmp_path / "scannetpp" / SCENE / "depth" / "000000.png").unlink()
    under_test._kept.cache_clear()
    with pytest.raises(SceneUnseenError, match=r"scan\.json.*000000\.png"):
        video_coverage("scannetpp", SCENE, 6, rule(tmp_path))


def questions(root: Path) -> Path:
    """Two questions about a scene with a scan, and one about a scene without."""
    rows = vsi_rows()
    write_lines(root / "test.jsonl", [rows[0], rows[0] | {"id": 7}, rows[1]])
    save_frames(root / "scannetpp" / SCENE, 6)
    save_frames(root / "arkitscenes" / "41069025", 2)
    return root


def test_questions_show_the_chosen_frames_and_the_ledger_names_scenes_without_a_scan(tmp_path: Path, capsys):
    write_scan(tmp_path / "scans")
    command = ["build", "qa", "--data", "vsi-bench", "--root", str(questions(tmp_path / "root")), "--out", str(tmp_path / "sets")]
    command += ["--frames", "space-aware", "--num-frames", "3", "--scans", str(tmp_path / "scans"), "--workers", "1", "--json"]
    assert run(command) == 0
    (built,) = json.loads(capsys.readouterr().out)
    assert built["manifest"]["dropped"] == {"scan_unusable": 1}
    assert built["manifest"]["recipe"]["options"]["frames"]["policy"] == "space_aware"
    assert not {"scans", "cache"} & built["manifest"]["recipe"]["options"]["frames"].keys()  # a copy elsewhere is the same
    taskset = TaskSet(tmp_path / "sets" / "spatial_qa-test")
    assert [[panel.view_id for panel in each.question.panels] for each in taskset] == [["000000", "000003", "000005"]] * 2
    assert {(each.evidence["frames_by_coverage"], each.evidence["frames_filled"]) for each in taskset} == {(3, 0)}
    assert len(list((tmp_path / "sets" / ".frame-choices").iterdir())) == 1
    assert run(command) == 0
    assert json.loads(capsys.readouterr().out)[0]["existed"]
    scan = read_json(tmp_path / "scans" / SCENE / "scan.json", Scan)
    write_json(tmp_path / "scans" / SCENE / "scan.json", msgspec.structs.replace(scan, frames=scan.frames[:4]))
    assert run(command) == 2
    assert "data that has changed since" in capsys.readouterr().err


@pytest.mark.parametrize("given", [["--frames", "space-aware"], ["--scans", "."]])
def test_space_aware_and_scans_go_together(given: list[str], tmp_path: Path, capsys):
    root = questions(tmp_path / "root")
    assert run(["build", "qa", "--data", "vsi-bench", "--root", str(root), "--out", str(tmp_path / "sets"), *given]) == 2
    assert "go together" in " ".join(capsys.readouterr().err.split())


def test_a_short_video_shows_each_frame_once_and_is_noted(tmp_path: Path, capsys):
    command = ["build", "qa", "--data", "vsi-bench", "--root", str(questions(tmp_path / "root")), "--out", str(tmp_path / "sets")]
    assert run([*command, "--num-frames", "4", "--workers", "1", "--json"]) == 0
    (built,) = json.loads(capsys.readouterr().out)
    assert built["manifest"]["altered"] == {"fewer_frames": 1}
    assert [len(each.question.images) for each in TaskSet(tmp_path / "sets" / "spatial_qa-test")] == [4, 4, 2]


def test_questions_from_a_scan_take_its_frames_by_the_same_names(tmp_path: Path):
    scan = msgspec.structs.replace(write_scan(tmp_path), z_up=False)
    options = SpatialOptions(frames=FrameRule(policy="space_aware", num_frames=3))
    _, footage = see_scan(scan, Studio(tmp_path), options)
    assert [panel.view_id for panel in footage.panels] == ["000000", "000003", "000005"]
    by_rate = SpatialOptions(frames=FrameRule(policy="fps", fps=0.5))  # the scan has one a second
    assert [panel.view_id for panel in see_scan(scan, Studio(tmp_path), by_rate)[1].panels] == ["000000", "000002", "000004"]
    found = scan_questions(
        scan, Studio(tmp_path), msgspec.structs.replace(options, frames=FrameRule(policy="space_aware")), split="t"
    )
    noted = {entry.reason: entry.detail for entry in found if isinstance(entry, LedgerEntry)}
    assert noted["fewer_frames"].endswith("has 6 frames, 16 were asked for: each is shown once")
    assert noted["frames_filled"].startswith("6 frames: ")
