"""`sightline build refer`: task sets from clips and pictures with expressions."""

import enum
from pathlib import Path
from typing import Annotated, Literal

import typer

from sightline.cli.build.app import build_and_print, build_app
from sightline.cli.build.options import (
    AssumedFps,
    BuildOptions,
    DropLeaks,
    Leaks,
    MaxFrames,
    NumFrames,
    Seed,
    SharedClips,
    Splits,
    Wording,
    takes_build_options,
)
from sightline.cli.console import Json, Out

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
    split: Splits = None,
    task: Annotated[
        list[ReferTask] | None,
        typer.Option(help="A task to build; may be given again. Default: those of pictures, or those of clips."),
    ] = None,
    frames: Annotated[
        Literal["uniform", "random", "keyframes", "all"], typer.Option(help="Which frames of a clip a question shows.")
    ] = "uniform",
    num_frames: NumFrames = 8,
    max_frames: MaxFrames = 128,
    assumed_fps: AssumedFps = 6.0,
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
    hidden: Annotated[
        Literal["left_out", "asked"],
        typer.Option(help="asked: keep expressions of which a test set does not say what they mean, for a benchmark's server."),
    ] = "left_out",
    wording: Wording = "first",
    allow_shared_scenes: SharedClips = False,
    leaks: Leaks = None,
    drop_leaks: DropLeaks = False,
    seed: Seed = 0,
    json: Json = False,
    crew: BuildOptions,
) -> None:
    """Referring task sets OUT/{task}-{split}: of pictures refer_box, refer_mask, refer_point; of clips refer_track,
    refer_mask_track, refer_span.

    Stop it at any moment and run it again: it goes on, and ends with the same bytes.
    """
    from sightline.datasets import clip_format  # noqa: PLC0415
    from sightline.tasks.footage import Sampling  # noqa: PLC0415
    from sightline.tasks.refer import ReferOptions  # noqa: PLC0415
    from sightline.tasks.wording import parse_wording  # noqa: PLC0415
    from sightline.taskset.build import BuildRequest  # noqa: PLC0415

    splits = tuple(split or clip_format(data).splits(root))
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
        hidden=hidden,
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
    build_and_print(request, out, crew, units="clips", json=json)


def _default_tasks(data: str, root: Path, split: str) -> tuple[str, ...]:
    """Those of pictures if the first clip is one picture, else those of clips."""
    from sightline.datasets import clip_format  # noqa: PLC0415

    reader = clip_format(data)(root, split)
    return PICTURE_TASKS if len(reader[0].frames) == 1 else CLIP_TASKS
