"""`sightline leaks`: which recordings are held out, and whether a mixture trains on one of them."""

from pathlib import Path
from typing import Annotated

import typer

from sightline.cli import app
from sightline.cli.console import Json, emit, plain, print_table
from sightline.errors import InputError

leaks_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Recordings that several data sets share.")
app.add_typer(leaks_app, name="leaks")

SHOWN = 50
Registry = Annotated[Path, typer.Argument(help="The registry file (JSON lines); see docs/leaks.md.")]
Dataset = Annotated[str | None, typer.Option("--data", help="A data set: of --root its layout, of --ids its name.")]


@leaks_app.command("add")
def add(  # noqa: PLR0913 - one parameter an option
    registry: Registry,
    tasksets: Annotated[list[Path] | None, typer.Argument(metavar="[TASKSET]...", help="Task sets made of clips.")] = None,
    *,
    data: Dataset = None,
    root: Annotated[Path | None, typer.Option(help="A data set on disk: the recordings of its --split.")] = None,
    ids: Annotated[Path | None, typer.Option(help="A text file with one id a line, for data that is not at hand.")] = None,
    split: Annotated[str | None, typer.Option(help="The split of --root or --ids.")] = None,
    listed: Annotated[bool, typer.Option("--listed", help="The scenes that Sightline knows to be tested on.")] = False,
    json: Json = False,
) -> None:
    """Enter recordings: those of task sets, of a split of a data set (--data, --root, --split), or of a list (--data, --ids,
    --split). What is there already is not entered again."""
    from sightline.taskset.leaks import read_sightings  # noqa: PLC0415
    from sightline.taskset.registry import add_to_registry, sightings_of_data, sightings_of_list  # noqa: PLC0415

    found = [sighting for path in tasksets or () for sighting in read_sightings(path)]
    if root is not None or ids is not None:
        if data is None or split is None:
            raise InputError("--root and --ids need --data and --split: whose recordings they are, and of which split.")
        found += sightings_of_data(data, root, split) if root is not None else ()
        found += sightings_of_list(ids, dataset=data, split=split) if ids is not None else ()
    if listed:
        from sightline.taskset.scene_lists import listed_sightings  # noqa: PLC0415

        found += listed_sightings()
    if not found:
        raise InputError("no recording to enter. Give task sets made of clips, --data, --split and --root or --ids, or --listed.")
    new = add_to_registry(registry, found)
    unhashed = sum(sighting.first_frame is None for sighting in found)

    def text() -> None:
        print(f"{registry}: {len(found)} recordings, {new} of them new; {unhashed} are known by their id alone")

    emit({"recordings": len(found), "new": new, "without_hash": unhashed}, as_json=json, text=text)


@leaks_app.command("list")
def list_entries(registry: Registry, *, json: Json = False) -> None:
    """What a registry knows."""
    from sightline.taskset.registry import held_out, read_registry  # noqa: PLC0415

    sightings, different = read_registry(registry)

    def text() -> None:
        counts: dict[tuple[str, str], list[int]] = {}
        for sighting in sightings:
            tally = counts.setdefault((sighting.dataset, sighting.split), [0, 0])
            tally[0] += 1
            tally[1] += sighting.first_frame is not None
        rows = [
            (name, split, "tested" if held_out(split) else "trained", *tally) for (name, split), tally in sorted(counts.items())
        ]
        print_table(str(registry), ("data set", "split", "taken as", "recordings", "with hash"), rows)
        if different:
            print_table("Alike, but different", ("one", "the other"), [pair.video_ids for pair in different[:SHOWN]])

    emit(plain([*sightings, *different]), as_json=json, text=text)


@leaks_app.command("different")
def different_recordings(
    registry: Registry,
    one: Annotated[str, typer.Argument(help="A recording's id, as the error names it.")],
    other: Annotated[str, typer.Argument(help="The id of the other.")],
    *,
    json: Json = False,
) -> None:
    """Note that two recordings look alike but are not the same: the check by first frames passes over them."""
    from sightline.taskset.registry import Different, add_to_registry  # noqa: PLC0415

    if one == other:
        raise InputError(f"{one} is one id: a recording is the same as itself.")
    new = add_to_registry(registry, [Different(video_ids=(min(one, other), max(one, other)))])
    emit({"new": new}, as_json=json, text=lambda: print(f"{registry}: {'noted' if new else 'known already'}"))


@leaks_app.command("check")
def check(
    train: Annotated[list[Path], typer.Argument(help="Task sets to train on.")],
    *,
    against: Annotated[list[Path] | None, typer.Option("--against", help="A task set to test on; may be given again.")] = None,
    registry: Annotated[Path | None, typer.Option(help="A registry: what it holds out is tested on, too.")] = None,
    json: Json = False,
) -> None:
    """Whether a mixture trains on what is tested on: recordings by id and by first frame, pictures by their pixels. A leak is an
    error that names it."""
    from sightline.taskset.leaks import check_mixture  # noqa: PLC0415

    if not against and registry is None:
        raise InputError("nothing to check against. Give --against TASKSET or --registry FILE.")
    check_mixture(train, against or (), registry=registry)
    emit({"leaks": []}, as_json=json, text=lambda: print(f"no leak: {len(train)} task sets share nothing with what is tested on"))
