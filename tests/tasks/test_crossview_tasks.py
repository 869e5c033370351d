"""The four cross-view tasks on a tiny hand-written tree (24x18 pictures, square objects)."""

from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from sightline.datasets.x3 import X3
from sightline.tasks import TASKS
from sightline.tasks.crossview import CrossViewOptions
from sightline.tasks.missing import place_of
from sightline.tasks.pictures import Mark, Studio
from sightline.tasks.seen import see_scene
from sightline.types import Example, LedgerEntry, NotVisible, PointPart, Points
from tests.x3_tree import HEIGHT, WIDTH, write_object, write_tree


def run(root: Path, task: str, options: CrossViewOptions, split: str = "train", scene: int = 0) -> list[Example | LedgerEntry]:
    reader = X3(root, split)
    studio = Studio(root)
    others = [other for index, other in enumerate(reader) if index != scene]
    seen = see_scene(reader[scene], studio, elsewhere=lambda _: iter(others))
    return [*seen.ledger, *TASKS[task]()(seen, studio, options)]


def examples(outcomes: list[Example | LedgerEntry]) -> list[Example]:
    return [outcome for outcome in outcomes if isinstance(outcome, Example)]


def reasons(outcomes: list[Example | LedgerEntry]) -> Counter[str]:
    return Counter(outcome.reason for outcome in outcomes if isinstance(outcome, LedgerEntry))


def test_anchor_pairs_start_at_the_anchor_and_all_pairs_are_ordered(tmp_path: Path) -> None:
    root = write_tree(tmp_path)
    anchored = examples(run(root, "t1_multi", CrossViewOptions()))
    # uid 1: anchor 1 with views 2, 3; uid 2: anchor 1 with views 2, 3
    assert [example.id for example in anchored] == [
        "t1_multi/kitchen/uid_1/01_000010/02_000020",
        "t1_multi/kitchen/uid_1/01_000010/03_000030",
        "t1_multi/kitchen/uid_2/01_000010/02_000020",
        "t1_multi/kitchen/uid_2/01_000010/03_000030",
    ]
    # uid 1 is seen in 2 of 3 views: 2 references x 2 queries; uid 2 in 3: 3 x 2
    assert len(examples(run(root, "t1_multi", CrossViewOptions(pairs="all")))) == 4 + 6


def test_true_point_is_the_centre_of_the_half_open_box(tmp_path: Path) -> None:
    first = examples(run(write_tree(tmp_path), "t1_multi", CrossViewOptions()))[0]
    # square (4, 4, 10, 10): centre (7, 7) lies in it
    assert first.truth.answer == Points(points=((7.0, 7.0),), image_index=1)
    assert first.truth.box == (4.0, 4.0, 10.0, 10.0)


def test_an_empty_own_mask_is_not_visible_and_a_same_label_neighbour_makes_it_n3(tmp_path: Path) -> None:
    absent = examples(run(write_tree(tmp_path), "t1_multi", CrossViewOptions()))[1]
    assert isinstance(absent.truth.answer, NotVisible)
    assert absent.tier == "N3"  # uid 2, also a cup, is in view 3


def test_without_geometry_and_neighbour_the_absence_is_n12(tmp_path: Path) -> None:
    attic = examples(run(write_tree(tmp_path), "t1_multi", CrossViewOptions(), split="validation"))
    assert [example.tier for example in attic] == ["V", "N12"]


def test_a_missing_mask_is_unknown_and_never_absent(tmp_path: Path) -> None:
    root = write_tree(tmp_path)
    (root / "train/kitchen/uid_1/03_000030_mask.png").unlink()
    outcomes = run(root, "t1_multi", CrossViewOptions())
    assert reasons(outcomes)["mask_missing"] == 1
    assert not any("uid_1" in example.id and "03_000030" in example.id for example in examples(outcomes))


def test_a_mask_of_another_size_is_unknown_and_named(tmp_path: Path) -> None:
    root = write_tree(tmp_path)
    Image.new("L", (WIDTH + 1, HEIGHT), 255).save(root / "train/kitchen/uid_1/02_000020_mask.png")
    outcomes = run(root, "t1_multi", CrossViewOptions())
    entry = next(outcome for outcome in outcomes if isinstance(outcome, LedgerEntry))
    assert entry.reason == "unreadable"
    assert "mask of 25x18 for a picture of 24x18" in entry.detail


def test_a_reference_that_does_not_show_the_object_is_dropped(tmp_path: Path) -> None:
    outcomes = run(write_tree(tmp_path), "t1_multi", CrossViewOptions(anchor_k=3))
    assert reasons(outcomes) == Counter(reference_not_visible=1)
    assert all("uid_2" in example.id for example in examples(outcomes))


def test_a_speck_of_mask_is_ambiguous(tmp_path: Path) -> None:
    root = write_tree(tmp_path)
    # 3x2 = 6 of 432 pixels is 1.4 %
    write_object(root, "train", "cellar", 1, [(2, 2, 8, 8), (4, 4, 7, 6)])
    reader = X3(root, "train")
    studio = Studio(root)
    options = CrossViewOptions(min_area=0.02)
    seen = see_scene(reader[0], studio, elsewhere=lambda _: iter(()), min_area=options.min_area)
    outcomes = list(TASKS["t1_multi"]()(seen, studio, options))
    assert reasons(outcomes) == Counter(ambiguous_visibility=1)


def test_overlay_blends_red_on_the_mask_only(tmp_path: Path) -> None:
    root = write_tree(tmp_path)
    studio = Studio(root)
    seen = see_scene(X3(root, "train")[0], studio, elsewhere=lambda _: iter(()))
    first = examples(list(TASKS["t1_multi"]()(seen, studio, CrossViewOptions(alpha=0.45))))[0]
    drawn = cv2.imdecode(np.frombuffer(studio.encoded(first.question.images[0]), np.uint8), cv2.IMREAD_COLOR_RGB)
    assert drawn is not None
    plain = studio.rgb("train/kitchen/uid_1/01_000010_original.png")
    inside = np.zeros((HEIGHT, WIDTH), bool)
    inside[2:8, 2:8] = True
    assert np.array_equal(drawn[~inside], plain[~inside])
    expected = np.rint(0.55 * plain[inside].astype(np.float32) + 0.45 * np.array([255, 0, 0], np.float32))
    assert np.array_equal(drawn[inside], expected.astype(np.uint8))


@pytest.mark.parametrize("mark", ["box", "contour", "point"])
def test_other_marks_change_the_picture_and_the_wording(tmp_path: Path, mark: Mark) -> None:
    root = write_tree(tmp_path)
    studio = Studio(root)
    seen = see_scene(X3(root, "train")[0], studio, elsewhere=lambda _: iter(()))
    overlay = examples(list(TASKS["t1_multi"]()(seen, Studio(root), CrossViewOptions())))[0]
    other = examples(list(TASKS["t1_multi"]()(seen, studio, CrossViewOptions(mark=mark))))[0]
    assert other.question.images[0].digest not in (overlay.question.images[0].digest, seen.objects[0].views[0].image.digest)
    assert other.question.prompt != overlay.question.prompt


def test_concat_answers_lie_in_the_right_half_of_the_whole_picture(tmp_path: Path) -> None:
    first = examples(run(write_tree(tmp_path), "t1_concat", CrossViewOptions()))[0]
    question = first.question
    assert (question.images[0].width, question.images[0].height) == (2 * WIDTH, HEIGHT)
    assert question.panels[1].x == WIDTH
    # square (4, 4, 10, 10) of view B: centre (7, 7), shifted by the width of A
    assert first.truth.answer == Points(points=((7.0 + WIDTH, 7.0),), image_index=0)
    # A's square (2, 2, 8, 8) is at (5, 5) of the left half, and stands in the prompt as geometry
    assert [part for part in question.prompt if isinstance(part, PointPart)] == [PointPart(x=5.0, y=5.0, image_index=0)]


def test_concat_of_unequal_heights_uses_the_real_sizes(tmp_path: Path) -> None:
    root = write_tree(tmp_path)
    folder = root / "train/office/uid_5"
    for what, mode in (("original", "RGB"), ("mask", "L"), ("mask_dialated", "L")):
        Image.new(mode, (30, 40), "white").save(folder / f"03_000030_{what}.png")
    last = examples(run(root, "t1_concat", CrossViewOptions(), scene=1))[-1]
    assert (last.question.images[0].width, last.question.images[0].height) == (WIDTH + 30, 40)
    assert last.truth.answer == Points(points=((WIDTH + 15.0, 20.0),), image_index=0)


def test_missing_is_balanced_and_its_absences_are_proven(tmp_path: Path) -> None:
    chosen = examples(run(write_tree(tmp_path), "t2a", CrossViewOptions(pairs="all")))
    tiers = Counter(example.tier for example in chosen)
    visible = tiers["V"] + tiers["VC"]
    assert visible == len(chosen) - visible > 0
    assert {"N0", "N3", "N4"} <= set(tiers)
    for example in chosen:
        query = example.question.panels[1]
        if example.tier == "N4":
            assert query.source.path.endswith("_inpainted.png")
            assert f"uid_{example.object_id}/" in query.source.path
        if example.tier == "VC":
            assert f"uid_{example.object_id}/" not in query.source.path
        if example.tier == "N0":
            assert "office" in query.source.path


def test_the_control_is_dropped_where_the_painting_touches_the_target(tmp_path: Path) -> None:
    root = tmp_path
    write_object(root, "train", "hall", 1, [(2, 2, 8, 8), (4, 4, 10, 10)])
    write_object(root, "train", "hall", 2, [(14, 9, 20, 15), (9, 9, 15, 15)])  # view 2: overlaps uid 1's dilated mask
    chosen = examples(run(root, "t2a", CrossViewOptions()))
    assert not any(example.tier == "VC" and "uid_1/" in example.id for example in chosen)


def test_difference_points_at_the_removed_object_in_the_second_picture(tmp_path: Path) -> None:
    outcomes = run(write_tree(tmp_path), "t2b", CrossViewOptions())
    first = examples(outcomes)[0]
    assert first.question.images[1].path.endswith("01_000010_inpainted.png")
    assert first.truth.answer == Points(points=((5.0, 5.0),), image_index=1)
    assert not first.question.form.offers_not_visible
    assert reasons(outcomes)["nothing_to_remove"] == 1


@pytest.mark.parametrize("defect", ["missing", "same as the original", "another size"])
def test_unusable_removed_pictures_go_to_the_ledger(tmp_path: Path, defect: str) -> None:
    root = write_tree(tmp_path)
    path = root / "train/kitchen/uid_1/01_000010_inpainted.png"
    if defect == "missing":
        path.unlink()
    elif defect == "another size":
        Image.new("RGB", (WIDTH, HEIGHT + 1)).save(path)
    else:
        path.write_bytes((path.parent / "01_000010_original.png").read_bytes())
    assert reasons(run(root, "t2b", CrossViewOptions()))["removed_picture_unusable"] == 1


def test_two_scans_of_one_room_are_one_place() -> None:
    assert place_of("scene0012_00") == place_of("scene0012_01") != place_of("scene0013_00")
    assert place_of("0a5c013435") == "0a5c013435"
