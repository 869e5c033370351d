"""A page on trainings: curves, evaluations, what is trained, what was answered and learnt from; several runs over each other.

It is one static folder, as the report of scored runs is (`report.write`): nothing in it needs a network, a server or a script.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path
from string import Template

from sightline import __version__
from sightline.errors import InputError
from sightline.files import write_json
from sightline.report.markup import Html, element, join
from sightline.report.pictures import Pictures
from sightline.report.training.answers import Answers
from sightline.report.training.batches import batches
from sightline.report.training.charts import chart_sections
from sightline.report.training.run import TrainingRun, read_training
from sightline.report.training.tables import (
    differences_table,
    history,
    left_out,
    named,
    objects_table,
    parts_table,
    runs_table,
    settings_table,
    stages_table,
)
from sightline.report.write import FORMAT, MARKER, NUM_THREADS, ReportInfo, replace_folder, write_styles

STYLES = ("page.css", "gallery.css", "training.css")
NUM_EVALUATIONS, NUM_OF_SEVERAL = 12, 2  # evaluations that are shown of a single run, and of each of several


def write_training_report(folders: Sequence[Path], out: Path, *, on_progress: Callable[[int, int], None] | None = None) -> Path:
    """Write the page into the folder `out`, whole or not at all, and return its `index.html`. A report there is replaced.

    Args:
        folders: of trainings, as `report.training.folders.training_folders` gives them.
        on_progress: called with (runs done, runs in all).

    Raises:
        FileNotFoundError: a picture of an answer is gone.
        InputError: a file of a run is not what it should be, no run has begun, one is given twice, or `out` is something else
            than a report.
    """
    runs = [read_training(folder, name=name, number=number) for number, (folder, name) in enumerate(_names(folders))]
    if not any(run.numbers for run in runs):
        raise InputError(f"{', '.join(map(str, folders))}: no metrics.csv with a row: nothing has been trained yet.")

    def fill(folder: Path) -> None:
        (folder / "assets").mkdir(parents=True)
        _write_page(folder, runs, on_progress)

    replace_folder(out, fill)
    return out / "index.html"


def _write_page(folder: Path, runs: Sequence[TrainingRun], on_progress: Callable[[int, int], None] | None) -> None:
    title = "Sightline training: " + ", ".join(run.name for run in runs)
    sections = {"Runs": _comparison(runs)} | {
        name: element("div", charts, class_="plots") for name, charts in chart_sections(runs).items()
    }
    with ThreadPoolExecutor(NUM_THREADS) as pool:
        limit = NUM_EVALUATIONS if len(runs) == 1 else NUM_OF_SEVERAL
        answers = Answers(Pictures(folder / "assets", pool), limit=limit)
        for done, run in enumerate(runs, start=1):
            sections[f"Run {run.letter}: {run.name}" if len(runs) > 1 else "The run"] = _details(run, answers)
            if on_progress is not None:
                on_progress(done, len(runs))
    anchors = {name: f"part-{number}" for number, name in enumerate(sections)}
    template = Template((files("sightline.report") / "training.html").read_text(encoding="utf-8"))
    html = template.substitute(
        title=join(title),
        subtitle=join(
            f"Sightline {__version__}. Steps are updates of the parameters. A dashed upright line: the run went on there."
        ),
        assets=write_styles(folder / "assets", STYLES),
        links=join(*(element("a", name, href=f"#{anchors[name]}") for name in sections)),
        sections=join(*(_section(name, anchors[name], content) for name, content in sections.items())),
    )
    (folder / "index.html").write_text(html, encoding="utf-8")
    names = tuple(run.name for run in runs)
    num_shown = sum(len(run.shown) for run in runs)
    write_json(
        folder / MARKER, ReportInfo(format=FORMAT, package_version=__version__, title=title, runs=names, num_examples=num_shown)
    )


def _comparison(runs: Sequence[TrainingRun]) -> Html:
    note = "Speeds are medians, stall and padding means over the rows of metrics.csv."
    differing = differences_table(runs) if len(runs) > 1 else None
    return join(runs_table(runs), element("p", note, class_="note"), named({"What differs": differing}))


def _details(run: TrainingRun, answers: Answers) -> Html:
    parts = {
        "Parts": parts_table(run),
        "Stages": stages_table(run),
        "Answers at the evaluations": answers.draw(run),
        "Held-out objects": objects_table(run),
        "First batches": batches(run.batches),
        "Left out": left_out(run),
        "Where it comes from": history(run),
    }
    return join(named(parts), settings_table(run))


def _section(name: str, anchor: str, content: Html) -> Html:
    return element("section", element("h2", name, id=anchor), content, aria_labelledby=anchor)


def _names(folders: Sequence[Path]) -> list[tuple[Path, str]]:
    """Each folder with a name of its own: its last part, or as many as tell it from the others.

    Raises:
        InputError: one folder twice.
    """
    paths = [folder.resolve() for folder in folders]
    if len(set(paths)) < len(paths):
        twice = next(path for path in paths if paths.count(path) > 1)
        raise InputError(f"run {twice} is given twice: give each run once.")
    depth = 1
    while len({path.parts[-depth:] for path in paths}) < len(paths):
        depth += 1
    return [(folder, "/".join(path.parts[-depth:])) for folder, path in zip(folders, paths, strict=True)]
