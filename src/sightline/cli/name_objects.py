"""`sightline name-objects`: names of a data set's objects, from a model that speaks."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sightline.cli import app
from sightline.cli.console import Json, emit, plain, print_table, progress
from sightline.cli.model_options import takes_model_options

if TYPE_CHECKING:
    from sightline.models import ModelOptions
    from sightline.models.naming import Named

NO_COORDINATES = "qwen3"  # a server's dialect has to be declared, but a name holds no number


@app.command("name-objects")
@takes_model_options
def name_objects(  # noqa: PLR0913 - one parameter an option
    *,
    data: Annotated[str, typer.Option("--data", help="What the root holds: sav, davis, ...; see `sightline datasets`.")],
    root: Annotated[Path, typer.Option("--root", help="The data set's root.")],
    model: Annotated[str, typer.Option("--model", help="openai:URL#NAME or hf:FOLDER.")],
    out: Annotated[Path, typer.Option("--out", help="The JSON file to write; answers are kept beside it, in OUT.answers.")],
    options: "ModelOptions",
    split: Annotated[str | None, typer.Option(help="The split; needed where the data set has several.")] = None,
    max_errors: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of the objects that a server may leave unanswered.")
    ] = 0.01,
    json: Json = False,
) -> None:
    """A names file for `sightline build relations --names`. The same command goes on where it stopped."""
    import msgspec  # noqa: PLC0415

    from sightline.datasets import one_split  # noqa: PLC0415
    from sightline.models import get_model  # noqa: PLC0415
    from sightline.models.naming import ClipSource  # noqa: PLC0415
    from sightline.models.naming import name_objects as ask  # noqa: PLC0415

    chosen = one_split(data, root, split)
    is_server = "openai:" in model
    declared = msgspec.structs.replace(
        options,
        cache=options.cache or f"{out}.answers",
        dialect=options.dialect or (NO_COORDINATES if is_server else None),
    )
    with progress(quiet=json) as bar:
        named = ask(
            ClipSource(data, root, chosen),
            model=get_model(model, declared),
            out=out,
            max_errors=max_errors,
            on_progress=lambda done: bar("objects", done, done),
        )
    emit(plain(named), as_json=json, text=lambda: _print(named))


def _print(named: "Named") -> None:
    print(f"{named.path}: {named.num_named} objects have a name")
    if named.dropped:
        print_table(f"Without a name (see {named.path}.ledger.jsonl)", ("reason", "objects"), list(named.dropped.items()))
