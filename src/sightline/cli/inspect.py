"""Commands that only look: data sets, one example, a lint of a data set, the environment."""

import importlib.metadata
import os
import platform
import shutil
from collections import Counter
from pathlib import Path
from typing import Annotated

import typer

from sightline.cli import app
from sightline.cli.console import Json, emit, plain, print_table, progress
from sightline.errors import InputError

SHOWN_IDS = 20
SHOWN_PROBLEMS = 20


@app.command()
def datasets(*, json: Json = False) -> None:
    """The readers: their names and the layouts they expect."""
    from sightline.datasets import READERS  # noqa: PLC0415

    rows = [(name, layout) for name, (_, layout) in READERS.items()]
    emit(dict(rows), as_json=json, text=lambda: print_table("Readers", ("reader", "layout below the root"), rows))


@app.command("check-data")
def check_data(
    reader: Annotated[str, typer.Argument(help="A reader's name; see `sightline datasets`.")],
    root: Annotated[Path, typer.Argument(help="The data set's root.")],
    *,
    json: Json = False,
) -> None:
    """Read every file of a data set and report what is wrong with it. Exit code 1 if anything is."""
    from sightline.datasets import READERS  # noqa: PLC0415
    from sightline.taskset.lint import lint  # noqa: PLC0415

    if reader not in READERS:
        raise InputError(f"no reader is called {reader!r}. Readers: {', '.join(READERS)}.")
    with progress(quiet=json) as bar:
        found = lint(reader, root, on_progress=lambda split, done, total: bar(f"scenes of {split}", done, total))

    def text() -> None:
        for split, counts in found.counts.items():
            print_table(f"{root}: {split}", ("what", "number"), list(counts.items()))
        reasons = Counter(entry.reason for entry in found.problems)
        if reasons:
            print_table("Problems", ("reason", "number"), reasons.most_common())
            rows = [(entry.unit, entry.reason, entry.detail) for entry in found.problems[:SHOWN_PROBLEMS]]
            print_table(f"The first {len(rows)}", ("unit", "reason", "detail"), rows)
        print("leak between splits: " + (found.leak or "none"))

    emit(plain(found), as_json=json, text=text)
    if found.problems or found.leak:
        raise typer.Exit(1)


@app.command()
def show(
    taskset: Annotated[Path, typer.Argument(help="A task set.")],
    example_id: Annotated[str | None, typer.Argument(metavar="ID", help="An example; without it the first ids are listed.")] = None,
    *,
    dialect: Annotated[str, typer.Option(help="The dialect in which prompt and answer are written.")] = "roborefer",
    picture: Annotated[Path | None, typer.Option(help="Write a PNG of the pictures with the truth drawn in.")] = None,
    json: Json = False,
) -> None:
    """One example: its prompt, pictures and truth."""
    from sightline.dialects import Size, get_dialect  # noqa: PLC0415
    from sightline.dialects.render import render_prompt  # noqa: PLC0415
    from sightline.taskset.store import TaskSet  # noqa: PLC0415

    tasks = TaskSet(taskset)
    if example_id is None:
        ids = tasks.index["id"][:SHOWN_IDS]
        emit(ids, as_json=json, text=lambda: print("\n".join([*ids, f"({len(ids)} of {len(tasks)} examples)"])))
        return
    example = tasks[example_id]
    spoken = get_dialect(dialect)
    sizes = [Size(image.width, image.height) for image in example.question.images]
    parts = render_prompt(example.question.prompt, spoken, sizes)
    prompt = "".join(part if isinstance(part, str) else f"[picture {part.image_index}]" for part in parts)
    answer = spoken.encode(example.truth.answer, sizes)
    if picture is not None:
        from sightline.taskset.draw import draw_example  # noqa: PLC0415

        draw_example(tasks, example, picture)

    def text() -> None:
        rows = [
            ("id", example.id),
            ("split, scene, object", f"{example.split}, {example.group}, {example.object_id} ({example.label or 'no label'})"),
            ("tier", example.tier),
            ("prompt", prompt),
            ("right answer", answer),
            *((f"picture {index}", tasks.file(image)) for index, image in enumerate(example.question.images)),
            *((name, value) for name, value in example.slices.items()),
        ]
        width = max(len(name) for name, _ in rows)
        print("\n".join(f"{name:{width}}  {value}" for name, value in rows))
        if picture is not None:
            print(f"{'drawn':{width}}  {picture}")

    emit({"example": plain(example), "prompt": prompt, "answer": answer}, as_json=json, text=text)


@app.command()
def doctor(*, json: Json = False) -> None:
    """What this machine has: versions, processors, memory, disk. Exit code 1 if something needed is missing."""
    needed = [line.split(">=")[0] for line in importlib.metadata.requires("sightline") or [] if "extra ==" not in line]
    rows = [("python", platform.python_version(), "ok"), ("platform", platform.platform(), "ok")]
    missing = False
    for name in needed:
        try:
            rows.append((name, importlib.metadata.version(name), "ok"))
        except importlib.metadata.PackageNotFoundError:
            missing = True
            rows.append((name, "-", "missing: pip install sightline"))
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    rows += [
        ("processors", str(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()), "ok"),
        ("memory", f"{memory:.1f} GiB", "ok"),
        ("free disk here", f"{free:.1f} GiB", "ok" if free > 1 else "low"),
    ]
    emit(
        [{"what": what, "found": found, "verdict": verdict} for what, found, verdict in rows],
        as_json=json,
        text=lambda: print_table("Environment", ("what", "found", "verdict"), rows),
    )
    if missing:
        raise typer.Exit(1)
