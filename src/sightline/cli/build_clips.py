"""`sightline build refer`: task sets from clips and pictures with expressions."""

import enum
from pathlib import Path
from typing import Annotated, Literal

import typer

from sightline.cli.build import build_app, print_built
from sightline.cli.build_options import BuildOptions, DropLeaks, Leaks, takes_build_options
from sightline.cli.console import Json, Out, emit, plain, progress, say

PICTURE_TASKS = ("refer_box", "refer_mask", "refer_point")
CLIP_TASKS = ("refer_track", "refer_mask_track", "refer_span")


class ReferTask(enum.StrEnum):
    refer_box = "refer_box"
    refer_mask = "refer_mask"
    refer_point = "refer_point"
    refer_track = "refer_track"
    refer_mask_track = "refer_mask_track"
    refer_span = "refer_span"


@build_app.command("refer")
@takes_build_options
def build_refer(  # noqa: PLR0913 - one parameter an option
    *,
    data: Annotated[str, typer.Option("--data", help="The layout of the data set; `sightline datasets` lists them.")],
    root: Annotated[Path, typer.Option("--root", help="The data set's folder, as its authors publish it.")],
    out: Out,
    split: Annotated[list[str] | None, typer.Option(help="A split to build; may be given again. Default: all.")] = None,
    task: Annotated[
        list[ReferTask] | None,
        typer.Option(help="A task to build; may be given again. Default: those of pictures, or those of clips."),
    ] = None,
    frames: Annotated[
        Literal["uniform", "random", "keyframes", "all"], typer.Option(help="Which frames of a clip a question shows.")
    ] = "uniform",
    num_frames: Annotated[int, typer.Option(min=1, help="How many; does not count for --frames all.")] = 8,
    max_frames: Annotated[int, typer.Option(min=1, help="A clip of more frames is refused with --frames all.")] = 128,
    assumed_fps: Annotated[float, typer.Option(min=0.01, help="Frames a second where the data set does not say.")] = 6.0,
    objects: Annotated[
        Literal["one", "several"], typer.Option(help="one: leave out expressions that mean several objects.")
    ] = "several",
    no_target: Annotated[
        Literal["offered", "left_out"],
        typer.Option(help="Keep expressions that mean nothing and offer 'not visible' everywhere, or neither."),
    ] = "offered",
    boxes: Annotated[
        Literal["annotation", "mask"], typer.Option(help="The annotation's own boxes where there are any, or those of the masks.")
    ] = "annotation",
    shown: Annotated[
        Literal["labelled", "any"], typer.Option(help="Show only frames that are labelled, or any; only labelled ones are scored.")
    ] = "labelled",
    spans: Annotated[
        Literal["partial", "all"], typer.Option(help="refer_span: ask only where the span is a part of the clip, or always.")
    ] = "partial",
    words: Annotated[
        Literal["cleaned", "typed"], typer.Option(help="The words of an expression as cleaned by the data set, or as typed.")
    ] = "cleaned",
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
    """Referring task sets OUT/{task}-{split}: of pictures refer_box, refer_mask, refer_point; of clips refer_track,
    refer_mask_track, refer_span.

    Stop it at any moment and run it again: it goes on, and ends with the same bytes.
    """
    from sightline.tasks.footage import Sampling  # noqa: PLC0415
    from sightline.tasks.refer import ReferOptions  # noqa: PLC0415
    from sightline.tasks.wording import parse_wording  # noqa: PLC0415
    from sightline.taskset.build import BuildRequest, build  # noqa: PLC0415

    splits = tuple(split or _splits(data, root))
    options = ReferOptions(
        sampling=Sampling(policy=frames, num_frames=num_frames, max_frames=max_frames, assumed_fps=assumed_fps),
        seed=seed,
        wording=parse_wording(wording),
        objects=objects,
        no_target=no_target,
        boxes=boxes,
        frames=shown,
        spans=spans,
        words=words,
    )
    request = BuildRequest(
        reader=data,
        root=str(root),
        splits=splits,
        tasks=tuple(str(chosen) for chosen in task) if task else _default_tasks(data, root, splits[0]),
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


def _splits(data: str, root: Path) -> list[str]:
    from sightline.taskset.units import list_splits  # noqa: PLC0415

    return list_splits(data, root)


def _default_tasks(data: str, root: Path, split: str) -> tuple[str, ...]:
    """Those of pictures if the first clip is one picture, else those of clips."""
    from sightline.datasets import CLIP_READERS  # noqa: PLC0415
    from sightline.errors import InputError  # noqa: PLC0415

    if data not in CLIP_READERS:
        raise InputError(f"no reader of clips is called {data!r}. --data takes: {', '.join(CLIP_READERS)}.")
    reader = CLIP_READERS[data][0]()(root, split)
    return PICTURE_TASKS if len(reader[0].frames) == 1 else CLIP_TASKS
