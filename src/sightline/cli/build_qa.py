"""`sightline build qa`: task sets of spatial QA from files of questions."""

import enum
from pathlib import Path
from typing import Annotated

import typer

from sightline.cli.build import build_app
from sightline.cli.build_options import BuildOptions, DropLeaks, Leaks, Seed, takes_build_options
from sightline.cli.console import Json, Out, emit, plain, progress, say


class QaWords(enum.StrEnum):
    published = "published"
    dialect = "dialect"


class FramePolicy(enum.StrEnum):
    uniform = "uniform"
    random = "random"
    all = "all"


class MissingMedia(enum.StrEnum):
    error = "error"
    drop = "drop"
    keep = "keep"


@build_app.command("qa")
@takes_build_options
def build_qa(  # noqa: PLR0913 - one parameter an option
    *,
    data: Annotated[str, typer.Option("--data", help="Whose layout: vsi-bench, sqa3d, ...; docs/spatial-qa.md lists all.")],
    root: Annotated[Path, typer.Option("--root", help="The folder with the questions and, below it, the media.")],
    out: Out,
    split: Annotated[list[str] | None, typer.Option(help="A split or file to build; may be given again. Default: all.")] = None,
    words: Annotated[
        QaWords, typer.Option(help="Who says how to write the answer: the questions' authors, or the model's dialect.")
    ] = QaWords.published,
    frames: Annotated[FramePolicy, typer.Option(help="Which frames of a video are shown.")] = FramePolicy.uniform,
    num_frames: Annotated[int, typer.Option(min=1, help="How many; does not count for --frames all.")] = 16,
    max_frames: Annotated[int, typer.Option(min=1, help="A video of more frames is refused with --frames all.")] = 128,
    frames_fps: Annotated[float, typer.Option(min=0.01, help="Frames a second of a folder of frames.")] = 1.0,
    missing_media: Annotated[
        MissingMedia, typer.Option(help="A medium that is not there: stop, leave the question out, or ask it blind.")
    ] = MissingMedia.error,
    leaks: Leaks = None,
    drop_leaks: DropLeaks = False,
    allow_shared_scenes: Annotated[
        bool, typer.Option("--allow-shared-scenes", help="Build training data although its scenes are tested on.")
    ] = False,
    seed: Seed = 0,
    json: Json = False,
    crew: BuildOptions,
) -> None:
    """Spatial QA from published questions: task sets OUT/spatial_qa-{split}. See docs/spatial-qa.md."""
    from sightline.cli.build import print_built  # noqa: PLC0415
    from sightline.tasks.footage import Sampling  # noqa: PLC0415
    from sightline.tasks.spatial_qa import TASK, QaOptions  # noqa: PLC0415
    from sightline.taskset.build import BuildRequest, build  # noqa: PLC0415
    from sightline.taskset.units import list_splits  # noqa: PLC0415

    sampling = Sampling(policy=frames.value, num_frames=num_frames, max_frames=max_frames, assumed_fps=frames_fps)
    request = BuildRequest(
        reader=data,
        root=str(root),
        splits=tuple(split or list_splits(data, root)),
        tasks=(TASK,),
        options=QaOptions(words=words.value, sampling=sampling, missing_media=missing_media.value, seed=seed),
        allow_shared_scenes=allow_shared_scenes,
        leaks=None if leaks is None else str(leaks),
        drop_leaks=drop_leaks,
    )
    if allow_shared_scenes:
        say("warning: --allow-shared-scenes: scenes are not checked for leaks; do not train on one and report the other.")
    with progress(quiet=json) as bar:
        built = build(
            request,
            out,
            workers=crew.workers,
            engine=crew.engine,
            on_progress=lambda name, done, total: bar(f"rows of {name}", done, total),
        )
    emit(plain(built), as_json=json, text=lambda: print_built(built))
