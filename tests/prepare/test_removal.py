"""Masks out of tinted copies, pictures of sizes that differ by a pixel, and the units of one view made of them."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.datasets.removals import list_removals
from sightline.datasets.x3 import X3
from sightline.errors import InputError
from sightline.media import read_mask, read_rgb
from sightline.prepare.removal import derive_mask, find_shift, prepare_removals
from sightline.prepare.run import PreparedTree, SplitOptions
from sightline.tasks import TASKS
from sightline.tasks.crossview import CrossViewOptions
from sightline.tasks.pictures import Studio
from sightline.tasks.seen import see_scene
from sightline.types import Example

BLUE = np.array([30, 144, 255])


def photo(seed: int = 0) -> np.ndarray:
    """Fine-grained, so that a shift by a pixel shows."""
    return np.random.default_rng(seed).integers(0, 200, (60, 80, 3)).astype(np.uint8)


def disc() -> np.ndarray:
    rows, columns = np.indices((60, 80))
    return (rows - 30) ** 2 + (columns - 45) ** 2 < 15**2


def tinted(picture: np.ndarray, mask: np.ndarray, alpha: float = 0.6) -> np.ndarray:
    out = picture.copy()
    out[mask] = np.rint((1 - alpha) * picture[mask] + alpha * BLUE).astype(np.uint8)
    return out


def write_triple(root: Path, name: str, *, rows: slice = slice(None), columns: slice = slice(None), seed: int = 0) -> None:
    """A triple whose tinted copy holds only these rows and columns."""
    (root / name).mkdir(parents=True)
    picture = photo(seed)
    removed = picture.copy()
    removed[disc()] = 128
    Image.fromarray(picture).save(root / f"{name}.jpg", format="PNG")  # told apart by content, and lossless
    Image.fromarray(tinted(picture, disc())[rows, columns]).convert("RGBA").save(root / name / "with_mask.png")
    Image.fromarray(removed).save(root / name / "inpainted_with_mask.png")


def prepared(root: Path, out: Path) -> PreparedTree:
    return prepare_removals(list_removals(root), root, out, split_options=SplitOptions(split_as="validation"))


def test_the_mask_is_where_the_tint_is_without_holes_and_specks() -> None:
    picture = photo()
    # where the photo has the tint's own colour, tinting changes nothing
    picture[28:33, 40:46] = BLUE
    copy = tinted(picture, disc())
    copy[5:8, 5:8] = 255  # a speck of 9 pixels
    mask = derive_mask(picture, copy)
    disagreement = mask ^ disc()
    assert disagreement.sum() < 0.02 * disc().sum()
    assert mask[28:33, 40:46].all()
    assert not mask[5:8, 5:8].any()


@pytest.mark.parametrize("copy", [photo(), 255 - photo()])
def test_no_tint_and_another_picture_are_refused(copy: np.ndarray) -> None:
    with pytest.raises(InputError, match="the tinted copy differs from the photo in"):
        derive_mask(photo(), copy)


@pytest.mark.parametrize("dx", [0, 1, 2])
@pytest.mark.parametrize("dy", [0, 1])
def test_the_shift_of_a_smaller_copy_is_found_under_its_tint(dx: int, dy: int) -> None:
    copy = tinted(photo(), disc())[dy : dy + 59, dx : dx + 78]
    assert find_shift(photo(), copy) == (dx, dy)


def test_the_shift_of_a_larger_copy_is_negative_and_that_of_an_equal_one_none() -> None:
    whole = tinted(photo(), disc())
    assert find_shift(photo()[1:, :-1], whole) == (0, -1)
    assert find_shift(photo(), whole) == (0, 0)


def test_sizes_that_differ_by_more_than_two_pixels_are_refused() -> None:
    with pytest.raises(InputError, match=r"77x60 for a photo of 80x60"):
        find_shift(photo(), photo()[:, 3:])


def test_a_unit_of_one_view_is_written_cropped_to_what_all_share(tmp_path: Path) -> None:
    root, out = tmp_path / "data", tmp_path / "x3"
    write_triple(root, "cat", rows=slice(1, None), columns=slice(0, -1))
    tree = prepared(root, out)
    assert (tree.scenes, tree.num_views, tree.altered) == ({"validation": 1}, 1, {"size_off_by_one": 1})
    entry = json.loads((out / "ledger.jsonl").read_text())
    assert (entry["action"], entry["path"]) == ("altered", "cat/with_mask.png")
    assert entry["detail"] == "79x59 for a photo of 80x60; its pixels agree best when moved by (0, 1); all are cropped to 79x59"
    folder = out / "validation" / "cat" / "uid_1"
    assert np.array_equal(read_rgb(folder / "01_000001_original.png"), photo()[1:, :-1])
    mask = read_mask(folder / "01_000001_mask.png")
    assert (mask ^ disc()[1:, :-1]).sum() < 0.02 * disc().sum()
    (scene,) = X3(out, "validation")
    assert scene.problems == ()
    seen = see_scene(scene, Studio(out), elsewhere=lambda _: iter(()))
    (example,) = TASKS["t2b"]()(seen, Studio(out), CrossViewOptions())
    assert isinstance(example, Example)


def test_what_cannot_be_used_is_left_out_by_name(tmp_path: Path) -> None:
    root = tmp_path / "data"
    write_triple(root, "good")
    write_triple(root, "narrow", columns=slice(0, -5), seed=1)
    write_triple(root, "nothing", seed=2)
    (root / "nothing" / "inpainted_with_mask.png").write_bytes((root / "nothing.jpg").read_bytes())
    write_triple(root, "orphan", seed=3)
    (root / "orphan.jpg").unlink()
    tree = prepared(root, tmp_path / "x3")
    assert (tree.num_units, tree.scenes, tree.dropped) == (4, {"validation": 1}, {"removal_unusable": 3})
    details = [json.loads(line)["detail"] for line in (tmp_path / "x3" / "ledger.jsonl").read_text().splitlines()]
    assert "narrow/with_mask.png: 75x60 for a photo of 80x60" in details[0]
    assert "only 0% of the tinted pixels differ between photo and result" in details[1]
    assert "orphan.jpg: no such picture file" in details[2]


def test_roots_without_removals_say_what_was_expected(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="is not a folder"):
        list_removals(tmp_path / "none")
    with pytest.raises(InputError, match=r"expected \{name\}\.jpg beside \{name\}/with_mask\.png"):
        list_removals(tmp_path)


def test_the_real_removals_give_two_units_one_of_them_moved_by_a_row(tmp_path: Path, shared_data: Path) -> None:
    out = tmp_path / "x3"
    tree = prepared(shared_data / "inpaint_removal", out)
    assert (tree.scenes, tree.altered) == ({"validation": 2}, {"size_off_by_one": 1})
    assert "639x405 for a photo of 640x406; its pixels agree best when moved by (0, 1)" in (out / "ledger.jsonl").read_text()
    # measured by eye on the tints: the dog fills about a fifth of its picture, the batter about a twentieth
    shares = {name: read_mask(out / "validation" / name / "uid_1" / "01_000001_mask.png").mean() for name in ("dog", "baseball")}
    assert 0.15 < shares["dog"] < 0.3
    assert 0.03 < shares["baseball"] < 0.09
