"""`sightline export boxes`, `coco-video` and `masks`: data sets of clips in other pipelines' files, without a task set between."""

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sightline.cli.build.options import Workers
from sightline.cli.console import Json, emit, plain, print_table, progress
from sightline.cli.export.exchange import export_app
from sightline.cli.track import LayoutName, print_tracks

if TYPE_CHECKING:
    from sightline.export.clip_parts import ClipsWritten
    from sightline.taskset.clip_work import ClipSource

Data = Annotated[str, typer.Option("--data", help="What the root holds: davis, mevis, ...; see `sightline datasets`.")]
Root = Annotated[Path, typer.Option("--root", help="The data set's root.")]
Split = Annotated[str | None, typer.Option("--split", help="The split; needed where the data set has several.")]
OutFile = Annotated[Path, typer.Option("--out", help="JSON file to write.")]


class ConventionName(enum.StrEnum):
    half_open = "half-open"
    inclusive = "inclusive"


@export_app.command("boxes")
def export_boxes(  # noqa: PLR0913 - one parameter an option
    *,
    data: Data,
    root: Root,
    out: OutFile,
    split: Split = None,
    convention: Annotated[
        ConventionName,
        typer.Option(help="Ends of boxes: half-open (largest index + 1), or inclusive (largest index: the older files)."),
    ] = ConventionName.half_open,
    expressions: Annotated[
        Path | None,
        typer.Option(help="Also write the expressions with anno_id, as ref_ytvos_expressions.json of the box-Sa2VA pipeline."),
    ] = None,
    workers: Workers = None,
    json: Json = False,
) -> None:
    """Boxes of all masks as {anno_id: [[x1, y1, x2, y2] | null per frame]}, the box files of the box-Sa2VA pipeline.

    The key is the annotation id, or "CLIP/OBJECT" where the data set has none. Stop it and run it again: it goes on.
    """
    from sightline.export.boxes import export_boxes as write  # noqa: PLC0415

    source = _source(data, root, split)
    with progress(quiet=json) as bar:
        written = write(
            source,
            out,
            convention=convention.value,
            expressions=expressions,
            workers=workers,
            on_progress=lambda done, total: bar("clips", done, total),
        )
    emit(plain(written), as_json=json, text=lambda: _print(written))


@export_app.command("coco-video")
def export_coco_video(
    *, data: Data, root: Root, out: OutFile, split: Split = None, workers: Workers = None, json: Json = False
) -> None:
    """All masks of a data set as one COCO-style video JSON; file names are relative to the root.

    Write it into the root (or ROOT/annotations): the data set `coco-video` reads it there. Stop it and run it again: it goes on.
    """
    from sightline.export.coco_video import export_coco_video as write  # noqa: PLC0415

    source = _source(data, root, split)
    with progress(quiet=json) as bar:
        written = write(source, out, workers=workers, on_progress=lambda done, total: bar("clips", done, total))
    emit(plain(written), as_json=json, text=lambda: _print(written))


@export_app.command("masks")
def export_masks(
    *,
    data: Data,
    root: Root,
    out: Annotated[Path, typer.Option("--out", help="Folder to fill, for example ROOT/Annotations.")],
    write: Annotated[LayoutName, typer.Option("--write", help="palette, objects or rle.")] = LayoutName.palette,
    split: Split = None,
    json: Json = False,
) -> None:
    """The masks of a data set as label pictures or a picture an object: the way back from a COCO-style video JSON.

    Frames in which not every object is known get no picture. Stop it and run it again: it goes on.
    """
    from sightline.export.data_masks import export_data_masks  # noqa: PLC0415

    source = _source(data, root, split)
    with progress(quiet=json) as bar:
        written = export_data_masks(source, out, layout=write.value, on_progress=lambda done, total: bar("clips", done, total))
    emit(plain(written), as_json=json, text=lambda: print_tracks([written]))


def _source(data: str, root: Path, split: str | None) -> "ClipSource":
    from sightline.datasets import one_split  # noqa: PLC0415
    from sightline.taskset.clip_work import ClipSource  # noqa: PLC0415

    return ClipSource(reader=data, root=str(root), split=one_split(data, root, split))


def _print(written: "ClipsWritten") -> None:
    print_table(written.path, ("what", "number"), list(written.rows.items()))
    for title, reasons in (("Dropped", written.dropped), ("Altered", written.altered)):
        if reasons:
            print_table(f"{title} (see the ledger beside it)", ("reason", "entries"), list(reasons.items()))
