"""`sightline build segment`: task sets of objects to follow, from any clips with masks."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from sightline.cli.build import build_app, print_built
from sightline.cli.build_options import BuildOptions, DropLeaks, Leaks, takes_build_options
from sightline.cli.console import Json, Out, emit, plain, progress, say


@build_app.command("segment")
@takes_build_options
def build_segment(  # noqa: PLR0913 - one parameter an option
    *,
    data: Annotated[str, typer.Option("--data", help="The layout of the data set; `sightline datasets` lists them.")],
    root: Annotated[Path, typer.Option("--root", help="The data set's folder, as its authors publish it.")],
    out: Out,
    split: Annotated[list[str] | None, typer.Option(help="A split to build; may be given again. Default: all.")] = None,
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
    assumed_fps: Annotated[float, typer.Option(min=0.01, help="Frames a second where the data set does not say.")] = 6.0,
    shown: Annotated[
        Literal["any", "labelled"], typer.Option(help="Show any frame, or only labelled ones; only these are scored.")
    ] = "any",
    wording: Annotated[
        str, typer.Option(help="How questions are put: first, mixed (drawn for each example), or a number from 0.")
    ] = "first",
    allow_shared_scenes: Annotated[bool, typer.Option("--allow-shared-scenes", help="Build although splits share clips.")] = False,
    leaks: Leaks = None,
    drop_leaks: DropLeaks = False,
    seed: Annotated[int, typer.Option(help="Keys all random choices.")] = 0,
    json: Json = False,
    crew: BuildOptions,
) -> None:
    """Task sets OUT/segment-{split}: an object is given on a frame of a clip, its masks in the others are asked for.

    Stop it at any moment and run it again: it goes on, and ends with the same bytes.
    """
    from sightline.tasks.footage import Sampling  # noqa: PLC0415
    from sightline.tasks.segment import TASK, SegmentOptions  # noqa: PLC0415
    from sightline.tasks.wording import parse_wording  # noqa: PLC0415
    from sightline.taskset.build import BuildRequest, build  # noqa: PLC0415
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
    if allow_shared_scenes:
        say("warning: --allow-shared-scenes: splits are not checked for leaks; do not train on one and report the other.")
    with progress(quiet=json) as bar:
        built = build(
            request,
            out,
            workers=crew.workers,
            engine=crew.engine,
            on_progress=lambda name, done, total: bar(f"clips of {name}", done, total),
        )
    emit(plain(built), as_json=json, text=lambda: print_built(built))
