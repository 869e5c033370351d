"""The box-Sa2VA pipeline's relation files: every expression is checked from the masks, frame by frame."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sightline.cli import run
from sightline.datasets.clips.sav import Sav
from sightline.errors import InputError
from sightline.export.relation_boxes import SETS, RelationSource, export_relation_boxes
from sightline.geometry.masks import decode_mask
from sightline.media import read_labels
from sightline.tasks.relations.options import RelationOptions
from tests.davis_tree import write_list, write_sequence

OPTIONS = RelationOptions()
BoxAt = Callable[[int, str], list[int] | None]  # annotation id and frame's name
LEFT, MIDDLE, RIGHT = (2, 4, 10, 12), (18, 4, 28, 12), (36, 4, 46, 12)


def _tight(mask: np.ndarray) -> list[int] | None:
    rows, columns = np.nonzero(mask)
    if rows.size == 0:
        return None
    return [int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1]


def _read(out: Path, kind: str, name: str = "all_vos2") -> tuple[dict[str, Any], dict[str, Any]]:
    meta = json.loads((out / f"{name}_{kind}_step2.json").read_text())["videos"]
    return meta, json.loads((out / "mask_to_box" / f"{name}_{kind}_box.json").read_text())


def _verify(out: Path, box_at: BoxAt, width: int) -> int:
    """The number of expressions that were checked."""
    checked = 0
    for kind in SETS:
        meta, boxes = _read(out, kind)
        for video in meta.values():
            assert video["frames"] == sorted(video["frames"])
            window = range(video["start"], video["end"] + 1)
            for expression in video["expressions"].values():
                check = _check_switch if kind == "switch" else _check_ordinal
                check(expression, video, boxes, window, (box_at, width))
                checked += 1
    return checked


def _check_ordinal(expression: dict, video: dict, boxes: dict, window: range, masks: tuple[BoxAt, int]) -> None:
    box_at, width = masks
    (target,) = expression["target_objs"]
    reference = expression["reference_obj"]
    side, rank = expression["exp"].split("_")
    first = reference["ref_anno_id"] - reference["ref_obj_id"]  # objects of the tests are numbered in their order
    assert reference["ref_box"] == box_at(reference["ref_anno_id"], reference["ref_frame"])
    assert any(start <= window[0] and window[-1] <= end for start, end in expression["runs"])
    is_relative = (
        any(reference != other["reference_obj"] for other in video["expressions"].values())
        and target["anno_id"] != (reference["ref_anno_id"])
    )
    for place in window:
        frame = video["frames"][place]
        found = {first + number: box_at(first + number, frame) for number in expression["among"]}
        for name, box in found.items():
            assert boxes[str(name)][place] == box
        seen = {name: box for name, box in found.items() if box is not None}
        if is_relative:
            there = seen.pop(reference["ref_anno_id"])
            margin = 0.02 * width
            seen = {
                name: box
                for name, box in seen.items()
                if (box[2] + margin <= there[0] if side == "left" else there[2] + margin <= box[0])
            }
        outwards = (side == "left") == is_relative  # to the left of a reference one counts leftwards, from the left rightwards
        ordered = sorted(seen, key=lambda name: seen[name][0] + seen[name][2], reverse=outwards)
        assert ordered[int(rank) - 1] == target["anno_id"]


def _check_switch(expression: dict, video: dict, boxes: dict, window: range, masks: tuple[BoxAt, int]) -> None:
    box_at, _ = masks
    assert list(window) == list(range(len(video["frames"])))
    switches = expression["switches"]
    assert len(switches) > 1
    names = {switch["anno_id"] for switch in switches}
    turns = [video["frames"].index(switch["start_frame"].removesuffix(".jpg")) for switch in switches]
    assert turns[0] == 0
    for place, frame in enumerate(video["frames"]):
        leader = [switch for switch, turn in zip(switches, turns, strict=True) if turn <= place][-1]["anno_id"]
        assert [name for name in names if boxes[str(name)][place] is not None] == [leader]
        there = {name: box for name in names if (box := box_at(name, frame)) is not None}
        sign = 1 if expression["exp"] == "leftmost" else -1
        assert min(there, key=lambda name: sign * (there[name][0] + there[name][2])) == leader
        assert boxes[str(leader)][place] == there[leader]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """`still`: three objects stand side by side. `swap`: 1 passes behind 2. `alone` has one object."""
    root = tmp_path / "davis"
    write_sequence(root, "still", [{1: LEFT, 2: MIDDLE, 3: RIGHT}] * 8, pictures=False)
    passing = [{1: (1 + 3 * k, 4, 7 + 3 * k, 12), 2: (20, 16, 26, 30)} for k in range(13)]
    write_sequence(root, "swap", passing, pictures=False)
    write_sequence(root, "alone", [{1: LEFT}] * 8, pictures=False)
    write_list(root, "2017", "train", ["still", "swap", "alone"])
    return root


def _source(root: Path, **more: str) -> RelationSource:
    return RelationSource(reader="davis", root=str(root), split="train", **more)


def _label_boxes(tree: Path, sequences: dict[int, tuple[str, int]]) -> BoxAt:
    """`sequences`: the sequence and label of each annotation."""

    def box_at(name: int, frame: str) -> list[int] | None:
        sequence, label = sequences[name]
        return _tight(read_labels(tree / "Annotations/480p" / sequence / f"{frame}.png") == label)

    return box_at


# clips in sorted order: alone has annotation 1, still 2 to 4, swap 5 and 6
ANNOTATIONS = {1: ("alone", 1), 2: ("still", 1), 3: ("still", 2), 4: ("still", 3), 5: ("swap", 1), 6: ("swap", 2)}


def test_every_expression_holds_in_its_window(tree: Path, tmp_path: Path) -> None:
    written = export_relation_boxes(_source(tree), tmp_path / "out", name="all_vos2", options=OPTIONS)
    assert list(written.rows.values()) == [2, 2, 1]  # absolute, relative, switch
    # six of `still` (three ranks from two sides), six relative ones there (1,2 and 1,1 and 2,1); of `swap` one window each
    assert written.counts["expressions"]["absolute/left_3"] == 1
    assert written.counts["expressions"]["relative/left_2"] == 1
    assert _verify(tmp_path / "out", _label_boxes(tree, ANNOTATIONS), width=48) >= 12


def test_what_lies_outside_of_the_window_is_counted(tree: Path, tmp_path: Path) -> None:
    written = export_relation_boxes(_source(tree), tmp_path / "out", name="all_vos2", options=OPTIONS)
    assert written.dropped["outside_window"] == 2  # `swap` before or after, absolute and relative
    ledger = [json.loads(line) for line in (tmp_path / "out/all_vos2_relations.ledger.jsonl").read_text().splitlines()]
    assert sum(entry["reason"] == "outside_window" for entry in ledger) == 2


def test_the_same_command_goes_on_and_ends_with_the_same_bytes(tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sightline.export.clip_parts.CLIPS_A_PART", 1)
    whole = export_relation_boxes(_source(tree), tmp_path / "whole", name="all_vos2", options=OPTIONS)

    def stop(done: int, _: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        export_relation_boxes(_source(tree), tmp_path / "halted", name="all_vos2", options=OPTIONS, on_progress=stop)
    assert not list((tmp_path / "halted").glob("*step2.json"))
    again = export_relation_boxes(_source(tree), tmp_path / "halted", name="all_vos2", options=OPTIONS)
    assert again.counts == whole.counts
    written = [path for path in sorted((tmp_path / "whole").rglob("*.json*")) if not path.name.endswith(".export.json")]
    assert len(written) == 7  # three of each kind, and the ledger
    for path in written:
        assert path.read_bytes() == (tmp_path / "halted" / path.relative_to(tmp_path / "whole")).read_bytes()
    assert export_relation_boxes(_source(tree), tmp_path / "halted", name="all_vos2", options=OPTIONS) == again


def test_other_options_against_an_export_are_refused(tree: Path, tmp_path: Path) -> None:
    export_relation_boxes(_source(tree), tmp_path / "out", name="all_vos2", options=OPTIONS)
    with pytest.raises(InputError, match="another options"):
        export_relation_boxes(_source(tree), tmp_path / "out", name="all_vos2", options=RelationOptions(margin=0.1))


def test_a_prefix_goes_before_every_clip(tree: Path, tmp_path: Path) -> None:
    export_relation_boxes(_source(tree, prefix="davis_"), tmp_path / "out", name="mine", options=OPTIONS)
    assert set(_read(tmp_path / "out", "absolute", "mine")[0]) == {"davis_still", "davis_swap"}


def test_the_sa_v_masklets_are_exported_without_pictures(shared_data: Path, tmp_path: Path) -> None:
    root = shared_data / "sav"
    source = RelationSource(reader="sav", root=str(root), split="train")
    written = export_relation_boxes(source, tmp_path / "out", name="all_vos2", options=OPTIONS)
    clip = Sav(root, "train")[0]
    names = [frame.frame_id for frame in clip.frames]

    def box_at(name: int, frame: str) -> list[int] | None:
        rle = clip.tracks[name - 1].masks[names.index(frame)]
        return None if rle is None else _tight(decode_mask(rle))

    assert _verify(tmp_path / "out", box_at, width=480) == sum(written.counts["expressions"].values()) > 0


def test_the_command_prints_what_it_wrote(tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["export", "relations-boxes", "--data", "davis", "--root", str(tree), "--out", str(tmp_path / "out"), "--json"]
    assert run(arguments) == 0
    assert json.loads(capsys.readouterr().out)["rows"]["all_vos2_switch_step2.json"] == 1
    assert run(["export", "relations-boxes", "--data", "x3", "--root", str(tree), "--out", str(tmp_path / "o"), "--json"]) == 2


def test_clips_without_a_pair_leave_empty_files_and_their_counts(
    shared_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--data", "davis", "--root", str(shared_data / "davis"), "--out", str(tmp_path / "out")]
    assert run(["export", "relations-boxes", *where, "--json"]) == 0
    said = capsys.readouterr()
    written = json.loads(said.out)
    assert list(written["rows"].values()) == [0, 0, 0]
    relations = written["counts"]["relations"]
    assert relations["object_frame/usable"] + relations["object_frame/truncated"] == 742  # one object a frame
    assert "warning" in said.err
    assert _read(tmp_path / "out", "absolute") == ({}, {})
