"""Benchmarks as a user meets them: build, check, eval, score by two protocols, export, and errors."""

import json
from pathlib import Path

import pytest

from sightline.cli import run
from sightline.dialects import DIALECTS
from sightline.taskset.store import TaskSet
from tests.question_trees import (
    mask,
    picture,
    sample,
    save,
    write_bench,
    write_bench_parquet,
    write_home,
    write_json,
    write_refspatial,
    write_where2place,
)

ONE = ["--workers", "1"]


def build(name: str, root: Path, out: Path, *more: str) -> int:
    return run(["build", name, "--root", str(root), "--out", str(out), *ONE, *more])


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_dir())


def test_every_benchmark_becomes_task_sets(tmp_path: Path) -> None:
    out = tmp_path / "tasks"
    assert build("refspatial-bench", write_bench(tmp_path / "a"), out) == 0
    assert build("where2place", write_where2place(tmp_path / "b"), out) == 0
    assert build("robospatial-home", write_home(tmp_path / "c"), out) == 0
    assert build("refspatial", write_refspatial(tmp_path / "d"), out) == 0
    assert names(out) == [
        "refspatial_bench-location",
        "refspatial_bench-unseen",
        "refspatial_choice-2D_choice_qa",
        "refspatial_points-2D_choice_qa",
        "refspatial_yesno-2D_choice_qa",
        "robospatial_home-context",
        "robospatial_home_yesno-compatibility",
        "robospatial_home_yesno-configuration",
        "where2place-test",
    ]
    manifest = TaskSet(out / "refspatial_points-2D_choice_qa").manifest
    assert (manifest.num_examples, manifest.dropped) == (1, {"answer_is_free_text": 1})


def test_the_same_command_again_leaves_what_is_there_and_other_words_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root, out = write_bench(tmp_path / "data"), tmp_path / "tasks"
    assert build("refspatial-bench", root, out, "--split", "location") == 0
    before = (out / "refspatial_bench-location" / "manifest.json").stat().st_mtime_ns
    capsys.readouterr()
    assert build("refspatial-bench", root, out, "--split", "location", "--json") == 0
    assert [part["existed"] for part in json.loads(capsys.readouterr().out)] == [True]
    assert (out / "refspatial_bench-location" / "manifest.json").stat().st_mtime_ns == before
    assert build("refspatial-bench", root, out, "--split", "location", "--words", "published") == 2
    assert "words: dialect there, published now" in capsys.readouterr().err


def test_folders_and_parquet_make_the_same_questions(tmp_path: Path) -> None:
    assert build("refspatial-bench", write_bench(tmp_path / "a"), tmp_path / "x", "--split", "location") == 0
    assert build("refspatial-bench", write_bench_parquet(tmp_path / "b"), tmp_path / "y") == 0
    a, b = (TaskSet(tmp_path / out / "refspatial_bench-location") for out in ("x", "y"))
    for ours, theirs in zip(a, b, strict=True):
        assert (ours.id, ours.group, ours.truth, ours.question.prompt) == (
            theirs.id,
            theirs.group,
            theirs.truth,
            theirs.question.prompt,
        )
        assert (a.read_rgb(ours.question.images[0]) == b.read_rgb(theirs.question.images[0])).all()
        assert ours.truth.mask is not None
        assert (a.read_mask(ours.truth.mask) == b.read_mask(ours.truth.mask)).all()


def test_eval_report_score_and_exports_work_on_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, runs = tmp_path / "tasks", tmp_path / "runs"
    build("refspatial-bench", write_bench_parquet(tmp_path / "a"), out)
    build("robospatial-home", write_home(tmp_path / "b"), out, "--split", "configuration")
    build("refspatial", write_refspatial(tmp_path / "c"), out)
    tasksets = [str(out / name) for name in names(out) if "refspatial_yesno" not in name]
    capsys.readouterr()
    assert run(["eval", *tasksets, "--model", "center", "--model", "features", "--out", str(runs), "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert len(result["summaries"]) == 4 - 1  # the centre is no letter
    assert len(result["skipped"]) == 1 + 4  # nothing to compare features with
    assert any("it cannot choose among A, B" in line for line in result["skipped"])
    folder = runs / "center" / "robospatial_home_yesno-configuration"
    assert run(["score", str(folder), "--protocol", "robospatial-original", "--json"]) == 0
    both = json.loads(capsys.readouterr().out)
    assert (both["summary"]["metrics"]["joint_accuracy"]["value"], both["robospatial-original"]["accuracy"]) == (0.0, 0.0)
    assert run(["score", str(folder), "--protocol", "robospatial-original"]) == 0
    assert "robospatial-original" in capsys.readouterr().out
    points = str(out / "refspatial_points-2D_choice_qa")
    assert run(["export", "vila", points, "--out", str(tmp_path / "vila"), "--copy-media"]) == 0
    (row,) = json.loads((tmp_path / "vila" / "refspatial_points-2D_choice_qa.json").read_text())
    assert row["conversations"][1]["value"] == "[(0.500, 0.250)]"
    bench = str(out / "refspatial_bench-location")
    assert run(["export", "parquet", bench, "--out", str(tmp_path / "parquet"), "--dialect", "qwen25"]) == 0
    assert run(["export", "lmms-eval", bench, "--out", str(tmp_path / "lmms"), "--dialect", "qwen25"]) == 0
    assert run(["show", bench, "refspatial-bench/location/0", "--picture", str(tmp_path / "shown.png")]) == 0


@pytest.mark.parametrize("dialect", DIALECTS)
def test_every_dialect_asks_in_its_own_words(tmp_path: Path, dialect: str, capsys: pytest.CaptureFixture[str]) -> None:
    build("refspatial-bench", write_bench(tmp_path / "a"), tmp_path / "tasks", "--split", "unseen")
    capsys.readouterr()
    taskset = str(tmp_path / "tasks" / "refspatial_bench-unseen")
    assert run(["show", taskset, "refspatial-bench/unseen/0", "--dialect", dialect, "--json"]) == 0
    prompt = json.loads(capsys.readouterr().out)["prompt"]
    assert prompt.startswith("[picture 0]\nPlease point out the cup 0. ")
    assert "Your answer should be formatted" not in prompt


def test_check_data_names_each_problem(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_bench(tmp_path / "data")
    assert run(["check-data", "refspatial-bench", str(root)]) == 0
    save(mask(width=8), root / "Location" / "mask" / "1.png")
    (root / "Location" / "image" / "2.png").unlink()
    capsys.readouterr()
    assert run(["check-data", "refspatial-bench", str(root), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [(entry["unit"], entry["reason"]) for entry in found["problems"]] == [
        ("location/1", "mask_unusable"),
        ("location/2", "picture_missing"),
    ]
    assert found["counts"]["location"] == {"rows": 3, "refspatial_bench questions": 1}


def test_a_file_without_a_usable_question_is_an_error_that_says_why(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_refspatial(tmp_path / "data", [sample("gone.png", ("Point.", "[(0.1, 0.2)]"))])
    assert build("refspatial", root, tmp_path / "tasks") == 2
    assert "no example could be built. Dropped: picture_missing 3" in capsys.readouterr().err
    write_json(root / "2D" / "choice_qa.json", {"rows": []})
    assert build("refspatial", root, tmp_path / "tasks") == 2
    assert "choice_qa.json: Expected `array`, got `object`" in capsys.readouterr().err


def test_a_test_picture_among_training_data_is_a_leak(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bench, training, out = write_bench(tmp_path / "a"), write_refspatial(tmp_path / "b"), tmp_path / "tasks"
    save(picture(0), training / "2D" / "image" / "a.png")  # that of the benchmark's first question
    save(mask(), training / "2D" / "depth" / "a.png")
    assert build("refspatial-bench", bench, out) == 0  # its own subsets share pictures: all of it is "test"
    assert build("refspatial", training, out) == 2
    assert "1 picture(s) with the same content stand in two splits" in capsys.readouterr().err
    assert build("refspatial", training, out, "--allow-shared-scenes") == 2  # the staging folder has other options


def test_one_command_asks_and_scores_by_our_rule_and_the_authors(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "tasks"
    assert build("refspatial-bench", write_bench(tmp_path / "data"), out) == 0
    sets = [str(out / f"refspatial_bench-{part}") for part in ("location", "unseen")]
    ask = ["eval", *sets, "--model", "center", "--model", "random", "--out", str(tmp_path / "runs")]
    capsys.readouterr()
    assert run([*ask, "--protocol", "refspatial-original", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert len(said["summaries"]) == len(said["refspatial-original"]) == 4
    for model in ("center", "random"):
        for name in sets:
            folder = tmp_path / "runs" / model / Path(name).name
            assert run(["score", str(folder), "--protocol", "refspatial-original", "--json"]) == 0
            assert json.loads(capsys.readouterr().out)["refspatial-original"] in said["refspatial-original"]
    assert run([*ask, "--protocol", "refspatial-original"]) == 0
    assert capsys.readouterr().out.count("In brackets: the denominator") == 4
    assert run([*ask, "--protocol", "where2place-original"]) == 2
    assert "is for where2place" in capsys.readouterr().err.replace("\n", " ")
