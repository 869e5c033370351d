"""A report folder: whole or not at all, self-contained, and honest about its numbers."""

import html
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from sightline.cli import run as run_command
from sightline.errors import InputError
from sightline.evaluate.table import LABELS
from sightline.report.write import write_report
from sightline.types import Reading
from tests.report.told import conditions_of, meets, tell_world
from tests.report.world import HEIGHT, HOSTILE_MODEL, NUM_EXAMPLES, WIDTH, World, write_run


def read_data(report: Path, name: str):
    """The value that a data file hands to the page."""
    text = (report.parent / "data" / f"{name}.js").read_text(encoding="ascii")
    call = re.fullmatch(r'sightline\.receive\("([^"]+)",JSON\.parse\((".*")\)\);\n', text)
    assert call is not None
    assert call.group(1) == name
    return json.loads(json.loads(call.group(2)))


def listing(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_the_page_loads_only_its_own_files_and_runs_no_inline_script(world: World):
    text = world.report.read_text(encoding="utf-8")
    assert "default-src 'none'" in text
    loaded = re.findall(r'(?:src|href)="([^"#][^"]*)"', text)
    assert loaded
    assert all((world.report.parent / path).is_file() for path in loaded)
    assert re.findall(r"<script[^>]*>[^<]", text) == []
    assert re.search(r"\son\w+=|style=", text) is None
    assert re.search(r"https?:|//", text) is None


def test_hostile_names_are_text_in_the_page(world: World):
    text = world.report.read_text(encoding="utf-8")
    assert "<b>" not in text
    assert "\u202e" not in text
    assert html.escape("<b>bold</b>⟨U+202E⟩ & co") in text


def test_data_files_hold_no_markup_and_give_hostile_text_back_with_hidden_characters_shown(world: World):
    for path in (world.report.parent / "data").iterdir():
        assert not set(path.read_text(encoding="ascii")) & set("<>&")
    texts = [run["text"] for row in read_data(world.report, "rows-0")["rows"] for run in row["runs"] if run["text"]]
    assert "</script><img src=x onerror=\"document.title='owned'\">⟨U+202E⟩decrof⟨U+202C⟩ [(12, 34)]" in texts


def test_every_example_is_there_once_with_its_previews(world: World):
    index = read_data(world.report, "index")
    assert [found["count"] for found in index["sets"]] == [NUM_EXAMPLES, NUM_EXAMPLES]
    assert len(set(index["ids"])) == 2 * NUM_EXAMPLES
    # 120 rows in chunks of 40
    rows = [row for number in range(3) for row in read_data(world.report, f"rows-{number}")["rows"]]
    assert len(rows) == 2 * NUM_EXAMPLES
    for row in rows:
        for image in row["images"]:
            with Image.open(world.report.parent / image["src"]) as preview:
                assert preview.size == (image["preview_width"], image["preview_height"])


def test_geometry_is_in_pixels_of_the_picture_shown(world: World):
    concat = read_data(world.report, "rows-2")["rows"][-1]  # example 59: 59 % 3 == 2, absent
    visible = read_data(world.report, "rows-2")["rows"][-2]  # example 58: corner (40 + 58*37 % 200, 30 + 58*23 % 120)
    assert concat["truth"]["visible"] is False
    x, y = 40 + 146, 30 + 14  # 58*37 = 2146, 58*23 = 1334 = 11*120 + 14
    assert visible["truth"]["points"] == [[x + 20 + WIDTH, y + 15]]
    assert (visible["truth"]["x"], visible["truth"]["y"]) == (WIDTH, 0)  # the mask is in the right half's own pixels
    assert visible["images"][0]["width"] == 2 * WIDTH
    assert visible["images"][0]["roles"] == ["reference", "query"]
    assert visible["reference"]["point"] == [80, 95]
    outlines = read_data(world.report, "rows-2")["outlines"]
    assert outlines[visible["truth"]["dilated"]] == f"M{x - 4} {y - 4}v38h48v-38z"
    assert visible["images"][0]["height"] == HEIGHT


# Not shares of one denominator, so their value is not one count over another.
MEANS = {LABELS[name] for name in ("balanced_joint", "balanced_accuracy", "not_visible_f1")} | {"p"}
CELL = re.compile(r'<td><a class="examples" href="([^"]*)">([^<]*)</a>.*?<a class="examples n" href="([^"]*)">\((\d+)\)</a>')


def cells_of(row: str, titles: list[str]) -> list[tuple[str, tuple[str, ...]]]:
    """The cells of a row with their titles; only the comparison of the baseline with itself is empty."""
    cells = list(zip(titles, re.findall("<td.*?</td>", row), strict=True))
    assert all(title.startswith(("Right minus", "p")) for title, cell in cells if 'class="none"' in cell)
    return [(title, found.groups()) for title, cell in cells if (found := CELL.match(cell))]


def test_each_n_and_each_share_is_the_number_of_examples_behind_its_link(world: World):
    told = tell_world(world)
    num_shares = 0
    for table in re.findall("<table>.*?</table>", world.report.read_text(encoding="utf-8")):
        titles = re.findall('<th scope="col">([^<]*)</th>', table)[1:]
        for row in re.findall("<tr>(.*?)</tr>", table)[1:]:
            for title, (value_link, value, n_link, n) in cells_of(row, titles):
                run, value_conditions = conditions_of(html.unescape(value_link))
                n_run, n_conditions = conditions_of(html.unescape(n_link))
                assert run == n_run
                counted, asked = (sum(meets(one, found) for one in told[run]) for found in (value_conditions, n_conditions))
                assert asked == int(n), title
                if value != "–" and title not in MEANS and not title.startswith(("L2", "Right minus")):
                    assert value == (f"{100 * counted / asked:.1f}" if "." in value else str(counted)), title
                    num_shares += 1
    assert num_shares > 3 * 15


def row_of(page: str, title: str, model: str) -> dict[str, str]:
    """The values of a model's row in the first table folded under a title, by column."""
    folded = re.search(f"<details><summary>{re.escape(title)}</summary>.*?</details>", page)
    assert folded is not None, title
    columns = re.findall('<th scope="col">([^<]*)</th>', folded.group())[1:]
    row = next(row for row in re.findall("<tr>(.*?)</tr>", folded.group()) if f" {model}<" in row)
    return dict(zip(columns, re.findall(r'<td>.*?>([^<]*)</a>|<td class="none">', row), strict=True))


def test_each_run_stands_against_the_first_one(world: World):
    row = row_of(world.report.read_text(encoding="utf-8"), "Against A center", html.escape("<b>bold</b>⟨U+202E⟩ & co"))
    # every sixth of 60 texts is right (10) and the centre hits 4 (6.7 %), so the difference is 6 of 60
    assert row["Right minus A, points"] == "10.0"
    assert int(row["Only this right"]) + int(row["Both right"]) == 10
    assert int(row["Only A right"]) + int(row["Both right"]) == 4
    assert sum(int(row[name]) for name in ("Only this right", "Only A right", "Both right", "Both wrong")) == NUM_EXAMPLES
    assert 0 < float(row["p"]) <= 1


def test_a_run_that_is_alone_has_no_rival_and_a_partial_one_is_not_compared(world: World, tmp_path: Path):
    half = write_run(tmp_path / "part", world.root / "multi", "half", ["[1, 2]"] * 7, dialect="qwen25")
    page = write_report([world.runs[0], half], tmp_path / "two").read_text(encoding="utf-8")
    assert set(row_of(page, "Against A center", "half").values()) == {""}  # dashes
    assert "<summary>Against" not in write_report([half], tmp_path / "one").read_text(encoding="utf-8")


def test_a_baseline_is_chosen_by_name_and_shown_in_the_header_and_the_main_table(world: World, tmp_path: Path):
    page = write_report(world.runs, tmp_path / "report", baseline=HOSTILE_MODEL).read_text(encoding="utf-8")
    shown = html.escape("<b>bold</b>⟨U+202E⟩ & co")
    assert f"compared with B {shown} (--baseline)" in page
    # the same ten and four right answers as against A, the other way round
    row = row_of(page, f"Against B {shown}", "center")
    assert (row["Right minus B, points"], row["p"] != "") == ("-10.0", True)
    main = re.findall("<table>.*?</table>", page)[0]
    titles = re.findall('<th scope="col">([^<]*)</th>', main)
    assert titles[-2:] == ["Right minus B, points", "p"]
    rows = re.findall("<tr>(.*?)</tr>", main)[1:]
    cells = [re.sub("<[^>]*>", " ", re.findall("<td.*?</td>", row)[-2]).split()[0] for row in rows]
    assert cells == ["-10.0", "–"]
    assert f"B {shown} did not answer this task set" in page  # the concatenated one


def test_the_first_run_is_the_baseline_if_none_is_named_and_a_wrong_name_lists_the_choices(world: World, tmp_path: Path):
    assert "compared with A center (--baseline)" in world.report.read_text(encoding="utf-8")
    with pytest.raises(InputError, match=r"'centre'.*--baseline takes one of center, <b>bold</b>⟨U\+202E⟩ & co\."):
        write_report(world.runs, tmp_path / "report", baseline="centre")
    assert list(tmp_path.iterdir()) == []


def test_the_command_takes_the_baseline_and_names_the_choices_in_one_paragraph(world: World, tmp_path: Path, capsys):
    command = ["report", *map(str, world.runs[:2]), "--out", str(tmp_path / "report"), "--baseline"]
    assert run_command([*command, HOSTILE_MODEL]) == 0
    assert "compared with B" in (tmp_path / "report" / "index.html").read_text(encoding="utf-8")
    assert run_command([*command, "nobody"]) == 2
    assert "--baseline takes one of center," in capsys.readouterr().err.replace("\n", " ")


def test_each_claim_is_counted_against_the_truth(world: World):
    row = row_of(world.report.read_text(encoding="utf-8"), "Claim against truth", "center")
    # the centre is always said to be visible; every third of 60 objects is absent
    assert row == {
        "Visible, said visible": "40",
        "Visible, said absent": "0",
        "Visible, said neither": "0",
        "Absent, said visible": "20",
        "Absent, said absent": "0",
        "Absent, said neither": "0",
    }


def test_what_the_run_took_and_what_was_degraded_stand_in_the_report(world: World, tmp_path: Path):
    run = write_run(tmp_path / "run", world.root / "multi", "slow", [Reading(status="error")] * 3)
    sessions = [{"num_predictions": 2, "seconds": 3.0, "usage": {"prompt_tokens": 700}}, {"num_predictions": 1, "seconds": 1.0}]
    (run / "timing.json").write_text(json.dumps(sessions))
    page = write_report([run, world.runs[0]], tmp_path / "report").read_text(encoding="utf-8")
    # 3 predictions in 4 s
    assert "<dd>4.0 s in 2 sessions, 0.8 predictions a second; prompt_tokens 700</dd>" in page
    assert '<span class="trouble"> 3 error</span>' in page
    assert "not recorded (answers from elsewhere)" in page  # the other run has no timing.json


def test_kinds_of_error_are_counted_over_all_examples_also_of_a_part_of_the_gallery(world: World, tmp_path: Path):
    page = write_report(world.runs, tmp_path / "report", max_examples=5).read_text(encoding="utf-8")
    row = row_of(page, "Kinds of error", html.escape("<b>bold</b>⟨U+202E⟩ & co"))
    # ten each of: right; hostile text with one far point; nothing readable (absent); "not visible" of a visible object; a point
    # far outside; a point for an absent object
    wanted = {"Right": "10", "Unreadable": "10", "False not visible": "10", "Out of range": "10", "False visible": "10"}
    assert wanted.items() <= row.items()
    assert sum(int(count) for count in row.values()) == NUM_EXAMPLES


def test_a_partial_run_is_marked_and_its_missing_examples_have_no_answer(world: World, tmp_path: Path):
    run = write_run(tmp_path / "part", world.root / "multi", "half", ["[1, 2]"] * 7, dialect="qwen25")
    report = write_report([run], tmp_path / "report")
    assert f"partial: 7 of {NUM_EXAMPLES}" in report.read_text(encoding="utf-8")
    rows = read_data(report, "rows-0")["rows"]
    assert [row["runs"][0] is None for row in rows] == [number >= 7 for number in range(40)]


def test_max_examples_limits_the_gallery_and_says_so(world: World, tmp_path: Path):
    seen: list[tuple[int, int]] = []
    report = write_report(world.runs, tmp_path / "r", max_examples=5, on_progress=lambda done, total: seen.append((done, total)))
    assert len(read_data(report, "index")["ids"]) == 10
    assert "first 5 examples" in report.read_text(encoding="utf-8")
    assert seen[-1] == (10, 10)


def test_the_same_runs_give_the_same_bytes_and_a_report_is_replaced(world: World, tmp_path: Path):
    out = tmp_path / "report"
    write_report(world.runs[:1], out)
    write_report(world.runs, out)
    assert listing(out) == listing(world.report.parent)
    assert [path.name for path in tmp_path.iterdir()] == ["report"]


@pytest.mark.parametrize("name", ["notes.txt", "index.html"])
def test_a_folder_with_something_else_in_it_is_refused_and_left_alone(world: World, tmp_path: Path, name: str):
    (tmp_path / name).write_text("mine")
    with pytest.raises(InputError, match="not a report"):
        write_report(world.runs, tmp_path)
    assert listing(tmp_path) == {name: b"mine"}


def test_a_missing_picture_is_an_error_and_leaves_the_old_report(world: World, tmp_path: Path):
    for name in ("concat", "run-concat"):
        shutil.copytree(world.root / name, tmp_path / name)
    run = tmp_path / "run-concat"
    info = json.loads((run / "run.json").read_text()) | {"taskset_path": str(tmp_path / "concat")}
    (run / "run.json").write_text(json.dumps(info))
    out = tmp_path / "report"
    write_report([run], out)
    before = listing(out)
    (tmp_path / "concat" / "media" / "7-ab.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"7-ab\.png"):
        write_report([run], out)
    assert listing(out) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["concat", "report", "run-concat"]


def test_unscored_runs_and_doubled_runs_are_errors_that_say_what_to_do(world: World, tmp_path: Path):
    run = write_run(tmp_path / "new", world.root / "multi", "new", ["[1, 2]"], dialect="qwen25", scored=False)
    with pytest.raises(FileNotFoundError, match="sightline score"):
        write_report([run], tmp_path / "report")
    with pytest.raises(InputError, match="given twice"):
        write_report([world.runs[0], world.runs[0]], tmp_path / "report")
    with pytest.raises(InputError, match="at least one"):
        write_report([], tmp_path / "report")


def test_scores_of_other_predictions_are_refused(world: World, tmp_path: Path):
    run = tmp_path / "run"
    shutil.copytree(world.runs[0], run)
    lines = (run / "scores.jsonl").read_bytes().splitlines(keepends=True)
    (run / "scores.jsonl").write_bytes(b"".join([lines[1], lines[0], *lines[2:]]))
    with pytest.raises(InputError, match="stands beside the prediction"):
        write_report([run], tmp_path / "report")


def test_two_runs_of_one_model_on_one_task_set_get_their_own_names(world: World, tmp_path: Path):
    runs = [
        write_run(tmp_path / name, world.root / "multi", HOSTILE_MODEL, ["[1, 2]"], dialect=name) for name in ("qwen25", "qwen3")
    ]
    report = write_report(runs, tmp_path / "report")
    models = read_data(report, "index")["models"]
    assert [model["label"] for model in models] == ["<b>bold</b>⟨U+202E⟩ & co", "<b>bold</b>⟨U+202E⟩ & co #2"]
    assert [model["letter"] for model in models] == ["A", "B"]
    prompts = read_data(report, "rows-0")["rows"][0]["prompts"]
    assert [prompt["dialect"] for prompt in prompts] == ["qwen25", "qwen3"]
    assert np.ndim(prompts) == 1
