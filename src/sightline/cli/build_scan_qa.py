"""`sightline build scan-qa`: questions about scanned rooms whose answers are true by geometry, as a task set."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from sightline.cli.build import build_and_print, build_app
from sightline.cli.build_options import BuildOptions, DropLeaks, Leaks, Seed, Wording, takes_build_options
from sightline.cli.console import Json, Out


@build_app.command("scan-qa")
@takes_build_options
def build_scan_qa(  # noqa: PLR0913 - one parameter an option
    *,
    scans: Annotated[str, typer.Option("--scans", help="What the root holds: prepared, scannet, scannetpp, arkitscenes, rgbd.")],
    root: Annotated[Path, typer.Option("--root", help="The folder of the scans.")],
    out: Out,
    split: Annotated[str, typer.Option(help="The split of the examples: train, validation, ...")] = "train",
    num_frames: Annotated[int, typer.Option(min=1, help="Frames of a scan that a question shows, evenly spread.")] = 16,
    words: Annotated[
        Literal["dialect", "vsi"], typer.Option(help="Who says how to write the answer: the model's dialect, or VSI-Bench.")
    ] = "dialect",
    option: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="A threshold of docs/spatial-qa.md; may be repeated."),
    ] = None,
    wording: Wording = "first",
    leaks: Leaks = None,
    drop_leaks: DropLeaks = False,
    allow_shared_scenes: Annotated[
        bool, typer.Option("--allow-shared-scenes", help="Build training data although its scenes are tested on.")
    ] = False,
    seed: Seed = 0,
    json: Json = False,
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
    options = read_options(option or (), num_frames=num_frames, words=words, wording=parse_wording(wording), seed=seed)
    request = BuildRequest(
        reader=scans,
        root=str(root),
        splits=(split,),
        tasks=(TASK,),
        options=options,
        allow_shared_scenes=allow_shared_scenes,
        leaks=None if leaks is None else str(leaks),
        drop_leaks=drop_leaks,
    )
    build_and_print(request, out, crew, units="scans", json=json)
