"""`sightline check-data` of clips: each mistake has its reason, and a good tree has none."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.cli import run
from sightline.geometry.masks import encode_mask
from sightline.taskset.check_clips import check_clip, lint_clips
from sightline.types import Clip, ClipFrame, Expression, MaskRle, Track
from tests.davis_tree import HEIGHT, WIDTH, labels, save_palette, save_picture, write_list, write_sequence, write_tree

FIRST = "JPEGImages/480p/duel/00000.jpg"
SECOND_LABELS = "Annotations/480p/duel/00001.png"
Spoil = Callable[[Path], None]


def good_tree(root: Path) -> Path:
    duel = [{1: (4 + 2 * k, 4, 14 + 2 * k, 14), 2: (30, 18, 42, 28)} for k in range(6)]
    write_sequence(root, "duel", duel)
    write_list(root, "2017", "train", ["duel"])
    return root


def reasons(root: Path, *, full: bool = False) -> set[str]:
    found = lint_clips("davis", root, full=full, workers=1)
    return {entry.reason for entry in (*found.problems, *found.notes)}


def test_a_good_tree_is_counted_and_has_no_problem(tmp_path: Path) -> None:
    found = lint_clips("davis", good_tree(tmp_path), workers=1)
    assert found.problems == found.notes == ()
    counts = {what: number for what, number in found.counts["train"].items() if number}
    assert counts == {
        "clips": 1,
        "frames": 6,
        "pictures": 6,
        "annotated frames": 6,
        "label pictures": 6,
        "objects in first labels": 2,
    }
    assert lint_clips("davis", tmp_path, full=True, workers=1).counts["train"]["objects"] == 2


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-40])


def in_colours(path: Path) -> None:
    with Image.open(path) as picture:
        picture.convert("RGB").save(path)


def other_size(path: Path) -> None:
    save_palette(path, np.zeros((HEIGHT, WIDTH - 1), np.uint8))


@pytest.mark.parametrize(
    ("path", "spoil", "reason"),
    [
        (FIRST, cut, "cut_off"),
        (SECOND_LABELS, cut, "cut_off"),
        (FIRST, lambda path: path.write_bytes(b"no picture"), "unreadable"),
        (FIRST, Path.unlink, "picture_missing"),
        (SECOND_LABELS, Path.unlink, "labels_missing"),
        (SECOND_LABELS, in_colours, "colour_labels"),
        (SECOND_LABELS, other_size, "size_mismatch"),
    ],
)
def test_a_spoiled_file_has_its_reason(tmp_path: Path, path: str, spoil: Spoil, reason: str) -> None:
    spoil(good_tree(tmp_path) / path)
    assert reasons(tmp_path) == {reason}


def test_a_link_out_of_the_root_is_refused_and_a_gap_in_the_numbers_is_a_note(tmp_path: Path) -> None:
    root = good_tree(tmp_path / "data")
    save_picture(tmp_path / "elsewhere.jpg", seed=1)
    (root / FIRST).unlink()
    (root / FIRST).symlink_to(tmp_path / "elsewhere.jpg")
    assert reasons(root) == {"path_leaves_root"}
    for folder in ("JPEGImages", "Annotations"):
        next((root / folder / "480p/duel").glob("00003.*")).unlink()
    found = lint_clips("davis", root, workers=1)
    assert [entry.reason for entry in found.notes] == ["frame_gap"]
    assert [entry.reason for entry in found.problems] == ["path_leaves_root"]


def test_a_damaged_middle_is_found_by_decoding_only(tmp_path: Path) -> None:
    path = good_tree(tmp_path) / SECOND_LABELS
    content = bytearray(path.read_bytes())
    place = content.index(b"IDAT") + 10
    content[place : place + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    assert reasons(tmp_path) == set()
    assert reasons(tmp_path, full=True) == {"unreadable"}


def test_all_processes_find_what_one_finds_in_the_same_order(tmp_path: Path) -> None:
    root = write_tree(tmp_path)
    for number in range(40):
        write_sequence(root, f"more{number:02d}", [{1: (2, 2, 12, 12)}], pictures=number % 2 == 0)
    write_list(root, "2017", "train", [f"more{number:02d}" for number in range(40)])
    alone = lint_clips("davis", root, workers=1)
    assert [entry.unit for entry in alone.problems if entry.unit.startswith("more")] == [f"more{n:02d}" for n in range(1, 40, 2)]
    assert lint_clips("davis", root, workers=2) == alone


HERE = encode_mask(labels({1: (2, 2, 12, 12)}) > 0)
NOTHING = encode_mask(np.zeros((HEIGHT, WIDTH), bool))


def clip(*tracks: Track, expressions: tuple[Expression, ...] = (), frames: int = 2) -> Clip:
    listed = tuple(ClipFrame(frame_id=f"{k:05d}") for k in range(frames))
    return Clip(clip_id="c", split="train", frames=listed, tracks=tracks, expressions=expressions, width=WIDTH, height=HEIGHT)


def said(text: str, *targets: str, **more: object) -> Expression:
    return Expression(expression_id="7", text=text, object_ids=targets, **more)  # pyright: ignore[reportArgumentType]


def found_in(checked: Clip, root: Path) -> list[str]:
    return [entry.reason for entry in check_clip(checked, root, full=False).entries]


def code(height: int, width: int, counts: str) -> MaskRle:
    return MaskRle(height=height, width=width, counts=counts)


@pytest.mark.parametrize(
    ("masks", "found"),
    [
        ((HERE, None), []),
        ((code(HEIGHT, WIDTH, HERE.counts[:-1]), None), ["bad_mask"]),  # the last run is gone: the sum is not h * w
        ((code(10**6, 10**6, HERE.counts), None), ["absurd_mask_size"]),
        ((code(-4, -4, HERE.counts), None), ["absurd_mask_size"]),
        ((encode_mask(np.ones((4, 4), bool)), None), ["size_mismatch"]),
        ((NOTHING, None), ["object_never_shown"]),
        ((None, None), ["object_never_shown"]),
        ((HERE,), ["masks_do_not_fit"]),
    ],
)
def test_mask_codes_are_read(tmp_path: Path, masks: tuple[MaskRle | None, ...], found: list[str]) -> None:
    assert found_in(clip(Track(object_id="1", masks=masks)), tmp_path) == found


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        (said("the cup", "1"), []),
        (said("nothing of the kind"), []),
        (said("the plate", "9"), ["target_missing"]),
        (said("the ghost", "2"), ["target_never_shown"]),
        (said("cup and ghost", "1", "2"), []),
        (said(" ", "1"), ["empty_text"]),
        (said("the cup", "1", span=(1, 3)), ["span_outside"]),
    ],
)
def test_expressions_have_objects_that_some_frame_shows(tmp_path: Path, expression: Expression, found: list[str]) -> None:
    ghost = Track(object_id="2", masks=(None, None))
    checked = clip(Track(object_id="1", masks=(HERE, None)), ghost, expressions=(expression,))
    unspoken = [] if "2" in (expression.object_ids or ()) else ["object_never_shown"]
    assert found_in(checked, tmp_path) == [*found, *unspoken]


def test_ids_that_stand_twice_and_boxes_beside_the_picture(tmp_path: Path) -> None:
    cup = Track(object_id="1", masks=(HERE, None))
    assert found_in(clip(cup, cup), tmp_path) == ["id_twice"]
    assert found_in(clip(Track(object_id="1", boxes=((0, 0, 5, 5), (WIDTH, 0, WIDTH + 5, 5)))), tmp_path) == ["box_outside"]


def test_an_object_is_sought_in_its_label_pictures(tmp_path: Path) -> None:
    frames = []
    for number, shown in enumerate(({1: (2, 2, 12, 12)}, {1: (2, 2, 12, 12), 5: (20, 2, 30, 12)})):
        save_palette(tmp_path / f"{number}.png", labels(shown))
        frames.append(ClipFrame(frame_id=str(number), labels=f"{number}.png"))
    tracks = [Track(object_id=str(number), label=number) for number in (1, 5, 6)]
    late = Clip(clip_id="c", split="train", frames=tuple(frames), tracks=(tracks[0], tracks[1]), expressions=(said("late", "5"),))
    assert found_in(late, tmp_path) == []
    gone = Clip(clip_id="c", split="train", frames=tuple(frames), tracks=(tracks[0], tracks[2]), expressions=(said("gone", "6"),))
    assert found_in(gone, tmp_path) == ["target_never_shown", "unlisted_label"]


def test_the_command_prints_tables_and_exits_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = good_tree(tmp_path)
    assert run(["check-data", "davis", str(root), "--workers", "1"]) == 0
    assert "no problems" in capsys.readouterr().out
    cut(root / FIRST)
    assert run(["check-data", "davis", str(root), "--workers", "1"]) == 1
    assert "cut_off" in capsys.readouterr().out
    assert run(["check-data", "davis", str(root), "--workers", "1", "--json"]) == 1
    assert [entry["path"] for entry in json.loads(capsys.readouterr().out)["problems"]] == [FIRST]
