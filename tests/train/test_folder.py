"""Folders of runs: one process at a time, and never two runs in one."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("hydra", reason="needs the train extra")

from sightline.errors import InputError
from sightline.train.config.compose import Composed
from sightline.train.folder import open_run, sweep_folders
from sightline.train.settings import RunSettings

VALUES = {"seed": 0, "rate": 0.1, "data": {"num_workers": 2}, "trainer": {"max_steps": 10, "devices": 1}, "run": {"dir": None}}


def composed(family: str = "line", **values) -> Composed:
    return Composed(family, "config", VALUES | values, (), ("seed=0",))


def start(folder: Path, **given) -> None:
    with open_run(composed(), RunSettings(dir=str(folder)), **given) as run:
        (run.path / "metrics.csv").touch()


def test_a_run_records_what_it_is(tmp_path):
    with open_run(composed(), RunSettings(dir=str(tmp_path / "run")), fingerprints={"data": "abc"}) as run:
        assert run.start is None
        assert (run.path / "config.yaml").read_text().startswith("seed: 0\nrate: 0.1\n")
        record = json.loads((run.path / "run.json").read_text())
    assert record["config_digest"] == composed().digest
    assert record["fingerprints"] == {"data": "abc"}
    assert record["overrides"] == ["seed=0"]
    assert {"python", "numpy", "sightline"} <= record["versions"].keys()
    assert record["git"] is None or re.fullmatch(r"[0-9a-f]{40}(\+changed)?", record["git"])


def test_without_a_folder_a_run_gets_one_of_date_and_time(tmp_path):
    settings = RunSettings(root=str(tmp_path))
    with open_run(composed(), settings) as first, open_run(composed(), settings) as second:
        assert re.fullmatch(r"\d{4}-\d\d-\d\d/\d\d-\d\d-\d\d", str(first.path.relative_to(tmp_path)))
        assert first.path != second.path


def test_last_is_the_newest_run_of_the_family(tmp_path):
    settings = RunSettings(root=str(tmp_path))
    with open_run(composed(), settings) as old:
        pass
    with open_run(composed(), settings) as new:
        pass
    with open_run(composed("other"), settings):
        pass
    with open_run(composed(), settings, resume="last") as again:
        assert again.path == new.path != old.path
    with pytest.raises(InputError, match="no run of 'third'"), open_run(composed("third"), settings, resume="last"):
        pass


def test_a_used_folder_is_refused_without_resume(tmp_path):
    start(tmp_path / "run")
    with pytest.raises(InputError, match=r"holds a run.*resume=last"):
        start(tmp_path / "run")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/picture.png").touch()
    with pytest.raises(InputError, match="is not empty"):
        start(tmp_path / "other")


def test_a_changed_setting_or_data_set_is_refused_and_all_changes_are_named(tmp_path):
    start(tmp_path / "run", fingerprints={"data": "abc"})
    before = (tmp_path / "run/config.yaml").read_text()
    changed = composed(seed=1, rate=0.2, trainer={"max_steps": 20, "devices": 1})
    with (
        pytest.raises(InputError) as caught,
        open_run(changed, RunSettings(dir=str(tmp_path / "run")), resume="last", fingerprints={"data": "xyz"}),
    ):
        pass
    told = str(caught.value)
    assert "3 changed" in told
    for part in ("seed: was 0, now 1", "rate: was 0.1, now 0.2", "data: its content is another (was abc, now xyz)"):
        assert part in told
    assert (tmp_path / "run/config.yaml").read_text() == before


def test_what_does_not_change_the_learning_may_change_and_is_recorded(tmp_path):
    start(tmp_path / "run")
    values = {"data": {"num_workers": 8}, "trainer": {"max_steps": 20, "devices": 4}, "run": {"dir": "x"}, "logger": "wandb"}
    with open_run(composed(**values), RunSettings(dir=str(tmp_path / "run")), resume="last") as run:
        [resumption] = json.loads((run.path / "run.json").read_text())["resumed"]
    assert set(resumption["changed"]) == {
        "data.num_workers: was 2, now 8",
        "trainer.max_steps: was 10, now 20",
        "trainer.devices: was 1, now 4",
        "run.dir: was None, now 'x'",
        "logger: was absent, now 'wandb'",
    }


def test_a_run_that_failed_before_its_first_step_begins_anew_with_mended_settings(tmp_path):
    with pytest.raises(RuntimeError), open_run(composed(), RunSettings(dir=str(tmp_path)), fingerprints={"data": "abc"}):
        raise RuntimeError("the weights are not whole")
    with open_run(composed(rate=0.2), RunSettings(dir=str(tmp_path)), resume="last", fingerprints={"data": "def"}) as run:
        record = json.loads((run.path / "run.json").read_text())
    assert record["fingerprints"] == {"data": "def"}
    assert record["resumed"] == []
    assert "rate: 0.2" in (tmp_path / "config.yaml").read_text()


def test_another_kind_of_run_is_refused(tmp_path):
    start(tmp_path / "run")
    with (
        pytest.raises(InputError, match="run of 'line', not of 'other'"),
        open_run(composed("other"), RunSettings(dir=str(tmp_path / "run")), resume="last"),
    ):
        pass


def test_resume_names_a_run_or_a_checkpoint_of_it(tmp_path):
    torch = pytest.importorskip("torch", reason="needs the models extra")
    with open_run(composed(), RunSettings(dir=str(tmp_path / "run")), keep=5) as run:
        paths = [run.checkpoints.publish(step, {"step": step, "x": torch.zeros(1)}).path for step in (1, 2)]
    for given in (run.path, paths[1]):
        with open_run(composed(), RunSettings(), resume=str(given)) as again:
            assert again.path == run.path
            assert again.start is not None
            assert again.start.step == 2
    with (
        pytest.raises(InputError, match="later checkpoint, step-00000002"),
        open_run(composed(), RunSettings(), resume=str(paths[0])),
    ):
        pass
    with pytest.raises(InputError, match="neither a run"), open_run(composed(), RunSettings(), resume=str(tmp_path)):
        pass
    elsewhere = RunSettings(dir=str(tmp_path / "elsewhere"))
    with pytest.raises(InputError, match=r"leave out run\.dir"), open_run(composed(), elsewhere, resume=str(run.path)):
        pass


HOLD = """
import os, signal, sys
from sightline.train.config.compose import Composed
from sightline.train.folder import open_run
from sightline.train.settings import RunSettings
with open_run(Composed("line", "config", {}, (), ()), RunSettings(dir=sys.argv[1])):
    print(os.getpid(), flush=True)
    sys.stdin.read(1)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_two_processes_cannot_share_a_folder_and_a_dead_ones_hold_ends(tmp_path):
    command = [sys.executable, "-c", HOLD, str(tmp_path / "run")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        pid = process.stdout.readline().strip()
        own = Composed("line", "config", {}, (), ())
        with (
            pytest.raises(InputError, match=f"another process .pid {pid} on "),
            open_run(own, RunSettings(dir=str(tmp_path / "run")), resume="last"),
        ):
            pass
        process.stdin.write("x")
        process.stdin.flush()
        assert process.wait() == -9
    with open_run(own, RunSettings(dir=str(tmp_path / "run")), resume="last") as run:
        assert json.loads((run.path / ".lock").read_text())["pid"] == os.getpid()


def test_further_processes_take_the_first_ones_folder(tmp_path, monkeypatch):
    with open_run(composed(), RunSettings(root=str(tmp_path))) as run:
        monkeypatch.setenv("LOCAL_RANK", "1")
        with open_run(composed(), RunSettings(root=str(tmp_path))) as second:
            assert second.path == run.path
        monkeypatch.delenv("LOCAL_RANK")
    monkeypatch.setenv("RANK", "1")
    with pytest.raises(InputError, match=r"give run\.dir"), open_run(composed(), RunSettings(root=str(tmp_path))):
        pass


def test_each_run_of_a_sweep_has_a_folder_that_tells_what_varies():
    sweep = [["rates.lr=1e-3", "seed=0", "data=[a,b]"], ["rates.lr=1e-4", "seed=0", "data=[a/c]"]]
    first, second = sweep_folders(RunSettings(root="out"), sweep)
    assert re.fullmatch(r"out/\d{4}-\d\d-\d\d/[\d-]+/0_lr-1e-3_data-_a_b", first)
    assert Path(second).name == "1_lr-1e-4_data-_a_c"
    assert sweep_folders(RunSettings(dir="mine"), [["a=1"], ["a=2"]]) == ["mine/0_a-1", "mine/1_a-2"]
