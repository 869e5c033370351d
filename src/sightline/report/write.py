"""`write_report`: from scored runs to a static folder that opens offline. It appears whole or not at all."""

import hashlib
import os
import secrets
import shutil
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.resources import files
from pathlib import Path

from sightline import __version__
from sightline.errors import InputError
from sightline.evaluate.summary import read_summary
from sightline.files import read_json, sync_path, write_json
from sightline.report.gallery import Gallery
from sightline.report.markup import Html, element, join
from sightline.report.page import page
from sightline.report.runs import Collection, collect
from sightline.types import Record

FORMAT = 1
MARKER = "report.json"
OURS = frozenset({"index.html", MARKER, "assets", "data"})
NUM_THREADS = 2
STYLES = ("page.css", "gallery.css", "strip.css", "floor_plan.css")
SCRIPTS = (
    "data.js",
    "state.js",
    "dom.js",
    "rows.js",
    "overlay.js",
    "strip.js",
    "floor_plan.js",
    "card.js",
    "zoom.js",
    "detail.js",
    "controls.js",
    "save.js",
    "grid.js",
    "app.js",
)


class ReportInfo(Record):
    """`report.json`: makes a folder one that we may replace."""

    format: int
    package_version: str
    title: str
    runs: tuple[str, ...]
    num_examples: int


def write_report(
    runs: Sequence[Path],
    out: Path,
    *,
    on_progress: Callable[[int, int], None] | None = None,
    max_examples: int | None = None,
    baseline: str | None = None,
) -> Path:
    """Write the report of scored runs into the folder `out` and return its `index.html`.

    A report that stands there is replaced; `on_progress` is called with (examples done, examples in all). `max_examples` limits
    the gallery (not the tables) to the first examples of each task set, and the page says so. `baseline` is the model that the
    others are compared with, by the name it has in the report; without one it is the model of the first run.

    Raises:
        FileNotFoundError: a run, its scores, its summary, its task set or a picture of it is not there.
        InputError: `out` is something else than a report, a run does not belong to its task set, or no run is of the baseline.
    """
    if max_examples is not None and max_examples < 1:
        raise InputError(f"max_examples is {max_examples}: expected at least 1, or none for all examples.")
    out = out.absolute()
    _check_replaceable(out)
    collection = collect(runs, baseline=baseline)
    replace_folder(out, lambda folder: _write(collection, folder, on_progress=on_progress, max_examples=max_examples))
    return out / "index.html"


def replace_folder(out: Path, fill: Callable[[Path], None]) -> None:
    """Let `fill` write a report into a new folder, and put it in the place of `out`, whole or not at all.

    Raises:
        InputError: `out` is something else than a report or an empty folder.
    """
    out = out.absolute()
    _check_replaceable(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(f".{out.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        fill(partial)
        _publish(partial, out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _write(
    collection: Collection, folder: Path, *, on_progress: Callable[[int, int], None] | None, max_examples: int | None
) -> None:
    summaries = [read_summary(run.folder) for run in collection.runs]
    sizes = [len(answered.taskset) for answered in collection.sets]
    total = sum(size if max_examples is None else min(size, max_examples) for size in sizes)
    for name in ("assets", "data"):
        (folder / name).mkdir(parents=True)
    with ThreadPoolExecutor(NUM_THREADS) as pool:
        gallery = Gallery(folder, pool, max_examples=max_examples)
        gallery.write(collection, on_rows=lambda done: on_progress(done, total) if on_progress else None)
    title = "Sightline report: " + ", ".join(answered.name for answered in collection.sets)
    sampling = join()
    if total < sum(sizes):
        sampling = element(
            "p", f"The gallery holds the first {max_examples} examples of each task set; the tables count all.", class_="note"
        )
    assets = write_styles(folder / "assets", (*STYLES, *SCRIPTS))
    html = page(collection, summaries, gallery.counts, title=title, assets=assets, sampling=sampling)
    (folder / "index.html").write_text(html, encoding="utf-8")
    names = tuple(run.folder.name for run in collection.runs)
    write_json(folder / MARKER, ReportInfo(format=FORMAT, package_version=__version__, title=title, runs=names, num_examples=total))


def write_styles(folder: Path, names: Sequence[str]) -> Html:
    """Copy styles and scripts under names that carry their hash, and return the tags that load them in order."""
    tags: list[Html] = []
    for name in names:
        content = (files("sightline.report") / "assets" / name).read_bytes()
        stem, _, kind = name.partition(".")
        hashed = f"{stem}-{hashlib.sha256(content).hexdigest()[:12]}.{kind}"
        (folder / hashed).write_bytes(content)
        if kind == "css":
            tags.append(Html(f'<link rel="stylesheet" href="assets/{hashed}">'))
        else:
            tags.append(element("script", src=f"assets/{hashed}", defer=""))
    return Html("\n".join(tags))


def _check_replaceable(out: Path) -> None:
    """Refuse to write over anything but an empty folder or a report.

    Raises:
        InputError: a file, or a folder with something else in it.
    """
    if not out.exists():
        return
    if not out.is_dir():
        raise InputError(f"{out} is a file: expected a folder for the report. Give another --out.")
    names = {path.name for path in out.iterdir()}
    if not names:
        return
    strangers = sorted(names - OURS)
    if strangers or MARKER not in names:
        found = strangers[0] if strangers else f"no {MARKER}"
        raise InputError(
            f"{out} is not empty and not a report (found {found!r}): it is not replaced. Give another --out, or empty it."
        )
    read_json(out / MARKER, ReportInfo)


def _publish(partial: Path, out: Path) -> None:
    """Put the finished folder in the place of the old one; the old one comes back if that fails."""
    old = out.with_name(partial.name.removesuffix(".tmp") + ".old")
    if out.exists():
        out.rename(old)
    try:
        partial.rename(out)
    except BaseException:
        if old.exists():
            old.rename(out)
        raise
    sync_path(out.parent)
    if old.exists():
        shutil.rmtree(old)
