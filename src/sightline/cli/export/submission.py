"""`sightline export submission`: a run of referring masks for a benchmark's server or scorer."""

import enum
from pathlib import Path
from typing import Annotated

import typer

from sightline.cli.console import Json, emit, plain
from sightline.cli.export.exchange import export_app


class Layout(enum.StrEnum):
    mevis = "mevis"
    ref_youtube_vos = "ref_youtube_vos"
    ref_davis17 = "ref_davis17"
    revos = "revos"
    revos_png = "revos_png"


@export_app.command("submission")
def export_submission(
    run: Annotated[Path, typer.Argument(help="A run on refer_mask_track, scored or not.")],
    *,
    layout: Annotated[Layout, typer.Option(help="Whose layout.")],
    out: Annotated[Path, typer.Option("--out", help="The file or folder to write.")],
    partial: Annotated[bool, typer.Option("--partial", help="Also without expressions that the task set lacks.")] = False,
    taskset: Annotated[Path | None, typer.Option(help="Where the run's task set lies now, if it has moved.")] = None,
    json: Json = False,
) -> None:
    """Masks of every frame of every expression in a benchmark's own files (docs/metrics.md, Submissions)."""
    from sightline.evaluate.submission import submit_run  # noqa: PLC0415

    written = submit_run(run, out, layout=layout.value, partial=partial, taskset=taskset)
    value = {
        "path": str(written.path),
        "num_expressions": written.num_expressions,
        "num_frames": written.num_frames,
        "num_contested_pixels": written.num_contested_pixels,
    }
    contested = f"; {written.num_contested_pixels} pixels that several objects claim" if written.num_contested_pixels else ""
    emit(
        plain(value),
        as_json=json,
        text=lambda: print(f"{written.path}: {written.num_expressions} expressions, {written.num_frames} frames{contested}"),
    )
