"""`sightline export boxes`: the box files of the box-Sa2VA pipeline, and its expression file."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline import media
from sightline.cli import run
from sightline.datasets.clips.davis import Davis
from sightline.export.boxes import clip_boxes, export_boxes
from sightline.geometry.masks import encode_mask
from sightline.taskset.clip_work import ClipSource
from sightline.types import Clip, ClipFrame, Expression, Track
from tests.datasets.referring.refer_trees import SIDE, rle, save_frames, save_json, save_labels
from tests.davis_tree import write_list, write_sequence, write_tree

DUEL = [[4 + 2 * k, 4, 14 + 2 * k, 14] for k in range(6)]


def boxes(root: Path, out: Path, *more: str, data: str = "davis", split: str = "train", code: int = 0) -> dict[str, Any]:
    command = ["export", "boxes", "--data", data, "--root", str(root), "--split", split, "--out", str(out), "--workers", "1", *more]
    assert run(command) == code
    return json.loads(out.read_text()) if out.is_file() else {}


def ledger(out: Path) -> list[tuple[str, str]]:
    lines = out.with_name(f"{out.stem}.ledger.jsonl").read_text().splitlines()
    return [(entry["unit"], entry["reason"]) for entry in map(json.loads, lines)]


def test_one_entry_a_frame_null_where_the_object_is_absent_by_either_convention(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "data")
    out = tmp_path / "out" / "boxes.json"
    found = boxes(root, out)
    assert found == {"duel/1": DUEL, "duel/2": [[30, 18, 42, 28]] * 4 + [None, None]}
    assert ledger(out) == []
    # the older files hold the largest index, which is one less
    older = boxes(root, tmp_path / "older.json", "--convention", "inclusive")
    assert older["duel/1"] == [[x0, y0, x1 - 1, y1 - 1] for x0, y0, x1, y1 in DUEL]


def test_boxes_are_those_of_a_bitmap_for_each_object(shared_data: Path) -> None:
    reader = Davis(shared_data / "davis", "val")
    clip = next(clip for clip in reader if clip.clip_id == "bmx-trees")
    found = clip_boxes(clip, reader.root, convention="half-open").boxes["bmx-trees/1"]
    plain = []
    for frame in clip.frames:
        assert frame.labels is not None
        rows, columns = np.nonzero(media.read_labels(reader.root / frame.labels) == 1)
        plain.append((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) if rows.size else None)
    assert list(found) == plain


def mevis_tree(root: Path) -> Path:
    expressions = {
        "0": {"exp": "both birds", "obj_id": [0, 2], "anno_id": [5, 7]},
        "1": {"exp": "the second", "obj_id": [2], "anno_id": [7]},
        "2": {"exp": "the lost one", "obj_id": [3], "anno_id": [9]},
    }
    save_json(
        root / "train/meta_expressions.json", {"videos": {"0a1b": {"frames": ["00000", "00001"], "expressions": expressions}}}
    )
    masks = {"5": [rle(1, 2, 4, 6), None], "7": [rle(0, 0, 12, 8), rle(2, 0, 3, 1)], "8": [None, None]}
    save_json(root / "train/mask_dict.json", masks)
    save_frames(root / "train/JPEGImages/0a1b", ["00000", "00001"])
    return root


def test_mevis_boxes_have_the_annotation_ids(tmp_path: Path) -> None:
    out = tmp_path / "mevis_bbox.json"
    found = boxes(mevis_tree(tmp_path / "mevis"), out, data="mevis")
    # 9 has no masks, so it has no key; 8 is meant by nobody
    assert found == {"5": [[1, 2, 4, 6], None], "7": [[0, 0, 12, 8], [2, 0, 3, 1]]}
    assert ("0a1b/2", "target_missing") in ledger(out)


def ref_youtube_tree(root: Path) -> Path:
    frames = ["00000", "00005", "00010"]
    said = {"0": {"exp": "a penguin", "obj_id": "1"}, "1": {"exp": "the other", "obj_id": "3"}, "2": {"exp": "late", "obj_id": "4"}}
    save_json(root / "meta_expressions/train/meta_expressions.json", {"videos": {"00ab": {"frames": frames, "expressions": said}}})
    known = {"1": frames, "3": frames[:2], "4": []}
    objects = {name: {"category": "penguin", "frames": listed} for name, listed in known.items()}
    save_json(root / "train/meta.json", {"videos": {"00ab": {"objects": objects}}})
    save_frames(root / "train/JPEGImages/00ab", frames)
    for number, stem in enumerate(frames):
        shown = [(1, (number, 1, number + 2, 3)), *([(3, (6, 2, 10, 7))] if number == 0 else [])]
        save_labels(root / f"train/Annotations/00ab/{stem}.png", *shown)
    return root


def test_ref_youtube_vos_gets_annotation_ids_and_its_expression_file(tmp_path: Path) -> None:
    root = ref_youtube_tree(tmp_path / "rvos")
    out, expressions = tmp_path / "ref_ytvos_bbox.json", tmp_path / "new" / "ref_ytvos_expressions.json"
    found = boxes(root, out, "--expressions", str(expressions), data="ref-youtube-vos")
    # 3 is known in two frames and seen in one; of 4 nothing is known
    assert found == {
        "00ab/1": [[0, 1, 2, 3], [1, 1, 3, 3], [2, 1, 4, 3]],
        "00ab/3": [[6, 2, 10, 7], None, None],
    }
    assert {("00ab/3", "unknown_as_null"), ("00ab/4", "nothing_known"), ("00ab/2", "target_without_boxes")} <= set(ledger(out))
    assert json.loads(expressions.read_text())["videos"] == {
        "00ab": {
            "frames": ["00000", "00005", "00010"],
            "expressions": {
                "0": {"exp": "a penguin", "obj_id": "1", "anno_id": ["00ab/1"]},
                "1": {"exp": "the other", "obj_id": "3", "anno_id": ["00ab/3"]},
            },
        }
    }


def test_boxes_without_masks_have_no_inclusive_form(tmp_path: Path) -> None:
    frames = (ClipFrame(frame_id="a"),)
    clip = Clip(clip_id="c", split="train", frames=frames, tracks=(Track(object_id="1", boxes=((0.5, 1.0, 4.0, 6.0),)),))
    assert clip_boxes(clip, tmp_path, convention="half-open").boxes == {"c/1": ((0.5, 1, 4, 6),)}
    with pytest.raises(ValueError, match="half-open"):
        clip_boxes(clip, tmp_path, convention="inclusive")


def test_expressions_that_mean_nothing_stay_and_have_no_box(tmp_path: Path) -> None:
    mask = encode_mask(np.ones((SIDE[1], SIDE[0]), bool))
    said = tuple(Expression(expression_id=str(k), text="x", object_ids=ids) for k, ids in enumerate([("1",), (), None]))
    clip = Clip(
        clip_id="c",
        split="train",
        frames=(ClipFrame(frame_id="a"),),
        tracks=(Track(object_id="1", masks=(mask,)),),
        expressions=said,
    )
    found = clip_boxes(clip, tmp_path, convention="half-open")
    assert found.expressions == said
    assert list(found.boxes) == ["c/1"]


def many(root: Path, count: int) -> Path:
    for number in range(count):
        write_sequence(root, f"c{number:02d}", [{1: (number % 20, 2, 30, 12)}])
    write_list(root, "2017", "train", [f"c{number:02d}" for number in range(count)])
    return root


def test_an_interrupted_export_goes_on_and_ends_with_the_same_bytes(tmp_path: Path) -> None:
    root = many(tmp_path / "data", 40)
    source = ClipSource(reader="davis", root=str(root), split="train")
    out, whole = tmp_path / "boxes.json", tmp_path / "whole.json"

    def stop(done: int, _: int) -> None:
        if done == 16:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_boxes(source, out, workers=1, on_progress=stop)
    assert not out.exists()
    (tmp_path / ".boxes.json.77.ab.tmp").write_text("what a killed export left")
    (tmp_path / ".other.json.77.ab.tmp").write_text("what another is writing")
    assert sorted(path.name for path in (tmp_path / "boxes.parts").glob("0*.json")) == ["00000000.json"]
    seen: list[int] = []
    export_boxes(source, out, workers=2, on_progress=lambda done, _: seen.append(done))
    assert seen == [16, 32, 40]
    assert not (tmp_path / "boxes.parts").exists()
    assert [path.name for path in tmp_path.glob(".*.tmp")] == [".other.json.77.ab.tmp"]
    export_boxes(source, whole, workers=1)
    assert out.read_bytes() == whole.read_bytes()
    before = out.stat().st_mtime_ns
    assert export_boxes(source, out, workers=1).rows == {"boxes.json": 40}
    assert out.stat().st_mtime_ns == before


def test_another_option_or_a_changed_source_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root, out = write_tree(tmp_path / "data"), tmp_path / "boxes.json"
    boxes(root, out)
    boxes(root, out, "--convention", "inclusive", code=2)
    assert "another options" in capsys.readouterr().err
    write_sequence(root, "duel", [{1: (0, 0, 5, 5)}] * 7)
    boxes(root, out, code=2)
    assert "another source" in capsys.readouterr().err
    (tmp_path / "mine.json").write_text("{}")
    boxes(root, tmp_path / "mine.json", code=2)
    assert "not from this export" in capsys.readouterr().err


def test_no_box_is_an_error_and_leaves_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = tmp_path / "data"
    write_sequence(root, "blank", [None, None])
    write_list(root, "2017", "train", ["blank"])
    (root / "Annotations/480p").mkdir(parents=True)
    boxes(root, tmp_path / "boxes.json", code=2)
    assert "no object has a box" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


def test_two_clips_with_one_annotation_id_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = mevis_tree(tmp_path / "mevis")
    path = root / "train/meta_expressions.json"
    videos = json.loads(path.read_text())["videos"]
    save_json(path, {"videos": videos | {"0a1c": videos["0a1b"]}})
    boxes(root, tmp_path / "boxes.json", data="mevis", code=2)
    assert "have an entry '5'" in capsys.readouterr().err
