"""Maps of shaded cells as inline SVG without scripts: a cell shows a value and how many examples it counts, and opens them.

The style sheet names the shades heat-0 (light) to heat-4 (dark); the figures say the same in numbers, so nothing rests on colour.
"""

from collections.abc import Iterable
from typing import NamedTuple

from sightline.report.markup import Html, element

STEPS = 5
HEIGHT = 44.0  # of a cell


class Corner(NamedTuple):
    """Where a cell begins in its map, and how wide it is, in user units."""

    x: float
    y: float
    width: float


class Shown(NamedTuple):
    """What stands in a cell: its `value` of `n` examples, darker with the shade from 0 to `STEPS` - 1; `title` says it in words."""

    shade: int
    value: str
    n: int
    title: str
    href: str


def heat_map(parts: Iterable[Html], *, width: float, height: float, label: str) -> Html:
    """The map of some cells and texts; it can be scrolled where the window is narrow."""
    drawn = element(
        "svg",
        *parts,
        viewBox=f"0 0 {width:g} {height:g}",
        width=f"{width:g}",
        height=f"{height:g}",
        role="img",
        aria_label=label,
    )
    return element("div", drawn, class_="scroll", tabindex="0")


def heat_cell(corner: Corner, shown: Shown | None) -> Html:
    """One cell; None where there is no example."""
    square = element(
        "rect",
        class_=f"heat-{shown.shade}" if shown else "heat-none",
        x=f"{corner.x + 1:g}",
        y=f"{corner.y + 1:g}",
        width=f"{corner.width - 2:g}",
        height=f"{HEIGHT - 2:g}",
    )
    if shown is None:
        return square
    middle = f"{corner.x + corner.width / 2:g}"
    return element(
        "a",
        element("title", shown.title),
        square,
        element("text", shown.value, class_=f"on-heat-{shown.shade}", x=middle, y=f"{corner.y + 19:g}"),
        element("text", f"({shown.n})", class_=f"on-heat-{shown.shade} small", x=middle, y=f"{corner.y + 34:g}"),
        class_="examples",
        href=shown.href,
    )
