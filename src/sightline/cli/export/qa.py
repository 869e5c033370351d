"""`sightline export qwen-records`: spatial QA as training records."""

from pathlib import Path
from typing import Annotated

import typer

from sightline.cli.console import Json, Out, emit, plain, print_table
from sightline.cli.export.exchange import export_app


@export_app.command("qwen-records")
def export_qwen_records(
    tasksets: Annotated[list[Path], typer.Argument(help="Task sets of spatial_qa.")],
    *,
    out: Out,
    dialect: Annotated[
        str, typer.Option(help="Who says how to answer where the questions' authors do not (questions made here).")
    ] = "qwen25",
    json: Json = False,
) -> None:
    """JSONL for the Qwen-VL fine-tuning code: spatial QA in its authors' words, videos by their files."""
    from sightline.dialects import get_dialect  # noqa: PLC0415
    from sightline.export.qwen_records import export_qwen_records as write  # noqa: PLC0415

    exported = write(tasksets, out, dialect=get_dialect(dialect))
    emit(plain(exported), as_json=json, text=lambda: print_table(str(out), ("file", "records"), list(exported.rows.items())))
