"""A disk that is full, as a limit on the size of files: nothing half-written is left, and the same command goes on."""

import subprocess
import sys
from pathlib import Path

import pytest

from sightline.cli import run
from sightline.demo.rooms import write_rooms

LIMITED = "import resource, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]),) * 2); "
PROGRAM = LIMITED + "from sightline.cli import run; sys.exit(run(sys.argv[2:]))"


def run_limited(num_bytes: int, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", PROGRAM, str(num_bytes), *arguments], capture_output=True, text=True, check=False)


@pytest.fixture(scope="module")
def taskset(tmp_path_factory: pytest.TempPathFactory) -> str:
    folder = tmp_path_factory.mktemp("disk")
    write_rooms(folder / "data", num_train=0, num_validation=2, width=160, height=120, seed=4)
    assert run(["build", "x3", "--root", str(folder / "data"), "--out", str(folder / "tasks")]) == 0
    return str(folder / "tasks" / "t2a-validation")


def test_a_run_that_filled_the_disk_goes_on_and_ends_with_the_same_bytes(taskset: str, tmp_path: Path) -> None:
    command = ["predict", taskset, "--model", "random", "--out"]
    full = run_limited(3000, *command, str(tmp_path / "full"))
    assert full.returncode == 2
    assert full.stderr.splitlines()[-1] == (
        "error: a file may not become larger ([Errno 27] File too large). Whatever is complete is kept: make room and run the same "
        "command again."
    )
    assert 0 < (tmp_path / "full" / "predictions.jsonl").stat().st_size <= 3000
    assert run([*command, str(tmp_path / "full")]) == 0
    assert run([*command, str(tmp_path / "whole")]) == 0
    for name in ("predictions.jsonl", "run.json"):
        assert (tmp_path / "full" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_scores_and_exports_that_filled_the_disk_are_not_there_at_all(taskset: str, tmp_path: Path) -> None:
    assert run(["predict", taskset, "--model", "random", "--out", str(tmp_path / "run")]) == 0
    before = {path.name for path in (tmp_path / "run").iterdir()}
    assert run_limited(1000, "score", str(tmp_path / "run")).returncode == 2
    assert {path.name for path in (tmp_path / "run").iterdir()} == before
    export = ["export", "lmms-eval", taskset, "--dialect", "qwen3", "--out", str(tmp_path / "lmms")]
    assert run_limited(1000, *export).returncode == 2
    assert [path for path in (tmp_path / "lmms").rglob("*") if path.is_file() and path.stat().st_size] == []
    assert run(["score", str(tmp_path / "run")]) == 0
    assert run(export) == 0
