"""LLaVA / ShareGPT JSON: what stands in the file says the same as the task set."""

import json
from pathlib import Path
from typing import Any

import pytest

from sightline import media
from sightline.dialects import Size, get_dialect
from sightline.errors import InputError
from sightline.export.files import choose_root
from sightline.export.llava import export_llava
from sightline.taskset.store import TaskSet
from sightline.types import Points

QWEN3 = get_dialect("qwen3")


def rows_of(path: Path) -> list[dict[str, Any]]:
    return json.loads(path.read_text())


@pytest.mark.parametrize("task", ["t1_multi", "t1_concat", "t2a", "t2b"])
def test_every_row_has_a_token_for_every_picture_and_the_true_answer(tasksets: Path, tmp_path: Path, task: str) -> None:
    taskset = TaskSet(tasksets / f"{task}-train")
    exported = export_llava([taskset.path], tmp_path, dialect=QWEN3)
    rows = rows_of(tmp_path / f"{task}-train.json")
    assert exported.rows == {f"{task}-train.json": len(taskset)}
    assert [row["id"] for row in rows] == taskset.index["id"]
    for row, example in zip(rows, taskset, strict=True):
        human, gpt = row["conversations"]
        images = row["image"] if isinstance(row["image"], list) else [row["image"]]
        assert isinstance(row["image"], str) == (len(images) == 1)
        assert (human["from"], gpt["from"]) == ("human", "gpt")
        assert human["value"].count("<image>") == len(images) == len(example.question.images)
        # the second wording of every task shows the pictures in their order
        assert [media.pixel_digest(media.read_rgb(tmp_path / name)) for name in images] == [
            image.digest for image in example.question.images
        ]
        sizes = [Size.of(image) for image in example.question.images]
        answer = QWEN3.decode(gpt["value"], example.question.form, sizes).answer
        truth = example.truth.answer
        if isinstance(truth, Points):
            assert isinstance(answer, Points)
            # whole thousandths: half a step of 48 pixels at most is 0.024
            assert answer.points[0] == pytest.approx(truth.points[0], abs=0.025)
        else:
            assert answer == truth


def test_pictures_are_copied_once_and_not_again(tasksets: Path, tmp_path: Path) -> None:
    sets = [tasksets / "t1_multi-train", tasksets / "t2b-train"]
    first = export_llava(sets, tmp_path, dialect=QWEN3)
    files = list((tmp_path / "media").rglob("*.png"))
    different = {image.digest for path in sets for example in TaskSet(path) for image in example.question.images}
    assert {path.stem for path in files} == different
    assert first.num_copied == len(files) == len(different)
    assert export_llava(sets, tmp_path, dialect=QWEN3).num_copied == 0


def test_paths_are_relative_to_the_declared_root(tasksets: Path, tmp_path: Path) -> None:
    root = tasksets.parent
    export_llava([tasksets / "t2b-train"], tmp_path, dialect=QWEN3, media_root=root)
    row = rows_of(tmp_path / "t2b-train.json")[0]
    assert row["image"][0].startswith("data/train/")
    assert all((root / name).is_file() for name in row["image"])
    assert not (tmp_path / "media").exists()


def test_a_picture_outside_the_root_names_the_folders_to_choose_from(tasksets: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"--media-root .*empty.*--copy-media"):
        export_llava([tasksets / "t2b-train"], tmp_path / "out", dialect=QWEN3, media_root=tmp_path / "empty")
    assert not (tmp_path / "out" / "t2b-train.json").exists()


def test_the_messages_form_is_declared_to_llama_factory_beside_what_stands_there(tasksets: Path, tmp_path: Path) -> None:
    (tmp_path / "dataset_info.json").write_text('{"other": {"file_name": "x.json"}}')
    export_llava([tasksets / "t1_concat-train"], tmp_path, dialect=QWEN3, form="messages")
    row = rows_of(tmp_path / "t1_concat-train.json")[0]
    assert [turn["role"] for turn in row["messages"]] == ["user", "assistant"]
    assert len(row["images"]) == 1
    declared = json.loads((tmp_path / "dataset_info.json").read_text())
    assert declared["other"] == {"file_name": "x.json"}
    columns = declared["t1_concat-train"]["columns"]
    assert set(columns.values()) < set(row)
    assert declared["t1_concat-train"]["tags"]["assistant_tag"] == row["messages"][1]["role"]


def test_a_note_says_where_the_rows_came_from(tasksets: Path, tmp_path: Path) -> None:
    export_llava([tasksets / "t2b-train"], tmp_path, dialect=QWEN3)
    note = json.loads((tmp_path / "t2b-train.export.json").read_text())
    assert note["taskset_fingerprint"] == TaskSet(tasksets / "t2b-train").manifest.fingerprint
    assert note["dialect"] == "qwen3"


def test_another_dialect_into_the_same_folder_is_an_error_and_changes_nothing(tasksets: Path, tmp_path: Path) -> None:
    export_llava([tasksets / "t2b-train"], tmp_path, dialect=QWEN3)
    before = (tmp_path / "t2b-train.json").read_bytes()
    with pytest.raises(InputError, match="dialect is 'qwen3' there and 'roborefer' here"):
        export_llava([tasksets / "t2b-train"], tmp_path, dialect=get_dialect("roborefer"))
    assert (tmp_path / "t2b-train.json").read_bytes() == before


def test_two_sets_of_one_name_are_refused(tasksets: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="two task sets are called 't2b-train'"):
        export_llava([tasksets / "t2b-train", tasksets / "t2b-train"], tmp_path, dialect=QWEN3)


@pytest.mark.parametrize(("root", "copy"), [(None, False), (Path(), True)])
def test_where_pictures_lie_is_said_exactly_once(root: Path | None, copy: bool) -> None:
    with pytest.raises(InputError, match=r"--media-root.*--copy-media"):
        choose_root(root, copy_media=copy)
