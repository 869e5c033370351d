"""`sightline export` for trainers and toolkits and `sightline import predictions`, as a user types them."""

import json
from pathlib import Path

import pytest

from sightline.cli import run
from tests.x3_tree import write_tree


@pytest.fixture(scope="module")
def tasks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All task sets of the tiny tree's training scenes, the variants too."""
    folder = tmp_path_factory.mktemp("formats")
    root = write_tree(folder / "data")
    out = ["--out", str(folder / "tasks"), "--workers", "1", "--variants"]
    assert run(["build", "x3", "--root", str(root), "--split", "train", *out]) == 0
    return folder / "tasks"


@pytest.mark.parametrize(
    ("format_name", "taskset", "options", "file"),
    [
        ("llava", "t2b-train", ["--dialect", "qwen3", "--form", "messages", "--copy-media"], "t2b-train.json"),
        ("vila", "t2b-train", ["--copy-media"], "t2b-train.json"),
        ("parquet", "t2b-train", ["--dialect", "qwen25"], "t2b-train.parquet"),
        ("vlmevalkit", "t2b-train", ["--dialect", "qwen3"], "t2b-train.tsv"),
        ("coco", "t2b_box-train", ["--copy-media"], "t2b_box-train.json"),
    ],
)
def test_each_format_is_written_and_counted(
    tasks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], format_name: str, taskset: str, options: list[str], file: str
) -> None:
    out = tmp_path / "out"
    assert run(["export", format_name, str(tasks / taskset), "--out", str(out), *options, "--json"]) == 0
    written = json.loads(capsys.readouterr().out)
    assert list(written["rows"]) == [file]
    assert written["rows"][file] > 0
    assert (out / file).is_file()


def test_lmms_eval_folder_out_and_its_samples_in(tasks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    taskset = tasks / "t2b-train"
    assert run(["export", "lmms-eval", str(taskset), "--out", str(tmp_path / "out"), "--dialect", "roborefer", "--json"]) == 0
    (file,) = json.loads(capsys.readouterr().out)["rows"].items()
    assert {"data.parquet", "utils.py"} < {path.name for path in (tmp_path / "out" / file[0]).parent.iterdir()}
    samples = tmp_path / "x_samples_t2b.jsonl"
    samples.write_text("".join(f'{{"doc_id": {number}, "filtered_resps": "[(0.5, 0.5)]"}}\n' for number in range(file[1])))
    arguments = ["--format", "lmms-eval", "--taskset", str(taskset), "--dialect", "roborefer", "--out", str(tmp_path / "run")]
    assert run(["import", "predictions", str(samples), *arguments]) == 0
    capsys.readouterr()
    assert run(["score", str(tmp_path / "run"), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert (summary["num_scored"], summary["statuses"]["ok"]) == (file[1], file[1])


def test_pictures_without_a_declared_place_are_one_clear_error(
    tasks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["export", "llava", str(tasks / "t2b-train"), "--out", str(tmp_path / "out"), "--dialect", "qwen3"]) == 2
    assert "--copy-media" in capsys.readouterr().err


def test_a_mask_is_no_text(tasks: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    masks = str(tasks / "t2b_mask-train")
    assert run(["export", "parquet", masks, "--out", str(tmp_path / "out"), "--dialect", "qwen3"]) == 2
    assert "cannot write masks" in capsys.readouterr().err
    assert not list((tmp_path / "out").glob("*.parquet"))
