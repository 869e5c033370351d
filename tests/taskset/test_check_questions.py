"""check-data of spatial QA: what is counted, what is a problem, what is a note, and scenes that are tested on."""

import json
from pathlib import Path

from sightline.cli import run
from sightline.taskset.check_questions import lint_qa
from tests.qa_trees import mindcube_row, mix_row, save_frames, vsi_rows, write_lines, write_mindcube, write_mix, write_vsi

TURNS = "conversations"


def said(question: str, answer: str) -> list[dict[str, str]]:
    return [{"from": "human", "value": question}, {"from": "gpt", "value": answer}]


def test_a_sound_benchmark_has_counts_and_nothing_else(tmp_path: Path) -> None:
    found = lint_qa("vsi-bench", write_vsi(tmp_path))
    assert found.counts == {
        "test": {
            "rows": 2,
            "questions": 2,
            "questions answered by letters": 1,
            "questions answered by numbers": 1,
            "questions of type object_counting": 1,
            "questions of type object_rel_distance": 1,
            "images": 0,
            "videos": 2,
            "scenes": 2,
        }
    }
    assert (found.problems, found.notes, found.leak) == ((), (), None)  # its scenes are tested on, and it is a test


def test_every_kind_of_damage_is_named_with_its_row(tmp_path: Path) -> None:
    good = mix_row()
    rows = [
        good | {"author": "someone"},
        good | {"id": "1", TURNS: said("<video>\n<video>\nHow many?", "4")},
        good | {"id": "2", TURNS: said("<video>\nWhich one? A. cup B. book", "E")},
        good | {"id": "3", TURNS: said("<video>\nHow many?", "")},
        good | {"id": "4", "video": "scannet/videos/scene0192_00.mp4"},
        good | {"id": "5", "video": "scannet/videos/scene0192_00.mp4"},
        good | {"id": "6", "video": "../elsewhere.mp4"},
    ]
    write_mix(tmp_path)
    for path in tmp_path.rglob("*.jsonl"):
        path.unlink()
    path = write_lines(tmp_path / "annotations" / "mix.jsonl", rows)
    with path.open("a") as file:
        file.write('{"id": "7", "conv')
    found = lint_qa("spatial-mllm", tmp_path)
    assert [(entry.reason, entry.unit) for entry in found.notes] == [("unknown_field", "annotations/mix.jsonl#0")]
    assert "'author'" in found.notes[0].detail
    by_reason = {entry.reason: entry for entry in found.problems}
    assert {reason: entry.unit.rpartition("#")[2] for reason, entry in by_reason.items() if reason != "media_missing"} == {
        "tags_do_not_match_media": "1",
        "answer_not_an_option": "2",
        "answer_empty": "3",
        "path_leaves_root": "6",
        "row_unreadable": "7",
    }
    assert by_reason["media_missing"].detail == "the video scannet/videos/scene0192_00.mp4 of 2 question(s) is not there"
    assert len(found.problems) == 6
    assert (found.counts["mix"]["rows"], found.counts["mix"]["questions"]) == (8, 3)


def test_training_data_about_a_tested_scene_is_a_leak_by_name(tmp_path: Path, capsys) -> None:
    rows = [mix_row() | {"id": str(number), "video": f"scannet/videos/scene0011_{number:02d}.mp4"} for number in range(2)]
    write_lines(tmp_path / "mix.jsonl", rows)
    for number in range(2):
        save_frames(tmp_path / "scannet" / "videos" / f"scene0011_{number:02d}", 1)
    assert run(["check-data", "spatial-mllm", str(tmp_path), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["problems"] == []
    assert "scannet/scene0011 (spatial-mllm, train), tested on" in found["leak"]


def test_splits_of_one_benchmark_that_share_places_are_a_leak(tmp_path: Path) -> None:
    root = write_mindcube(tmp_path)
    assert "among/group001" in (lint_qa("mindcube", root).leak or "")
    other = [path.replace("group001", "group002") for path in mindcube_row()["images"]]
    write_lines(root / "data" / "raw" / "MindCube_train.jsonl", [mindcube_row() | {"images": other}])
    assert lint_qa("mindcube", root).leak is None


def test_the_command_prints_a_table_and_knows_its_readers(tmp_path: Path, capsys) -> None:
    root = write_vsi(tmp_path)
    assert run(["check-data", "vsi-bench", str(root)]) == 0
    assert "questions of type object_counting" in capsys.readouterr().out
    write_lines(root / "test.jsonl", [vsi_rows()[0] | {"scene_name": "0123456789"}])
    assert run(["check-data", "vsi-bench", str(root)]) == 1
    assert "media_missing" in capsys.readouterr().out
    assert run(["check-data", "vsi-bench", str(root), "--full"]) == 2
    assert "never decoded" in " ".join(capsys.readouterr().err.split())
