"""Numbers by step as line charts: inline SVG without scripts, with a table of each curve's first, least, most and last value.

A curve of many steps is drawn by its means over `NUM_BINS` equal stretches of steps; one or two of them have a band from the
least to the most value of each stretch. The values of the table are those of all steps.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from sightline.report.markup import Html, element, join

NUM_BINS = 300
LEFT, TOP, WIDTH, HEIGHT, BELOW, RIGHT = 58.0, 22.0, 600.0, 170.0, 34.0, 30.0
NUM_TICKS, MOST_WITH_BANDS = 5, 2
LETTER_HEIGHT = 11.0
NEAR_END = 40.0


@dataclass(frozen=True, eq=False)
class Line:
    """A curve: values at ascending steps, at least one. `paint` are style classes, `best` the (step, value) that is marked."""

    label: str
    letter: str
    paint: str
    steps: Float[np.ndarray, " n"]
    values: Float[np.ndarray, " n"]
    best: tuple[float, float] | None = None


@dataclass(frozen=True, eq=False)
class Binned:
    """A curve as it is drawn: mean, least and most value of each stretch of steps that has any."""

    steps: Float[np.ndarray, " m"]
    means: Float[np.ndarray, " m"]
    least: Float[np.ndarray, " m"]
    most: Float[np.ndarray, " m"]


@dataclass(frozen=True)
class Marks:
    """What is marked at steps in every chart: where stages begin, and where runs went on, in words."""

    stages: tuple[tuple[int, str], ...] = ()
    resumed: tuple[tuple[int, str], ...] = ()


@dataclass(frozen=True)
class Scale:
    """From steps and values to places in the chart; `ticks` are values."""

    last_step: float
    low: float
    high: float
    ticks: tuple[float, ...] = field(default=())

    def x(self, step: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * step / self.last_step

    def y(self, value: float) -> float:
        share = (value - self.low) / (self.high - self.low)
        return TOP + HEIGHT * (1 - min(1.0, max(0.0, share)))


def line_chart(title: str, lines: Sequence[Line], *, marks: Marks | None = None, last_step: int, percent: bool = False) -> Html:
    """The chart of some curves over steps 0 to `last_step`; `percent`: the values are shares."""
    marks = marks or Marks()
    if percent:
        lines = [_in_percent(line) for line in lines]
    binned = [bin_curve(line.steps, line.values) for line in lines]
    scale = _scale(binned, last_step)
    total = TOP + HEIGHT + BELOW
    svg = element(
        "svg",
        *(_gridline(scale, value) for value in scale.ticks),
        *(_step_tick(scale, step) for step in sorted({0, last_step // 2, last_step})),
        *(_upright(scale, step, name, class_="stage") for step, name in marks.stages),
        *(_upright(scale, step, words, class_="resumed") for step, words in marks.resumed),
        *(_band(scale, line, each) for line, each in zip(lines, binned, strict=True) if len(lines) <= MOST_WITH_BANDS),
        *(_drawn(scale, line, each) for line, each in zip(lines, binned, strict=True)),
        *_letters(scale, lines, binned),
        viewBox=f"0 0 {WIDTH:g} {total:g}",
        width=f"{WIDTH:g}",
        height=f"{total:g}",
        role="img",
        aria_label=f"{title}, over steps 0 to {last_step}",
    )
    unit = f"{title}, %" if percent else title
    scrolled = element("div", svg, class_="scroll", tabindex="0", role="region", aria_label=unit)
    return element("figure", element("figcaption", unit), scrolled, _table(lines, title))


def bin_curve(steps: Float[np.ndarray, " n"], values: Float[np.ndarray, " n"], *, num_bins: int = NUM_BINS) -> Binned:
    """A curve of at most `num_bins` places; one that has no more is unchanged."""
    if len(steps) <= num_bins:
        return Binned(steps, values, values, values)
    place = np.minimum((steps - steps[0]) / (steps[-1] - steps[0]) * num_bins, num_bins - 1).astype(np.int64)
    starts = np.flatnonzero(np.diff(place, prepend=-1))
    counts = np.diff(np.append(starts, len(steps)))
    return Binned(
        np.add.reduceat(steps, starts) / counts,
        np.add.reduceat(values, starts) / counts,
        np.minimum.reduceat(values, starts),
        np.maximum.reduceat(values, starts),
    )


def told(value: float) -> str:
    """A number in few characters: four digits, thousands with separators, very small ones as 2.00e-05."""
    if value and not 1e-3 <= abs(value) < 1e7:
        return f"{value:.2e}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def nice_ticks(low: float, high: float) -> tuple[float, ...]:
    """About `NUM_TICKS` round numbers (1, 2 or 5 times a power of ten apart) that enclose [low, high]."""
    rough = (high - low) / (NUM_TICKS - 1)
    power = 10.0 ** math.floor(math.log10(rough))
    apart = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * 0.999)
    first, last = math.floor(low / apart + 1e-9), math.ceil(high / apart - 1e-9)
    return tuple(number * apart for number in range(first, last + 1))


def _scale(binned: Sequence[Binned], last_step: int) -> Scale:
    low = min(float(each.means.min()) for each in binned)
    high = max(float(each.means.max()) for each in binned)
    if low > 0 and low < high / 2:
        low = 0.0  # numbers that are not all alike are seen from nought on
    if high - low < 1e-9 * max(abs(high), 1e-3):
        low, high = min(low, 0.0), max(high, 0.0) or 1.0
    ticks = nice_ticks(low, high)
    return Scale(float(max(last_step, 1)), ticks[0], ticks[-1], ticks)


def _in_percent(line: Line) -> Line:
    best = None if line.best is None else (line.best[0], 100 * line.best[1])
    return Line(line.label, line.letter, line.paint, line.steps, 100 * line.values, best)


def _band(scale: Scale, line: Line, binned: Binned) -> Html:
    """From the least to the most value of each stretch; nothing where every stretch is one step."""
    if not (binned.least < binned.most).any():
        return join()
    above = _path(scale, binned.steps, binned.most)
    back = _path(scale, binned.steps[::-1], binned.least[::-1]).replace("M", "L", 1)
    return element("path", class_=f"band {line.paint}", d=f"{above}{back}z")


def _drawn(scale: Scale, line: Line, binned: Binned) -> Html:
    said = element("title", f"{line.letter} {line.label}")
    parts = [element("path", said, class_=f"curve {line.paint}", d=_path(scale, binned.steps, binned.means))]
    if len(binned.steps) <= NUM_TICKS * 8:
        parts += [_dot(scale, step, value, line.paint) for step, value in zip(binned.steps, binned.means, strict=True)]
    if line.best is not None:
        parts.append(_best(scale, line))
    return join(*parts)


def _path(scale: Scale, steps: Float[np.ndarray, " n"], values: Float[np.ndarray, " n"]) -> str:
    places = zip(steps.tolist(), values.tolist(), strict=True)
    return "M" + "L".join(f"{scale.x(step):.1f} {scale.y(value):.1f}" for step, value in places)


def _dot(scale: Scale, step: float, value: float, paint: str) -> Html:
    said = element("title", f"step {step:g}: {told(float(value))}")
    return element("circle", said, class_=f"dot {paint}", cx=f"{scale.x(step):.1f}", cy=f"{scale.y(value):.1f}", r="2.5")


def _best(scale: Scale, line: Line) -> Html:
    assert line.best is not None, "asked for by the caller"
    step, value = line.best
    x, y = scale.x(step), scale.y(value)
    ring = element("circle", element("title", f"best: {told(value)} at step {step:g}"), cx=f"{x:.1f}", cy=f"{y:.1f}", r="6")
    return element("g", ring, element("text", "best", x=f"{x:.1f}", y=f"{max(y - 9, 10):.1f}"), class_="best")


def _letters(scale: Scale, lines: Sequence[Line], binned: Sequence[Binned]) -> list[Html]:
    """Each curve's letter at its end, those of close ends below each other; curves that end together have theirs in one column."""
    order = sorted(range(len(binned)), key=lambda number: scale.y(float(binned[number].means[-1])))
    drawn = []
    for number, y in zip(order, spread([scale.y(float(binned[number].means[-1])) for number in order]), strict=True):
        x = scale.x(float(binned[number].steps[-1]))
        column = WIDTH - RIGHT if x > WIDTH - RIGHT - NEAR_END else x
        drawn.append(element("text", lines[number].letter, class_="letter", x=f"{column + 12:.1f}", y=f"{y + 4:.1f}"))
    return drawn


def spread(heights: Sequence[float], *, apart: float = LETTER_HEIGHT, lowest: float = TOP + HEIGHT) -> list[float]:
    """Ascending heights moved `apart` from each other, downwards first, and up again as far as they went below `lowest`."""
    placed: list[float] = []
    for height in heights:
        placed.append(max(height, placed[-1] + apart) if placed else height)
    limit = lowest
    for place in reversed(range(len(placed))):
        placed[place] = min(placed[place], limit)
        limit = placed[place] - apart
    return placed


def _gridline(scale: Scale, value: float) -> Html:
    y = scale.y(value)
    line = element("path", class_="gridline", d=f"M{LEFT:g} {y:.1f}H{WIDTH - RIGHT:g}")
    return join(line, element("text", told(value), class_="tick", x=f"{LEFT - 6:g}", y=f"{y + 4:.1f}"))


def _step_tick(scale: Scale, step: int) -> Html:
    return element("text", f"{step:,}", class_="axis", x=f"{scale.x(float(step)):.1f}", y=f"{TOP + HEIGHT + 18:g}")


def _upright(scale: Scale, step: int, words: str, *, class_: str) -> Html:
    x = scale.x(float(step))
    said = element("title", f"{words}, after step {step}")
    line = element("path", said, class_=class_, d=f"M{x:.1f} {TOP:g}V{TOP + HEIGHT:g}")
    name = element("text", words, class_="stage-name", x=f"{x + 3:.1f}", y=f"{TOP - 8:g}") if class_ == "stage" else join()
    return join(line, name)


def _table(lines: Sequence[Line], title: str) -> Html:
    head = element("tr", *(element("th", words, scope="col") for words in ("curve", "first", "least", "most", "last", "at step")))
    content = element("table", element("thead", head), element("tbody", *(_row(line) for line in lines)))
    return element("div", content, class_="scroll numbers", tabindex="0", role="region", aria_label=f"{title}, in numbers")


def _row(line: Line) -> Html:
    name = element("th", element("span", line.letter, class_=f"key {line.paint}"), f" {line.label}", scope="row")
    values = (line.values[0], line.values.min(), line.values.max(), line.values[-1])
    return element("tr", name, *(element("td", told(float(value))) for value in values), element("td", f"{line.steps[-1]:,.0f}"))
