"""`predict`, `score`, `report`, and the three in one, `eval`."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sightline.cli import app
from sightline.cli.console import Json, Out, emit, plain, print_table, progress, say
from sightline.errors import InputError

if TYPE_CHECKING:
    from sightline.evaluate.summary import Summary

ModelName = Annotated[str, typer.Option("--model", help="A model: center, random, not-visible, copy, difference or oracle.")]
ModelNames = Annotated[list[str], typer.Option("--model", help="A model; give the option again for more.")]
Limit = Annotated[int | None, typer.Option(min=1, help="Only the first examples of each task set.")]


@app.command()
def predict(
    taskset: Annotated[Path, typer.Argument(help="A task set.")],
    *,
    model: ModelName,
    out: Out,
    limit: Limit = None,
    json: Json = False,
) -> None:
    """Ask a model every question of a task set. The same command goes on where it stopped."""
    from sightline.evaluate.predict import predict as ask  # noqa: PLC0415
    from sightline.models import get_model  # noqa: PLC0415
    from sightline.taskset.store import TaskSet  # noqa: PLC0415

    with progress(quiet=json) as bar:
        name = f"{model} on {taskset.name}"
        info = ask(TaskSet(taskset), get_model(model), out, limit=limit, on_progress=lambda done, total: bar(name, done, total))
    emit(plain(info), as_json=json, text=lambda: print(f"{out}: predictions complete. Next: sightline score {out}"))


@app.command()
def score(
    run: Annotated[Path, typer.Argument(help="A run folder.")],
    *,
    taskset: Annotated[Path | None, typer.Option(help="Where the run's task set lies now, if it has moved.")] = None,
    partial: Annotated[bool, typer.Option("--partial", help="Score what is there; the rest is counted as missing.")] = False,
    json: Json = False,
) -> None:
    """Score a run: scores.jsonl, summary.json and the table."""
    summary = _score(run, taskset=taskset, partial=partial, quiet=json)
    emit(plain(summary), as_json=json, text=lambda: print_summaries([summary]))


@app.command()
def report(
    runs: Annotated[list[Path], typer.Argument(help="Scored runs.")],
    *,
    out: Out,
    max_examples: Annotated[int | None, typer.Option(min=1, help="Show only the first examples of each task set.")] = None,
    json: Json = False,
) -> None:
    """A static HTML report of scored runs: open OUT/index.html."""
    from sightline.report.write import write_report  # noqa: PLC0415

    with progress(quiet=json) as bar:
        page = write_report(runs, out, max_examples=max_examples, on_progress=lambda done, total: bar("report", done, total))
    emit({"report": str(page)}, as_json=json, text=lambda: print(page))


@app.command("eval")
def evaluate(
    tasksets: Annotated[list[Path], typer.Argument(help="Task sets.")],
    *,
    model: ModelNames,
    out: Out,
    limit: Limit = None,
    json: Json = False,
) -> None:
    """Predict, score and report: every model on every task set, in OUT/{model}/{task set} and OUT/report."""
    summaries, page, skipped = run_all(tasksets, model, out, limit=limit, quiet=json)

    def text() -> None:
        print_summaries(summaries)
        print(f"report: {page}")

    value = {"summaries": plain(summaries), "report": str(page), "skipped": skipped}
    emit(value, as_json=json, text=text)


def run_all(
    tasksets: Sequence[Path], models: Sequence[str], out: Path, *, limit: int | None = None, quiet: bool = False
) -> tuple[list["Summary"], Path, list[str]]:
    """Every model on every task set. Returns the summaries, the report's page, and one line for each pair left out and why.

    Raises:
        InputError: two task sets of one name, an empty task set, or nothing that any of the models can answer.
    """
    from sightline.evaluate.predict import predict as ask  # noqa: PLC0415
    from sightline.models import NotApplicable, get_model  # noqa: PLC0415
    from sightline.report.write import write_report  # noqa: PLC0415
    from sightline.taskset.store import TaskSet  # noqa: PLC0415

    opened = [TaskSet(path) for path in tasksets]
    chosen = [get_model(name) for name in dict.fromkeys(models)]
    names = [tasks.manifest.name for tasks in opened]
    for name in names:
        if names.count(name) > 1:
            raise InputError(f"two task sets are called {name}: evaluate them into two folders.")
    runs: list[Path] = []
    skipped: list[str] = []
    with progress(quiet=quiet) as bar:
        for tasks in opened:
            if not len(tasks):
                skipped.append(f"{tasks.path} has no examples: see its ledger.jsonl.")
                continue
            for model in chosen:
                folder = out / model.name / tasks.manifest.name
                label = f"{model.name} on {tasks.manifest.name}"
                try:
                    ask(tasks, model, folder, limit=limit, on_progress=lambda done, total, label=label: bar(label, done, total))
                except NotApplicable as error:
                    skipped.append(f"{label}: {error}")
                    continue
                runs.append(folder)
        summaries = [_score(folder, partial=limit is not None, quiet=True) for folder in runs]
        for line in skipped:
            say(f"left out: {line}")
        if not runs:
            raise InputError("nothing to report: no model could answer any of the task sets (reasons above).")
        page = write_report(runs, out / "report", on_progress=lambda done, total: bar("report", done, total))
    return summaries, page, skipped


def print_summaries(summaries: Sequence["Summary"]) -> None:
    """One table a task set, a row a model; the interval and n stand below each value, so that the table stays narrow."""
    from sightline.evaluate.table import tables  # noqa: PLC0415

    for table in tables(summaries):
        rows = [
            (row.model, *(cell.replace(" [", "\n[").replace(" (", "\nn=").rstrip(")") for cell in row.cells)) for row in table.rows
        ]
        print_table(table.title, ("model", *table.labels), rows)
    print("Below each value: its 95 % interval (bootstrap over scenes) and n, its denominator. – where it is 0/0.")


def _score(run: Path, *, taskset: Path | None = None, partial: bool, quiet: bool) -> "Summary":
    from sightline.evaluate.score import score_run  # noqa: PLC0415
    from sightline.evaluate.summary import summarise  # noqa: PLC0415

    with progress(quiet=quiet) as bar:
        score_run(run, taskset=taskset, partial=partial, on_progress=lambda done, total: bar(f"scores of {run}", done, total))
    return summarise(run, taskset=taskset)
