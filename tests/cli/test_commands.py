"""The commands as a user types them: results, JSON, and errors that are one paragraph with exit code 2."""

import json
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from sightline.cli import run
from sightline.cli.sections import SECTIONS
from tests.x3_tree import write_object, write_tree


def built(tmp_path: Path) -> Path:
    root = write_tree(tmp_path / "data")
    assert run(["build", "x3", "--root", str(root), "--out", str(tmp_path / "tasks"), "--concat", "--workers", "1"]) == 0
    return tmp_path / "tasks"


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    shown = capsys.readouterr().out
    for command in ("build", "predict", "score", "report", "eval", "datasets", "check-data", "show", "doctor", "demo"):
        assert f"  {command} " in shown


def test_every_command_stands_in_one_section_of_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--help"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "Others:" not in lines
    for title, names in SECTIONS.items():
        assert f"{title}:" in lines
        for name in names:
            assert len([line for line in lines if line.startswith(f"  {name} ")]) == 1, name


def test_help_imports_neither_arrays_nor_parquet() -> None:
    code = (
        "import sys\nfrom sightline.cli import run\nrun(['--help'])\nprint(sorted({'numpy', 'cv2', 'pyarrow'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert shown.endswith("[]\n")


def test_the_module_runs_as_a_program() -> None:
    done = subprocess.run([sys.executable, "-m", "sightline", "datasets", "--json"], capture_output=True, text=True, check=True)
    assert "x3" in json.loads(done.stdout)


def test_the_whole_chain(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tasks = built(tmp_path)
    assert sorted(path.name for path in tasks.iterdir() if path.is_dir()) == sorted(
        f"{task}-{split}" for task in ("t1_multi", "t1_concat", "t2a", "t2b") for split in ("train", "validation")
    )
    taskset, out = str(tasks / "t1_multi-train"), str(tmp_path / "run")
    assert run(["predict", taskset, "--model", "not-visible", "--out", out]) == 0
    capsys.readouterr()
    assert run(["score", out, "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    # anchor pairs: kitchen uid 1 (view 2 visible, 3 not), uid 2 (both visible), office uid 5 (view 2 not, 3 visible)
    assert (summary["num_visible"], summary["num_absent"]) == (4, 2)
    assert summary["metrics"]["joint_accuracy"]["value"] == pytest.approx(2 / 6)
    assert run(["report", out, "--out", str(tmp_path / "report")]) == 0
    assert (tmp_path / "report" / "index.html").is_file()


def test_eval_runs_every_model_on_every_task_set_and_says_what_it_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tasks = built(tmp_path)
    command = ["eval", str(tasks / "t1_multi-train"), str(tasks / "t2b-train"), "--out", str(tmp_path / "runs"), "--json"]
    capsys.readouterr()
    assert run([*command, "--model", "center", "--model", "difference", "--model", "oracle"]) == 0
    shown = capsys.readouterr()
    result = json.loads(shown.out)
    assert [(one["run"]["model"], one["run"]["taskset_name"]) for one in result["summaries"]] == [
        ("center", "t1_multi-train"),
        ("difference", "t1_multi-train"),
        ("center", "t2b-train"),
        ("difference", "t2b-train"),
    ]
    # the tiny tree has neither depth nor pose
    assert len(result["skipped"]) == 2
    assert "oracle" in shown.err
    assert (tmp_path / "runs" / "center" / "t2b-train" / "scores.jsonl").is_file()
    # inpainted squares differ from noise exactly on the mask
    difference = next(one for one in result["summaries"] if one["run"]["model"] == "difference" and one["run"]["task"] == "t2b")
    assert difference["metrics"]["hit_exact"]["value"] == 1.0


def test_show_prints_prompt_and_answer_and_draws(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    tasks = built(tmp_path)
    capsys.readouterr()
    assert run(["show", str(tasks / "t1_multi-train")]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert run(["show", str(tasks / "t1_multi-train"), first, "--picture", str(tmp_path / "shown.png")]) == 0
    shown = capsys.readouterr().out
    assert "NOT_VISIBLE" in shown
    assert "[(0.292, 0.389)]" in shown  # (7, 7) of 24x18
    assert (tmp_path / "shown.png").read_bytes().startswith(b"\x89PNG")


def test_check_data_exits_with_1_and_names_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    root = write_tree(tmp_path / "data")
    assert run(["check-data", "x3", str(root)]) == 0
    path = root / "train/kitchen/uid_1/01_000010_inpainted.png"
    path.write_bytes(path.read_bytes()[:100])
    capsys.readouterr()
    assert run(["check-data", "x3", str(root), "--json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert [problem["path"] for problem in found["problems"]] == ["train/kitchen/uid_1/01_000010_inpainted.png"]


def test_doctor_finds_what_is_needed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--json"]) == 0
    found = {row["what"]: row["verdict"] for row in json.loads(capsys.readouterr().out)}
    assert found["numpy"] == found["pycocotools"] == "ok"


def wrong_commands(tmp_path: Path) -> dict[str, list[str]]:
    root, out = str(tmp_path / "data"), str(tmp_path / "out")
    (tmp_path / "empty").mkdir()
    return {
        "is not a folder": ["build", "x3", "--root", str(tmp_path / "nowhere"), "--out", out],
        "not an x3 tree": ["build", "x3", "--root", str(tmp_path / "empty"), "--out", out],
        "has no split 'validation'": ["build", "x3", "--root", root, "--out", out, "--split", "validation"],
        "not a complete task set": ["predict", str(tmp_path / "empty"), "--model", "center", "--out", out],
        "Did you mean 'center'": ["predict", str(tmp_path / "tasks/t2b-train"), "--model", "centre", "--out", out],
        "is not a run": ["score", str(tmp_path / "empty")],
        "no reader is called": ["check-data", "cocoa", root],
        "no example 'x'": ["show", str(tmp_path / "tasks/t2b-train"), "x"],
        "no dialect is called": ["show", str(tmp_path / "tasks/t2b-train"), "t2b/hall/uid_1/01_000010", "--dialect", "qwen"],
    }


@pytest.mark.parametrize(
    "expected",
    [
        "is not a folder",
        "not an x3 tree",
        "has no split 'validation'",
        "not a complete task set",
        "Did you mean 'center'",
        "is not a run",
        "no reader is called",
        "no example 'x'",
        "no dialect is called",
    ],
)
def test_wrong_input_is_one_paragraph_and_exit_code_2(tmp_path: Path, capsys: pytest.CaptureFixture[str], expected: str) -> None:
    write_object(tmp_path / "data", "train", "hall", 1, [(2, 2, 8, 8), (3, 3, 9, 9)])
    assert run(["build", "x3", "--root", str(tmp_path / "data"), "--out", str(tmp_path / "tasks"), "--workers", "1"]) == 0
    capsys.readouterr()
    assert run(wrong_commands(tmp_path)[expected]) == 2
    shown = capsys.readouterr().err
    assert expected in shown
    assert "Traceback" not in shown
    assert shown.strip().count("\n") == 0


def test_json_errors_are_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["score", str(tmp_path), "--json"]) == 2
    assert "is not a run" in json.loads(capsys.readouterr().out)["error"]


def test_debug_raises_the_error_itself(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        run(["score", str(tmp_path)], debug=True)


def test_unknown_options_and_values_exit_with_2(tmp_path: Path) -> None:
    command = ["build", "x3", "--root", str(tmp_path), "--out", str(tmp_path / "out")]
    assert run([*command, "--split", "test"]) == 2
    assert run([*command, "--alpha", "1.5"]) == 2
    assert run([*command, "--colour", "blue"]) == 2


def huge_png(width: int, height: int) -> bytes:
    """A PNG whose header says width x height and whose pixels are not there."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 64)) + chunk(b"IEND", b"")


def test_a_picture_of_30000_by_30000_is_refused_by_name_and_the_rest_is_built(tmp_path: Path) -> None:
    root = write_tree(tmp_path / "data")
    (root / "train/kitchen/uid_2/02_000020_original.png").write_bytes(huge_png(30_000, 30_000))
    assert run(["build", "x3", "--root", str(root), "--out", str(tmp_path / "tasks"), "--workers", "1"]) == 0
    ledger = (tmp_path / "tasks/t1_multi-train/ledger.jsonl").read_text()
    assert "02_000020_original.png" in ledger
    assert "30000" in ledger.replace(",", "")
