"""`predict`, `score`, `report`, the three in one, `eval`, and `compare` of two runs."""

import enum
import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sightline.cli import app
from sightline.cli.console import Json, Out, emit, plain, progress, say
from sightline.cli.model_options import takes_model_options
from sightline.cli.protocols import Protocol, Published, published_too, score_by_others
from sightline.cli.summaries import print_summaries, print_table_of
from sightline.errors import InputError

if TYPE_CHECKING:
    from sightline.evaluate.summary import Summary
    from sightline.models import ModelOptions

ModelName = Annotated[
    str,
    typer.Option(
        "--model",
        help="center, random, whole, not-visible, copy, difference, features, oracle, copy-first-mask, flow-warp, hf:FOLDER, "
        "sam2:FOLDER, sa2va:FOLDER, roborefer:FOLDER, openai:URL#NAME, boxes:RUN#SAM2 or import:ANSWERS; NAME=hf:FOLDER to call it "
        "NAME.",
    ),
]
ModelNames = Annotated[list[str], typer.Option("--model", help="A model; give the option again for more.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Only the first examples of each task set.")]
MaxErrors = Annotated[
    float, typer.Option(min=0.0, max=1.0, help="Share of the examples that a server may leave unanswered; more stop the run.")
]


AskedBy = Annotated[int, typer.Option("--workers", min=1, help="Processes, each with the model; several GPUs are taken in turn.")]


class By(enum.StrEnum):
    tier = "tier"
    size = "size"
    reference = "reference"
    overlap = "overlap"
    occlusion = "occlusion"
    wording = "wording"
    claims = "claims"


class Kind(enum.StrEnum):
    only_a = "only-a"
    only_b = "only-b"
    both_wrong = "both-wrong"


Bys = Annotated[list[By] | None, typer.Option("--by", help="Also a table of the results taken apart; may be given again.")]


@app.command()
@takes_model_options
def predict(  # noqa: PLR0913 - one parameter an option
    taskset: Annotated[Path, typer.Argument(help="A task set.")],
    *,
    model: ModelName,
    out: Out,
    options: "ModelOptions",
    workers: AskedBy = 1,
    limit: Limit = None,
    max_errors: MaxErrors = 0.01,
    json: Json = False,
) -> None:
    """Ask a model every question of a task set. The same command goes on where it stopped."""
    from sightline.evaluate.choosing import choose  # noqa: PLC0415
    from sightline.evaluate.predict import predict as ask  # noqa: PLC0415
    from sightline.evaluate.spread import spread  # noqa: PLC0415
    from sightline.taskset.store import TaskSet  # noqa: PLC0415

    with progress(quiet=json) as bar:
        name = f"{model} on {taskset.name}"
        tasks = TaskSet(taskset)
        chosen = spread(choose(model, options), options, workers).answering(tasks)
        info = ask(tasks, chosen, out, limit=limit, max_errors=max_errors, on_progress=lambda done, total: bar(name, done, total))
    emit(plain(info), as_json=json, text=lambda: print(f"{out}: predictions complete. Next: sightline score {out}"))


@app.command()
def score(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    *,
    taskset: Annotated[Path | None, typer.Option(help="Where the run's task set lies now, if it has moved.")] = None,
    partial: Annotated[bool, typer.Option("--partial", help="Score what is there; the rest is counted as missing.")] = False,
    by: Bys = None,
    protocol: Annotated[
        Protocol, typer.Option(help="Also by the definitions of others: the x3 pipeline, or a benchmark's authors.")
    ] = Protocol.ours,
    json: Json = False,
) -> None:
    """Score a run: scores.jsonl, summary.json and the table."""
    summary = _score(run, taskset=taskset, partial=partial, quiet=json)
    if protocol is not Protocol.ours:
        score_by_others(run, summary, protocol, taskset=taskset, by=by or (), json=json)
        return
    emit(plain(summary), as_json=json, text=lambda: print_summaries([summary], by=by or ()))


@app.command()
def compare(
    run_a: Annotated[Path, typer.Argument(help="A scored run.")],
    run_b: Annotated[Path, typer.Argument(help="Another scored run of the same task set.")],
    *,
    listed: Annotated[Kind | None, typer.Option("--list", help="Also the ids that only A, only B or neither has right.")] = None,
    json: Json = False,
) -> None:
    """Which of two runs is better, example by example, and whether that can be chance."""
    from sightline.evaluate.breakdown import comparison_table  # noqa: PLC0415
    from sightline.evaluate.compare import compare as pair_up  # noqa: PLC0415
    from sightline.evaluate.compare import ids_of  # noqa: PLC0415

    found = pair_up(run_a, run_b)

    def text() -> None:
        print_table_of(comparison_table(found), "outcome")
        print(f"A - B in percentage points: {found.interval}. p: two-sided, of the same draws; – with fewer than two scenes.")
        for example_id in ids_of(run_a, run_b, listed.value) if listed is not None else ():
            print(example_id)

    ids = {"ids": list(ids_of(run_a, run_b, listed.value))} if json and listed is not None else {}
    emit(plain(found) | ids, as_json=json, text=text)


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="Scored runs; or trainings, or the folder of a sweep.")],
    *,
    out: Annotated[Path | None, typer.Option("--out", help="Folder to write the report to.")] = None,
    rows: Annotated[
        Path | None, typer.Option(metavar="FILE.csv|FILE.parquet", help="Also, or only, every example of every run as a table.")
    ] = None,
    max_examples: Annotated[int | None, typer.Option(min=1, help="Show only the first examples of each task set.")] = None,
    baseline: Annotated[
        str | None, typer.Option(metavar="MODEL", help="The model that the others are compared with; default: the first run's.")
    ] = None,
    json: Json = False,
) -> None:
    """A static HTML report of scored runs or of trainings: open OUT/index.html. With --rows also the rows behind it."""
    from sightline.report.training.folders import training_folders  # noqa: PLC0415

    if trainings := training_folders(runs):
        given = {"--rows": rows, "--max-examples": max_examples, "--baseline": baseline}
        _report_trainings(trainings, out, refused=[name for name, value in given.items() if value is not None], json=json)
        return
    from sightline.report.rows import check_rows_path, write_rows  # noqa: PLC0415
    from sightline.report.write import write_report  # noqa: PLC0415

    if out is None and rows is None:
        raise InputError("nothing to write: give --out FOLDER for the report, --rows FILE for its rows, or both.")
    if rows is not None:
        check_rows_path(rows, out)
    written: dict[str, str] = {}
    with progress(quiet=json) as bar:
        if out is not None:
            page = write_report(
                runs,
                out,
                max_examples=max_examples,
                baseline=baseline,
                on_progress=lambda done, total: bar("report", done, total),
            )
            written["report"] = str(page)
        if rows is not None:
            write_rows(runs, rows, on_progress=lambda done, total: bar("rows", done, total))
            written["rows"] = str(rows)
    emit(written, as_json=json, text=lambda: print(*written.values(), sep="\n"))


def _report_trainings(folders: Sequence[Path], out: Path | None, *, refused: Sequence[str], json: bool) -> None:
    """The page on trainings; of the options of `report` it takes --out alone."""
    if refused:
        raise InputError(f"{', '.join(refused)}: for reports of scored runs, but {folders[0]} is a training. Leave it out.")
    if out is None:
        raise InputError("nothing to write: give --out FOLDER for the report.")
    if importlib.util.find_spec("yaml") is None:
        raise InputError("reports of trainings need pyyaml, not installed here. Run: pip install pyyaml.")
    from sightline.report.training.page import write_training_report  # noqa: PLC0415

    with progress(quiet=json) as bar:
        page = write_training_report(folders, out, on_progress=lambda done, total: bar("report", done, total))
    emit({"report": str(page)}, as_json=json, text=lambda: print(page))


@app.command("eval")
@takes_model_options
def evaluate(  # noqa: PLR0913 - one parameter an option
    tasksets: Annotated[list[Path], typer.Argument(help="Task sets.")],
    *,
    model: ModelNames,
    out: Out,
    options: "ModelOptions",
    workers: AskedBy = 1,
    limit: Limit = None,
    max_errors: MaxErrors = 0.01,
    by: Bys = None,
    protocol: Annotated[Published | None, typer.Option(help="Also score by the rule of the benchmark's authors.")] = None,
    json: Json = False,
) -> None:
    """Predict, score and report: every model on every task set, in OUT/{model}/{task set} and OUT/report.

    `sightline eval sam2 KEY=VALUE...` evaluates a SAM 2 checkpoint on videos: docs/sam2.md.
    """
    asked = run_all(tasksets, model, out, options=options, workers=workers, limit=limit, max_errors=max_errors, quiet=json)

    theirs, print_theirs = ([], None) if protocol is None else published_too(asked.folders, asked.summaries, protocol)

    def text() -> None:
        print_summaries(asked.summaries, by=by or ())
        if print_theirs is not None:
            print_theirs()
        print(f"report: {asked.page}")

    value = {"summaries": plain(asked.summaries), "report": str(asked.page), "skipped": asked.skipped}
    value |= {} if protocol is None else {protocol.value: theirs}
    emit(value, as_json=json, text=text)


@dataclass(frozen=True)
class Evaluated:
    """Scored runs with their summaries, the report's page, and one line for each pair left out and why."""

    folders: list[Path]
    summaries: "list[Summary]"
    page: Path
    skipped: list[str]


def run_all(  # noqa: PLR0913 - the options of one command, all by name
    tasksets: Sequence[Path],
    models: Sequence[str],
    out: Path,
    *,
    options: "ModelOptions | None" = None,
    workers: int = 1,
    limit: int | None = None,
    max_errors: float = 0.01,
    also: Sequence[Path] = (),
    quiet: bool = False,
) -> Evaluated:
    """Every model on every task set.

    `also`: runs that are scored and reported with these, whose questions have been asked before.

    Raises:
        InputError: two task sets or two models that cannot be told apart, nothing that any of the models can answer, or another
            process writes a run or the report.
    """
    from sightline.evaluate.suite import Suite  # noqa: PLC0415
    from sightline.files import only_writer  # noqa: PLC0415
    from sightline.models import ModelOptions  # noqa: PLC0415
    from sightline.report.write import write_report  # noqa: PLC0415
    from sightline.taskset.store import TaskSet  # noqa: PLC0415

    with progress(quiet=quiet) as bar:
        suite = Suite(
            [TaskSet(path) for path in tasksets], out, limit=limit, max_errors=max_errors, on_progress=bar, workers=workers
        )
        folders, skipped = suite.ask(models, options or ModelOptions())
        folders += also
        summaries = [_score(folder, partial=limit is not None, quiet=True) for folder in folders]
        for line in skipped:
            say(f"left out: {line}")
        if not folders:
            raise InputError("nothing to report: no model could answer any of the task sets (reasons above).")
        with only_writer(out):
            page = write_report(folders, out / "report", on_progress=lambda done, total: bar("report", done, total))
    return Evaluated(folders, summaries, page, skipped)


def _score(run: Path, *, taskset: Path | None = None, partial: bool, quiet: bool) -> "Summary":
    from sightline.evaluate.score import score_run  # noqa: PLC0415
    from sightline.evaluate.summary import summarise  # noqa: PLC0415

    with progress(quiet=quiet) as bar:
        score_run(run, taskset=taskset, partial=partial, on_progress=lambda done, total: bar(f"scores of {run}", done, total))
    return summarise(run, taskset=taskset)
