"""`sightline depth`: a depth map for every picture of task sets, by a depth-estimation checkpoint."""

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sightline.cli import app
from sightline.cli.console import Json, emit, plain, print_table, progress

if TYPE_CHECKING:
    from sightline.models.depth_run import DepthDone


class CodecName(enum.StrEnum):
    u8x3_minmax = "u8x3_minmax"
    mm_u16 = "mm_u16"
    metric_f32 = "metric_f32"


class QuantityName(enum.StrEnum):
    inverse = "inverse"
    metres = "metres"


@app.command()
def depth(
    tasksets: Annotated[list[Path], typer.Argument(help="Task sets.")],
    *,
    model: Annotated[
        str, typer.Option(help="A depth-estimation checkpoint's folder: Depth Anything, DPT, ZoeDepth, Depth Pro, ...")
    ],
    out: Annotated[Path | None, typer.Option(help="Folder to write to; default: depth/MODEL-CODEC.")] = None,
    codec: Annotated[
        CodecName, typer.Option(help="u8x3_minmax: as RoboRefer reads it; mm_u16, metric_f32: metres, of metric checkpoints.")
    ] = CodecName.u8x3_minmax,
    quantity: Annotated[
        QuantityName | None, typer.Option(help="What the checkpoint's numbers are, where its config does not say.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="A torch device; default: the GPU where there is one.")] = None,
    json: Json = False,
) -> None:
    """Depth maps for the pictures of task sets, each picture once. The same command goes on where it stopped."""
    from sightline.depth_codecs import get_codec  # noqa: PLC0415
    from sightline.models.depth import depth_model  # noqa: PLC0415
    from sightline.models.depth_run import write_depth  # noqa: PLC0415
    from sightline.taskset.store import TaskSet  # noqa: PLC0415

    opened = [TaskSet(path) for path in tasksets]
    network = depth_model(model, quantity=None if quantity is None else quantity.value, device=device)
    folder = out or Path("depth") / f"{network.name}-{codec.value}"
    with progress(quiet=json) as bar:
        done = write_depth(
            opened,
            network,
            folder,
            codec=get_codec(codec.value),
            on_progress=lambda count, total: bar(f"depth by {network.name}", count, total),
        )
    emit(plain(done), as_json=json, text=lambda: _print_done(done))


def _print_done(done: "DepthDone") -> None:
    print(f"{done.path}: {done.num_maps} depth maps, {done.num_written} of them new")
    for title, counts in (("Without a map", done.dropped), ("Altered", done.altered)):
        if counts:
            print_table(f"{title} (see ledger.jsonl)", ("reason", "pictures"), list(counts.items()))
