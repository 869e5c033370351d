"""`sightline build relations`: left and right between the objects of clips, as task sets."""

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


class RelationTask(enum.StrEnum):
    relation_choice = "relation_choice"
    relation_box = "relation_box"
    relation_track = "relation_track"
    relation_when = "relation_when"
    relation_switch = "relation_switch"


@build_app.command("relations")
@takes_build_options
def build_relations(  # noqa: PLR0913 - one parameter an option
    *,
    data: Annotated[str, typer.Option("--data", help="What the root holds: davis, sav, ...; see `sightline datasets`.")],
    root: Annotated[Path, typer.Option("--root", help="The data set's root.")],
    out: Out,
    split: Splits = None,
    task: Annotated[list[RelationTask] | None, typer.Option(help="A task to build; may be given again. Default: all.")] = None,
    names: Annotated[Path | None, typer.Option(help="Names of objects, from `sightline name-objects`.")] = None,
    refer: Annotated[
        Literal["auto", "name", "mark", "box"], typer.Option(help="How objects are called; auto: by name, else by a drawn mark.")
    ] = "auto",
    strictness: Annotated[Literal["strict", "soft"], typer.Option(help="strict: whole boxes; soft: their centres.")] = "strict",
    mirror: Annotated[bool, typer.Option("--mirror/--no-mirror", help="Add the mirrored twins.")] = True,
    margin: Annotated[float | None, typer.Option(help="Gap of left and right, of the width.  [default: 0.02]")] = None,
    buffer: Annotated[float | None, typer.Option(help="Beside the lines of thirds, of the width.  [default: 0.05]")] = None,
    rank_gap: Annotated[float | None, typer.Option(help="Between centres in an order, of the width.  [default: 0.03]")] = None,
    min_area: Annotated[float | None, typer.Option(help="Least box, of the picture.  [default: 0.001]")] = None,
    min_covisible: Annotated[int | None, typer.Option(help="Least common frames of a pair over time.  [default: 5]")] = None,
    max_rank: Annotated[int | None, typer.Option(help="Highest rank that is asked for.  [default: 3]")] = None,
    sets_per_clip: Annotated[int | None, typer.Option(help="Sets of twins a task and clip.  [default: 16]")] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Any other threshold of docs/relations.md; may be repeated."),
    ] = None,
    frames: Annotated[
        Literal["uniform", "random", "keyframes", "all"], typer.Option(help="Which labelled frames a question about a clip shows.")
    ] = "uniform",
    num_frames: NumFrames = 8,
    max_frames: MaxFrames = 128,
    assumed_fps: AssumedFps = 6.0,
    wording: Wording = "first",
    allow_shared_scenes: SharedClips = False,
    leaks: Leaks = None,
    drop_leaks: DropLeaks = False,
    seed: Seed = 0,
    json: Json = False,
    crew: BuildOptions,
) -> None:
    """Task sets OUT/relation_{choice|box|track|when|switch}-{split} from clips with masks. Next: sightline eval OUT/....

    Stop it at any moment and run it again: it goes on, and ends with the same bytes. ledger.jsonl names what was left out.
    """
    from sightline.datasets import clip_format  # noqa: PLC0415
    from sightline.tasks.footage import Sampling  # noqa: PLC0415
    from sightline.tasks.relations.names import names_file  # noqa: PLC0415
    from sightline.tasks.relations.options import read_options  # noqa: PLC0415
    from sightline.tasks.wording import parse_wording  # noqa: PLC0415
    from sightline.taskset.build import BuildRequest  # noqa: PLC0415

    given = {
        "margin": margin,
        "buffer": buffer,
        "rank_gap": rank_gap,
        "min_area": min_area,
        "min_covisible": min_covisible,
        "max_rank": max_rank,
        "sets_per_clip": sets_per_clip,
    }
    options = read_options(
        {name: value for name, value in given.items() if value is not None},
        option or (),
        sampling=Sampling(policy=frames, num_frames=num_frames, max_frames=max_frames, assumed_fps=assumed_fps),
        refer=refer,
        strictness=strictness,
        mirror=mirror,
        names=None if names is None else names_file(names),
        wording=parse_wording(wording),
        seed=seed,
    )
    request = BuildRequest(
        reader=data,
        root=str(root),
        splits=tuple(split or clip_format(data).splits(root)),
        tasks=tuple(str(chosen) for chosen in task or RelationTask),
        options=options,
        allow_shared_scenes=allow_shared_scenes,
        leaks=None if leaks is None else str(leaks),
        drop_leaks=drop_leaks,
    )
    build_and_print(request, out, crew, units="clips", json=json)
