"""Counts as bars that lie on their side: inline SVG without scripts. A bar with an address is a link to what it counts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sightline.report.markup import Html, element

LINE, BAR = 22.0, 14.0
LENGTH, COUNTS = 190.0, 64.0
CHARACTER, MARGIN = 7.5, 14.0  # room for a character of a name, and around the name
MAX_NAME = 40  # characters of a name that are shown; the whole name is in the title


@dataclass(frozen=True)
class Bar:
    """`url` is None where there are no examples to open."""

    name: str
    count: int
    url: str | None


def names_width(names: Iterable[str]) -> float:
    """Room for names before their bars, in pixels."""
    return MARGIN + CHARACTER * max((min(len(name), MAX_NAME) for name in names), default=0)


def histogram(title: str, bars: Sequence[Bar], *, largest: int | None = None, left: float | None = None) -> Html:
    """The bars from top to bottom; `largest` is the count of a whole length, by default that of the largest bar, and `left` where
    bars begin, by default after the longest name."""
    longest = largest or max((bar.count for bar in bars), default=0)
    left = names_width(bar.name for bar in bars) if left is None else left
    width, height = left + LENGTH + COUNTS, LINE * len(bars)
    drawn = element(
        "svg",
        *(_line(bar, top=number * LINE, left=left, longest=longest) for number, bar in enumerate(bars)),
        viewBox=f"0 0 {width:g} {height:g}",
        width=f"{width:g}",
        height=f"{height:g}",
        role="group",
        aria_label=title or None,
        class_="histogram",
    )
    return element("figure", element("figcaption", title), drawn) if title else drawn


def _line(bar: Bar, *, top: float, left: float, longest: int) -> Html:
    length = LENGTH * bar.count / longest if longest else 0.0
    shown = bar.name if len(bar.name) <= MAX_NAME else f"{bar.name[: MAX_NAME - 1]}…"
    middle = top + LINE / 2 + 4
    parts = (
        element("title", f"{bar.name}: {bar.count:,}"),
        element("rect", class_="reach", x="0", y=f"{top:g}", width=f"{left + LENGTH + COUNTS:g}", height=f"{LINE:g}"),
        element("text", shown, class_="name", x=f"{left - 8:g}", y=f"{middle:g}"),
        element("rect", class_="bar count", x=f"{left:g}", y=f"{top + 4:g}", width=f"{length:.1f}", height=f"{BAR:g}"),
        element("text", f"{bar.count:,}", class_="number", x=f"{left + length + 6:.1f}", y=f"{middle:g}"),
    )
    if bar.url is None or not bar.count:
        return element("g", *parts)
    return element("a", *parts, class_="examples", href=bar.url)
