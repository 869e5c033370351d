"""`sightline build segment`: task sets of objects to follow, from any clips with masks."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from sightline.cli.build.app import build_and_print, build_app
from sightline.cli.build.options import (
    AssumedFps,
    BuildOptions,
    DropLeaks,
    Leaks,
    Seed,
    SharedClips,
    Splits,
    Wording,
    takes_build_options,
)
from sightline.cli.console import Json, Out


@build_app.command("segment")
@takes_build_options
def build_segment(  # noqa: PLR0913 - one parameter an option
    *,
    data: Annotated[str, typer.Option("--data", help="The layout of the data set; `sightline datasets` lists them.")],
    root: Annotated[Path, typer.Option("--root", help="The data set's folder, as its authors publish it.")],
    out: Out,
    split: Splits = None,
    given_by: Annotated[
        Literal["mask", "box", "point"], typer.Option(help="What shows the object on the first frame that has it.")
    ] = "mask",
    late: Annotated[
        Literal["given", "left_out"], typer.Option(help="Objects that come in later: given there, or left out.")
    ] = "given",
    objects: Annotated[
        Literal["each", "together"], typer.Option(help="A question an object, or one for all that come in on the same frame.")
    ] = "each",
    max_objects: Annotated[int, typer.Option(min=0, help="At most so many of a clip, drawn; 0: all.")] = 0,
    frames: Annotated[
        Literal["uniform", "random", "keyframes", "all"], typer.Option(help="Which frames of a clip a question shows.")
    ] = "all",
    num_frames: Annotated[int, typer.Option(min=2, help="How many; does not count for --frames all.")] = 8,
    max_frames: Annotated[int, typer.Option(min=2, help="A clip of more frames is refused with --frames all.")] = 2000,
    assumed_fps: AssumedFps = 6.0,
    shown: Annotated[
        Literal["any", "labelled"], typer.Option(help="Show any frame, or only labelled ones; only these are scored.")
    ] = "any",
    wording: Wording = "first",
    allow_shared_scenes: SharedClips = False,
    leaks: Leaks = None,
    drop_leaks: DropLeaks = False,
    seed: Seed = 0,
    json: Json = False,
    crew: BuildOptions,
) -> None:
    """Task sets OUT/segment-{split}: an object is given on a frame of a clip, its masks in the others are asked for.

    Stop it at any moment and run it again: it goes on, and ends with the same bytes.
    """
    from sightline.tasks.footage import Sampling  # noqa: PLC0415
    from sightline.tasks.segment import TASK, SegmentOptions  # noqa: PLC0415
    from sightline.tasks.wording import parse_wording  # noqa: PLC0415
    from sightline.taskset.build import BuildRequest  # noqa: PLC0415
    from sightline.taskset.units import list_splits  # noqa: PLC0415

    options = SegmentOptions(
        sampling=Sampling(policy=frames, num_frames=num_frames, max_frames=max_frames, assumed_fps=assumed_fps),
        seed=seed,
        wording=parse_wording(wording),
        given_by=given_by,
        late=late,
        objects=objects,
        frames=shown,
        max_objects=max_objects,
    )
    request = BuildRequest(
        reader=data,
        root=str(root),
        splits=tuple(split or list_splits(data, root)),
        tasks=(TASK,),
        options=options,
        allow_shared_scenes=allow_shared_scenes,
        leaks=None if leaks is None else str(leaks),
        drop_leaks=drop_leaks,
    )
    build_and_print(request, out, crew, units="clips", json=json)
