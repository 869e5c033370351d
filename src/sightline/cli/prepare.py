"""`sightline prepare`: what tasks can be built from, out of data sets as they lie on disk."""

import enum
import os
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sightline.cli import app
from sightline.cli.console import Json, Out, emit, plain, print_table, progress
from sightline.errors import InputError, unknown_name

if TYPE_CHECKING:
    from sightline.prepare.merge import MergeSource
    from sightline.types import Clip

prepare_app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="From data sets as they lie on disk: x3 trees with objects painted away, frames of videos, several sources as one.",
)
app.add_typer(prepare_app, name="prepare")


class Method(enum.StrEnum):
    telea = "telea"
    ns = "ns"


class SplitName(enum.StrEnum):
    train = "train"
    validation = "validation"


@prepare_app.command("x3")
def prepare_x3(  # noqa: PLR0913 - one parameter an option
    *,
    data: Annotated[str, typer.Option("--data", help="What the root holds: davis, removal; see `sightline datasets`.")],
    root: Annotated[Path, typer.Option("--root", help="The data set's root.")],
    out: Out,
    split: Annotated[str | None, typer.Option(help="A split of the data set; all of them without it.")] = None,
    views: Annotated[int | None, typer.Option(help="At most so many views an object.  [default: 5]")] = None,
    scale: Annotated[str | None, typer.Option(help="Of both sides, as 0.5 or 1/3.  [default: 1]")] = None,
    dilate: Annotated[float | None, typer.Option(help="Painted away beyond the object, over the width.  [default: 0.02]")] = None,
    inpaint: Annotated[Method | None, typer.Option(help="OpenCV's method.  [default: telea]")] = None,
    inpaint_radius: Annotated[float | None, typer.Option(help="Pixels around a hole that fill it.  [default: 5]")] = None,
    min_area: Annotated[float | None, typer.Option(help="Least visible fraction of the picture.  [default: 0.001]")] = None,
    controls: Annotated[
        bool | None, typer.Option("--controls/--no-controls", help="Write control pictures.  [default: on]")
    ] = None,
    remove: Annotated[int | None, typer.Option(help="Objects painted away at once.  [default: 1]")] = None,
    validation: Annotated[float, typer.Option(min=0.0, max=1.0, help="Share of the clips in the validation split.")] = 0.25,
    split_as: Annotated[SplitName | None, typer.Option(help="Put all clips into this split.")] = None,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = os.cpu_count() or 1,
    seed: Annotated[int, typer.Option(help="Keys all random choices.")] = 0,
    json: Json = False,
) -> None:
    """An x3 tree in OUT, one scene a clip: views, masks, the object painted away, controls. Next: sightline build x3 --root OUT.

    Stop it at any moment and run it again: it goes on, and ends with the same bytes. OUT/ledger.jsonl names what was left out.
    """
    from sightline.datasets import CLIP_READERS, REMOVAL_READERS  # noqa: PLC0415
    from sightline.prepare.run import SplitOptions  # noqa: PLC0415

    chosen = {
        "views": views,
        "scale": None if scale is None else _fraction(scale),
        "dilate": dilate,
        "inpaint": inpaint and inpaint.value,
        "inpaint_radius": inpaint_radius,
        "min_area": min_area,
        "controls": controls,
        "remove": remove,
    }
    given = {name: value for name, value in chosen.items() if value is not None}
    split_options = SplitOptions(validation=validation, split_as=split_as.value if split_as else None, seed=seed)
    if data not in CLIP_READERS and data not in REMOVAL_READERS:
        raise unknown_name("reader of clips or removals", data, [*CLIP_READERS, *REMOVAL_READERS])
    with progress(quiet=json) as bar:
        report = lambda done, total: bar(f"scenes of {out}", done, total)  # noqa: E731
        if data in REMOVAL_READERS:
            from sightline.prepare.removal import prepare_removals  # noqa: PLC0415

            if unused := [f"--{name.replace('_', '-')}" for name in (*given, *(["split"] if split else []))]:
                raise InputError(f"{', '.join(unused)}: a removal is one picture, already painted. Leave the option away.")
            triples = REMOVAL_READERS[data][0]()(root)
            tree = prepare_removals(triples, root, out, split_options=split_options, workers=workers, on_progress=report)
        else:
            from sightline.prepare.x3 import ClipOptions, prepare_x3  # noqa: PLC0415

            tree = prepare_x3(
                _clips(data, root, split),
                root,
                out,
                reader=data,
                options=ClipOptions(**given),
                split_options=split_options,
                workers=workers,
                on_progress=report,
            )

    def text() -> None:
        rows = [
            ("scenes", ", ".join(f"{name} {count}" for name, count in tree.scenes.items()) or "none"),
            ("objects", tree.num_objects),
            ("views", tree.num_views),
            *((f"dropped: {reason}", count) for reason, count in tree.dropped.items()),
            *((f"altered: {reason}", count) for reason, count in tree.altered.items()),
        ]
        print_table(str(out), ("what", "number"), rows)
        print(
            f"Next: sightline build x3 --root {out} --out TASKS"
            if tree.scenes
            else f"Nothing to build from: see {out}/ledger.jsonl"
        )

    emit(plain(tree), as_json=json, text=text)


@prepare_app.command("frames")
def prepare_frames(
    *,
    root: Annotated[Path, typer.Option("--root", help="The data set's root.")],
    data: Annotated[str, typer.Option("--data", help="What the root holds: a data set of videos.")] = "sav",
    out: Annotated[Path | None, typer.Option("--out", help="Where the frames go; the data set's root without it.")] = None,
    fps: Annotated[float, typer.Option(help="Frames a second; SA-V has masks at 6 of 24.")] = 6.0,
    split: Annotated[str, typer.Option(help="A split of the data set.")] = "train",
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = os.cpu_count() or 1,
    json: Json = False,
) -> None:
    """The frames of videos as JPEG files in OUT/JPEGImages_{fps}fps, each named by its number in the video. The reader finds them.

    Stop it at any moment and run it again: it goes on, and ends with the same bytes. Another OUT gets the annotations, too, as hard
    links. OUT/JPEGImages_{fps}fps/ledger.jsonl names videos that cannot be read, or have fewer frames than their masks.
    """
    from sightline.prepare.frames import extract_frames  # noqa: PLC0415

    place = out or root
    with progress(quiet=json) as bar:
        report = lambda done, total: bar(f"videos of {root}", done, total)  # noqa: E731
        found = extract_frames(data, root, place, split=split, fps=fps, workers=workers, on_progress=report)

    def text() -> None:
        rows = [
            ("videos", found.num_videos),
            ("pictures", found.num_pictures),
            *((f"dropped: {reason}", count) for reason, count in found.dropped.items()),
            *((f"altered: {reason}", count) for reason, count in found.altered.items()),
        ]
        print_table(found.path, ("what", "number"), rows)
        print(f"Next: sightline check-data {data} {place}")

    emit(plain(found), as_json=json, text=text)


@prepare_app.command("merge")
def prepare_merge(
    sources: Annotated[
        list[str], typer.Argument(metavar="SOURCE...", help="[NAME=]DATA:SPLIT:ROOT, as mose:train:/data/MOSE. Earlier ones win.")
    ],
    *,
    out: Out,
    keep_lookalikes: Annotated[
        bool, typer.Option("--keep-lookalikes", help="Also take clips whose first picture looks like another source's.")
    ] = False,
    json: Json = False,
) -> None:
    """Several data sets of clips as one in OUT: ids begin with the source's name, pictures are hard links, no recording twice.

    Stop it at any moment and run it again: it goes on. Run it with further sources to add them. OUT/ledger.jsonl names what was
    left out. The reader of OUT is called merged.
    """
    from sightline.prepare.merge import merge_sources  # noqa: PLC0415

    with progress(quiet=json) as bar:
        found = merge_sources(
            [_source(text) for text in sources],
            out,
            keep_lookalikes=keep_lookalikes,
            on_progress=lambda done, total: bar(f"clips of {out}", done, total),
        )

    def text() -> None:
        rows = [
            *((f"clips of {name}", count) for name, count in found.clips.items()),
            *((f"dropped: {reason}", count) for reason, count in found.dropped.items()),
            *((f"altered: {reason}", count) for reason, count in found.altered.items()),
        ]
        print_table(found.path, ("what", "number"), rows)
        print(f"Next: sightline check-data merged {out}")

    emit(plain(found), as_json=json, text=text)


def _source(text: str) -> "MergeSource":
    from sightline.prepare.merge import MergeSource  # noqa: PLC0415

    named, _, rest = text.partition("=") if "=" in text.partition(":")[0] else ("", "", text)
    parts = rest.split(":", maxsplit=2)
    if len(parts) < 3 or not all(parts):
        raise InputError(f"source {text!r}: expected [NAME=]DATA:SPLIT:ROOT, such as mose:train:/data/MOSE.")
    data, split, root = parts
    return MergeSource(name=named or data, reader=data, split=split, root=str(Path(root).resolve()))


def _clips(data: str, root: Path, split: str | None) -> "list[Clip]":
    """The clips of one split, or of all; a clip that stands in several (train, trainval) is taken once."""
    from sightline.datasets import CLIP_READERS  # noqa: PLC0415

    reader = CLIP_READERS[data][0]()
    splits = [split] if split is not None else reader.splits(root)
    clips = {clip.clip_id: clip for name in reversed(splits) for clip in reader(root, name)}
    return [clips[name] for name in sorted(clips)]


def _fraction(text: str) -> float:
    try:
        return float(Fraction(text.strip()))
    except (ValueError, ZeroDivisionError) as error:
        raise InputError(f"--scale {text!r}: expected a number above 0 and up to 1, such as 0.5 or 1/3.") from error
