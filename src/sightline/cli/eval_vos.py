"""`sightline eval-vos`: scores of saved masks by a benchmark's own rules."""

import enum
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from sightline.cli import app
from sightline.cli.console import Json, emit, plain, print_table, progress, say
from sightline.errors import InputError


class ProtocolName(enum.StrEnum):
    davis2017 = "davis2017"
    davis2016 = "davis2016"
    sav = "sav"
    mose2 = "mose2"
    lvos = "lvos"
    ytvos = "ytvos"
    ytvis = "ytvis"
    category = "category"


@app.command("eval-vos")
def eval_vos(  # noqa: PLR0913 - one parameter an option
    predicted: Annotated[
        Path, typer.Argument(metavar="PRED", help="Folder with one folder of predicted masks a video; ytvis, category: JSON.")
    ],
    truth: Annotated[
        Path, typer.Argument(metavar="GT", help="Folder with one folder of annotated masks a video; ytvis, category: JSON.")
    ],
    *,
    protocol: Annotated[ProtocolName, typer.Option(help="Whose rules: which objects and frames count, and how.")],
    meta: Annotated[Path | None, typer.Option(help="The data set's meta.json (lvos, ytvos; objects of mose2).")] = None,
    unseen: Annotated[
        Path | None, typer.Option(help="Text file of unseen videos (lvos) or categories (ytvos), one a line: adds G.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for summary.json and the tables (CSV).")] = None,
    report: Annotated[Path | None, typer.Option(help="Folder for a page with bars, curves and worst frames.")] = None,
    versus: Annotated[
        list[str] | None, typer.Option("--versus", metavar="NAME=PRED", help="Other masks of the same videos, for --report.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="What PRED is called in the report; default: its folder.")] = None,
    images: Annotated[Path | None, typer.Option(help="Folder with one folder of pictures a video, for --report.")] = None,
    official_quirks: Annotated[
        bool, typer.Option("--official-quirks", help="Decay with the official 8-bit overflow beyond 255 frames.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = os.cpu_count() or 1,
    json: Json = False,
) -> None:
    """J, F and J&F of saved masks (palette PNG a frame, or one folder an object), with the tables of the benchmark.

    ytvis: AP and AR of a results JSON against a YouTube-VIS JSON.
    category: IoU, Dice and MAE of a results JSON against a COCO-style video JSON.
    """
    from sightline.evaluate.vos.file_protocols import FILE_PROTOCOLS  # noqa: PLC0415
    from sightline.evaluate.vos.protocols import Folders  # noqa: PLC0415
    from sightline.evaluate.vos.run import read_meta, read_split, score_folder  # noqa: PLC0415
    from sightline.evaluate.vos.table import summarise, write_tables  # noqa: PLC0415
    from sightline.files import write_json  # noqa: PLC0415
    from sightline.report.vos.page import TrackerRun, write_vos_report  # noqa: PLC0415

    if protocol.value in FILE_PROTOCOLS:
        if report is not None:
            raise InputError(f"--report is for folders of masks; {protocol.value} compares two JSON files. Its tables: --out.")
        _eval_files(predicted, truth, protocol.value, out=out, json=json)
        return
    others = _others(versus or (), report=report is not None)
    described = None if meta is None else read_meta(meta)
    folders = Folders(predicted=predicted, truth=truth, meta=described)
    with progress(quiet=json) as bar:
        objects = score_folder(folders, protocol.value, workers=workers, on_progress=lambda done, total: bar("videos", done, total))
    split = None if unseen is None else read_split(unseen, described)
    summary = summarise(protocol.value, objects, split=split, official_quirks=official_quirks)
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        write_tables(out, objects, official_quirks=official_quirks)
        write_json(out / "summary.json", summary)
    if report is not None:
        first = name or predicted.absolute().name
        if first in others:
            raise InputError(f"two runs are called {first!r}: give --name, or another name to --versus.")
        runs = [TrackerRun(first, objects, folders)]
        for each, place in others.items():
            at = replace(folders, predicted=place)
            runs.append(TrackerRun(each, score_folder(at, protocol.value, workers=workers), at))
        with progress(quiet=json) as bar:
            page = write_vos_report(
                runs, report, protocol=protocol.value, images=images, on_progress=lambda done, total: bar("report", done, total)
            )
        say(f"report: {page}")

    def text() -> None:
        title = f"{protocol.value}: {summary.num_objects} objects of {summary.num_videos} videos, {summary.num_frames} masks"
        print_table(title, ("", "%"), [(name, _percent(value)) for name, value in summary.columns.items()])

    emit(plain(summary), as_json=json, text=text)


def _others(versus: Sequence[str], *, report: bool) -> dict[str, Path]:
    """The further runs by name."""
    if versus and not report:
        raise InputError("--versus is for the page: give --report DIR as well.")
    found: dict[str, Path] = {}
    for each in versus:
        name, sign, place = each.partition("=")
        if not (name and sign and place) or name in found:
            raise InputError(f"--versus {each!r}: expected NAME=PRED, each with a name of its own.")
        found[name] = Path(place)
    return found


def _eval_files(predicted: Path, truth: Path, protocol: str, *, out: Path | None, json: bool) -> None:
    from sightline.evaluate.vos.file_protocols import FILE_PROTOCOLS  # noqa: PLC0415

    with progress(quiet=json) as bar:
        report = FILE_PROTOCOLS[protocol](predicted, truth, lambda done, total: bar("videos", done, total))
    summary = report.summary
    if out is not None:
        report.write(out)

    def text() -> None:
        title = f"{protocol}: {summary.num_objects} objects of {summary.num_videos} videos, {summary.num_frames} frames"
        print_table(title, ("", "%"), [(name, _percent(value)) for name, value in summary.columns.items()])
        names = list(next(iter(summary.categories.values()), {}))
        rows = [(name, *(_percent(value) for value in figures.values())) for name, figures in summary.categories.items()]
        print_table("by category, %", ("category", *names), rows)
        for note in summary.notes:
            say(note)

    emit(plain(summary), as_json=json, text=text)


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{100 * value:.2f}"
