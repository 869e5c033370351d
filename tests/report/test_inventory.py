"""What a task set holds, as the page tells it: counts that open their examples, and reasons that open their units."""

import html
import json
import re
import shutil
from pathlib import Path

from sightline.report.bins import bin_values, bins_of
from sightline.report.histograms import MAX_NAME, Bar, histogram
from sightline.report.inventory import NUM_UNITS
from sightline.report.write import write_report
from sightline.taskset.store import TaskSet
from sightline.types import LedgerEntry
from tests.report.told import conditions_of, meets, tell_world
from tests.report.world import World, write_run

BAR = re.compile(r'<a class="examples" href="([^"]*)"><title>(.*?): ([\d,]+)</title>')


def data_of(page: str) -> str:
    return page[page.index('<section aria-labelledby="inventory">') : page.index('<section aria-labelledby="sources">')]


def test_each_bar_is_as_long_as_the_number_of_examples_that_it_opens(world: World):
    told = tell_world(world)
    found = BAR.findall(data_of(world.report.read_text(encoding="utf-8")))
    for link, name, count in found:
        run, conditions = conditions_of(html.unescape(link))
        assert sum(meets(one, conditions) for one in told[run]) == int(count), name
    # tiers N1 and V, labels chair and lamp, one size, one number of others, one resolution; of two task sets
    assert [name for _, name, _ in found] == ["N1", "V", "chair", "lamp", "1-3%", "none", "&lt;0.1"] * 2


def test_a_reason_opens_the_first_units_and_says_how_many_more_there_are(world: World, tmp_path: Path):
    folder = tmp_path / "multi"
    shutil.copytree(world.root / "multi", folder)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest |= {"dropped": {"mask missing": 2, "too <small>": NUM_UNITS + 5}, "altered": {"label fixed": 1}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    lines = [{"unit": f"unit {number}", "reason": "too <small>", "detail": "\u202e9 px"} for number in range(NUM_UNITS + 5)]
    lines.append({"unit": "room/1", "reason": "label fixed", "detail": "lmap", "action": "altered"})
    (folder / "ledger.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    run = write_run(tmp_path / "run", folder, "one", ["[1, 2]"] * 60, dialect="qwen25")
    page = data_of(write_report([run], tmp_path / "report").read_text(encoding="utf-8"))
    assert re.findall(r"<title>((?:dropped|altered): .*?)</title>", page) == [
        "dropped: too &lt;small&gt;: 25",
        "dropped: mask missing: 2",
        "altered: label fixed: 1",
    ]
    assert page.count("<li><strong>unit ") == NUM_UNITS
    assert "⟨U+202E⟩9 px" in page
    assert "5 more in ledger.jsonl" in page
    assert "60 examples kept, 27 units dropped, 1 altered" in page


def test_splits_of_one_report_that_share_a_scene_are_told(world: World, tmp_path: Path):
    folder = tmp_path / "train"
    shutil.copytree(world.root / "multi", folder)
    manifest = json.loads((folder / "manifest.json").read_text()) | {"split": "train", "fingerprint": "other"}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    run = write_run(tmp_path / "run", folder, "one", ["[1, 2]"] * 60, dialect="qwen25")
    page = write_report([world.runs[0], run], tmp_path / "report").read_text(encoding="utf-8")
    assert '<p class="trouble">Splits train, validation of this report leak: 4 scene(s) stand in two splits' in page
    assert "of this report leak" not in world.report.read_text(encoding="utf-8")


def test_a_number_on_an_edge_belongs_to_the_bin_above():
    names = {"area": 0.01, "others": 3.0, "resolution": 0.3}
    assert bins_of(names) == {"area": "1-3%", "others": "3-4", "resolution": "0.3-0.6"}
    below = {"area": 0.00999, "others": 2.0, "resolution": 0.29}
    assert bins_of(below) == {"area": "0.3-1%", "others": "2", "resolution": "0.1-0.3"}
    assert bins_of({"area": float("nan"), "others": 0.0, "resolution": 9.0}) == {
        "area": "unknown",
        "others": "none",
        "resolution": "5 or more",
    }


def test_an_area_is_the_share_of_the_view_that_the_mask_covers(world: World):
    taskset = TaskSet(world.root / "concat")
    # 40 x 30 with a hole of 8 x 6, in a view of 320 x 240 that is half of its picture
    assert bin_values(taskset[0], ("other",), taskset.masks) == {"area": (1200 - 48) / 76800, "others": 1.0, "resolution": 0.0768}


def test_bars_are_as_long_as_their_counts_and_long_names_are_cut():
    drawn = histogram("Labels", [Bar("x" * 60, 10, "#a"), Bar("y", 5, "#b"), Bar("z", 0, "#c"), Bar("w", 5, None)])
    assert re.findall(r'class="bar count"[^>]* width="([\d.]+)"', drawn) == ["190.0", "95.0", "0.0", "95.0"]
    assert f">{'x' * (MAX_NAME - 1)}…<" in drawn
    assert re.findall('href="([^"]*)"', drawn) == ["#a", "#b"]  # an empty bar opens nothing


def test_the_ledger_of_the_world_is_in_the_true_format(world: World):
    entries = list(TaskSet(world.root / "multi").ledger)
    assert entries[0] == LedgerEntry(unit="room_000/7", reason="mask missing", detail="=no <mask>")
