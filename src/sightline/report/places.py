"""Right answers by where the object lies in its view, one grid a run: inline SVG without scripts.

A cell shows the percentage and n of the examples whose object has its middle there; it opens them. The darker a cell, the more are
right; the figure says so too, so nothing rests on colour.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from sightline.report.links import behind_cell, gallery_url
from sightline.report.markup import Html, element, join
from sightline.report.tables import SummarisedRun
from sightline.report.tally import GRID, Tally, cell_name

WIDTH, HEIGHT = 58.0, 44.0
STEPS = 5  # shades; the style sheet names them heat-0 .. heat-4


def place_maps(set_name: str, runs: Sequence[SummarisedRun], tallies: Mapping[Path, Tally]) -> Html:
    """A grid for each run; nothing where no object has a place."""
    if not any(tallies[run.run.folder].places for run in runs):
        return join()
    return element("div", *(_figure(set_name, run, tallies[run.run.folder]) for run in runs), class_="plots")


def _figure(set_name: str, run: SummarisedRun, tally: Tally) -> Html:
    drawn = element(
        "svg",
        *(_cell(set_name, run, tally, cell) for cell in range(GRID * GRID)),
        viewBox=f"0 0 {GRID * WIDTH:g} {GRID * HEIGHT:g}",
        width=f"{GRID * WIDTH:g}",
        height=f"{GRID * HEIGHT:g}",
        role="img",
        aria_label=f"Right answers of {run.label} on {set_name} by place of the object, in percent",
    )
    caption = element("figcaption", element("span", run.letter, class_=f"key {run.paint}"), f" {run.label}, % (n)")
    return element("figure", caption, element("div", drawn, class_="scroll", tabindex="0"))


def _cell(set_name: str, run: SummarisedRun, tally: Tally, cell: int) -> Html:
    x, y = cell % GRID * WIDTH, cell // GRID * HEIGHT
    n = tally.places[cell]
    shade = min(STEPS - 1, STEPS * tally.hits[cell] // n) if n else 0
    square = element(
        "rect",
        class_=f"heat-{shade}" if n else "heat-none",
        x=f"{x + 1:g}",
        y=f"{y + 1:g}",
        width=f"{WIDTH - 2:g}",
        height=f"{HEIGHT - 2:g}",
    )
    if not n:
        return square
    share = f"{100 * tally.hits[cell] / n:.0f}"
    words = element("title", f"{run.letter} {run.label}, {cell_name(cell)}: {share} % of {n}")
    return element(
        "a",
        words,
        square,
        element("text", share, class_=f"on-heat-{shade}", x=f"{x + WIDTH / 2:g}", y=f"{y + 19:g}"),
        element("text", f"({n})", class_=f"on-heat-{shade} small", x=f"{x + WIDTH / 2:g}", y=f"{y + 34:g}"),
        class_="examples",
        href=gallery_url(set_name, run.label, behind_cell(cell).asked),
    )
