"""The options of every build (who does the work), and those of builds from clips (leaks), declared once for all commands."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, NamedTuple

import typer

from sightline.cli.option_groups import takes

if TYPE_CHECKING:
    from sightline.taskset.engine import RunShards


Splits = Annotated[list[str] | None, typer.Option("--split", help="A split to build; may be given again. Default: all.")]
NumFrames = Annotated[int, typer.Option(min=1, help="How many; does not count for --frames all.")]
MaxFrames = Annotated[int, typer.Option(min=1, help="A clip of more frames is refused with --frames all.")]
AssumedFps = Annotated[float, typer.Option(min=0.01, help="Frames a second where the data set does not say.")]
Wording = Annotated[str, typer.Option(help="How questions are put: first, mixed (drawn for each example), or a number from 0.")]
SharedClips = Annotated[bool, typer.Option("--allow-shared-scenes", help="Build although splits share clips.")]
Seed = Annotated[int, typer.Option(help="Keys all random choices.")]
Leaks = Annotated[
    Path | None,
    typer.Option("--leaks", help="A registry: refuse training data with recordings that are held out there; docs/leaks.md."),
]
Workers = Annotated[int | None, typer.Option("--workers", min=1, help="Processes; default: one a processor.")]
DropLeaks = Annotated[bool, typer.Option("--drop-leaks", help="Leave such recordings out instead; the ledger names them.")]


class BuildOptions(NamedTuple):
    """As given on the command line."""

    workers: int | None
    engine: "RunShards"


def build_options(
    *,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes.  [default: one a processor, with --engine ray of the whole cluster]")
    ] = None,
    engine: Annotated[
        Literal["local", "ray"], typer.Option(help="Who works: this machine, or a Ray cluster; docs/scale.md.")
    ] = "local",
    address: Annotated[str | None, typer.Option(help="ray: the cluster's HOST:PORT, or auto; default: a new one here.")] = None,
) -> BuildOptions:
    """What was given on the command line."""
    from sightline.taskset.engine import open_engine  # noqa: PLC0415

    return BuildOptions(workers=workers, engine=open_engine(engine, address=address))


takes_build_options = takes("crew", build_options)
"""The command gets the options together, as its parameter `crew`."""
