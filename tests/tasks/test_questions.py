"""Inquiries as examples: parts, truth in pixels, the region that is accepted, and what is dropped."""

from pathlib import Path

import numpy as np
import pytest

from sightline.dialects import get_dialect
from sightline.export.rendered import render
from sightline.geometry.masks import decode_mask
from sightline.tasks.pictures import Studio
from sightline.tasks.questions import QuestionOptions, filled
from sightline.taskset.units import open_units
from sightline.types import (
    AnswerForm,
    Choice,
    Example,
    ImagePart,
    LedgerEntry,
    PictureFile,
    PointPart,
    Points,
    TextPart,
)
from tests.question_trees import (
    BLOCK,
    HEIGHT,
    SUFFIX,
    WIDTH,
    home_rows,
    mask,
    sample,
    save,
    write_bench,
    write_bench_parquet,
    write_home,
    write_json,
    write_refspatial,
)

OPTIONS = QuestionOptions()


def posed(
    reader: str, root: Path, split: str, task: str, options: QuestionOptions = OPTIONS
) -> tuple[list[Example], list[LedgerEntry], Studio]:
    """All that becomes of the first row."""
    unit = open_units(reader, root, split, options)[0]
    examples = [outcome for outcome in unit.outcomes(task) if isinstance(outcome, Example)]
    return examples, list(unit.ledger), unit.studio


def test_a_region_is_a_mask_with_its_box_and_a_point_on_it(tmp_path: Path) -> None:
    (example,), ledger, studio = posed("refspatial-bench", write_bench(tmp_path), "location", "refspatial_bench")
    assert ledger == []
    assert example.id == "refspatial-bench/location/0"
    assert example.truth.box == (16.0, 12.0, 32.0, 24.0)
    assert example.truth.answer == Points(points=((24.0, 18.0),))  # the centre of the block
    assert example.slices == {"query_area": 0.0625, "step": 1.0}  # 16 x 12 of 64 x 48
    assert example.truth.mask is not None
    region = decode_mask(studio.made_masks[example.truth.mask])
    assert (region == (np.asarray(mask()) > 0)).all()
    assert (example.split, example.label, example.tier) == ("test", "the cup 0", "V")


def test_the_question_is_parts_and_the_authors_words_stay_beside_it(tmp_path: Path) -> None:
    root = write_bench(tmp_path)
    (example,), _, _ = posed("refspatial-bench", root, "location", "refspatial_bench")
    text = TextPart(text="Please point out the cup 0.")
    form = AnswerForm(shape="point", image_index=0)
    assert example.question.prompt == (ImagePart(image_index=0), TextPart(text="\n"), text, form)
    assert example.published is not None
    assert (example.published.instruction, example.published.suffix) == (text.text, SUFFIX)
    assert example.published.mask == PictureFile(path="Location/mask/0.png")
    own = render(example, get_dialect("roborefer")).with_tokens()
    assert own.startswith("<image>\nPlease point out the cup 0. Answer with one point")
    options = QuestionOptions(words="published")
    (theirs,), _, _ = posed("refspatial-bench", root, "location", "refspatial_bench", options)
    assert render(theirs, get_dialect("qwen3")).with_tokens() == f"<image>\nPlease point out the cup 0. {SUFFIX}"


def test_pictures_out_of_parquet_become_pictures_of_the_task_set(tmp_path: Path) -> None:
    (ours,), _, studio = posed("refspatial-bench", write_bench_parquet(tmp_path / "b"), "location", "refspatial_bench")
    (theirs,), _, _ = posed("refspatial-bench", write_bench(tmp_path / "a"), "location", "refspatial_bench")
    image = ours.question.images[0]
    assert (image.root, image.digest) == ("media", theirs.question.images[0].digest)
    assert studio.encoded(image).startswith(b"\x89PNG")
    assert (ours.truth.mask, ours.group) == (theirs.truth.mask, theirs.group)


@pytest.mark.parametrize(
    ("break_it", "reason", "detail"),
    [
        (lambda root: save(mask(width=32), root / "mask/0.png"), "mask_unusable", "mask of 32x48 for a picture of 64x48"),
        (lambda root: save(mask(block=(0, 0, 0, 0)), root / "mask/0.png"), "mask_unusable", "has no pixel"),
        (lambda root: (root / "mask/0.png").write_bytes(b"text"), "mask_unusable", "expected a PNG, JPEG or WebP"),
        (lambda root: (root / "image/0.png").write_bytes(b"text"), "picture_unusable", "expected a PNG, JPEG or WebP"),
    ],
)
def test_what_cannot_be_used_is_dropped_with_its_reason(tmp_path: Path, break_it, reason: str, detail: str) -> None:
    root = write_bench(tmp_path)
    break_it(root / "Location")
    examples, (entry,), _ = posed("refspatial-bench", root, "location", "refspatial_bench")
    assert examples == []
    assert (entry.unit, entry.reason, entry.action) == ("location/0", reason, "dropped")
    assert detail in entry.detail


def test_training_points_are_pixels_and_coordinates_in_the_words_are_parts(tmp_path: Path) -> None:
    turns = ("What is right of the point (0.250, 0.500)? Point at it.", "[(0.500, 0.250), (0.125, 1)]")
    root = write_refspatial(tmp_path, [sample("a.png", turns, depth="a.png")])
    (example,), ledger, _ = posed("refspatial", root, "2D_choice_qa", "refspatial_points")
    assert ledger == []
    assert example.truth.answer == Points(points=((32.0, 12.0), (8.0, 48.0)))
    assert (example.truth.mask, example.split) == (None, "train")
    assert PointPart(x=16.0, y=24.0, image_index=0) in example.question.prompt
    assert example.question.form.several
    rendered = render(example, get_dialect("qwen25"))
    assert "0.250" not in rendered.with_tokens()
    assert render(example, get_dialect("roborefer")).answer == "[(0.500, 0.250), (0.125, 1.000)]"
    assert example.published is not None
    assert example.published.depths == (PictureFile(path="2D/depth/a.png"),)


def test_depth_of_another_size_is_left_out_and_noted(tmp_path: Path) -> None:
    root = write_refspatial(tmp_path)
    save(mask(width=10), root / "2D" / "depth" / "a.png")
    (example,), ledger, _ = posed("refspatial", root, "2D_choice_qa", "refspatial_points")
    assert (ledger[0].reason, ledger[0].action) == ("depth_unusable", "altered")
    assert example.published is not None
    assert example.published.depths == ()


def test_words_have_the_right_one_as_tier_and_letters_are_options(tmp_path: Path) -> None:
    root = write_refspatial(tmp_path)
    (word,), _, _ = posed("refspatial", root, "2D_choice_qa", "refspatial_yesno")
    assert (word.truth.answer, word.tier, word.truth.visible) == (Choice(value="no"), "no", False)
    (letter,), _, _ = posed("refspatial", root, "2D_choice_qa", "refspatial_choice")
    assert (letter.truth.answer, letter.question.form.options, letter.tier) == (Choice(value="B"), ("A", "B"), "V")


def test_without_a_mask_the_outline_is_filled(tmp_path: Path) -> None:
    root = write_home(tmp_path)
    rows = home_rows()
    rows[0]["mask"] = None
    write_json(root / "annotations.json", rows)
    (example,), (entry,), _ = posed("robospatial-home", root, "context", "robospatial_home")
    assert (entry.reason, entry.action) == ("mask_missing", "altered")
    assert example.truth.box == tuple(map(float, BLOCK))


def test_filled_takes_the_pixels_whose_centre_lies_inside() -> None:
    square = filled([(0.25, 0.25), (0.5, 0.25), (0.5, 0.5), (0.25, 0.5)], HEIGHT, WIDTH)
    assert (square == (np.asarray(mask()) > 0)).all()
    # The triangle (0, 0), (4, 0), (0, 4) of a 4 x 4 picture: centres with x + y < 4, that is column + row < 3.
    triangle = filled([(0.0, 0.0), (1.0, 0.0), (0.0, 1.0)], 4, 4)
    assert (triangle == np.fromfunction(lambda row, column: row + column < 3, (4, 4))).all()
