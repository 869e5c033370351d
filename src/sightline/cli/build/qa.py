"""`sightline build qa`: task sets of spatial QA from files of questions."""

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec
import typer

from sightline.cli.build.app import build_and_print, build_app
from sightline.cli.build.options import BuildOptions, Seed, takes_build_options
from sightline.cli.build.qa_options import SceneGuard, takes_frame_options, takes_scene_guard
from sightline.cli.console import Json, Out
from sightline.errors import InputError

if TYPE_CHECKING:
    from sightline.tasks.frame_rules import FrameRule

CHOICES = ".frame-choices"


class QaWords(enum.StrEnum):
    published = "published"
    dialect = "dialect"


class MissingMedia(enum.StrEnum):
    error = "error"
    drop = "drop"
    keep = "keep"


@build_app.command("qa")
@takes_build_options
@takes_scene_guard
@takes_frame_options
def build_qa(  # noqa: PLR0913 - one parameter an option
    *,
    data: Annotated[str, typer.Option("--data", help="Whose layout: vsi-bench, sqa3d, ...; docs/spatial-qa.md lists all.")],
    root: Annotated[Path, typer.Option("--root", help="The folder with the questions and, below it, the media.")],
    out: Out,
    split: Annotated[list[str] | None, typer.Option(help="A split or file to build; may be given again. Default: all.")] = None,
    words: Annotated[
        QaWords, typer.Option(help="Who says how to write the answer: the questions' authors, or the model's dialect.")
    ] = QaWords.published,
    max_frames: Annotated[int, typer.Option(min=1, help="A video of more frames is refused with --frames all.")] = 128,
    frames_fps: Annotated[float, typer.Option(min=0.01, help="Frames a second of a folder of frames.")] = 1.0,
    scans: Annotated[
        Path | None, typer.Option("--scans", help="space-aware: the folder of the prepared scans; a scene's is found by its id.")
    ] = None,
    frame_cache: Annotated[
        Path | None, typer.Option("--frame-cache", help=f"space-aware: where the choices are kept.  [default: OUT/{CHOICES}]")
    ] = None,
    missing_media: Annotated[
        MissingMedia, typer.Option(help="A medium that is not there: stop, leave the question out, or ask it blind.")
    ] = MissingMedia.error,
    seed: Seed = 0,
    json: Json = False,
    rule: "FrameRule",
    guard: SceneGuard,
    crew: BuildOptions,
) -> None:
    """Spatial QA from published questions: task sets OUT/spatial_qa-{split}. See docs/spatial-qa.md."""
    from sightline.tasks.spatial_qa import TASK, QaOptions  # noqa: PLC0415
    from sightline.taskset.build import BuildRequest  # noqa: PLC0415
    from sightline.taskset.units import list_splits  # noqa: PLC0415

    rule = _with_scans(rule, scans, frame_cache or out / CHOICES)
    rule = msgspec.structs.replace(rule, max_frames=max_frames, folder_fps=frames_fps)
    request = BuildRequest(
        reader=data,
        root=str(root),
        splits=tuple(split or list_splits(data, root)),
        tasks=(TASK,),
        options=QaOptions(words=words.value, frames=rule, missing_media=missing_media.value, seed=seed),
        allow_shared_scenes=guard.allow_shared_scenes,
        leaks=guard.leaks,
        drop_leaks=guard.drop_leaks,
    )
    build_and_print(request, out, crew, units="rows", json=json)


def _with_scans(rule: "FrameRule", scans: Path | None, cache: Path) -> "FrameRule":
    if (rule.policy == "space_aware") != (scans is not None):
        raise InputError(
            "--frames space-aware and --scans ROOT go together: such frames are chosen by the depth and the poses of prepared "
            "scans (sightline prepare scan)."
        )
    if scans is None:
        return rule
    if not scans.is_dir():
        raise FileNotFoundError(f"--scans {scans} is not a folder. Give the folder that `sightline prepare scan` has written.")
    return msgspec.structs.replace(rule, scans=str(scans), cache=str(cache))
