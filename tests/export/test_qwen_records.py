"""Qwen-VL fine-tuning records of spatial QA: the same records after a round trip, from every source in one form."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from sightline.datasets.questions import QA_READERS
from sightline.dialects import get_dialect
from sightline.errors import InputError
from sightline.export.qwen_records import export_qwen_records, records
from sightline.tasks.spatial_qa import TASK, QaOptions
from sightline.taskset.build import BuildRequest, build
from sightline.types import Choice, Example, Number, SpatialInquiry, TextAnswer
from tests.qa_trees import WRITERS, mix_row, save_frames, save_picture, talk, write_lines, write_mix


def built(name: str, root: Path, split: str, out: Path, options: QaOptions = QaOptions()) -> Path:  # noqa: B008 - frozen
    request = BuildRequest(reader=name, root=str(root), splits=(split,), tasks=(TASK,), options=options, allow_shared_scenes=True)
    return Path(build(request, out)[0].path)


def exported(taskset: Path, out: Path) -> list[dict[str, Any]]:
    found = export_qwen_records([taskset], out)
    (name,) = found.rows
    rows = [json.loads(line) for line in (out / name).read_text().splitlines()]
    assert found.rows == {name: len(rows)}
    return rows


def full_rows(root: Path) -> list[dict[str, Any]]:
    """Records that name scene and type: what is written is then all that was read."""
    named = {"dataset": "scannet", "scene_id": "scene0191_00"}
    save_picture(root / "scannet" / "a.png")
    save_picture(root / "scannet" / "b.png")
    save_frames(root / "scannet" / "videos" / "scene0191_00")
    return [
        mix_row() | named | {"question_type": "object_size_estimation"},
        {
            "id": "turns",
            "image": ["scannet/a.png", "scannet/b.png"],
            "conversations": talk("<image> What is it?", "A sofa.", "And\nhere: <image>?", "2 beds", 'Is "<image>" a word?', "Yes"),
            "system": "You see rooms.",
            **named,
        },
        {
            "id": "choice",
            "image": "scannet/a.png",
            "conversations": talk("Look: <image>\nWhich?\nA. lamp\nB. bed", "<answer>B. bed</answer>"),
            **named,
        },
    ]


def test_records_are_the_same_after_a_round_trip(tmp_path: Path) -> None:
    rows = full_rows(tmp_path / "root")
    write_lines(tmp_path / "root" / "all.jsonl", rows)
    written = exported(built("qa-json", tmp_path / "root", "all", tmp_path / "sets"), tmp_path / "out")
    assert written == rows


def test_a_blind_question_keeps_the_paths_of_its_media(tmp_path: Path) -> None:
    row = mix_row() | {"dataset": "scannet", "scene_id": "scene0191_00"}
    write_lines(tmp_path / "root" / "all.jsonl", [row])
    taskset = built("qa-json", tmp_path / "root", "all", tmp_path / "sets", QaOptions(missing_media="keep"))
    assert exported(taskset, tmp_path / "out") == [row]


@pytest.mark.parametrize("name", QA_READERS)
def test_every_source_comes_back_from_its_records_with_the_same_truths(name: str, tmp_path: Path) -> None:
    root = WRITERS[name](tmp_path / "root")
    split = QA_READERS[name][0]().splits(root)[0]
    rows = exported(built(name, root, split, tmp_path / "sets"), tmp_path / "out")
    write_lines(root / "again.jsonl", rows)
    assert truths("qa-json", root, "again") == truths(name, root, split)


def truths(name: str, root: Path, split: str) -> list[tuple[str, Choice | Number | TextAnswer, str, str, str]]:
    reader = QA_READERS[name][0]()(root, split)
    found = [each for index in range(len(reader)) for each in reader[index]]
    return [
        (each.text + each.suffix, each.target, each.scene_id, each.dataset, each.question_type)
        for each in found
        if isinstance(each, SpatialInquiry)
    ]


def test_another_task_is_refused(tmp_path: Path) -> None:
    taskset = built("spatial-mllm", write_mix(tmp_path / "root"), "spatial-mllm-mix-133k", tmp_path / "sets")
    manifest = json.loads((taskset / "manifest.json").read_text())
    (taskset / "manifest.json").write_text(json.dumps(manifest | {"task": "t2a"}))
    with pytest.raises(InputError, match="task set of t2a"):
        export_qwen_records([taskset], tmp_path / "out")


def test_questions_without_files_of_their_authors_are_refused(tmp_path: Path) -> None:
    taskset = built("spatial-mllm", write_mix(tmp_path / "root"), "spatial-mllm-mix-133k", tmp_path / "sets")
    (path,) = taskset.glob("examples-*.jsonl")
    path.write_text(path.read_text().replace('"video_0"', '"other"'))
    with pytest.raises(InputError, match="sightline export llava"):
        list(records(decoded(path), get_dialect("qwen25")))


def decoded(path: Path) -> list[Example]:
    return [msgspec.json.decode(line, type=Example) for line in path.read_bytes().splitlines()]
