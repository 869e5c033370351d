"""`sightline build`: task sets from a data set."""

import enum
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sightline.cli import app
from sightline.cli.build.options import BuildOptions, takes_build_options
from sightline.cli.console import Json, Out, emit, plain, print_table, progress, say

if TYPE_CHECKING:
    from sightline.taskset.build import BuildRequest, Built

build_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Build task sets from a data set.")
app.add_typer(build_app, name="build")


class Split(enum.StrEnum):
    train = "train"
    validation = "validation"
    all = "all"


class Pairs(enum.StrEnum):
    anchor = "anchor"
    all = "all"


class MarkName(enum.StrEnum):
    overlay = "overlay"
    box = "box"
    contour = "contour"
    point = "point"


class MaskName(enum.StrEnum):
    exact = "exact"
    dilated = "dilated"


@build_app.callback()
def _build() -> None:
    """Keeps `x3` a subcommand while it is the only one."""


@build_app.command("x3")
@takes_build_options
def build_x3(  # noqa: PLR0913 - one parameter an option
    *,
    root: Annotated[Path, typer.Option("--root", help="Folder with train/ and validation/ in the x3 layout.")],
    out: Out,
    split: Annotated[Split, typer.Option(help="Which split to build.")] = Split.all,
    pairs: Annotated[Pairs, typer.Option(help="anchor: one reference view an object; all: every ordered pair.")] = Pairs.anchor,
    anchor_k: Annotated[int, typer.Option(min=1, help="The index (kk) of the reference view of --pairs anchor.")] = 1,
    mark: Annotated[MarkName, typer.Option(help="How the object is marked in the reference picture.")] = MarkName.overlay,
    alpha: Annotated[float, typer.Option(min=0.0, max=1.0, help="Opacity of the overlay.")] = 0.45,
    mask: Annotated[MaskName, typer.Option(help="Mask that is marked and pointed at; both are scored.")] = MaskName.exact,
    concat: Annotated[bool, typer.Option("--concat", help="Also build t1_concat: both views side by side in one picture.")] = False,
    variants: Annotated[
        bool, typer.Option("--variants", help="Also build the variants of t2a and t2b; see docs/tasks.md.")
    ] = False,
    wording: Annotated[
        str, typer.Option(help="How questions are put: first, mixed (drawn for each example), or a number from 0.")
    ] = "first",
    allow_shared_scenes: Annotated[bool, typer.Option("--allow-shared-scenes", help="Build although splits share scenes.")] = False,
    seed: Annotated[int, typer.Option(help="Keys all random choices.")] = 0,
    json: Json = False,
    crew: BuildOptions,
) -> None:
    """Cross-view task sets OUT/{task}-{split}: t1_multi, t2a, t2b; with --concat t1_concat; with --variants t2a_yesno, t2b_box,
    t2b_mask, t2b_jitter, t2b_shift and t2b_distractor.

    Stop it at any moment and run it again: it goes on, and ends with the same bytes.
    """
    from sightline.datasets import READERS  # noqa: PLC0415
    from sightline.tasks import VARIANTS  # noqa: PLC0415
    from sightline.tasks.crossview import CrossViewOptions  # noqa: PLC0415
    from sightline.tasks.wording import parse_wording  # noqa: PLC0415
    from sightline.taskset.build import BuildRequest  # noqa: PLC0415

    splits = tuple(READERS["x3"][0]().splits(root)) if split is Split.all else (split.value,)
    options = CrossViewOptions(
        pairs=pairs.value,
        anchor_k=anchor_k,
        mark=mark.value,
        alpha=alpha,
        mask=mask.value,
        seed=seed,
        wording=parse_wording(wording),
    )
    request = BuildRequest(
        reader="x3",
        root=str(root),
        splits=splits,
        tasks=("t1_multi", *(("t1_concat",) if concat else ()), "t2a", "t2b", *(VARIANTS if variants else ())),
        options=options,
        allow_shared_scenes=allow_shared_scenes,
    )
    build_and_print(request, out, crew, units="scenes", json=json)


def build_and_print(request: "BuildRequest", out: Path, crew: BuildOptions, *, units: str, json: bool) -> None:
    """Build with the progress shown, and print the task sets; `units` is what a split consists of (scenes, clips)."""
    from sightline.taskset.build import build  # noqa: PLC0415

    if request.allow_shared_scenes:
        say("warning: --allow-shared-scenes: splits are not checked for leaks; do not train on one and report the other.")
    with progress(quiet=json) as bar:
        built = build(
            request,
            out,
            workers=crew.workers,
            engine=crew.engine,
            on_progress=lambda name, done, total: bar(f"{units} of {name}", done, total),
        )
    emit(plain(built), as_json=json, text=lambda: print_built(built))


def print_built(built: "Sequence[Built]") -> None:
    """The task sets of a build as a table."""
    rows = [
        (
            part.path,
            part.manifest.num_examples,
            _counts(part.manifest.kept),
            _counts(part.manifest.dropped),
            "complete before" if part.existed else "built",
        )
        for part in built
    ]
    print_table("Task sets", ("task set", "examples", "kept by tier", "dropped (see ledger.jsonl)", ""), rows)


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items()) or "none"
