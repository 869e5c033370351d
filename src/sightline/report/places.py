"""Right answers by where the object lies in its view, one grid a run: inline SVG without scripts.

A cell shows the percentage and n of the examples whose object has its middle there; it opens them. The darker a cell, the more are
right; the figure says so too, so nothing rests on colour.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from sightline.report.heat import HEIGHT, STEPS, Corner, Shown, heat_cell, heat_map
from sightline.report.links import behind_cell, gallery_url
from sightline.report.markup import Html, element, join
from sightline.report.tables import SummarisedRun
from sightline.report.tally import GRID, Tally, cell_name

WIDTH = 58.0


def place_maps(set_name: str, runs: Sequence[SummarisedRun], tallies: Mapping[Path, Tally]) -> Html:
    """A grid for each run; nothing where no object has a place."""
    if not any(tallies[run.run.folder].places for run in runs):
        return join()
    return element("div", *(_figure(set_name, run, tallies[run.run.folder]) for run in runs), class_="plots")


def _figure(set_name: str, run: SummarisedRun, tally: Tally) -> Html:
    drawn = heat_map(
        (_cell(set_name, run, tally, cell) for cell in range(GRID * GRID)),
        width=GRID * WIDTH,
        height=GRID * HEIGHT,
        label=f"Right answers of {run.label} on {set_name} by place of the object, in percent",
    )
    caption = element("figcaption", element("span", run.letter, class_=f"key {run.paint}"), f" {run.label}, % (n)")
    return element("figure", caption, drawn)


def _cell(set_name: str, run: SummarisedRun, tally: Tally, cell: int) -> Html:
    corner = Corner(cell % GRID * WIDTH, cell // GRID * HEIGHT, WIDTH)
    n = tally.places[cell]
    if not n:
        return heat_cell(corner, None)
    share = f"{100 * tally.hits[cell] / n:.0f}"
    title = f"{run.letter} {run.label}, {cell_name(cell)}: {share} % of {n}"
    href = gallery_url(set_name, run.label, behind_cell(cell).asked)
    return heat_cell(corner, Shown(min(STEPS - 1, STEPS * tally.hits[cell] // n), share, n, title, href))
