"""Ours to theirs and back: everything their files can carry."""

import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from sightline.errors import InputError
from sightline.export.x3.paths import RootMap
from sightline.export.x3.placed import Options
from sightline.export.x3.read import import_x3
from sightline.export.x3.write import export_x3
from sightline.taskset.store import TaskSet
from sightline.types import Example, PointPart, Points
from tests.export.conftest import TASKS, Rows

Rewrite = Callable[[str, Callable[[Rows], object]], Path]
HALF_STEP = 0.0005 + 1e-9


@pytest.fixture(scope="module")
def back(files: Path) -> Path:
    """The exported files as task sets again."""
    out = files.parent / "back"
    import_x3(sorted(files.glob("t*.json")), out, root_map=RootMap(), options=Options())
    return out


def without_decimals(example: Example, like: Example) -> Example:
    """`example` with the true point and the reference's point of `like`, after a check that each is within half a step."""
    picture = like.question.images[-1]
    question, truth = example.question, example.truth
    if isinstance(truth.answer, Points) and isinstance(like.truth.answer, Points):
        for ours, theirs in zip(like.truth.answer.points[0], truth.answer.points[0], strict=True):
            assert abs(ours - theirs) <= HALF_STEP * max(picture.width, picture.height)
        truth = msgspec.structs.replace(truth, answer=like.truth.answer)
    if question.task == "t1_concat":
        assert question.reference is not None
        assert like.question.reference is not None
        point = question.reference.point
        assert point == pytest.approx(like.question.reference.point, abs=HALF_STEP * picture.width)
        assert [(part.x, part.y) for part in question.prompt if isinstance(part, PointPart)] == [point]
        question = msgspec.structs.replace(question, reference=like.question.reference, prompt=like.question.prompt)
    return msgspec.structs.replace(example, question=question, truth=truth)


@pytest.mark.parametrize("task", TASKS)
def test_only_decimals_are_lost(task: str, tasksets: Path, back: Path) -> None:
    ours, theirs = TaskSet(tasksets / f"{task}-train"), TaskSet(back / f"{task}-train")
    assert len(ours) > 0
    assert [without_decimals(b, a) for a, b in zip(ours, theirs, strict=True)] == list(ours)
    assert theirs.masks == ours.masks
    for example in theirs:
        for image in example.question.images:
            theirs.read_rgb(image)  # checks the digest, which is that of ours


@pytest.mark.parametrize("task", TASKS)
def test_their_rows_come_back_as_they_were(task: str, files: Path, back: Path, tmp_path: Path) -> None:
    export_x3([back / f"{task}-train"], tmp_path / "again")
    (name,) = [path.name for path in (tmp_path / "again").glob("t*.json")]
    again = (tmp_path / "again" / name).read_text().replace(str(tmp_path / "again"), str(files))
    assert again == (files / name).read_text()


def test_every_kind_of_query_went_out_and_came_back(back: Path) -> None:
    kinds = {example.id.rpartition("/")[2].partition("_uid")[0].partition("_kitchen")[0] for example in TaskSet(back / "t2a-train")}
    assert {"V", "N12", "N4", "VC", "VC_control"} <= kinds
    assert "N0" in TaskSet(back / "t2a-train").manifest.kept


def test_a_row_as_documented(files: Path, tree: Path) -> None:
    row = json.loads((files / "t1_train_multi.json").read_text())[0]
    folder = tree / "train" / "cellar" / "uid_3"
    # the first pair of cellar, uid 3: in view 2 the box (10, 3, 18, 11) has the centre (14, 7), of 24 x 18 pixels
    assert row["id"] == "T1_MULTI_cellar_uid3_A01000010_B02000020"
    assert row["task"] == "t1_multi"
    assert row["image"] == [
        str(files / "marked_abs" / "train" / "cellar" / "uid_3" / "01_000010.png"),
        str(folder / "02_000020_original.png"),
    ]
    assert row["query_original"] == row["image"][1]
    assert [turn["from"] for turn in row["conversations"]] == ["human", "gpt"]
    assert row["conversations"][1]["value"] == "[(0.583, 0.389)]"
    prompt = row["conversations"][0]["value"]
    assert "<image>" not in prompt
    assert "NOT_VISIBLE" in prompt
    assert prompt.startswith("image 1\nOne object in this picture is tinted red.")


def test_concatenated_truth_is_of_the_whole_picture_or_by_name_of_view_b(tasksets: Path, files: Path, tmp_path: Path) -> None:
    export_x3([tasksets / "t1_concat-train"], tmp_path / "local", concat_frame="local")
    whole, local = (json.loads((folder / "t1_train_concat.json").read_text())[0] for folder in (files, tmp_path / "local"))
    # centre (14, 7) in B, behind 24 pixels of A: (24 + 14) / 48 and 7 / 18
    assert whole["conversations"][1]["value"] == "[(0.792, 0.389)]"
    assert local["conversations"][1]["value"] == "[(0.583, 0.389)]"


def test_truth_in_the_wrong_frame_is_refused_and_converted_by_option(tasksets: Path, tmp_path: Path) -> None:
    export_x3([tasksets / "t1_concat-train"], tmp_path / "local", concat_frame="local")
    file = tmp_path / "local" / "t1_train_concat.json"
    with pytest.raises(InputError, match=r"only as shares of view B.*--concat-frame local"):
        import_x3([file], tmp_path / "out", root_map=RootMap(), options=Options())
    assert [path.name for path in (tmp_path / "out").iterdir()] == [".lock"]
    (built,) = import_x3([file], tmp_path / "out", root_map=RootMap(), options=Options(concat_frame="local"))
    ours, theirs = TaskSet(tasksets / "t1_concat-train"), TaskSet(Path(built.path))
    assert [without_decimals(b, a) for a, b in zip(ours, theirs, strict=True)] == list(ours)
    assert built.manifest.altered == {"truth_frame_converted": sum(example.truth.visible for example in ours)}


def test_right_truth_is_refused_where_the_wrong_frame_is_declared(files: Path, tmp_path: Path) -> None:
    options = Options(concat_frame="local")
    with pytest.raises(InputError, match="--concat-frame whole"):
        import_x3([files / "t1_train_concat.json"], tmp_path / "out", root_map=RootMap(), options=options)


def test_a_file_that_mixes_the_frames_is_refused(rewrite: Rewrite, tmp_path: Path) -> None:
    def localise(rows: Rows) -> None:
        rows[0]["conversations"][1]["value"] = "[(0.583, 0.389)]"

    file = rewrite("t1_train_concat.json", localise)
    with pytest.raises(InputError, match="mixes both frames"):
        import_x3([file], tmp_path / "out", root_map=RootMap(), options=Options())


def test_a_frame_that_cannot_be_told_is_in_the_ledger(rewrite: Rewrite, tmp_path: Path) -> None:
    # the dilated mask covers 9..19 of B's 24 columns; x = 0.8 is 0.8 * 48 - 24 = 14.4 of the whole, and 19.2 of view B alone, which
    # is within the tolerance of its edge
    def keep_one(rows: Rows) -> None:
        del rows[1:]
        rows[0]["conversations"][1]["value"] = "[(0.800, 0.389)]"

    file = rewrite("t1_train_concat.json", keep_one)
    (built,) = import_x3([file], tmp_path / "out", root_map=RootMap(), options=Options())
    assert built.manifest.altered == {"truth_frame_unproven": 1}


def test_jpeg_pictures_are_read_back(tasksets: Path, tmp_path: Path) -> None:
    export_x3([tasksets / "t1_concat-train"], tmp_path / "jpeg", jpeg=True)
    rows = json.loads((tmp_path / "jpeg" / "t1_train_concat.json").read_text())
    assert {Path(row["image"][0]).suffix for row in rows} == {".jpg"}
    file = tmp_path / "jpeg" / "t1_train_concat.json"
    (built,) = import_x3([file], tmp_path / "out", root_map=RootMap(), options=Options())
    assert built.manifest.num_examples == len(rows)


def test_the_same_import_again_changes_nothing_and_another_is_refused(files: Path, tmp_path: Path) -> None:
    file = files / "t2b_train_multi.json"
    first = import_x3([file], tmp_path / "out", root_map=RootMap(), options=Options())
    again = import_x3([file], tmp_path / "out", root_map=RootMap(), options=Options())
    assert [part.existed for part in (*first, *again)] == [False, True]
    with pytest.raises(InputError, match="min_area"):
        import_x3([file], tmp_path / "out", root_map=RootMap(), options=Options(min_area=0.1))


def test_two_sets_for_one_file_are_refused(tasksets: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"both rows of t2b_train_multi\.json"):
        export_x3([tasksets / "t2b-train", tasksets / "t2b-train"], tmp_path / "out")
