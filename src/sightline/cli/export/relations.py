"""`sightline export relations-boxes`: relations of clips as the box-Sa2VA pipeline reads them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sightline.cli.build.options import Workers
from sightline.cli.console import Json, Out, emit, plain, print_table, progress, say
from sightline.cli.export.exchange import export_app

if TYPE_CHECKING:
    from sightline.export.clip_parts import ClipsWritten


@export_app.command("relations-boxes")
def export_relations_boxes(  # noqa: PLR0913 - one parameter an option
    *,
    data: Annotated[str, typer.Option("--data", help="What the root holds: sav, davis, ...; see `sightline datasets`.")],
    root: Annotated[Path, typer.Option("--root", help="The data set's root.")],
    out: Out,
    split: Annotated[str | None, typer.Option(help="The split; needed where the data set has several.")] = None,
    name: Annotated[str, typer.Option(help="What the files' names begin with.")] = "all_vos2",
    prefix: Annotated[str, typer.Option(help="Goes before every clip's name, as in a merged picture folder.")] = "",
    option: Annotated[
        list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A threshold of docs/relations.md; may be repeated.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Keys all random choices.")] = 0,
    workers: Workers = None,
    json: Json = False,
) -> None:
    """OUT/{name}_{absolute|relative|switch}_step2.json with their box files, from masks alone: pictures are not needed.

    Stop it at any moment and run it again: it goes on, and ends with the same bytes. OUT/{name}_relations.ledger.jsonl names what
    was left out.
    """
    from sightline.datasets import one_split  # noqa: PLC0415
    from sightline.export.relation_boxes import RelationSource, export_relation_boxes  # noqa: PLC0415
    from sightline.tasks.relations.options import read_options  # noqa: PLC0415

    source = RelationSource(reader=data, root=str(root), split=one_split(data, root, split), prefix=prefix)
    options = read_options({}, option or (), seed=seed)
    with progress(quiet=json) as bar:
        written = export_relation_boxes(
            source, out, name=name, options=options, workers=workers, on_progress=lambda done, total: bar("clips", done, total)
        )
    if not sum(written.rows.values()):
        say(f"warning: no clip of {root} holds a relation of this form; the counts say why.")
    emit(plain(written), as_json=json, text=lambda: _print(written))


def _print(written: "ClipsWritten") -> None:
    print_table(f"{written.path}: videos", ("file", "videos"), list(written.rows.items()))
    print_table("Expressions", ("set/expression", "number"), list(written.counts["expressions"].items()))
    print_table("What the clips hold", ("relation", "number"), list(written.counts["relations"].items()))
    print_table("Dropped (see the ledger beside them)", ("reason", "units"), list(written.dropped.items()))
