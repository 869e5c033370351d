"""`sightline eval-vos`: scores of saved masks by a benchmark's own rules."""

import enum
import os
from pathlib import Path
from typing import Annotated

import typer

from sightline.cli import app
from sightline.cli.console import Json, emit, plain, print_table, progress


class ProtocolName(enum.StrEnum):
    davis2017 = "davis2017"
    davis2016 = "davis2016"
    sav = "sav"
    mose2 = "mose2"
    lvos = "lvos"
    ytvos = "ytvos"


@app.command("eval-vos")
def eval_vos(  # noqa: PLR0913 - one parameter an option
    predicted: Annotated[Path, typer.Argument(metavar="PRED", help="Folder with one folder of predicted masks a video.")],
    truth: Annotated[Path, typer.Argument(metavar="GT", help="Folder with one folder of annotated masks a video.")],
    *,
    protocol: Annotated[ProtocolName, typer.Option(help="Whose rules: which objects and frames count, and how.")],
    meta: Annotated[Path | None, typer.Option(help="The data set's meta.json (lvos, ytvos; objects of mose2).")] = None,
    unseen: Annotated[
        Path | None, typer.Option(help="Text file of unseen videos (lvos) or categories (ytvos), one a line: adds G.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for objects.csv, frames.csv and summary.json.")] = None,
    official_quirks: Annotated[
        bool, typer.Option("--official-quirks", help="Decay with the official 8-bit overflow beyond 255 frames.")
    ] = False,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = os.cpu_count() or 1,
    json: Json = False,
) -> None:
    """J, F and J&F of saved masks (palette PNG a frame, or one folder an object), with the tables of the benchmark."""
    from sightline.evaluate.vos.protocols import Folders  # noqa: PLC0415
    from sightline.evaluate.vos.run import read_meta, read_split, score_folder  # noqa: PLC0415
    from sightline.evaluate.vos.table import summarise, write_tables  # noqa: PLC0415
    from sightline.files import write_json  # noqa: PLC0415

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

    def text() -> None:
        rows = [(name, "-" if value is None else f"{100 * value:.2f}") for name, value in summary.columns.items()]
        title = f"{protocol.value}: {summary.num_objects} objects of {summary.num_videos} videos, {summary.num_frames} masks"
        print_table(title, ("", "%"), rows)

    emit(plain(summary), as_json=json, text=text)
