"""`sightline mixtures`: registries of training data that come with Sightline."""

from pathlib import Path
from typing import Annotated

import typer

from sightline.cli import app
from sightline.cli.console import Json, emit, print_table

mixtures_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Ready registries of training data.")
app.add_typer(mixtures_app, name="mixtures")


@mixtures_app.command("list")
def list_mixtures(*, json: Json = False) -> None:
    """The ready registries and the names in them."""
    from sightline.datasets.mixtures import read_registry, ready_mixtures  # noqa: PLC0415

    named = {name: list(read_registry(path)) for name, path in ready_mixtures().items()}
    rows = [(name, ", ".join(entries)) for name, entries in named.items()]
    emit(named, as_json=json, text=lambda: print_table("Ready mixtures", ("name", "data sets"), rows))


@mixtures_app.command("copy")
def copy(
    name: Annotated[str, typer.Argument(help="A name of `sightline mixtures list`.")],
    *,
    out: Annotated[Path, typer.Option("--out", help="The YAML file to write, beside annotations/ and visuals/.")],
    json: Json = False,
) -> None:
    """Write a ready registry; its paths are relative to where it is written."""
    from sightline.datasets.mixtures import copy_mixture  # noqa: PLC0415

    copy_mixture(name, out)
    emit({"path": str(out)}, as_json=json, text=lambda: print(f"{out}: set data.registry to it, see the lines at its top"))
