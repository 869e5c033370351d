"""Checkpoints: whole or not at all, and never the last good one lost."""

import json
import subprocess
import sys

import pytest

torch = pytest.importorskip("torch", reason="needs the models extra")
pytest.importorskip("hydra", reason="needs the train extra")

from sightline.errors import InputError  # noqa: E402
from sightline.train.checkpoints import Checkpoints, read_checkpoint  # noqa: E402


def state(step: int) -> dict:
    return {"step": step, "model": {"weight": torch.full((3,), float(step))}, "names": ["a", None, 1.5]}


@pytest.fixture
def checkpoints(tmp_path):
    return Checkpoints(tmp_path / "checkpoints", keep=2)


def test_what_is_published_is_read_back(checkpoints):
    checkpoints.publish(7, state(7), metrics={"error": 0.5})
    newest = checkpoints.newest()
    assert (newest.step, newest.record.metrics, newest.path.name) == (7, {"error": 0.5}, "step-00000007")
    loaded = newest.load()
    assert loaded["model"]["weight"].tolist() == [7.0, 7.0, 7.0]
    assert loaded["names"] == ["a", None, 1.5]
    assert json.loads((checkpoints.folder / "last.json").read_text()) == {"checkpoint": "step-00000007"}


def test_the_newest_two_and_the_best_stay(checkpoints):
    for step in range(1, 6):
        saved = checkpoints.publish(step, state(step), metrics={"error": 10.0 - step})
        if step == 2:
            checkpoints.point("best", saved, metric="error")
        checkpoints.prune()
    assert [each.step for each in checkpoints.all()] == [2, 4, 5]
    assert checkpoints.best().step == 2
    best = json.loads((checkpoints.folder / "best.json").read_text())
    assert best == {"checkpoint": "step-00000002", "metric": "error", "value": 8.0}


def test_a_published_checkpoint_is_never_written_again(checkpoints):
    checkpoints.publish(3, state(3))
    with pytest.raises(InputError, match="there already"):
        checkpoints.publish(3, state(4))
    assert checkpoints.newest().load()["step"] == 3


@pytest.mark.parametrize("damage", ["no record", "half a record", "a part cut short", "a part gone", "an empty part"])
def test_a_half_written_checkpoint_is_not_read_and_is_replaced(checkpoints, damage):
    checkpoints.publish(1, state(1))
    later = checkpoints.publish(2, state(2)).path
    part, record = later / "state.pt", later / "record.json"
    if damage == "no record":
        record.unlink()
    elif damage == "half a record":
        record.write_text(record.read_text()[:40])
    elif damage == "a part cut short":
        part.write_bytes(part.read_bytes()[:-1])
    elif damage == "a part gone":
        part.unlink()
    else:
        part.write_bytes(b"")
    assert read_checkpoint(later) is None
    assert checkpoints.newest().step == 1
    checkpoints.publish(2, state(2))
    assert checkpoints.newest().load()["step"] == 2


def test_a_checkpoint_that_was_damaged_later_is_told(checkpoints):
    path = checkpoints.publish(1, state(1)).path / "state.pt"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(InputError, match="damaged after it was written"):
        checkpoints.newest().load()


def test_code_in_a_checkpoint_is_not_executed(checkpoints):
    class Evil:
        def __reduce__(self):
            return (print, ("executed",))

    checkpoints.publish(1, {"step": 1, "evil": Evil()})
    with pytest.raises(InputError, match="no state of a run"):
        checkpoints.newest().load()


def test_what_a_killed_process_left_is_cleaned_and_never_counted(checkpoints):
    checkpoints.publish(1, state(1))
    partial = checkpoints.folder / ".step-00000002.99.ab.partial"
    partial.mkdir()
    (partial / "state.pt").write_bytes(b"half")
    (checkpoints.folder / ".last.json.99.ab.tmp").write_bytes(b"half")
    assert checkpoints.newest().step == 1
    checkpoints.clean()
    assert sorted(path.name for path in checkpoints.folder.iterdir()) == ["last.json", "step-00000001"]


FULL = """
import resource, sys
import torch
from pathlib import Path
from sightline.train.checkpoints import Checkpoints
checkpoints = Checkpoints(Path(sys.argv[1]), keep=1)
checkpoints.publish(1, {"weight": torch.zeros(10)})
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    checkpoints.publish(2, {"weight": torch.zeros(1_000_000)})
except OSError as error:
    print("refused", error.errno)
"""


def test_a_disk_that_is_full_leaves_the_last_good_checkpoint(tmp_path):
    """A file may not grow beyond a limit here: the system's own error in the middle of a write, as on a full disk."""
    done = subprocess.run([sys.executable, "-c", FULL, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "refused 27"  # EFBIG
    assert [each.step for each in Checkpoints(tmp_path).all()] == [1]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["last.json", "step-00000001"]
    newest = Checkpoints(tmp_path).newest()
    assert newest is not None
    assert torch.equal(newest.load()["weight"], torch.zeros(10))
