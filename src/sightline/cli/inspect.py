"""Commands that only look: data sets, one example, a lint of a data set, the environment."""

import importlib.metadata
import os
import platform
import shutil
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sightline.cli import app
from sightline.cli.console import Json, emit, plain, print_table, progress
from sightline.errors import InputError, unknown_name

if TYPE_CHECKING:
    from sightline.taskset.lint import Lint
    from sightline.types import Example

SHOWN_IDS = 20
SHOWN_PROBLEMS = 20


@app.command()
def datasets(*, json: Json = False) -> None:
    """The readers: their names and the layouts they expect."""
    from sightline.datasets import CLIP_READERS, READERS, REMOVAL_READERS  # noqa: PLC0415
    from sightline.datasets.questions import QA_READERS, QUESTION_READERS  # noqa: PLC0415
    from sightline.datasets.scans import SCAN_READERS  # noqa: PLC0415

    scenes = [(name, layout) for table in (READERS, QUESTION_READERS) for name, (_, layout) in table.items()]
    clips = [(name, layout) for table in (CLIP_READERS, REMOVAL_READERS) for name, (_, layout) in table.items()]
    scans = [(name, layout) for name, (_, layout) in SCAN_READERS.items()]
    answered = [(name, layout) for name, (_, layout) in QA_READERS.items()]

    def text() -> None:
        print_table("Readers: sightline build", ("reader", "layout below the root"), scenes)
        print_table("Spatial QA: sightline build qa --data", ("data", "layout below the root"), answered)
        print_table("Clips and removals: sightline prepare x3 --data", ("data", "layout below the root"), clips)
        print_table("Scans: sightline prepare scan --data", ("data", "layout below the root"), scans)

    emit(dict([*scenes, *answered, *clips, *scans]), as_json=json, text=text)


@app.command("check-data")
def check_data(
    reader: Annotated[str, typer.Argument(help="A reader's name; see `sightline datasets`.")],
    root: Annotated[Path, typer.Argument(help="The data set's root.")],
    *,
    full: Annotated[
        bool, typer.Option("--full", help="Of clips: decode all label and mask pictures, not only those in doubt.")
    ] = False,
    workers: Annotated[int | None, typer.Option(min=1, help="Processes for clips; default: as many as pay.")] = None,
    json: Json = False,
) -> None:
    """Read a data set and report what is wrong with it. Exit code 1 if anything is; notes alone do not count."""
    from sightline.datasets import CLIP_READERS  # noqa: PLC0415

    found = _lint(reader, root, full=full, workers=workers, quiet=json)
    emit(plain(found), as_json=json, text=lambda: _print_lint(root, found, of_clips=reader in CLIP_READERS))
    if found.problems or found.leak:
        raise typer.Exit(1)


def _lint(reader: str, root: Path, *, full: bool, workers: int | None, quiet: bool) -> "Lint":
    from sightline.datasets import CLIP_READERS, READERS, REMOVAL_READERS  # noqa: PLC0415
    from sightline.datasets.questions import QA_READERS, QUESTION_READERS  # noqa: PLC0415
    from sightline.taskset.check_clips import lint_clips  # noqa: PLC0415
    from sightline.taskset.check_questions import lint_qa  # noqa: PLC0415
    from sightline.taskset.lint import lint, lint_questions  # noqa: PLC0415

    if reader in REMOVAL_READERS:
        raise InputError(
            f"{reader} is prepared before it is checked: sightline prepare x3 --data {reader} --root {root} --out OUT. Its ledger "
            "names what cannot be used; then sightline check-data x3 OUT."
        )
    known = [*READERS, *CLIP_READERS, *QUESTION_READERS, *QA_READERS]
    if reader not in known:
        raise unknown_name("reader", reader, [*known, *REMOVAL_READERS])
    if full and reader not in CLIP_READERS:
        what = "media are looked for, never decoded" if reader in QA_READERS else "every file is decoded anyway"
        raise InputError(f"--full is for clips; of {reader} {what}. Leave it out.")
    with progress(quiet=quiet) as bar:
        if reader in READERS:
            return lint(reader, root, on_progress=lambda split, done, total: bar(f"scenes of {split}", done, total))
        if reader in QUESTION_READERS:
            return lint_questions(reader, root, on_progress=lambda split, done, total: bar(f"rows of {split}", done, total))
        if reader in QA_READERS:
            return lint_qa(reader, root, on_progress=lambda split, done, total: bar(f"rows of {split}", done, total))
        report = lambda split, done, total: bar(f"clips of {split}", done, total)  # noqa: E731
        return lint_clips(reader, root, full=full, workers=workers, on_progress=report)


def _print_lint(root: Path, found: "Lint", *, of_clips: bool) -> None:
    for split, counts in found.counts.items():
        print_table(f"{root}: {split}", ("what", "number"), [(what, number) for what, number in counts.items() if number])
    for title, entries in (("Problems", found.problems), ("Notes", found.notes)):
        if entries:
            print_table(title, ("reason", "number"), Counter(entry.reason for entry in entries).most_common())
            rows = [(entry.unit, entry.reason, entry.detail) for entry in entries[:SHOWN_PROBLEMS]]
            print_table(f"The first {len(rows)}", ("unit", "reason", "detail"), rows)
    if not of_clips:
        print("leak between splits: " + (found.leak or "none"))
    elif not found.problems:
        print("no problems" + (", only the notes above" if found.notes else ""))


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
    from sightline.taskset.store import TaskSet  # noqa: PLC0415

    tasks = TaskSet(taskset)
    if example_id is None:
        ids = tasks.ids[:SHOWN_IDS]
        emit(ids, as_json=json, text=lambda: print("\n".join([*ids, f"({len(ids)} of {len(tasks)} examples)"])))
        return
    example = tasks[example_id]
    prompt, answer = _in_words(example, dialect)
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


def _in_words(example: "Example", dialect: str) -> tuple[str, str]:
    """Prompt and right answer in a dialect. A mask, which none can write, is described instead."""
    from sightline.dialects import Size, get_dialect  # noqa: PLC0415
    from sightline.report.prompts import prompt_segments  # noqa: PLC0415
    from sightline.types import MaskAnswer, MaskTrack  # noqa: PLC0415

    question, truth = example.question, example.truth.answer
    spoken = get_dialect(dialect)
    segments = prompt_segments(question, None if question.form.shape in ("mask", "mask_track") else dialect)
    prompt = "".join(part if isinstance(part, str) else f"[picture {part}]" for part in segments)
    if isinstance(truth, MaskAnswer):
        from sightline.geometry.masks import rle_area  # noqa: PLC0415

        return prompt, f"a mask of {rle_area(truth.rle)} pixels in picture {truth.image_index}"
    if isinstance(truth, MaskTrack):
        return prompt, f"a mask in {sum(code is not None for code in truth.frames)} of {len(truth.frames)} frames"
    return prompt, spoken.encode(truth, Size.all_of(question))


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
