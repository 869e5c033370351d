"""Variants and wordings on the command line, and the examples that no dialect can write."""

import json
from pathlib import Path

import pytest

from sightline.cli import run
from sightline.tasks import VARIANTS
from sightline.taskset.store import TaskSet
from tests.x3_tree import write_tree

PLAIN = {"t1_multi", "t2a", "t2b"}


def build(tmp_path: Path, *options: str) -> Path:
    root = write_tree(tmp_path / "data")
    out = tmp_path / "tasks"
    assert run(["build", "x3", "--root", str(root), "--out", str(out), "--split", "train", "--workers", "1", *options]) == 0
    return out


def built_tasks(out: Path) -> set[str]:
    return {path.name.removesuffix("-train") for path in out.iterdir() if path.is_dir()}


def test_variants_are_built_when_asked_for(tmp_path: Path) -> None:
    assert built_tasks(build(tmp_path / "plain")) == PLAIN
    assert built_tasks(build(tmp_path / "all", "--variants")) == PLAIN | set(VARIANTS)


def test_the_wording_is_an_option_that_the_manifest_keeps(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = build(tmp_path, "--wording", "1")
    tasks = TaskSet(out / "t2b-train")
    assert tasks.manifest.recipe["options"]["wording"] == 1
    assert {example.wording for example in tasks} == {1}
    assert set(tasks.slice_values("wording")) == {1.0}
    capsys.readouterr()
    assert run(["build", "x3", "--root", str(tmp_path / "data"), "--out", str(out), "--split", "train", "--wording", "mixed"]) == 2
    assert "wording: 1 there, mixed now" in capsys.readouterr().err
    assert run(["build", "x3", "--root", str(tmp_path / "data"), "--out", str(tmp_path / "o"), "--wording", "seven"]) == 2
    assert "expected first, mixed, or a number from 0 to 3" in capsys.readouterr().err


def test_results_are_taken_apart_by_wording(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = build(tmp_path, "--wording", "mixed")
    capsys.readouterr()
    command = ["eval", str(out / "t2b-train"), "--model", "difference", "--out", str(tmp_path / "runs"), "--by", "wording"]
    assert run(command) == 0
    shown = capsys.readouterr().out
    assert "t2b-train by wording" in shown
    assert "difference: wording 0" in shown
    assert run([*command[:-2], "--json"]) == 0
    bins = json.loads(capsys.readouterr().out)["summaries"][0]["slices"]["wording"]
    assert sum(found["hit_exact"]["n"] for found in bins.values()) == len(TaskSet(out / "t2b-train"))


@pytest.mark.parametrize(
    ("task", "prompt", "answer"),
    [
        ("t2a_yesno", 'Answer with one word, "yes" or "no".', ("yes", "no")),
        ("t2b_box", "Answer with one box in image 2", ("[(",)),
        ("t2b_mask", "[to answer: a mask in picture 1]", ("a mask of 36 pixels in picture 1",)),
    ],
)
def test_show_writes_prompt_and_answer_of_every_kind(
    tmp_path: Path, capsys, task: str, prompt: str, answer: tuple[str, ...]
) -> None:
    out = build(tmp_path, "--variants")
    name = TaskSet(out / f"{task}-train")[0].id
    capsys.readouterr()
    picture = tmp_path / "drawn.png"
    assert run(["show", str(out / f"{task}-train"), name, "--picture", str(picture), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert prompt in shown["prompt"]
    assert shown["answer"].startswith(answer)
    assert picture.is_file()
