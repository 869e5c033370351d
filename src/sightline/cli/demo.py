"""`sightline demo`: procedural rooms, all task sets, all baselines, a tiny model that learns, the report; no data, no network."""

import importlib.util
import os
from pathlib import Path
from typing import Annotated

import typer

from sightline.cli import app
from sightline.cli.console import Json, emit, plain, progress, say
from sightline.cli.runs import run_all
from sightline.cli.summaries import print_summaries
from sightline.errors import InputError

TRAIN_ROOMS, VALIDATION_ROOMS = 4, 12
LEARNT = """refer_point-val: a vision-language model of under a million parameters, before and after it was trained from scratch on
other rooms. Its task is easy on purpose, one picture with one red object. Finding an object again from another view, which
the other tables ask, is out of its reach."""


@app.command()
def demo(
    *,
    out: Annotated[Path, typer.Option("--out", help="Folder to write to.")] = Path("sightline-demo"),
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = os.cpu_count() or 1,
    seed: Annotated[int, typer.Option(min=0, help="Another seed draws other rooms.")] = 0,
    train: Annotated[
        bool, typer.Option("--train/--no-train", help="Train a tiny model to point; needs 'sightline[models,train]'.")
    ] = True,
    json: Json = False,
) -> None:
    """See the whole chain in minutes: draw rooms, build the tasks, train a tiny model, ask it and the baselines, score, report."""
    from sightline.demo.learning import missing_packages  # noqa: PLC0415
    from sightline.models import MODELS  # noqa: PLC0415

    missing = missing_packages() if train else []
    left_out = f"training: it needs {' and '.join(missing)}. To see it: pip install 'sightline[models,train]'." if missing else None
    if left_out is not None:
        say(f"left out: {left_out}")
    validation = _crossview(out, workers=workers, seed=seed, quiet=json)
    learnt = _learn(out, workers=workers, seed=seed, quiet=json) if train and not missing else []
    asked = run_all(validation, list(MODELS), out / "runs", also=learnt, quiet=json)

    def text() -> None:
        print_summaries(asked.summaries)
        if learnt:
            print(LEARNT)
        print(f"report: {asked.page.resolve()}")

    skipped = [*asked.skipped, *([left_out] if left_out else [])]
    emit({"summaries": plain(asked.summaries), "report": str(asked.page), "skipped": skipped}, as_json=json, text=text)


def _crossview(out: Path, *, workers: int, seed: int, quiet: bool) -> list[Path]:
    """The cross-view task sets of the rooms that are for validation."""
    from sightline.demo.rooms import write_rooms  # noqa: PLC0415
    from sightline.tasks import TASKS  # noqa: PLC0415
    from sightline.tasks.crossview import CrossViewOptions  # noqa: PLC0415
    from sightline.taskset.build import BuildRequest, build  # noqa: PLC0415

    rooms = out / "rooms"
    with progress(quiet=quiet) as bar:
        names: set[str] = set()

        def drawn(name: str) -> None:
            names.add(name)
            bar("rooms", len(names), TRAIN_ROOMS + VALIDATION_ROOMS)

        write_rooms(rooms, num_train=TRAIN_ROOMS, num_validation=VALIDATION_ROOMS, seed=seed, workers=workers, on_scene=drawn)
        request = BuildRequest(
            reader="x3",
            root=str(rooms),
            splits=("train", "validation"),
            tasks=tuple(TASKS),
            options=CrossViewOptions(pairs="all", seed=seed),
        )
        built = build(
            request, out / "tasks", workers=workers, on_progress=lambda split, done, total: bar(f"tasks of {split}", done, total)
        )
    return [Path(part.path) for part in built if part.manifest.split == "validation"]


def _learn(out: Path, *, workers: int, seed: int, quiet: bool) -> list[Path]:
    """The tiny model before and after its training, with baselines: runs beside those of the cross-view tasks."""
    from sightline.demo.learning import ask, learn, prepare  # noqa: PLC0415

    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as for `sightline train`
    folder = out / "learning"
    with progress(quiet=quiet) as bar:
        lesson = prepare(folder, seed=seed, workers=workers, on_progress=bar)
        weights = learn(lesson, folder, seed=seed, on_progress=bar, quiet=quiet)
        return ask(lesson, weights, out / "runs", on_progress=bar)


@app.command("demo-clips")
def demo_clips(
    *,
    out: Annotated[Path, typer.Option("--out", help="Folder to write to.")],
    train: Annotated[int, typer.Option(min=1, help="Clips for training.")] = 6,
    validation: Annotated[int, typer.Option(min=1, help="Clips that are held out.")] = 2,
    seed: Annotated[int, typer.Option(min=0, help="Another seed draws other clips.")] = 0,
    json: Json = False,
) -> None:
    """Draw a few short clips of moving shapes with exact masks, as COCO-style video JSON: something to train SAM 2 on."""
    from sightline.demo.moving import write_moving  # noqa: PLC0415

    write_moving(out, num_train=train, num_validation=validation, seed=seed)
    written = {"train": str(out / "train.json"), "val": str(out / "val.json")}
    emit(written, as_json=json, text=lambda: print("\n".join(f"{name}: {path}" for name, path in written.items())))


@app.command("demo-expressions")
def demo_expressions(
    *,
    out: Annotated[Path, typer.Option("--out", help="Folder to write to.")],
    train: Annotated[int, typer.Option(min=1, help="Clips for training.")] = 160,
    validation: Annotated[int, typer.Option(min=1, help="Clips that are held out.")] = 40,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = os.cpu_count() or 1,
    seed: Annotated[int, typer.Option(min=0, help="Another seed draws other clips.")] = 0,
    json: Json = False,
) -> None:
    """Draw clips of coloured shapes with expressions, build their task sets, and write a tiny fresh Sa2VA to train on them."""
    from sightline.demo.wording import prepare  # noqa: PLC0415

    with progress(quiet=json) as bar:
        lesson = prepare(out, seed=seed, workers=workers, sizes=(train, validation), on_progress=bar)
    written = {
        "train": str(lesson.train),
        "val": str(lesson.validation),
        "model": str(lesson.checkpoint),
        "sam2": str(out / "sam2"),
    }
    emit(written, as_json=json, text=lambda: print("\n".join(f"{name}: {path}" for name, path in written.items())))


@app.command("demo-geometry")
def demo_geometry(
    *,
    out: Annotated[Path, typer.Option("--out", help="Folder to write to.")],
    train: Annotated[int, typer.Option(min=1, help="Rooms for training.")] = 1500,
    validation: Annotated[int, typer.Option(min=1, help="Rooms that are held out.")] = 300,
    steps: Annotated[int, typer.Option(min=1, help="Steps in which VGGT learns depth.")] = 1200,
    workers: Annotated[int, typer.Option(min=1, help="Processes that draw.")] = os.cpu_count() or 1,
    seed: Annotated[int, typer.Option(min=0, help="Another seed draws other rooms and weights.")] = 0,
    json: Json = False,
) -> None:
    """Draw rooms with questions of distance, teach a tiny VGGT their depth, and write a tiny Spatial-MLLM with it to train."""
    if missing := [package for package in ("torch", "transformers") if importlib.util.find_spec(package) is None]:
        raise InputError(f"this needs {' and '.join(missing)}, not installed here. Run: pip install 'sightline[models]'.")
    from sightline.demo.measuring import prepare  # noqa: PLC0415

    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # as for `sightline train`
    with progress(quiet=json) as bar:
        made = prepare(out, sizes=(train, validation), steps=steps, seed=seed, workers=workers, on_progress=bar)
    written = {"train": str(made.train), "val": str(made.validation), "model": str(made.start), "fresh": str(made.fresh)}
    lines = [f"{name}: {path}" for name, path in written.items()]
    if made.depth_error_m is not None:
        lines.append(f"VGGT's depth, in its last steps: {made.depth_error_m:.2f} m off in the mean")
    emit(written | {"depth_error_m": made.depth_error_m}, as_json=json, text=lambda: print("\n".join(lines)))
