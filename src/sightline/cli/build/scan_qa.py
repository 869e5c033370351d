"""`sightline build scan-qa`: questions about scanned rooms whose answers are true by geometry, as a task set."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from sightline.cli.build.app import build_and_print, build_app
from sightline.cli.build.options import BuildOptions, Seed, Wording, takes_build_options
from sightline.cli.build.qa_options import SceneGuard, takes_frame_options, takes_scene_guard
from sightline.cli.console import Json, Out

if TYPE_CHECKING:
    from sightline.tasks.frame_rules import FrameRule


@build_app.command("scan-qa")
@takes_build_options
@takes_scene_guard
@takes_frame_options
def build_scan_qa(  # noqa: PLR0913 - one parameter an option
    *,
    scans: Annotated[str, typer.Option("--scans", help="What the root holds: prepared, scannet, scannetpp, arkitscenes, rgbd.")],
    root: Annotated[Path, typer.Option("--root", help="The folder of the scans.")],
    out: Out,
    split: Annotated[str, typer.Option(help="The split of the examples: train, validation, ...")] = "train",
    words: Annotated[
        Literal["dialect", "vsi"], typer.Option(help="Who says how to write the answer: the model's dialect, or VSI-Bench.")
    ] = "dialect",
    kind: Annotated[list[str] | None, typer.Option("--kind", help="Only this question type; may be repeated.")] = None,
    option: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A threshold of docs/spatial-qa.md; may be repeated."),
    ] = None,
    wording: Wording = "first",
    seed: Seed = 0,
    json: Json = False,
    rule: "FrameRule",
    guard: SceneGuard,
    crew: BuildOptions,
) -> None:
    """A task set OUT/spatial_qa-{split} from scans with boxes and poses. See docs/spatial-qa.md.

    Stop it at any moment and run it again: it goes on, and ends with the same bytes. ledger.jsonl names what was left out.
    """
    from sightline.datasets.scans import open_scans  # noqa: PLC0415
    from sightline.tasks.spatial.options import read_options  # noqa: PLC0415
    from sightline.tasks.spatial_qa import TASK  # noqa: PLC0415
    from sightline.tasks.wording import parse_wording  # noqa: PLC0415
    from sightline.taskset.build import BuildRequest  # noqa: PLC0415

    open_scans(scans, root)  # so that a wrong name is told by the list of scan readers alone
    chosen = {"frames": rule, "kinds": tuple(kind or ()), "words": words, "wording": parse_wording(wording), "seed": seed}
    options = read_options(option or (), **chosen)
    request = BuildRequest(
        reader=scans,
        root=str(root),
        splits=(split,),
        tasks=(TASK,),
        options=options,
        allow_shared_scenes=guard.allow_shared_scenes,
        leaks=guard.leaks,
        drop_leaks=guard.drop_leaks,
    )
    build_and_print(request, out, crew, units="scans", json=json)
