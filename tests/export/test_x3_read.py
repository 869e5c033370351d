"""Files that are not as they should be: one clear error, or a ledger entry for the row."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sightline.errors import InputError
from sightline.export.x3.paths import RootMap
from sightline.export.x3.placed import Options
from sightline.export.x3.read import import_x3
from sightline.taskset.build import Built
from sightline.taskset.store import TaskSet
from tests.export.conftest import Rows

Rewrite = Callable[[str, Callable[[Rows], object]], Path]
MULTI = "t1_train_multi.json"


def read(file: Path, out: Path, *root_map: str) -> Built:
    (built,) = import_x3([file], out, root_map=RootMap.parse(root_map), options=Options())
    return built


def reasons(built: Built) -> dict[str, str]:
    return {entry.unit: entry.reason for entry in TaskSet(Path(built.path)).ledger}


def changed(**fields: Any) -> Callable[[Rows], object]:
    """Changes the first row."""
    return lambda rows: rows[0].update(fields)


def answering(text: str) -> Callable[[Rows], object]:
    return lambda rows: rows[0]["conversations"][1].update(value=text)


def test_paths_of_another_machine_need_a_root_map(rewrite: Rewrite, tree: Path, files: Path, tmp_path: Path) -> None:
    def move(rows: Rows) -> None:
        for row in rows:
            row["query_original"] = row["query_original"].replace(str(tree), "/data/x3")
            row["image"] = [path.replace(str(tree), "/data/x3").replace(str(files), "/data/sft") for path in row["image"]]

    file = rewrite(MULTI, move)
    with pytest.raises(InputError, match=r"paths of another machine.*--root-map /data/x3=/folder/here"):
        read(file, tmp_path / "out")
    built = read(file, tmp_path / "out", f"/data/x3={tree}", f"/data/sft={files}")
    assert built.manifest.num_examples == len(json.loads(file.read_text()))
    with pytest.raises(InputError, match="after --root-map"):
        read(file, tmp_path / "other", f"/data/x3={files}")


def test_pictures_that_are_missing_after_all_are_in_the_ledger(rewrite: Rewrite, tmp_path: Path) -> None:
    def lose(rows: Rows) -> None:
        rows[0]["image"][0] = "/data/sft/marked.png"

    built = read(rewrite(MULTI, lose), tmp_path / "out")
    assert reasons(built) == {"T1_MULTI_cellar_uid3_A01000010_B02000020": "picture_unusable"}


@pytest.mark.parametrize("path", ["/data/x3/../../etc/passwd", "../train/cellar/uid_3/02_000020_original.png"])
def test_a_path_with_dots_is_refused(path: str, rewrite: Rewrite, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"T1_MULTI_cellar_uid3_A01000010_B02000020.*without '\.\.'"):
        read(rewrite(MULTI, changed(query_original=path)), tmp_path / "out")


def test_a_path_that_leaves_its_root_through_a_link_is_refused(rewrite: Rewrite, tree: Path, tmp_path: Path) -> None:
    (tmp_path / "here").mkdir()
    (tmp_path / "here" / "train").symlink_to(tree / "train")
    file = rewrite(MULTI, changed(query_original="/data/x3/train/cellar/uid_3/02_000020_original.png"))
    with pytest.raises(InputError, match="leaves its root"):
        read(file, tmp_path / "out", f"/data/x3={tmp_path / 'here'}")


@pytest.mark.parametrize("option", ["/data", "data=/tmp", "/data=", "/data=/no/such/folder"])
def test_a_root_map_must_be_an_absolute_folder_and_one_that_is_here(option: str) -> None:
    with pytest.raises(InputError, match="--root-map"):
        RootMap.parse([option])


def test_a_root_map_given_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="twice"):
        RootMap.parse([f"/data={tmp_path}", f"/data={tmp_path}"])


def test_the_longest_root_counts_and_names_are_matched_whole(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    roots = RootMap.parse([f"/data={tmp_path / 'a'}", f"/data/x3={tmp_path / 'b'}"])
    assert roots.resolve("/data/x3/one.png", tmp_path) == tmp_path / "b" / "one.png"
    assert roots.resolve("/data/x30/one.png", tmp_path) == tmp_path / "a" / "x30" / "one.png"
    assert roots.resolve("/database/one.png", tmp_path) == Path("/database/one.png")
    assert roots.resolve("sub/one.png", tmp_path) == tmp_path / "sub" / "one.png"


@pytest.mark.parametrize(
    ("content", "message"),
    [("{}", "array"), ('[{"id": 3}]', "id"), ('[{"id": "a", "task": "t1_multi"}]', "image"), ("[", "truncated"), ("[]", "no rows")],
)
def test_wrong_types_name_the_file_and_the_field(content: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "t1_val_multi.json"
    path.write_text(content)
    with pytest.raises(InputError, match=rf"t1_val_multi\.json: .*{message}"):
        read(path, tmp_path / "out")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"t1_val_multi\.json"):
        read(tmp_path / "t1_val_multi.json", tmp_path / "out")


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (changed(id="T1_MULTI_cellar"), "id_unreadable"),
        (changed(task="t2b_multi"), "id_unreadable"),
        (changed(image=["/one.png"]), "picture_count"),
        (changed(id="T1_MULTI_cellar_uid3_A01000010_B03000030"), "id_disagrees_with_path"),
        (changed(id="T1_MULTI_cellar_uid3_A07000070_B02000020"), "no_such_view"),
        (changed(query_original="/no/folder/02_000020_original.png"), "no_x3_folder"),
        (changed(conversations=[]), "answer_unreadable"),
        (answering("somewhere"), "answer_unreadable"),
        (answering("NOT_VISIBLE"), "truth_contradicts_mask"),
        (answering("[(0.100, 0.900)]"), "truth_off_the_mask"),
    ],
)
def test_a_row_that_cannot_be_used_is_in_the_ledger(
    change: Callable[[Rows], object], reason: str, rewrite: Rewrite, tmp_path: Path
) -> None:
    file = rewrite(MULTI, change)
    rows = json.loads(file.read_text())
    built = read(file, tmp_path / "out")
    assert reasons(built) == {rows[0]["id"]: reason}
    assert built.manifest.num_examples == len(rows) - 1


def test_an_unmarked_reference_is_not_used(rewrite: Rewrite, tree: Path, tmp_path: Path) -> None:
    original = str(tree / "train" / "cellar" / "uid_3" / "01_000010_original.png")
    query = str(tree / "train" / "cellar" / "uid_3" / "02_000020_original.png")
    built = read(rewrite(MULTI, changed(image=[original, query])), tmp_path / "out")
    assert reasons(built) == {"T1_MULTI_cellar_uid3_A01000010_B02000020": "reference_not_marked"}


def test_a_second_row_of_one_id_is_not_used(rewrite: Rewrite, tmp_path: Path) -> None:
    built = read(rewrite(MULTI, lambda rows: rows.append(rows[0])), tmp_path / "out")
    assert reasons(built) == {"T1_MULTI_cellar_uid3_A01000010_B02000020": "id_twice"}


def test_rows_of_another_split_than_the_file_says_are_not_used(rewrite: Rewrite, tmp_path: Path) -> None:
    file = rewrite(MULTI, lambda rows: rows[0]).rename(tmp_path / "t1_val_multi.json")
    with pytest.raises(InputError, match="is of validation, but the query lies in train/"):
        read(file, tmp_path / "out")


def test_a_missing_mask_is_unknown_and_never_not_visible(tree: Path, files: Path, tmp_path: Path) -> None:
    copy = tmp_path / "data"
    shutil.copytree(tree, copy)
    (copy / "train" / "kitchen" / "uid_1" / "03_000030_mask.png").unlink()  # the view that does not show the object
    built = read(files / MULTI, tmp_path / "out", f"{tree}={copy}")
    found = reasons(built)
    assert set(found.values()) == {"mask_missing"}
    assert "T1_MULTI_kitchen_uid1_A01000010_B03000030" in found


def test_a_concatenated_prompt_that_names_no_point_on_the_object_is_not_used(rewrite: Rewrite, tmp_path: Path) -> None:
    def misname(rows: Rows) -> None:
        rows[0]["conversations"][0]["value"] = "the object at (0.900, 0.900), answer [(0.1, 0.9)]"

    built = read(rewrite("t1_train_concat.json", misname), tmp_path / "out")
    assert reasons(built) == {"T1_CONCAT_cellar_uid3_A01000010_B02000020": "reference_point_unusable"}


def test_files_that_share_a_scene_between_splits_are_refused(files: Path, tree: Path, tmp_path: Path) -> None:
    copy = tmp_path / "data"
    shutil.copytree(tree / "train", copy / "validation")
    text = (files / MULTI).read_text().replace(f"{tree}/train/", f"{copy}/validation/")
    (tmp_path / "t1_val_multi.json").write_text(text)
    both = [files / MULTI, tmp_path / "t1_val_multi.json"]
    with pytest.raises(InputError, match="stand in two splits"):
        import_x3(both, tmp_path / "out", root_map=RootMap(), options=Options())
    built = import_x3(both, tmp_path / "out", root_map=RootMap(), options=Options(), allow_shared_scenes=True)
    assert [part.manifest.name for part in built] == ["t1_multi-train", "t1_multi-validation"]
