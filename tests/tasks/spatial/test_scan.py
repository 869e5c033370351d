"""From a scan on disk to a task set: the same answers as from the geometry itself, and what is said where something is missing."""

import json
import shutil
from collections import Counter

import msgspec
import numpy as np
import pytest

from sightline.cli import run
from sightline.errors import InputError
from sightline.files import write_json, write_whole
from sightline.label_png import encode_label_png
from sightline.media import read_rgb
from sightline.tasks.pictures import Studio
from sightline.tasks.spatial.options import SpatialOptions, read_options
from sightline.tasks.spatial.scan import NEEDS_UP, scan_questions, see_scan, unlooked_deg
from sightline.taskset.store import TaskSet
from sightline.types import Example, LedgerEntry
from tests.tasks.spatial import brute
from tests.tasks.spatial.rooms import rendered
from tests.tasks.spatial.scan_tree import write_scan


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    root = tmp_path_factory.mktemp("scans")
    return root, [write_scan(root, 0), write_scan(root, 4)]


def test_a_scan_is_seen_as_the_geometry_it_was_drawn_from(tree):
    root, (scan, _) = tree
    place, footage = see_scan(scan, Studio(root), SpatialOptions())
    known, layout, _ = rendered(0)
    assert place.objects == known.objects  # the wall is no object that anyone asks for
    for seen, moment in zip(place.moments, known.moments, strict=True):
        assert seen.shares == pytest.approx(moment.shares, abs=1e-8)
        assert seen.time_s == moment.time_s
    x, y, _ = layout.shell.size
    *by_all, by_half = place.room_areas_m2
    assert by_all == [pytest.approx(x * y, rel=0.1)] * 2
    assert by_half < 0.9 * x * y  # four views do not cover the room: so eight may not either, and it is not asked for
    assert [(image.root, image.path) for image in footage.images] == [("data", frame.image) for frame in scan.frames]
    assert footage.part.times_s == tuple(moment.time_s for moment in known.moments)


def test_frames_that_are_not_upright_files_become_pictures_of_the_task_set(tree, tmp_path):
    root, (scan, _) = tree
    turned = msgspec.structs.replace(
        scan,
        frames=tuple(msgspec.structs.replace(frame, quarter_turns=2, instances=None, depth=None) for frame in scan.frames[:2]),
    )
    studio = Studio(root)
    place, footage = see_scan(turned, studio, SpatialOptions())
    assert [image.root for image in footage.images] == ["media", "media"]
    (tmp_path / "turned.png").write_bytes(studio.encoded(footage.images[0]))
    upright = studio.rgb(scan.frames[0].image)[::-1, ::-1]
    assert np.array_equal(read_rgb(tmp_path / "turned.png"), upright)
    assert place.room_areas_m2 == ()  # no depth


def test_every_answer_about_a_scan_on_disk_is_what_brute_force_finds(tree):
    root, scans = tree
    for scan, seed in zip(scans, (0, 4), strict=True):
        found = list(scan_questions(scan, Studio(root), SpatialOptions(), split="train"))
        examples = [each for each in found if isinstance(each, Example)]
        place = rendered(seed)[0]
        assert len(examples) > 100
        for example in examples[::3]:
            if example.tier != "room_size_estimation":  # measured from depth here, known exactly there
                brute.check(example, place)


def test_the_command_builds_a_task_set_that_says_where_everything_is_from(tree, tmp_path):
    root, _ = tree
    options = ["--root", str(root), "--out", str(tmp_path), "--workers", "1", "--num-frames", "6", "--set", "limit_nearest=5"]
    assert run(["build", "scan-qa", "--scans", "prepared", *options]) == 0
    taskset = TaskSet(tmp_path / "spatial_qa-train")
    examples = list(taskset)
    assert {each.group for each in examples} == {"scannet/demo_0", "scannet/demo_4"}
    assert max(Counter((each.group, each.tier) for each in examples if each.tier == "object_rel_distance").values()) == 5
    assert all(len(each.question.images) == 6 == len(each.question.slots) for each in examples)
    assert all(each.published and each.published.category == each.tier == each.evidence["question_type"] for each in examples)
    first = next(each for each in examples if each.tier == "object_rel_direction_easy")
    assert {"option_A", "option_B"} <= set(first.evidence)
    assert json.loads(str(first.evidence["plan"]))["boxes"]
    sources = (tmp_path / "spatial_qa-train" / "sources.jsonl").read_text()
    assert "scannet/demo_0" in sources
    before = (tmp_path / "spatial_qa-train" / "examples-00000.jsonl").read_bytes()
    assert run(["build", "scan-qa", "--scans", "prepared", *options]) == 0
    assert (tmp_path / "spatial_qa-train" / "examples-00000.jsonl").read_bytes() == before


def test_questions_about_a_scan_that_benchmarks_test_on_are_refused_by_name(tree, tmp_path, capsys):
    root, (scan, _) = tree
    tested = msgspec.structs.replace(scan, scan_id="scene0011_01")  # a scan of a room of VSI-Bench
    shutil.copytree(root / scan.scan_id, tmp_path / "scans" / scan.scan_id)
    (tmp_path / "scans" / scan.scan_id / "scan.json").unlink()
    write_json(tmp_path / "scans" / "scene0011_01" / "scan.json", tested)
    command = ["build", "scan-qa", "--scans", "prepared", "--root", str(tmp_path / "scans"), "--out", str(tmp_path / "out")]
    assert run([*command, "--num-frames", "4"]) == 2
    said = capsys.readouterr().err
    assert "1 recording(s) are trained on and tested on: trained on scannet/scene0011 (prepared, train), tested on" in said
    assert not (tmp_path / "out" / "spatial_qa-train").exists()
    assert run([*command, "--num-frames", "4", "--split", "validation"]) == 0


def test_a_scan_without_up_or_labels_is_asked_less_and_says_so(tree):
    root, (scan, _) = tree
    plain = msgspec.structs.replace(
        scan, z_up=False, frames=tuple(msgspec.structs.replace(frame, instances=None) for frame in scan.frames)
    )
    found = list(scan_questions(plain, Studio(root), SpatialOptions(), split="train"))
    kinds = {each.tier for each in found if isinstance(each, Example)}
    assert kinds
    assert not kinds & {*NEEDS_UP, "obj_appearance_order"}
    reasons = {each.reason for each in found if isinstance(each, LedgerEntry)}
    assert {"up_unknown", "visibility_unknown"} <= reasons


def test_scans_that_cannot_be_read_are_named(tree):
    root, (scan, _) = tree
    lost = msgspec.structs.replace(scan, frames=(msgspec.structs.replace(scan.frames[0], image="none.png"),))
    empty = msgspec.structs.replace(scan, frames=())
    for broken in (lost, empty):
        (entry,) = scan_questions(broken, Studio(root), SpatialOptions(), split="train")
        assert isinstance(entry, LedgerEntry)
        assert entry.reason == "scan_unusable"
    with pytest.raises(InputError, match="no frame"):
        see_scan(empty, Studio(root), SpatialOptions())


def test_wrong_names_are_told_before_anything_is_built(tree, tmp_path, capsys):
    root, _ = tree
    assert run(["build", "scan-qa", "--scans", "prepaerd", "--root", str(root), "--out", str(tmp_path)]) == 2
    assert "prepared" in capsys.readouterr().err
    assert run(["build", "scan-qa", "--scans", "prepared", "--root", str(root), "--out", str(tmp_path), "--set", "x=1"]) == 2
    assert "margin_deg" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_a_scene_without_objects_still_asks_about_the_camera(tree, tmp_path):
    root, (scan, _) = tree
    bare = msgspec.structs.replace(scan, objects=())
    write_json(tmp_path / "x.json", bare)
    kinds = {each.tier for each in scan_questions(bare, Studio(root), SpatialOptions(), split="t") if isinstance(each, Example)}
    assert {"camera_displacement", "camera_view_change", "room_size_estimation"} >= kinds - {"camera_movement_direction"}
    assert "camera_displacement" in kinds


def test_only_the_types_that_are_wanted_are_asked(tree):
    root, (scan, _) = tree
    found = list(scan_questions(scan, Studio(root), SpatialOptions(kinds=("object_abs_distance",)), split="t"))
    assert {each.tier for each in found if isinstance(each, Example)} == {"object_abs_distance"}
    with pytest.raises(InputError, match="Did you mean 'object_counting'"):
        read_options((), kinds=("object_count",))


def test_objects_seen_in_part_are_not_measured(tree):
    root, (scan, _) = tree
    half, cut, *others = scan.objects
    half, cut = msgspec.structs.replace(half, unseen_deg=200.0), msgspec.structs.replace(cut, cut=True)
    partly = msgspec.structs.replace(scan, objects=(half, cut, *others))
    options = SpatialOptions(limit_distance=1000, limit_nearest=1000)
    found = list(scan_questions(partly, Studio(root), options, split="t"))
    about = {
        kind: {object_id for each in found if isinstance(each, Example) and each.tier == kind for object_id in asked_about(each)}
        for kind in ("object_size_estimation", "object_abs_distance", "object_rel_distance", "object_rel_direction_easy")
    }
    for kind in ("object_size_estimation", "object_abs_distance", "object_rel_distance"):
        assert not {half.object_id, cut.object_id} & about[kind]
        assert about[kind]
    assert half.object_id in about["object_rel_direction_easy"]  # its middle is known well enough
    assert cut.object_id not in about["object_rel_direction_easy"]
    assert "seen_in_part" in {each.reason for each in found if isinstance(each, LedgerEntry)}
    all_round = SpatialOptions(limit_distance=1000, max_unseen_deg=360)
    asked = [each for each in scan_questions(partly, Studio(root), all_round, split="t") if isinstance(each, Example)]
    assert half.object_id in {one for each in asked if each.tier == "object_abs_distance" for one in asked_about(each)}


def asked_about(example: Example) -> set[str]:
    return set(json.loads(str(example.evidence["objects"])))


def test_the_room_is_measured_only_where_the_cameras_look_around(tree):
    root, (scan, _) = tree
    assert unlooked_deg(scan.frames) < 10
    # 2 atan(48 / 76.8) = 64 degrees of view: from one frame, 296 are not looked into; from four that are 45 degrees apart, 161.
    assert unlooked_deg(scan.frames[:1]) == pytest.approx(360 - 64.01, abs=0.1)
    assert unlooked_deg(scan.frames[:4]) == pytest.approx(360 - 64.01 - 135, abs=0.1)
    assert unlooked_deg([]) == 360
    part = msgspec.structs.replace(scan, frames=scan.frames[:4])
    assert see_scan(part, Studio(root), SpatialOptions())[0].room_areas_m2 == ()


def test_a_negative_focal_length_turns_its_axis_round(tree):
    root, (scan, _) = tree
    camera = scan.frames[0].camera
    assert camera is not None
    pose = np.reshape(camera.camera_to_world, (4, 4))
    mirrored = msgspec.structs.replace(camera, fy=-camera.fy, camera_to_world=tuple((pose * (1, -1, 1, 1)).ravel().tolist()))
    frame = msgspec.structs.replace(scan.frames[0], camera=mirrored)
    place, _ = see_scan(msgspec.structs.replace(scan, frames=(frame,)), Studio(root), SpatialOptions())
    assert place.moments[0].camera_to_world == pytest.approx(camera.camera_to_world)


def test_labels_that_are_unknown_in_most_of_a_picture_do_not_say_what_is_absent(tree, tmp_path):
    root, (scan, _) = tree
    write_whole(tmp_path / "unknown.png", encode_label_png(np.full((72, 96), 255, np.uint8)))
    (root / "unknown.png").write_bytes((tmp_path / "unknown.png").read_bytes())
    frame = msgspec.structs.replace(scan.frames[0], instances="unknown.png")
    place, _ = see_scan(msgspec.structs.replace(scan, frames=(frame, scan.frames[1])), Studio(root), SpatialOptions())
    assert place.moments[0].shares is None
    assert place.moments[1].shares
    (root / "unknown.png").unlink()
