"""Two commands that write to one place at once: the second says so, and nothing is lost or written twice."""

from pathlib import Path

import pytest

from sightline.cli import run
from sightline.files import only_writer
from tests.x3_tree import write_tree


@pytest.mark.parametrize("held", ["", "center/t2b-train"])
def test_eval_into_a_folder_that_is_being_written_is_refused_and_goes_on_later(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], held: str
) -> None:
    root = write_tree(tmp_path / "data")
    assert run(["build", "x3", "--root", str(root), "--out", str(tmp_path / "tasks"), "--workers", "1"]) == 0
    out = tmp_path / "runs"
    command = ["eval", str(tmp_path / "tasks" / "t2b-train"), "--model", "copy", "--model", "center", "--out", str(out)]
    with only_writer(out / held):
        assert run(command) == 2
    assert f"error: {out / held} is being written by another process" in capsys.readouterr().err
    assert not (out / "report").exists()
    done = (out / "copy" / "t2b-train" / "predictions.jsonl").stat().st_mtime_ns
    assert run(command) == 0
    assert (out / "report" / "index.html").is_file()
    assert (out / "copy" / "t2b-train" / "predictions.jsonl").stat().st_mtime_ns == done
