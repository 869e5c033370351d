"""Bars where their shares say, each opening its examples."""

import html
import re

import pytest

from sightline.evaluate.metrics import Metric
from sightline.evaluate.run import read_run
from sightline.evaluate.summary import read_summary
from sightline.report.links import behind_bin, behind_tier
from sightline.report.plots import Bin, bar_chart, plots
from sightline.report.runs import Run
from sightline.report.tables import SummarisedRun
from tests.report.world import World


@pytest.fixture(scope="module")
def run(world: World) -> SummarisedRun:
    folder = world.runs[0]
    return SummarisedRun(Run(folder, read_run(folder), 0, 0), read_summary(folder), "center", "A")


def test_a_bar_is_as_high_as_its_share_with_its_interval(run: SummarisedRun):
    half = Bin("V", (Metric(value=0.5, n=8, low=0.25, high=0.75),), behind_tier("V"))
    drawn = bar_chart("set", [run], [half], axis="tier")
    # 100 % is at y = 12, 0 % at 172: the share 0.5 begins at 92 and is 80 high; its interval goes from 132 up to 52
    assert re.search(r'class="bar run-0" x="[\d.]+" y="92.0" width="16" height="80.0"', drawn)
    assert re.search(r'class="whisker" d="M[\d.]+ 132.0V52.0', drawn)
    assert "A center, V: 50.0 [25.0, 75.0] (8)" in drawn
    assert html.escape("#set=set&model=center&tier=V") in drawn


def test_a_share_that_is_not_known_has_no_bar(run: SummarisedRun):
    empty = Bin("V", (Metric(value=None, n=0),), behind_tier("V"))
    assert "<rect" not in bar_chart("set", [run], [empty], axis="tier")
    assert "<rect" not in bar_chart("set", [run], [Bin("V", (None,), behind_tier("V"))], axis="tier")


def test_tier_size_and_overlap_are_drawn_with_every_bin(run: SummarisedRun):
    drawn = plots("t1_multi-validation", [run])
    assert len(re.findall("<svg", drawn)) == 3
    labels = re.findall(r'<text class="bin"[^>]*>([^<]*)</text>', drawn)
    # sizes 0.009, 0.01, 0.0499, 0.05 in turn over 40 visible objects; overlaps 0, 0.25, 0.5, 0.75 and none in turn over 60
    sizes = ["small &lt;1% (10)", "medium 1-5% (20)", "large &gt;5% (10)"]
    overlaps = [f"{label} (12)" for label in ("&lt;25%", "25-50%", "50-75%", "&gt;75%", "unknown")]
    assert labels == ["N1 (20)", "V (40)", *sizes, *overlaps]
    assert "style=" not in drawn
    assert html.escape("bin=size%3Alarge+%3E5%25&truth=visible") in drawn


def test_bins_that_ask_about_visible_objects_say_so():
    assert behind_bin("size", "small <1%").asked == {"bin": "size:small <1%", "truth": "visible"}
    assert behind_bin("overlap", "unknown").counted == {"bin": "overlap:unknown", "right": "1"}
