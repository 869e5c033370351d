"""`sightline demo` without its training step: left out where packages are missing, and where asked to."""

import json
from pathlib import Path

import pytest

from sightline.cli import demo, run
from sightline.demo.pointing import write_pointing
from sightline.tasks.refer import ReferOptions
from sightline.taskset.build import BuildRequest, build


@pytest.fixture(autouse=True)
def _a_smaller_task_set(tmp_path, monkeypatch):
    """In place of those of 12 rooms, which take half a minute."""
    write_pointing(tmp_path / "rooms", num_train=1, num_validation=2)
    options = ReferOptions(no_target="left_out")
    request = BuildRequest(
        reader="grefcoco", root=str(tmp_path / "rooms"), splits=("val",), tasks=("refer_point",), options=options
    )
    (built,) = build(request, tmp_path / "sets")
    monkeypatch.setattr(demo, "_crossview", lambda *_, **__: [Path(built.path)])


def test_without_the_packages_one_line_says_what_is_left_out_and_how_to_add_it(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("sightline.demo.learning.missing_packages", lambda: ["torch", "lightning"])
    assert run(["demo", "--out", str(tmp_path / "out"), "--json"]) == 0
    printed = capsys.readouterr()
    (line,) = [line for line in printed.err.splitlines() if "training" in line]
    assert line.startswith("left out: training: it needs torch and lightning.")
    assert "pip install 'sightline[models,train]'" in line
    shown = json.loads(printed.out)
    assert line.removeprefix("left out: ") in shown["skipped"]
    assert {summary["run"]["model"] for summary in shown["summaries"]} >= {"center", "random"}
    assert Path(shown["report"]).is_file()


def test_no_train_leaves_the_step_out_without_a_word(tmp_path, capsys):
    assert run(["demo", "--out", str(tmp_path / "out"), "--no-train", "--json"]) == 0
    printed = capsys.readouterr()
    assert "training" not in printed.err
    assert not [line for line in json.loads(printed.out)["skipped"] if "training" in line]
    assert not (tmp_path / "out/learning").exists()
