"""The same examples asked in another way, and edited second pictures, on the tiny tree and on larger noise pictures."""

from pathlib import Path

import cv2
import msgspec
import numpy as np
import pytest
from PIL import Image

from sightline.datasets.x3 import X3
from sightline.geometry.masks import decode_mask, encode_mask, mask_id
from sightline.tasks import TASKS, VARIANTS
from sightline.tasks.crossview import CrossViewOptions, example_rng
from sightline.tasks.edits import NUM_DRAWS, draw_similarity, kept_share
from sightline.tasks.pictures import Studio
from sightline.tasks.retouch import LARGER, NUM_PATCHES, SMALLER, Light, add_patches
from sightline.tasks.seen import see_scene
from sightline.tasks.subtraction import subtraction_hits
from sightline.types import Boxes, Choice, Example, LedgerEntry, MaskAnswer, Points
from tests.x3_tree import write_tree

OPTIONS = CrossViewOptions(pairs="all")


def run(root: Path, task: str, options: CrossViewOptions = OPTIONS) -> tuple[list[Example | LedgerEntry], Studio]:
    reader, studio = X3(root, "train"), Studio(root)
    seen = see_scene(reader[0], studio, elsewhere=lambda _: iter([reader[1]]))
    return list((TASKS | VARIANTS)[task]()(seen, studio, options)), studio


def examples(root: Path, task: str, options: CrossViewOptions = OPTIONS) -> list[Example]:
    return [outcome for outcome in run(root, task, options)[0] if isinstance(outcome, Example)]


def rest(example: Example) -> str:
    return example.id.removeprefix(f"{example.question.task}/")


MIDDLE = np.zeros((72, 96), dtype=bool)
MIDDLE[30:42, 40:56] = True
BORDERS = np.zeros((72, 96), dtype=bool)  # less than half of it is in any picture that is enlarged
BORDERS[:, [0, 95]] = True


def smooth(seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(40, 216, (6, 8, 3), dtype=np.uint8)
    return cv2.resize(coarse, (96, 72), interpolation=cv2.INTER_CUBIC)


def write_scene(root: Path, views: list[tuple[np.ndarray, dict[int, np.ndarray]]]) -> Path:
    """One scene of 96 x 72 pictures. A view is its picture without objects, and the mask of each object by its id."""
    for kk, (empty, masks) in enumerate(views, start=1):
        original = empty.copy()
        for mask in masks.values():
            original[mask] = (170, 60, 60)
        for uid, mask in masks.items():
            folder = root / "train" / "den" / f"uid_{uid}"
            folder.mkdir(parents=True, exist_ok=True)
            removed = np.where(mask[:, :, None], empty, original)
            for name, array in (("original", original), ("inpainted", removed), ("mask", mask.astype(np.uint8) * 255)):
                Image.fromarray(array).save(folder / f"{kk:02d}_{10 * kk:06d}_{name}.png")
    (root / "train" / "yard" / "uid_1").mkdir(parents=True)
    return root


@pytest.fixture(scope="module")
def photos(tmp_path_factory) -> Path:
    """A scene of one object in smooth pictures, in the middle of view 1 and at the borders of view 2."""
    return write_scene(tmp_path_factory.mktemp("photos"), [(smooth(3), {1: MIDDLE}), (smooth(4), {1: BORDERS})])


def test_yes_no_has_the_examples_of_2a_and_asks_for_a_word(tmp_path: Path) -> None:
    root = write_tree(tmp_path)
    pointing, saying = examples(root, "t2a"), examples(root, "t2a_yesno")
    assert [rest(example) for example in pointing] == [rest(example) for example in saying]
    for one, other in zip(pointing, saying, strict=True):
        assert (one.tier, one.truth.visible, one.truth.mask) == (other.tier, other.truth.visible, other.truth.mask)
        assert one.question.images == other.question.images
        assert other.truth.answer == Choice(value="yes" if one.truth.visible else "no")
        assert (other.question.form.shape, other.question.form.options) == ("choice", ("yes", "no"))
    assert {example.truth.visible for example in saying} == {True, False}


def test_box_and_mask_targets_are_those_of_the_exact_mask(tmp_path: Path) -> None:
    root = write_tree(tmp_path)
    box, mask = examples(root, "t2b_box")[0], examples(root, "t2b_mask")[0]
    # kitchen uid 1, view 1: square (2, 2, 8, 8)
    assert box.truth.answer == Boxes(boxes=((2.0, 2.0, 8.0, 8.0),), image_index=1)
    assert isinstance(mask.truth.answer, MaskAnswer)
    decoded = decode_mask(mask.truth.answer.rle)
    assert decoded[2:8, 2:8].all()
    assert decoded.sum() == 36
    assert (box.question.form.shape, mask.question.form.shape) == ("box", "mask")
    plain = examples(root, "t2b")[0]
    assert plain.question.images == box.question.images == mask.question.images
    assert rest(plain) == rest(box) == rest(mask)
    assert (box.truth.mask_dilated, mask.truth.mask_dilated) == (None, None)  # nothing but the exact mask is compared


@pytest.mark.parametrize("task", VARIANTS)
def test_what_a_task_drops_its_variant_drops_for_the_same_reason(tmp_path: Path, task: str) -> None:
    root = write_tree(tmp_path)
    base = "t2a" if task == "t2a_yesno" else "t2b"
    reasons = [[o.reason for o in run(root, name)[0] if isinstance(o, LedgerEntry)] for name in (base, task)]
    assert [
        reason for reason in reasons[1] if reason not in ("left_the_frame", "no_room_for_edits", "removal_stands_out")
    ] == reasons[0]


@pytest.mark.parametrize("task", ["t2b_jitter", "t2b_shift", "t2b_distractor"])
def test_an_edit_depends_on_the_id_and_the_seed_alone(photos: Path, task: str) -> None:
    first, again = (examples(photos, task)[0].question.images[1] for _ in range(2))
    other = examples(photos, task, CrossViewOptions(pairs="all", seed=1))[0].question.images[1]
    assert first == again
    assert first.root == "media"
    assert other.path == first.path
    assert other.digest != first.digest


def test_jitter_changes_nearly_every_pixel_and_leaves_the_truth(photos: Path) -> None:
    outcomes, studio = run(photos, "t2b_jitter")
    plain = examples(photos, "t2b")
    for example, original in zip(outcomes, plain, strict=True):
        assert isinstance(example, Example)
        assert (example.truth.mask, example.truth.box) == (original.truth.mask, original.truth.box)
        before = studio.rgb(example.question.images[0].path)
        after = _decoded(studio, example)
        differs = cv2.absdiff(before, after).max(axis=2) >= 16  # what the difference baseline calls different
        assert differs.mean() > 0.9


def test_light_is_clearly_darker_or_clearly_brighter() -> None:
    grey = np.full((50, 50, 3), 128, np.uint8)
    means = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        light = Light.draw(rng)
        means.append(light.shine(grey, rng).mean() - 128)
        assert (light.gamma > 1) == (light.offset < 0)
    assert min(np.abs(means)) > 16
    assert min(means) < 0 < max(means)


def test_light_falls_off_evenly_towards_one_side() -> None:
    light = Light(gamma=1.0, contrast=1.0, balance=(1.0, 1.0, 1.0), offset=0.0, fall=-0.5, side_deg=0.0, noise=0.0)
    lit = light.shine(np.full((2, 5, 3), 200, np.uint8), np.random.default_rng(0))
    # gains 1, 0.875, 0.75, 0.625, 0.5 from left to right
    assert lit[..., 0].tolist() == [[200, 175, 150, 125, 100]] * 2
    down = Light(gamma=1.0, contrast=1.0, balance=(1.0, 1.0, 1.0), offset=0.0, fall=0.25, side_deg=90.0, noise=0.0)
    assert down.shine(np.full((2, 5, 3), 200, np.uint8), np.random.default_rng(0))[:, 0, 0].tolist() == [200, 250]


def test_shift_moves_the_truth_with_the_picture_and_drops_camera_and_depth(photos: Path) -> None:
    outcomes, studio = run(photos, "t2b_shift")
    example = outcomes[0]
    assert isinstance(example, Example)
    plain = examples(photos, "t2b")[0]
    before, after = (studio.rgb(image.path) for image in plain.question.images)
    rng = example_rng(0, example.id)
    draws = (draw_similarity(rng, 96, 72, draw=draw) for draw in range(NUM_DRAWS))
    fair = [one for one in draws if not subtraction_hits(before, one.picture(after), MIDDLE | one.mask(MIDDLE))]
    off_middle = [one for one in fair if not one.mask(MIDDLE)[36, 48]]
    assert fair[0] is not off_middle[0]  # the object is in the middle, where a shift goes only if there is no other
    moved = off_middle[0]
    assert example.truth.mask == mask_id(encode_mask(moved.mask(MIDDLE)))
    assert example.truth.mask in studio.made_masks
    assert example.truth.box == pytest.approx(moved.box((40.0, 30.0, 56.0, 42.0)), abs=0.5)
    assert isinstance(example.truth.answer, Points)
    assert example.truth.answer.points[0] == pytest.approx(moved.point(48.0, 36.0), abs=0.5)
    after = example.question.panels[1]
    assert (after.camera, after.depth) == (None, None)
    assert (example.question.images[1].width, example.question.images[1].height) == (96, 72)
    assert np.array_equal(_decoded(studio, example), moved.picture(studio.rgb(plain.question.images[1].path)))


def test_what_leaves_the_frame_goes_to_the_ledger(photos: Path) -> None:
    # In view 2 the object is the first and the last column. An enlarged picture shows at most one of them, and not all of it.
    outcomes, _ = run(photos, "t2b_shift")
    last = outcomes[-1]
    assert isinstance(last, LedgerEntry)
    assert last.reason == "left_the_frame"
    assert last.unit == "t2b_shift/den/uid_1/02_000020"


def test_no_other_object_leaves_the_frame_with_a_shift(tmp_path: Path) -> None:
    root = write_scene(tmp_path, [(smooth(3), {1: MIDDLE, 2: BORDERS})])
    outcomes, _ = run(root, "t2b_shift")
    assert [(o.unit, o.reason) for o in outcomes if isinstance(o, LedgerEntry)] == [
        ("t2b_shift/den/uid_1/01_000010", "left_the_frame"),
        ("t2b_shift/den/uid_2/01_000010", "left_the_frame"),
    ]


def test_a_shift_grows_with_the_draws_and_stays_within_the_margin() -> None:
    for draw, (least, most) in ((0, (0.03, 0.06)), (NUM_DRAWS // 2, (0.05, 0.09)), (NUM_DRAWS - 1, (0.075, 0.125))):
        for seed in range(20):
            moved = draw_similarity(np.random.default_rng(seed), 100, 80, draw=draw)
            margin = (moved.scale - 1) / 2
            assert least <= margin <= most
            for shift, side in ((moved.dx, 100), (moved.dy, 80)):
                assert 0.5 * margin * side <= abs(shift) <= margin * side


@pytest.mark.parametrize("task", ["t2b_jitter", "t2b_shift", "t2b_distractor"])
def test_no_subtraction_points_at_what_was_removed(photos: Path, task: str) -> None:
    plain = examples(photos, "t2b")[0]
    outcomes, studio = run(photos, task)
    example = outcomes[0]
    assert isinstance(example, Example)
    before, after = (studio.rgb(image.path) for image in plain.question.images)
    assert subtraction_hits(before, after, MIDDLE)
    assert example.truth.mask is not None
    truth = decode_mask(studio.made_masks[example.truth.mask]) if task == "t2b_shift" else MIDDLE
    assert not subtraction_hits(before, _decoded(studio, example), truth)


@pytest.mark.parametrize("task", ["t2b_shift", "t2b_jitter"])
def test_a_removal_that_stands_out_whatever_is_done_goes_to_the_ledger(tmp_path: Path, task: str) -> None:
    # On a black wall nothing moves with the picture but the object, and no light makes black differ as much as its red does.
    root = write_scene(tmp_path, [(np.zeros((72, 96, 3), np.uint8), {1: MIDDLE})])
    (entry,), _ = run(root, task)
    assert isinstance(entry, LedgerEntry)
    assert (entry.unit, entry.reason) == (f"{task}/den/uid_1/01_000010", "removal_stands_out")


def test_kept_share_counts_pixel_centres() -> None:
    moved = draw_similarity(np.random.default_rng(0), 100, 80)
    x0, y0, x1, y1 = moved.window()
    mask = np.ones((80, 100), dtype=bool)
    columns, rows = np.arange(100) + 0.5, np.arange(80) + 0.5
    expected = np.mean((columns >= x0) & (columns < x1)) * np.mean((rows >= y0) & (rows < y1))
    assert kept_share(mask, moved) == pytest.approx(float(expected))


def test_distractors_change_other_places_and_never_the_objects(photos: Path) -> None:
    outcomes, studio = run(photos, "t2b_distractor")
    example = outcomes[0]
    assert isinstance(example, Example)
    plain = studio.rgb(examples(photos, "t2b")[0].question.images[1].path)
    changed = (_decoded(studio, example) != plain).any(axis=2)
    near = np.zeros((72, 96), dtype=bool)
    near[28:44, 38:58] = True  # the object and a margin of 2 pixels, 2 % of the width
    assert not changed[near].any()
    num_labels, _ = cv2.connectedComponents(cv2.dilate(changed.astype(np.uint8), np.ones((3, 3), np.uint8)))
    assert num_labels - 1 >= 3
    assert example.question.panels[1].source == example.question.images[1]


def test_where_patches_find_no_room_there_is_no_picture() -> None:
    rgb = np.full((60, 60, 3), 90, np.uint8)
    clear = np.ones((60, 60), dtype=bool)
    assert add_patches(rgb, clear, area=100.0, rng=np.random.default_rng(0)) is None
    clear[:] = False
    altered = add_patches(rgb, clear, area=100.0, rng=np.random.default_rng(0))
    assert altered is not None
    share = (altered != rgb).any(axis=2).mean()
    assert 0 < share < NUM_PATCHES[1] * LARGER[1] * 100 / 3600 + 0.02  # at most 6 patches of 2.5 times the area


def test_one_patch_is_larger_than_the_removal_and_one_is_smaller() -> None:
    rgb = np.full((400, 400, 3), 90, np.uint8)
    for seed in range(60):
        altered = add_patches(rgb, np.zeros((400, 400), dtype=bool), area=400.0, rng=np.random.default_rng(seed))
        assert altered is not None
        changed = (altered != rgb).any(axis=2).astype(np.uint8)
        # stripes are closed up; patches are 8 pixels or more apart
        closed = cv2.morphologyEx(np.pad(changed, 8), cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
        _, _, statistics, _ = cv2.connectedComponentsWithStats(closed)
        areas = statistics[1:, cv2.CC_STAT_AREA]
        assert areas.max() > 0.9 * LARGER[0] * 400  # of a patch, what its pixels make of its outline
        assert areas.min() < 1.1 * SMALLER[1] * 400


def test_every_patch_is_seen_by_a_threshold() -> None:
    rgb = cv2.resize(np.random.default_rng(1).integers(0, 256, (8, 8, 3), dtype=np.uint8), (200, 200))
    for seed in range(10):
        altered = add_patches(rgb, np.zeros((200, 200), dtype=bool), area=900.0, rng=np.random.default_rng(seed))
        assert altered is not None
        strong = (cv2.absdiff(rgb, altered).max(axis=2) >= 16).astype(np.uint8)
        _, _, statistics, _ = cv2.connectedComponentsWithStats(strong)
        # stripes fall apart; blurred edges may not pass; most of at least one patch does
        assert statistics[1:, cv2.CC_STAT_AREA].max() > 200


def _decoded(studio: Studio, example: Example) -> np.ndarray:
    content = studio.encoded(example.question.images[1])
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert picture is not None
    return picture


def test_records_of_all_variants_survive_their_file_format(photos: Path) -> None:
    for task in VARIANTS:
        for example in examples(photos, task):
            assert msgspec.json.decode(msgspec.json.encode(example), type=Example) == example
