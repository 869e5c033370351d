"""A page on saved masks of one or more trackers: J&F and differences, bars by sequence, curves by frame, worst frames.

It is one static folder, as the report of runs is (`report.write`): nothing in it needs a network, a server or a script. The first
run is the one that the others are compared with.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template

from sightline import __version__
from sightline.errors import InputError
from sightline.evaluate.metrics import Metric
from sightline.evaluate.vos.protocols import Folders, ObjectScores
from sightline.evaluate.vos.rivals import object_scores, overall, paired, sequence_scores
from sightline.files import write_json
from sightline.report.markup import Html, element, join
from sightline.report.vos.frames import Overlays, worst_frames
from sightline.report.vos.plots import Drawn, frame_curves, sequence_bars
from sightline.report.write import FORMAT, MARKER, ReportInfo, replace_folder, write_styles

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
STYLES = ("page.css", "gallery.css", "vos.css")
LEGEND = "TP: both have it (green); FN: only the annotation (blue, solid edge); FP: only the prediction (vermilion, dashed edge)."
NOTE = (
    "J&F in percent [95 % interval by bootstrap over sequences] (objects). Right minus A is the mean over objects of the "
    "difference to the first run, with its p; better, worse and equal count objects."
)


@dataclass(frozen=True, eq=False)
class TrackerRun:
    """A run's scores, and the folders of masks they are of; without folders no frame is drawn."""

    name: str
    objects: Sequence[ObjectScores]
    folders: Folders | None = None


def write_vos_report(
    runs: Sequence[TrackerRun],
    out: Path,
    *,
    protocol: str,
    images: Path | None = None,
    on_progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write the page into the folder `out`, whole or not at all, and return its `index.html`. A report there is replaced.

    Args:
        images: pictures of the videos, as `Overlays` takes them.
        on_progress: called with (sequences done, sequences in all).

    Raises:
        FileNotFoundError: masks or pictures are gone.
        InputError: no run or too many, two of one name, runs of different objects, or `out` is something else than a report.
    """
    names = [run.name for run in runs]
    if not 1 <= len(runs) <= len(LETTERS) or len(set(names)) < len(names):
        raise InputError(f"runs {', '.join(names) or 'none'}: expected 1 to {len(LETTERS)}, each with a name of its own.")
    drawn = [Drawn(run.name, LETTERS[number], number, run.objects) for number, run in enumerate(runs)]
    if not object_scores(runs[0].objects):
        raise InputError(f"{runs[0].name}: no object has a frame that counts by {protocol}: there is nothing to show.")
    table = _table(drawn)

    def fill(folder: Path) -> None:
        (folder / "assets").mkdir(parents=True)
        overlays = Overlays(folder / "assets", images, protocol)
        parts = _sequences(runs, drawn, overlays, on_progress)
        _write_page(folder, drawn, protocol, table=table, sequences=parts)

    replace_folder(out, fill)
    return out / "index.html"


def _write_page(folder: Path, drawn: Sequence[Drawn], protocol: str, *, table: Html, sequences: Html) -> None:
    scores = [sequence_scores(run.objects) for run in drawn]
    template = Template((files("sightline.report") / "vos.html").read_text(encoding="utf-8"))
    title = "Sightline report: " + ", ".join(run.name for run in drawn)
    num_objects = len(object_scores(drawn[0].objects))
    subtitle = f"protocol {protocol}; {len(scores[0])} sequences, {num_objects} objects. Sightline {__version__}."
    html = template.substitute(
        title=join(title),
        subtitle=join(subtitle),
        assets=write_styles(folder / "assets", STYLES),
        table=table,
        bars=sequence_bars(drawn, scores, _anchors(scores[0])),
        legend=join(LEGEND),
        sequences=sequences,
    )
    (folder / "index.html").write_text(html, encoding="utf-8")
    info = ReportInfo(
        format=FORMAT, package_version=__version__, title=title, runs=tuple(run.name for run in drawn), num_examples=num_objects
    )
    write_json(folder / MARKER, info)


def _table(drawn: Sequence[Drawn]) -> Html:
    titles = ["Run", "J&F", "J", "F"] + (["Right minus A", "p", "Better, worse, equal"] if len(drawn) > 1 else [])
    rows = [element("tr", *_cells(run, drawn[0])) for run in drawn]
    head = element("tr", *(element("th", title, scope="col") for title in titles))
    rows[0] = element("tr", *_cells(drawn[0], drawn[0]), *(element("td", "-", class_="none") for _ in titles[4:]))
    content = element("table", element("thead", head), element("tbody", *rows))
    scrolled = element("div", content, class_="scroll", tabindex="0", role="region", aria_label="the runs")
    return join(element("p", NOTE, class_="note"), scrolled)


def _cells(run: Drawn, first: Drawn) -> list[Html]:
    scored = [each for each in run.objects if each.frames]
    cells = [
        element("th", element("span", run.letter, class_=f"key {run.paint}"), f" {run.name}", scope="row"),
        element("td", _metric(overall(run.objects))),
        *(element("td", f"{100 * sum(values) / len(values):.1f}") for values in _j_and_f(scored)),
    ]
    if run is first:
        return cells
    found = paired(run.objects, first.objects)
    a, b = object_scores(run.objects), object_scores(first.objects)
    signs = [(a[key] > b[key]) - (a[key] < b[key]) for key in a]
    counts = f"{signs.count(1)}, {signs.count(-1)}, {signs.count(0)}"
    p = "-" if found.p is None else f"{found.p:.3f}"
    return [*cells, element("td", _metric(found.difference, signed=True)), element("td", p), element("td", counts)]


def _j_and_f(scored: Sequence[ObjectScores]) -> tuple[list[float], list[float]]:
    return [float(each.region.mean()) for each in scored], [float(each.boundary.mean()) for each in scored]


def _metric(metric: Metric, *, signed: bool = False) -> str:
    if metric.value is None:
        return "-"
    form = "+.1f" if signed else ".1f"
    interval = "" if metric.low is None or metric.high is None else f" [{100 * metric.low:{form}}, {100 * metric.high:{form}}]"
    return f"{100 * metric.value:{form}}{interval} ({metric.n})"


def _sequences(
    runs: Sequence[TrackerRun],
    drawn: Sequence[Drawn],
    overlays: Overlays,
    on_progress: Callable[[int, int], None] | None,
) -> Html:
    worst = [worst_frames(run.objects) for run in runs]
    scores = sequence_scores(runs[0].objects)
    anchors, parts = _anchors(scores), []
    for done, video in enumerate(sorted(scores, key=lambda name: (scores[name], name)), start=1):
        figures = []
        for run, shown, of_run in zip(runs, drawn, worst, strict=True):
            if run.folders is None:
                continue
            found = of_run[video]
            said = f" {run.name}: frame {found.frame.removesuffix('.png')}, object {found.object_id}, J&F {100 * found.score:.1f}"
            caption = element("figcaption", element("span", shown.letter, class_=f"key {shown.paint}"), said)
            figures.append(element("figure", overlays.draw(run.folders, found), caption))
        parts.append(
            element(
                "section",
                element("h3", video),
                element("div", frame_curves(drawn, video), class_="plots"),
                element("div", *figures, class_="worst-frames"),
                id=anchors[video],
            )
        )
        if on_progress is not None:
            on_progress(done, len(scores))
    return join(*parts)


def _anchors(scores: Mapping[str, float]) -> dict[str, str]:
    """An id for each sequence, whatever characters its name has."""
    return {video: f"sequence-{number}" for number, video in enumerate(sorted(scores))}
