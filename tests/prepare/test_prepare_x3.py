"""From a tiny DAVIS tree to an x3 tree: what is written, what is left out and why, resume, and the tasks built from it."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from sightline import media
from sightline.datasets.clips.davis import Davis
from sightline.datasets.x3 import X3
from sightline.errors import InputError
from sightline.files import read_json
from sightline.prepare.run import Done, PreparedTree, SplitOptions
from sightline.prepare.x3 import ClipOptions, prepare_x3
from sightline.tasks import TASKS
from sightline.tasks.crossview import CrossViewOptions
from sightline.tasks.pictures import Studio
from sightline.tasks.seen import see_scene
from sightline.taskset.lint import lint
from sightline.types import Clip, Example, LedgerEntry
from tests.davis_tree import HEIGHT, WIDTH, labels, save_palette, write_sequence, write_tree

VALIDATION = SplitOptions(split_as="validation")


def clips(root: Path) -> list[Clip]:
    return sorted((clip for split in Davis.splits(root) for clip in Davis(root, split)), key=lambda clip: clip.clip_id)


def prepared(root: Path, out: Path, *, workers: int = 1, split_options: SplitOptions = VALIDATION, **options) -> PreparedTree:
    return prepare_x3(
        clips(root), root, out, reader="davis", options=ClipOptions(**options), split_options=split_options, workers=workers
    )


def ledger(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "ledger.jsonl").read_text().splitlines()]


def contents(out: Path) -> dict[str, bytes]:
    return {str(path.relative_to(out)): path.read_bytes() for path in sorted(out.rglob("*")) if path.is_file()}


def pixels(path: Path) -> np.ndarray:
    return np.asarray(Image.open(path))


def examples(out: Path, task: str, scene: str) -> list[Example | LedgerEntry]:
    reader = X3(out, "validation")
    studio = Studio(out)
    by_id = {found.scene_id: found for found in reader}
    others = [found for name, found in by_id.items() if name != scene]
    seen = see_scene(by_id[scene], studio, elsewhere=lambda _: iter(others))
    return [*seen.ledger, *TASKS[task]()(seen, studio, CrossViewOptions(pairs="all"))]


def test_a_view_has_its_pictures_masks_and_item(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "davis")
    tree = prepared(root, tmp_path / "x3")
    assert (tree.scenes, tree.num_objects) == ({"validation": 2}, 3)
    folder = tmp_path / "x3" / "validation" / "duel" / "uid_1"
    # label 1 is in all of the six frames: moments 0, 1.25, 2.5, 3.75, 5
    assert sorted(path.name for path in folder.glob("*_original.png")) == [
        f"{kk:02d}_{frame:05d}_original.png" for kk, frame in enumerate((0, 1, 2, 4, 5), start=1)
    ]
    original = media.read_rgb(root / "JPEGImages" / "480p" / "duel" / "00004.jpg")
    assert np.array_equal(pixels(folder / "04_00004_original.png"), original)
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[4:14, 12:22] = 255
    assert np.array_equal(pixels(folder / "04_00004_mask.png"), mask)
    dilated = pixels(folder / "04_00004_mask_dialated.png") > 0
    assert dilated.sum() == 140  # 0.02 of 48 is a radius of 1: each of the four sides of 10 gains a row of 10
    inpainted = pixels(folder / "04_00004_inpainted.png")
    assert np.array_equal(inpainted[~dilated], original[~dilated])
    assert (inpainted[dilated] != original[dilated]).any()
    item = json.loads((folder / "duel_uid_1_five_frames.json").read_text())[3]
    assert item == {
        "scene_id": "duel",
        "uid": 1,
        "frame_id": "00004",
        "label": None,
        "img_w": 48,
        "img_h": 32,
        "x0": 12.0,
        "y0": 4.0,
        "x1": 22.0,
        "y1": 14.0,
        "cx_norm": 0.3542,  # 17 / 48
        "cy_norm": 0.2812,  # 9 / 32
        "original": "validation/duel/uid_1/04_00004_original.png",
        "inpainted": "validation/duel/uid_1/04_00004_inpainted.png",
        "mask": "validation/duel/uid_1/04_00004_mask.png",
    }


def test_absent_views_have_an_empty_mask_and_an_unpainted_twin(tmp_path: Path) -> None:
    prepared(write_tree(tmp_path / "davis"), tmp_path / "x3")
    folder = tmp_path / "x3" / "validation" / "duel" / "uid_2"  # in frames 0 to 3, absent in 4 and 5
    assert [path.name[:8] for path in sorted(folder.glob("*_mask.png"))] == [
        "01_00000",
        "02_00001",
        "03_00003",
        "04_00004",
        "05_00005",
    ]
    assert not pixels(folder / "05_00005_mask.png").any()
    assert (folder / "05_00005_inpainted.png").read_bytes() == (folder / "05_00005_original.png").read_bytes()
    assert not (folder / "05_00005_control.png").exists()
    items = json.loads((folder / "duel_uid_2_five_frames.json").read_text())
    assert [item["x0"] for item in items] == [30.0, 30.0, 30.0, None, None]


def test_controls_leave_every_object_as_it_is_and_change_something(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "davis")
    prepared(root, tmp_path / "x3")
    controls = sorted((tmp_path / "x3").rglob("*_control.png"))
    assert len(controls) >= 8
    for path in controls:
        kk, frame = path.name.split("_")[:2]
        changed = (pixels(path) != pixels(path.with_name(f"{kk}_{frame}_original.png"))).any(axis=2)
        objects = media.read_labels(root / "Annotations" / "480p" / path.parent.parent.name / f"{frame}.png") > 0
        assert changed.any()
        assert not (changed & objects).any()
    prepared(root, tmp_path / "without", controls=False)
    assert not list((tmp_path / "without").rglob("*_control.png"))


def test_scaled_pictures_are_area_means_and_scaled_masks_half_covered(tmp_path: Path) -> None:
    # an object of columns 4..9 and rows 3..8: at a third, column 1 (3..5) is covered to 2/3, column 3 (9..11) to a third,
    # rows 1 and 2 in full
    write_sequence(tmp_path / "davis", "a", [{1: (4, 3, 10, 9)}] * 2)
    prepared(tmp_path / "davis", tmp_path / "x3", scale=1 / 3, min_area=0.01)
    folder = tmp_path / "x3" / "validation" / "a" / "uid_1"
    mask = pixels(folder / "01_00000_mask.png") > 0
    assert mask.shape == (11, 16)  # 32 / 3 and 48 / 3
    assert np.flatnonzero(mask.any(axis=0)).tolist() == [1, 2]
    full = media.read_rgb(tmp_path / "davis" / "JPEGImages" / "480p" / "a" / "00000.jpg")
    assert np.array_equal(pixels(folder / "01_00000_original.png"), cv2.resize(full, (16, 11), interpolation=cv2.INTER_AREA))
    item = json.loads((folder / "a_uid_1_five_frames.json").read_text())[0]
    assert (item["img_w"], item["x0"], item["x1"]) == (48, 4.0, 10.0)  # of the full resolution


def test_an_object_that_scaling_loses_is_no_absence(tmp_path: Path) -> None:
    write_sequence(tmp_path / "davis", "a", [{1: (0, 4, 48, 5)}, {1: (10, 10, 20, 20)}, {1: (10, 10, 20, 20)}])  # first: one row
    prepared(tmp_path / "davis", tmp_path / "x3", scale=0.25)
    folder = tmp_path / "x3" / "validation" / "a" / "uid_1"
    assert [path.name for path in sorted(folder.glob("*_mask.png"))] == ["02_00001_mask.png", "03_00002_mask.png"]
    assert [(entry["unit"], entry["reason"]) for entry in ledger(tmp_path / "x3")] == [("a/uid_1/01_00000", "lost_by_scaling")]


def test_several_objects_are_removed_at_once_and_said_so(tmp_path: Path) -> None:
    out = tmp_path / "x3"
    prepared(write_tree(tmp_path / "davis"), out, remove=2, dilate=0.0)
    folder = out / "validation" / "duel" / "uid_1"
    assert np.array_equal(pixels(folder / "01_00000_mask.png") > 0, labels({1: (4, 4, 14, 14)}) == 1)
    painted = pixels(folder / "01_00000_painted.png") > 0
    assert np.array_equal(painted, labels({1: (4, 4, 14, 14), 2: (30, 18, 42, 28)}) > 0)
    changed = (pixels(folder / "01_00000_inpainted.png") != pixels(folder / "01_00000_original.png")).any(axis=2)
    assert not (changed & ~painted).any()
    assert json.loads((out / "prepare.json").read_text())["options"]["remove"] == 2
    fewer = {entry["unit"] for entry in ledger(out) if entry["reason"] == "fewer_removed"}
    assert fewer >= {"duel/uid_1/05_00005", "solo/uid_1/01_00000"}
    # uid 2's inpainted picture shows no uid 1 either: it is no control for it, and no single place changed
    shown = examples(out, "t2a", "duel")
    assert not [found for found in shown if isinstance(found, Example) and "VC_uid" in found.id]
    entries = [found for found in examples(out, "t2b", "duel") if isinstance(found, LedgerEntry)]
    assert {entry.reason for entry in entries} == {"several_removed", "nothing_to_remove"}


def test_void_hides_and_is_no_object(tmp_path: Path) -> None:
    write_sequence(
        tmp_path / "davis", "a", [{1: (4, 4, 14, 14)}, {1: (6, 4, 16, 14), 255: (30, 0, 48, 32)}, {255: (0, 0, 9, 9)}, {}]
    )
    prepared(tmp_path / "davis", tmp_path / "x3", dilate=0.0)
    folder = tmp_path / "x3" / "validation" / "a"
    assert [path.name for path in folder.iterdir()] == ["uid_1"]
    # frame 2 has void and no label 1: not absent; frame 3 is
    frames = sorted(path.name[3:8] for path in (folder / "uid_1").glob("*_mask.png"))
    assert frames == ["00000", "00001", "00003"]
    control = folder / "uid_1" / "02_00001_control.png"
    changed = (pixels(control) != pixels(control.with_name("02_00001_original.png"))).any(axis=2)
    assert not changed[:, 30:].any()


def test_what_gives_no_views_stands_in_the_ledger_with_its_reason(tmp_path: Path) -> None:
    root = tmp_path / "davis"
    write_sequence(root, "flash", [{1: (4, 4, 14, 14)}])
    there, gone = {1: (4, 4, 14, 14)}, {1: (4, 4, 14, 14), 2: (20, 20, 30, 30), 3: (40, 4, 41, 5)}
    write_sequence(root, "guest", [there, gone, {**there, 3: (40, 4, 41, 5)}])
    write_sequence(root, "odd", [there] * 3)
    save_palette(root / "Annotations" / "480p" / "odd" / "00001.png", labels(there)[1:])
    write_sequence(root, "blank", [{}, {}])
    prepared(root, tmp_path / "x3", min_area=0.005)
    found = {(entry["unit"], entry["reason"]): entry["detail"] for entry in ledger(tmp_path / "x3")}
    assert found[("flash", "too_few_frames")] == "1 of 1 frames can be used; views need at least two"
    assert found[("guest/uid_2", "object_in_one_frame")] == "it is in frame 00001 only; views need at least two"
    assert found[("guest/uid_3", "too_small")].startswith("0 of 3 frames show at least 0.5000% of it")
    assert found[("odd/00001", "size_mismatch")].startswith("labels of 48x31 for a picture of 48x32")
    assert ("blank", "no_objects") in found
    assert sorted(path.name for path in (tmp_path / "x3" / "validation").iterdir()) == ["guest", "odd"]
    assert [path.name for path in (tmp_path / "x3" / "validation" / "guest").iterdir()] == ["uid_1"]


def test_the_bytes_do_not_depend_on_the_workers(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "davis")
    assert prepared(root, tmp_path / "one").num_views == prepared(root, tmp_path / "two", workers=2).num_views
    one, two = contents(tmp_path / "one"), contents(tmp_path / "two")
    assert one == two
    assert len(one) > 40


def test_an_interrupted_run_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    root, out = write_tree(tmp_path / "davis"), tmp_path / "x3"
    prepared(root, tmp_path / "whole")

    def stop_after_two(done: int, total: int) -> None:
        assert total == 4
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        prepare_x3(
            clips(root),
            root,
            out,
            reader="davis",
            options=ClipOptions(),
            split_options=VALIDATION,
            on_progress=stop_after_two,
        )
    assert not (out / "ledger.jsonl").exists()
    # as a kill leaves it: a half-written scene, and a whole one whose record was not written
    (out / "validation" / ".solo.123.tmp" / "uid_1").mkdir(parents=True)
    (out / ".done" / "duel.json").unlink()
    (out / "validation" / "duel" / "uid_1" / "01_00000_mask.png").write_bytes(b"old")
    prepared(root, out)
    assert contents(out) == contents(tmp_path / "whole")
    before = {path: path.stat().st_mtime_ns for path in (out / "validation").rglob("*.png")}
    prepared(root, out)
    assert before == {path: path.stat().st_mtime_ns for path in (out / "validation").rglob("*.png")}


def test_other_options_other_trees_and_changed_sources_are_refused(tmp_path: Path) -> None:
    root, out = write_tree(tmp_path / "davis"), tmp_path / "x3"
    prepared(root, out)
    with pytest.raises(InputError, match=r"made with other options \(views: 5 there, 4 now\)"):
        prepared(root, out, views=4)
    save_palette(root / "Annotations" / "480p" / "duel" / "00003.png", labels({1: (4, 4, 14, 14), 3: (20, 4, 30, 14)}))
    with pytest.raises(InputError, match="the files of duel have changed since"):
        prepared(root, out)
    (tmp_path / "mine" / "train").mkdir(parents=True)
    with pytest.raises(InputError, match=r"holds train/ but no prepare\.json"):
        prepared(root, tmp_path / "mine")


def test_another_opencv_may_look_but_not_go_on(tmp_path: Path) -> None:
    root, out = write_tree(tmp_path / "davis"), tmp_path / "x3"
    prepared(root, out)
    record = out / "prepare.json"
    record.write_text(record.read_text().replace(cv2.__version__, "3.1.4"))
    prepared(root, out)  # nothing to do
    (out / ".done" / "solo.json").unlink()
    with pytest.raises(InputError, match=r"begun with Sightline .* and OpenCV 3\.1\.4"):
        prepared(root, out)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (ClipOptions(views=1), "views is 1; expected 2 to 99"),
        (ClipOptions(scale=0.0), "scale is 0.0; expected 0.01 to 1"),
        (ClipOptions(scale=1.5), "scale is 1.5"),
        (ClipOptions(dilate=-0.1), "dilate is -0.1"),
        (ClipOptions(remove=0), "remove is 0"),
    ],
)
def test_options_out_of_range_are_named(options: ClipOptions, said: str) -> None:
    with pytest.raises(InputError, match=said):
        options.check()


def test_clips_are_split_by_a_hash_of_their_names(tmp_path: Path) -> None:
    names = [f"clip_{number}" for number in range(400)]
    options = SplitOptions(validation=0.25)
    held = [name for name in names if options.split_of(name) == "validation"]
    assert 60 < len(held) < 140
    assert held == [name for name in reversed(names) if options.split_of(name) == "validation"][::-1]
    assert held != [name for name in names if SplitOptions(validation=0.25, seed=1).split_of(name) == "validation"]
    assert SplitOptions(validation=0.0).split_of("a") == "train"
    assert SplitOptions(validation=1.0).split_of("a") == "validation"
    root = write_tree(tmp_path / "davis")
    prepared(root, tmp_path / "x3", split_options=SplitOptions(split_as="train"))
    assert X3.splits(tmp_path / "x3") == ["train"]


def test_one_clip_twice_is_refused(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "davis")
    twice = [*clips(root), *clips(root)]
    with pytest.raises(InputError, match="duel, nowhere, solo stands in it twice"):
        prepare_x3(twice, root, tmp_path / "x3", reader="davis", options=ClipOptions(), split_options=VALIDATION)


def test_tasks_come_out_of_it_with_controls_beside_the_removed(tmp_path: Path) -> None:
    out = tmp_path / "x3"
    prepared(write_tree(tmp_path / "davis"), out)
    assert lint("x3", out).problems == ()
    found = [found for found in examples(out, "t2a", "solo") if isinstance(found, Example)]
    tiers = [example.tier for example in found]
    assert tiers.count("N4") == tiers.count("VC") > 0  # one object: only random shapes can be its controls
    control = next(example for example in found if example.id.endswith("/VC_control"))
    assert control.question.images[1].path.endswith("_control.png")
    assert control.question.panels[1].view_id.endswith("_control")
    assert control.truth.visible
    absences = [found for found in examples(out, "t1_multi", "duel") if isinstance(found, Example) and not found.truth.visible]
    assert {example.tier for example in absences} == {"N12"}
    assert len(absences) == 6  # uid 2: three references, two absent views


def test_a_control_that_changes_the_object_is_not_asked(tmp_path: Path) -> None:
    out = tmp_path / "x3"
    prepared(write_tree(tmp_path / "davis"), out)
    for path in (out / "validation" / "solo").rglob("*_control.png"):
        path.write_bytes(path.with_name(path.name.replace("control", "inpainted")).read_bytes())
    found = examples(out, "t2a", "solo")
    assert not [each for each in found if isinstance(each, Example) and each.id.endswith("VC_control")]
    assert {each.detail for each in found if isinstance(each, LedgerEntry) and each.reason == "control_unusable"} == {
        "it changes the object itself"
    }


def test_real_clips_give_five_views_each(tmp_path: Path, shared_data: Path) -> None:
    root = shared_data / "davis"
    chosen = [clip for clip in clips(root) if clip.clip_id in ("libby", "goat")]
    options = ClipOptions(scale=0.25)
    tree = prepare_x3(chosen, root, tmp_path / "x3", reader="davis", options=options, split_options=VALIDATION)
    assert (tree.scenes, tree.num_objects, tree.num_views) == ({"validation": 1}, 1, 5)
    assert tree.dropped == {"picture_missing": 1, "too_few_frames": 1}
    assert read_json(tmp_path / "x3" / ".done" / "goat.json", Done).outcome.num_views == 0  # kept: it is not surveyed again
    assert lint("x3", tmp_path / "x3").problems == ()
