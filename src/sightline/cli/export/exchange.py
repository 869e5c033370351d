"""`sightline import` and `sightline export`: task sets and answers from and to other pipelines' files."""

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sightline.cli import app
from sightline.cli.build.app import MarkName
from sightline.cli.console import Json, Out, emit, plain, print_table, progress

if TYPE_CHECKING:
    from sightline.taskset.build import Built

import_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Task sets and answers from other pipelines' files.")
export_app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Task sets and answers as other pipelines' files.")
app.add_typer(import_app, name="import")
app.add_typer(export_app, name="export")


class FrameName(enum.StrEnum):
    whole = "whole"
    local = "local"


@import_app.command("x3")
def import_x3(  # noqa: PLR0913 - one parameter an option
    files: Annotated[list[Path], typer.Argument(help="JSON files: t1_val_multi.json, t1_val_concat.json, t2a_..., t2b_...")],
    *,
    out: Out,
    root_map: Annotated[
        list[str] | None,
        typer.Option("--root-map", metavar="OLD=NEW", help="A folder of another machine lies here; may be repeated."),
    ] = None,
    concat_frame: Annotated[
        FrameName,
        typer.Option(help="The truth of concatenated pictures in the files: shares of the whole picture, or of view B (local)."),
    ] = FrameName.whole,
    mark: Annotated[MarkName, typer.Option(help="How the object is marked in the files' reference pictures.")] = MarkName.overlay,
    min_area: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="An object on a smaller share of the picture is neither visible nor absent.")
    ] = 0.0005,
    allow_shared_scenes: Annotated[
        bool, typer.Option("--allow-shared-scenes", help="Import although splits share scenes.")
    ] = False,
    json: Json = False,
) -> None:
    """Task sets OUT/{task}-{split} from the JSON files of the x3 pipeline."""
    from sightline.export.x3.paths import RootMap  # noqa: PLC0415
    from sightline.export.x3.placed import Options  # noqa: PLC0415
    from sightline.export.x3.read import import_x3 as read  # noqa: PLC0415

    options = Options(concat_frame=concat_frame.value, mark=mark.value, min_area=min_area)
    with progress(quiet=json) as bar:
        built = read(
            files,
            out,
            root_map=RootMap.parse(root_map or ()),
            options=options,
            allow_shared_scenes=allow_shared_scenes,
            on_progress=lambda name, done, total: bar(f"scenes of {name}", done, total),
        )
    emit(plain(built), as_json=json, text=lambda: _print_built(built))


@import_app.command("x3-results")
def import_x3_results(
    file: Annotated[Path, typer.Argument(help="A result JSON of the x3 pipeline's evaluator.")],
    *,
    taskset: Annotated[Path, typer.Option(help="The task set that was answered.")],
    out: Out,
    name: Annotated[str | None, typer.Option(help="The model's name in tables; default: the file's name.")] = None,
    json: Json = False,
) -> None:
    """A run from old answers: score it like any other."""
    from sightline.dialects import get_dialect  # noqa: PLC0415
    from sightline.evaluate.predict import predict  # noqa: PLC0415
    from sightline.export.predictions import read_answers  # noqa: PLC0415
    from sightline.export.x3.prompts import DIALECT  # noqa: PLC0415
    from sightline.taskset.store import TaskSet  # noqa: PLC0415

    asked = TaskSet(taskset)
    model = read_answers(file, "x3-results", taskset=asked, dialect=get_dialect(DIALECT), name=name)
    info = predict(asked, model, out)
    emit(plain(info), as_json=json, text=lambda: print(f"{out}: answers read. Next: sightline score {out}"))


@export_app.command("x3")
def export_x3(
    tasksets: Annotated[list[Path], typer.Argument(help="Task sets of t1_multi, t1_concat, t2a or t2b.")],
    *,
    out: Out,
    concat_frame: Annotated[
        FrameName,
        typer.Option(help="Write the truth of concatenated pictures as shares of the whole picture, or of view B (local)."),
    ] = FrameName.whole,
    jpeg: Annotated[bool, typer.Option("--jpeg", help="Concatenated pictures as JPEG, as the pipeline has them; lossy.")] = False,
    json: Json = False,
) -> None:
    """The JSON files and pictures of the x3 pipeline from task sets."""
    from sightline.export.x3.write import export_x3 as write  # noqa: PLC0415

    exported = write(tasksets, out, concat_frame=concat_frame.value, jpeg=jpeg)

    def text() -> None:
        print_table(f"{out}", ("file", "rows"), list(exported.rows.items()))
        if exported.left_out:
            print_table("Left out (see left_out.jsonl)", ("reason", "examples"), list(exported.left_out.items()))

    emit(plain(exported), as_json=json, text=text)


@export_app.command("x3-results")
def export_x3_results(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    *,
    out: Annotated[Path, typer.Option("--out", help="JSON file to write.")],
    taskset: Annotated[Path | None, typer.Option(help="Where the run's task set lies now, if it has moved.")] = None,
    json: Json = False,
) -> None:
    """A run's answers and metrics as the x3 pipeline's evaluator writes them, by its definitions."""
    from sightline.evaluate.protocols.x3_original import export_results  # noqa: PLC0415

    results = export_results(run, out, taskset=taskset)
    rows = list(plain(results.metrics).items())
    emit(plain(results.metrics), as_json=json, text=lambda: print_table(str(out), ("metric", "value"), rows))


def _print_built(built: "list[Built]") -> None:
    def counts(values: dict[str, int]) -> str:
        return ", ".join(f"{name} {count}" for name, count in values.items()) or "none"

    rows = [
        (
            part.path,
            part.manifest.num_examples,
            counts(part.manifest.kept),
            counts(part.manifest.dropped),
            counts(part.manifest.altered),
        )
        for part in built
    ]
    print_table("Task sets", ("task set", "examples", "kept by tier", "dropped (see ledger.jsonl)", "altered"), rows)
