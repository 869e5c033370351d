"""How far off the answers are by size of the object, other objects in view and resolution: a row a run, a column a bin.

A cell shows the median error and how many examples have one; it opens them. The error is the distance to the truth
(`Score.l2_norm`), or, where boxes or masks are asked, what the overlap lacks of a whole one (1 - `Score.iou`). Darker is better, as
in `report.places`.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

from sightline.report.bins import BINNING_WORDS, BINNINGS
from sightline.report.heat import HEIGHT, STEPS, Corner, Shown, heat_cell, heat_map
from sightline.report.links import behind_error, gallery_url
from sightline.report.markup import Html, element, join
from sightline.report.tables import SummarisedRun
from sightline.report.tally import Errors, Tally

WORST_SHOWN = {"far": 0.5, "lacking": 1.0}  # errors from here on have the lightest shade
TITLES = {"far": "Median distance to the truth (picture = 1)", "lacking": "Median of 1 - IoU"}
ERRORS_NOTE = (
    "Medians over the examples with a point to measure, or with an overlap; how many is in brackets. Other objects are those that "
    "this task set has masks of in the same view, so their number is a lower bound. Darker is better."
)
WIDTH, NAMES, HEAD = 74.0, 34.0, 22.0


def error_maps(set_name: str, runs: Sequence[SummarisedRun], tallies: Mapping[Path, Tally]) -> Html:
    """A map for each kind of error that any run has and each binning that takes its examples apart; nothing without either."""
    figures: list[Html] = []
    for kind in TITLES:
        errors = [_errors(tallies[run.run.folder], kind) for run in runs]
        for name, binning in BINNINGS.items():
            labels = [label for label in binning.bins if any((name, label) in of_run for of_run in errors)]
            if len(labels) > 1:
                figures.append(_figure(set_name, runs, errors, [(name, label) for label in labels], kind=kind))
    return element("div", *figures, class_="plots") if figures else join()


def _errors(tally: Tally, kind: str) -> Errors:
    return tally.far if kind == "far" else tally.lacking


def _figure(
    set_name: str, runs: Sequence[SummarisedRun], errors: Sequence[Errors], parts: Sequence[tuple[str, str]], *, kind: str
) -> Html:
    title = f"{TITLES[kind]} by {BINNING_WORDS[parts[0][0]]}"
    width, height = NAMES + len(parts) * WIDTH, HEAD + len(runs) * HEIGHT
    heads = (
        element("text", label, class_="bin", x=f"{NAMES + (column + 0.5) * WIDTH:g}", y="15")
        for column, (_, label) in enumerate(parts)
    )
    rows: list[Html] = []
    for line, (run, of_run) in enumerate(zip(runs, errors, strict=True)):
        top = HEAD + line * HEIGHT
        rows.append(element("text", run.letter, class_="letter", x=f"{NAMES / 2:g}", y=f"{top + HEIGHT / 2 + 4:g}"))
        rows += [
            _cell(set_name, run, part, of_run.get(part, []), kind=kind, corner=Corner(NAMES + column * WIDTH, top, WIDTH))
            for column, part in enumerate(parts)
        ]
    label = f"{title} on {set_name}"
    return element("figure", element("figcaption", title), heat_map([*heads, *rows], width=width, height=height, label=label))


def _cell(set_name: str, run: SummarisedRun, part: tuple[str, str], found: Sequence[float], *, kind: str, corner: Corner) -> Html:
    if not found:
        return heat_cell(corner, None)
    name, label = part
    error = median(found)
    title = f"{run.letter} {run.label}, {BINNING_WORDS[name]} {label}: median {error:.3f} of {len(found)}"
    href = gallery_url(set_name, run.label, behind_error(name, label, kind).asked)
    return heat_cell(corner, Shown(shade_of(error, kind), f"{error:.3f}", len(found), title, href))


def shade_of(error: float, kind: str) -> int:
    """0 (light, far off) to `STEPS` - 1 (dark, close)."""
    return max(0, STEPS - 1 - int(STEPS * error / WORST_SHOWN[kind]))
