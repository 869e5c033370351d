"""Where the objects lie: cells worked by hand on 320 x 240 views, and the grids of the page."""

import html
import re
from pathlib import Path
from urllib.parse import parse_qs

import msgspec
import pytest

from sightline.evaluate.score import open_taskset
from sightline.evaluate.summary import read_summary
from sightline.report.places import place_maps
from sightline.report.runs import Model, Run
from sightline.report.tables import SummarisedRun
from sightline.report.tally import Tally, cell_name, truth_cell
from sightline.report.write import write_report
from sightline.types import Boxes, NotVisible, Points
from tests.report.told import meets, tell
from tests.report.world import World


@pytest.fixture(scope="module")
def example(world: World):
    return next(iter(open_taskset(world.runs[0])))


@pytest.mark.parametrize(
    ("box", "cell"),
    [
        ((0.0, 0.0, 10.0, 10.0), 0),
        ((70.0, 0.0, 90.0, 10.0), 1),  # the middle 80 is 320 / 4, the left edge of the second column
        ((69.0, 0.0, 90.0, 10.0), 0),  # 79.5
        ((310.0, 230.0, 320.0, 240.0), 15),
        ((320.0, 240.0, 320.0, 240.0), 15),  # the edge of the view belongs to the last cell
    ],
)
def test_the_middle_of_the_true_box_decides_the_cell(example, box, cell):
    truth = msgspec.structs.replace(example.truth, box=box)
    assert truth_cell(msgspec.structs.replace(example, truth=truth)) == cell


def test_without_a_box_the_point_decides_in_pixels_of_its_view(world: World):
    concat = next(iter(open_taskset(world.runs[2])))  # the query is the right half, at x = 320
    truth = msgspec.structs.replace(concat.truth, box=None, answer=Points(points=((320 + 161.0, 61.0),), image_index=0))
    assert truth_cell(msgspec.structs.replace(concat, truth=truth)) == 6
    for nowhere in (NotVisible(), Boxes(boxes=())):
        gone = msgspec.structs.replace(concat.truth, box=None, answer=nowhere)
        assert truth_cell(msgspec.structs.replace(concat, truth=gone)) is None


def test_cells_have_names_that_count_from_one():
    assert (cell_name(0), cell_name(6), cell_name(15)) == ("row 1, column 1", "row 2, column 3", "row 4, column 4")


def test_each_cell_of_the_page_has_the_share_and_the_count_of_the_examples_it_opens(world: World):
    told = tell(world.runs[0], {})
    page = world.report.read_text(encoding="utf-8")
    cells = re.findall(r'href="#([^"]*&amp;cell=[^"]*)".*?<text[^>]*>(\d+)</text><text[^>]*>\((\d+)\)</text>', page)
    mine = [(link, share, n) for link, share, n in cells if "model=center" in link and "t1_multi" in link]
    assert sum(int(n) for _, _, n in mine) == 40  # the visible ones
    for link, share, n in mine:
        cell = parse_qs(html.unescape(link))["cell"][0]
        asked = [one for one in told if meets(one, {"cell": cell})]
        assert (len(asked), f"{100 * sum(one.score.correct for one in asked) / len(asked):.0f}") == (int(n), share)


def test_all_examples_are_counted_and_a_task_without_places_has_no_grid(world: World, tmp_path: Path):
    page = write_report(world.runs[:1], tmp_path / "report", max_examples=1).read_text(encoding="utf-8")
    assert sum(map(int, re.findall(r'class="on-heat-\d small"[^>]*>\((\d+)\)', page))) == 40
    model = Model("center", "A")
    summary = read_summary(world.runs[0])
    run = SummarisedRun(Run(world.runs[0], summary.run, 0, 0), summary, model.label, model.letter)
    assert place_maps("set", [run], {world.runs[0]: Tally()}) == ""
