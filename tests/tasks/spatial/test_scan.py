"""From a scan on disk to a task set: the same answers as from the geometry itself, and what is said where something is missing."""

import json
from collections import Counter

import msgspec
import numpy as np
import pytest

from sightline.cli import run
from sightline.errors import InputError
from sightline.files import write_json
from sightline.media import read_rgb
from sightline.tasks.pictures import Studio
from sightline.tasks.spatial.options import SpatialOptions
from sightline.tasks.spatial.scan import NEEDS_UP, scan_questions, see_scan
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
