"""Median errors by bins, worked by hand on small tallies."""

import html
import re
from collections.abc import Sequence

import pytest

from sightline.evaluate.run import read_run
from sightline.evaluate.summary import read_summary
from sightline.report.error_maps import error_maps, shade_of
from sightline.report.runs import Run
from sightline.report.tables import SummarisedRun
from sightline.report.tally import Tally
from tests.report.world import World


@pytest.fixture(scope="module")
def runs(world: World) -> Sequence[SummarisedRun]:
    return [
        SummarisedRun(Run(folder, read_run(folder), number, 0), read_summary(folder), name, letter)
        for number, (folder, name, letter) in enumerate(zip(world.runs, ("center", "vlm"), ("A", "B"), strict=False))
    ]


def tallies(runs: Sequence[SummarisedRun], *errors: dict) -> dict:
    found = {run.run.folder: Tally() for run in runs}
    for tally, (kind, values) in zip(found.values(), (one for part in errors for one in part.items()), strict=False):
        getattr(tally, kind).update(values)
    return found


def test_a_cell_has_the_median_and_opens_the_examples_that_it_is_of(runs: Sequence[SummarisedRun]):
    near, far = [0.1, 0.3, 0.2], [0.5, 0.7]
    counted = tallies(runs, {"far": {("area", "1-3%"): near, ("area", "3-10%"): far}}, {"far": {("area", "1-3%"): [0.01]}})
    drawn = error_maps("set", runs, counted)
    assert len(re.findall("<svg", drawn)) == 1  # sizes alone: the other binnings hold nothing
    cells = re.findall(r"<title>(.*?)</title>", drawn)
    assert cells == [
        "A center, size of the object, share of the view 1-3%: median 0.200 of 3",
        "A center, size of the object, share of the view 3-10%: median 0.600 of 2",
        "B vlm, size of the object, share of the view 1-3%: median 0.010 of 1",
    ]
    assert html.escape("#set=set&model=center&bin=area%3A1-3%25&pointed=1") in drawn
    assert drawn.count("heat-none") == 1  # of B and large objects nothing is known


def test_overlaps_have_a_map_of_their_own_that_opens_those_with_an_overlap(runs: Sequence[SummarisedRun]):
    drawn = error_maps("set", runs, tallies(runs, {"lacking": {("others", "none"): [0.25], ("others", "1"): [1.0]}}))
    assert "Median of 1 - IoU by other objects in the view" in drawn
    assert html.escape("bin=others%3A1&iou=0") in drawn


def test_a_binning_that_takes_nothing_apart_has_no_map(runs: Sequence[SummarisedRun]):
    assert error_maps("set", runs, tallies(runs, {"far": {("resolution", "0.1-0.3"): [0.1, 0.2]}})) == ""


@pytest.mark.parametrize(
    ("error", "kind", "shade"), [(0.0, "far", 4), (0.09, "far", 4), (0.11, "far", 3), (0.6, "far", 0), (0.5, "lacking", 2)]
)
def test_closer_is_darker(error: float, kind: str, shade: int):
    # five shades: each 0.1 of the picture, or 0.2 of an overlap
    assert shade_of(error, kind) == shade
