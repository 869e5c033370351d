"""Right answers by tier, object size and overlap as bar charts: inline SVG without scripts.

A bar is one run in one bin, in the run's colour and under its letter, with the 95 % interval as a line; it opens the examples that
it is a share of. Colours come from the style sheet (classes `run-0` ...), so that light and dark pages share one drawing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sightline.evaluate.metrics import Metric
from sightline.evaluate.table import format_metric
from sightline.report.links import Behind, behind_bin, behind_tier, gallery_url
from sightline.report.markup import Html, element, join
from sightline.report.tables import SummarisedRun

PLOTTED = {"size": "size of the object, share of the picture", "overlap": "overlap: share of the object that both views show"}
BAR, GAP, BETWEEN = 16.0, 4.0, 26.0
LEFT, TOP, HEIGHT, BELOW = 46.0, 12.0, 160.0, 58.0
GRID = (0, 25, 50, 75, 100)
MIN_GROUP = 96.0  # room for a bin's name
MIN_PLOT = 240.0  # room for the words under a plot of few bars


@dataclass(frozen=True)
class Bin:
    """A group of bars: `metrics` of the runs in order, None where a run has none."""

    label: str
    metrics: tuple[Metric | None, ...]
    behind: Behind


def plots(set_name: str, runs: Sequence[SummarisedRun]) -> Html:
    """A chart by tier, and one for each of `PLOTTED` that the task set has numbers for."""
    charts = [bar_chart(set_name, runs, tier_bins(runs), axis="tier")]
    charts += [bar_chart(set_name, runs, bins, axis=words) for name, words in PLOTTED.items() if (bins := slice_bins(name, runs))]
    return element("div", *charts, class_="plots")


def tier_bins(runs: Sequence[SummarisedRun]) -> list[Bin]:
    """A bin for each tier that any run has."""
    tiers = sorted({tier for run in runs for tier in run.summary.tiers})
    return [Bin(tier, tuple(run.summary.tiers.get(tier) for run in runs), behind_tier(tier)) for tier in tiers]


def slice_bins(name: str, runs: Sequence[SummarisedRun]) -> list[Bin]:
    """The bins of a slicing that any run has an example in."""
    found = [{label: metrics["joint_accuracy"] for label, metrics in run.summary.slices.get(name, {}).items()} for run in runs]
    labels = dict.fromkeys(label for of_run in found for label, metric in of_run.items() if metric.n)
    return [Bin(label, tuple(of_run.get(label) for of_run in found), behind_bin(name, label)) for label in labels]


def bar_chart(set_name: str, runs: Sequence[SummarisedRun], bins: Sequence[Bin], *, axis: str) -> Html:
    """Bars of the runs in each bin; `axis` says in words what the bins are."""
    group = max(MIN_GROUP, len(runs) * (BAR + GAP) + BETWEEN)
    width = LEFT + max(group * len(bins), MIN_PLOT)
    total = TOP + HEIGHT + BELOW
    words = f"Right answers by {axis}"
    drawn = element(
        "svg",
        *(_gridline(percent, width) for percent in GRID),
        *(
            _group(set_name, runs, chosen, left=LEFT + number * group + (group - len(runs) * (BAR + GAP) + GAP) / 2)
            for number, chosen in enumerate(bins)
        ),
        *(_bin_label(chosen, x=LEFT + (number + 0.5) * group) for number, chosen in enumerate(bins)),
        _text(axis, x=LEFT + (width - LEFT) / 2, y=total - 6, class_="axis"),
        viewBox=f"0 0 {width:g} {total:g}",
        width=f"{width:g}",
        height=f"{total:g}",
        role="img",
        aria_label=f"{words} on {set_name}, in percent with 95 % intervals",
    )
    return element("figure", element("figcaption", f"{words}, %"), element("div", drawn, class_="scroll", tabindex="0"))


def _group(set_name: str, runs: Sequence[SummarisedRun], chosen: Bin, *, left: float) -> Html:
    bars = []
    for number, (run, metric) in enumerate(zip(runs, chosen.metrics, strict=True)):
        x = left + number * (BAR + GAP)
        bars.append(_text(run.letter, x=x + BAR / 2, y=TOP + HEIGHT + 13, class_="letter"))
        if metric is not None and metric.value is not None:
            url = gallery_url(set_name, run.label, chosen.behind.asked)
            bars.append(_bar(run, metric, x=x, url=url, words=f"{run.letter} {run.label}, {chosen.label}"))
    return join(*bars)


def _bar(run: SummarisedRun, metric: Metric, *, x: float, url: str, words: str) -> Html:
    assert metric.value is not None, "only a known share is drawn"
    top = _y(metric.value)
    parts = [
        element("title", f"{words}: {format_metric('share', metric)}"),
        element("rect", class_="reach", x=f"{x:g}", y=f"{TOP:g}", width=f"{BAR:g}", height=f"{HEIGHT:g}"),
        element(
            "rect", class_=f"bar {run.paint}", x=f"{x:g}", y=f"{top:.1f}", width=f"{BAR:g}", height=f"{TOP + HEIGHT - top:.1f}"
        ),
    ]
    if metric.low is not None and metric.high is not None:
        middle, low, high = x + BAR / 2, _y(metric.low), _y(metric.high)
        path = f"M{middle:g} {low:.1f}V{high:.1f}M{middle - 4:g} {low:.1f}h8M{middle - 4:g} {high:.1f}h8"
        parts.append(element("path", class_="whisker", d=path))
    return element("a", *parts, class_="examples", href=url)


def _gridline(percent: int, width: float) -> Html:
    y = _y(percent / 100)
    line = element("path", class_="gridline", d=f"M{LEFT:g} {y:.1f}H{width:g}")
    return join(line, _text(str(percent), x=LEFT - 8, y=y + 4, class_="tick"))


def _bin_label(chosen: Bin, *, x: float) -> Html:
    n = max((metric.n for metric in chosen.metrics if metric is not None), default=0)
    return _text(f"{chosen.label} ({n})", x=x, y=TOP + HEIGHT + 30, class_="bin")


def _text(words: str, *, x: float, y: float, class_: str) -> Html:
    return element("text", words, class_=class_, x=f"{x:g}", y=f"{y:g}")


def _y(share: float) -> float:
    return TOP + HEIGHT * (1 - share)
