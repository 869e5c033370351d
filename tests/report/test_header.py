"""The head of the page: verdicts, digests and what stands in red."""

import json
import re
import shutil
from pathlib import Path

import msgspec
import pytest

from sightline.evaluate.run import read_run
from sightline.files import write_json
from sightline.report.digests import config_digest, weights
from sightline.report.write import write_report
from sightline.types import Reading
from tests.report.world import World, write_run


def rows_of(page: str) -> list[list[str]]:
    """The cells of the table of runs as text, the first of each row being its name."""
    table = re.search('<table class="runs">(.*?)</table>', page)
    assert table is not None
    return [re.findall("<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall("<tr>(.*?)</tr>", table.group(1))]


def test_whole_runs_are_complete_and_a_baseline_has_no_weights(world: World):
    page = world.report.read_text(encoding="utf-8")
    assert "<strong>Verdict: complete.</strong>" in page
    titles, *rows = rows_of(page)
    assert [row[titles.index("Verdict")] for row in rows] == ["complete"] * 3
    assert [row[titles.index("Random key")] for row in rows] == ["key"] * 3
    assert rows[0][titles.index("Time")] == "not recorded"


def test_partial_runs_and_errors_stand_in_red_in_the_verdict(world: World, tmp_path: Path):
    half = write_run(tmp_path / "half", world.root / "multi", "half", ["[1, 2]"] * 7, dialect="qwen25")
    broken = write_run(tmp_path / "broken", world.root / "multi", "broken", [Reading(status="error")] * 60)
    page = write_report([half, broken], tmp_path / "report").read_text(encoding="utf-8")
    assert '<strong class="trouble">1 of 2 runs partial; 1 of 2 runs complete, but with errors or cut answers.</strong>' in page
    assert [row[1] for row in rows_of(page)[1:]] == [
        '<span class="trouble"> partial: 7 of 60</span>',
        '<span class="trouble"> 60 error</span>',
    ]


def test_runs_of_different_versions_stand_in_red(world: World, tmp_path: Path):
    run = tmp_path / "run"
    shutil.copytree(world.runs[1], run)
    write_json(run / "run.json", msgspec.structs.replace(read_run(run), versions={"sightline": "9"}))
    summary = json.loads((run / "summary.json").read_text())
    summary["run"]["versions"] = {"sightline": "9"}
    (run / "summary.json").write_text(json.dumps(summary))
    page = write_report([world.runs[0], run], tmp_path / "report").read_text(encoding="utf-8")
    assert "made by different versions of Sightline: 0, 9." in page


def test_a_task_set_built_without_the_leak_check_stands_in_red(world: World, tmp_path: Path):
    shutil.copytree(world.root / "multi", tmp_path / "multi")
    manifest = json.loads((tmp_path / "multi" / "manifest.json").read_text())
    manifest["recipe"]["allow_shared_scenes"] = True
    (tmp_path / "multi" / "manifest.json").write_text(json.dumps(manifest))
    run = write_run(tmp_path / "run", tmp_path / "multi", "one", ["[1, 2]"] * 60, dialect="qwen25")
    page = write_report([run], tmp_path / "report").read_text(encoding="utf-8")
    titles, row = rows_of(page)
    assert '<span class="trouble"> leaks not checked</span>' in row[titles.index("Data")]
    assert "not checked: built with --allow-shared-scenes" in page


def test_a_config_digest_depends_on_the_values_and_not_on_their_order():
    assert config_digest({"b": [2], "a": 1}) == config_digest({"a": 1, "b": [2]})
    assert len(config_digest({})) == 32
    assert config_digest({"a": 1}) != config_digest({"a": 2})


@pytest.mark.parametrize(
    ("description", "shown"),
    [
        ({"kind": "huggingface", "revision": "0123456789abcdef" * 2}, "0123456789abcdef" * 2),
        ({"kind": "baseline", "revision": 1}, "none (a baseline)"),
        ({"kind": "openai", "url": "u"}, "not known"),
    ],
)
def test_weights_are_named_by_the_digest_that_the_run_recorded(world: World, description: dict, shown: str):
    assert weights(msgspec.structs.replace(read_run(world.runs[0]), description=description)) == shown
