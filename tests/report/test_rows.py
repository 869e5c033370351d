"""Every example of every run as a table: whole, typed, and safe for spreadsheets."""

import csv
import json
import re
from importlib.resources import files
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from sightline.cli import run as run_command
from sightline.errors import InputError
from sightline.report.rows import COLUMNS, guard, write_rows
from tests.report.clip_world import make_clip_world
from tests.report.told import tell_world
from tests.report.world import HOSTILE, NUM_EXAMPLES, World, write_run


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return list(csv.DictReader(file))


def test_csv_and_parquet_have_every_example_of_every_run(world: World, tmp_path: Path):
    seen: list[tuple[int, int]] = []
    count = write_rows(world.runs, tmp_path / "rows.csv", on_progress=lambda done, total: seen.append((done, total)))
    write_rows(world.runs, tmp_path / "rows.parquet")
    table = pq.read_table(tmp_path / "rows.parquet")
    rows, typed = read_csv(tmp_path / "rows.csv"), table.to_pylist()
    assert count == len(rows) == len(typed) == 3 * NUM_EXAMPLES
    assert seen == [(count, count)]
    assert list(rows[0]) == table.column_names == list(COLUMNS)
    told = tell_world(world)
    for name, rival, model in (("run-center", 0, "center"), ("run-vlm", 1, "<b>bold</b>⟨U+202E⟩ & co")):
        of_run = [row for row in typed if row["model"] == model and row["task_set"] == "t1_multi-validation"]
        assert [row["id"] for row in of_run] == [one.example.id for one in told[name]], rival
        for row, one in zip(of_run, told[name], strict=True):
            score = one.score
            assert (row["right"], row["hit"], row["said_visible"]) == (score.correct, score.hit, score.said_visible)
            assert (row["l2_norm"], row["status"], row["kind"]) == (score.l2_norm, score.status, one.kind)
            assert row["area"] == (None if one.area is None else one.area / 76800)


def test_texts_come_whole_and_formulas_are_led_by_a_quote_in_csv_alone(world: World, tmp_path: Path):
    texts = ["=1+1", "+2", "-3", "@x", "\t=1", HOSTILE, '"a", b\n', "plain"] + ["[1, 2]"] * 52
    run = write_run(tmp_path / "run", world.root / "multi", "=cmd", texts, dialect="qwen25")
    write_rows([run], tmp_path / "rows.csv")
    write_rows([run], tmp_path / "rows.parquet")
    rows = read_csv(tmp_path / "rows.csv")
    assert [row["text"] for row in rows[:8]] == ["'=1+1", "'+2", "'-3", "'@x", "'\t=1", HOSTILE, '"a", b\n', "plain"]
    assert rows[0]["model"] == "'=cmd"
    assert pq.read_table(tmp_path / "rows.parquet")["text"].to_pylist()[:8] == texts[:8]


@pytest.mark.parametrize("text", ["\uff1d1", "\r=1", "\n=1"])
def test_wide_signs_and_line_ends_are_guarded_too(text: str):
    assert guard(text) == f"'{text}"
    assert guard("1=1") == "1=1"


def test_examples_that_a_run_has_not_come_to_have_no_outcome(world: World, tmp_path: Path):
    half = write_run(tmp_path / "half", world.root / "multi", "half", ["[1, 2]"] * 7, dialect="qwen25")
    write_rows([half], tmp_path / "rows.parquet")
    rows = pq.read_table(tmp_path / "rows.parquet").to_pylist()
    assert [row["status"] is None for row in rows] == [number >= 7 for number in range(NUM_EXAMPLES)]
    assert rows[-1]["id"] is not None
    assert rows[-1]["answer"] is None
    assert json.loads(rows[0]["answer"])["kind"] == "points"


def test_a_failure_leaves_the_old_file(world: World, tmp_path: Path):
    run = write_run(tmp_path / "run", world.root / "multi", "one", ["[1, 2]"] * 60, dialect="qwen25")
    path = tmp_path / "rows.csv"
    path.write_text("mine")
    lines = (run / "predictions.jsonl").read_bytes().splitlines(keepends=True)
    (run / "predictions.jsonl").write_bytes(b"".join([lines[1], lines[0], *lines[2:]]))
    with pytest.raises(InputError, match="stands beside the prediction"):
        write_rows([run], path)
    assert path.read_text() == "mine"
    assert sorted(found.name for found in tmp_path.iterdir()) == ["rows.csv", "run"]


def test_the_command_writes_rows_alone_or_beside_the_report_and_refuses_other_places(world: World, tmp_path: Path, capsys):
    run, out = str(world.runs[0]), tmp_path / "report"
    assert run_command(["report", run, "--rows", str(tmp_path / "rows.csv"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == {"rows": str(tmp_path / "rows.csv")}
    assert run_command(["report", run, "--out", str(out), "--rows", str(tmp_path / "rows.parquet"), "--json"]) == 0
    assert (out / "index.html").is_file()
    assert (tmp_path / "rows.parquet").is_file()
    for arguments, words in (
        (["--rows", "x.xlsx"], "ends in .csv or .parquet"),
        (["--out", str(out), "--rows", str(out / "rows.csv")], "lies in the report's folder"),
        ([], "give --out FOLDER"),
    ):
        capsys.readouterr()
        assert run_command(["report", run, *arguments]) == 2
        assert words in capsys.readouterr().err.replace("\n", " ")


def test_further_measurements_of_a_score_come_as_json(tmp_path: Path):
    run = make_clip_world(tmp_path).runs[0]
    write_rows([run], tmp_path / "rows.parquet")
    rows = {row["id"]: json.loads(row["values"]) for row in pq.read_table(tmp_path / "rows.parquet").to_pylist()}
    scores = [json.loads(line) for line in (run / "scores.jsonl").read_text().splitlines()]
    assert rows == {score["id"]: score.get("values", {}) for score in scores}
    assert rows[scores[0]["id"]].keys() >= {"viou", "tiou"}


def test_the_pages_own_csv_has_its_columns_in_the_same_order():
    script = (files("sightline") / "report/assets/save.js").read_text()
    found = re.search(r"const COLUMNS = (\[.*?\]);", script, re.DOTALL)
    assert found
    columns = json.loads(found[1])
    assert columns == [name for name in COLUMNS if name in columns]
    assert len(columns) == 16
