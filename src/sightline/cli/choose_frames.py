"""`sightline choose-frames`: space-aware frames of videos by VGGT's own points, for builds of spatial questions."""

import enum
import functools
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sightline.cli import app
from sightline.cli.console import Json, Out, emit, plain, print_table, progress, say
from sightline.cli.geometry import Device, NetworkDtype, NetworkPath, open_network
from sightline.errors import InputError

if TYPE_CHECKING:
    from sightline.models.vggt.choosing import ChoiceDone


class ByPoints(enum.StrEnum):
    aware = "points-aware"
    reference = "points-reference"


@app.command("choose-frames")
def choose_frames(  # noqa: PLR0913 - one parameter an option
    sources: Annotated[list[Path], typer.Argument(help="Videos, folders of frames, or prepared scans.")],
    *,
    model: NetworkPath,
    out: Out,
    frames: Annotated[
        ByPoints, typer.Option("--frames", help="points-aware: exactly --num-frames; points-reference: as the published tool.")
    ] = ByPoints.aware,
    num_frames: Annotated[int, typer.Option(min=1, help="How many of a source's frames.")] = 16,
    dtype: NetworkDtype = "float32",
    device: Device = None,
    json: Json = False,
) -> None:
    """Choose the frames that together see most of each room, by what VGGT makes of the pictures, and keep the choices in OUT.

    Next: sightline build qa (or scan-qa) --frames points-aware --choices OUT. The same command goes on where it stopped. The
    weights VGGT-1B are for non-commercial use only; VGGT-1B-Commercial has another licence.
    """
    network = open_network(model, heads=("point",), dtype=dtype, device=device)
    from sightline.models.vggt.choosing import choice_settings, open_choices  # noqa: PLC0415
    from sightline.models.vggt.choosing import choose_frames as choose  # noqa: PLC0415

    settings = choice_settings("points_aware" if frames is ByPoints.aware else "points_reference", num_frames, network)
    open_choices(out, settings)
    done: list[ChoiceDone] = []
    failed: list[str] = []
    with progress(quiet=json) as bar:
        for source in sources:
            try:
                done.append(choose(source, network, out, settings=settings, on_progress=functools.partial(bar, source.name)))
            except (InputError, FileNotFoundError) as error:
                failed.append(str(error))
    rows = [(each.source, len(each.frames), each.num_greedy, each.num_filled, "yes" if each.new else "no") for each in done]
    header = ("source", "frames", "by what they see", "filled", "new")
    if not (failed and json):  # the error is then the one value
        emit([plain(each) for each in done], as_json=json, text=lambda: print_table(str(out), header, rows))
    if failed:
        for reason in failed:
            say(f"not chosen: {reason}")
        raise InputError(
            f"{len(failed)} of {len(sources)} sources have no choice, for the reasons above. The others are kept in {out}."
        )
