"""`sightline demo`: procedural rooms, all task sets, all baselines, the report; no data and no network needed."""

import os
from pathlib import Path
from typing import Annotated

import typer

from sightline.cli import app
from sightline.cli.console import Json, emit, plain, progress
from sightline.cli.runs import run_all
from sightline.cli.summaries import print_summaries

TRAIN_ROOMS, VALIDATION_ROOMS = 4, 12


@app.command()
def demo(
    *,
    out: Annotated[Path, typer.Option("--out", help="Folder to write to.")] = Path("sightline-demo"),
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = os.cpu_count() or 1,
    seed: Annotated[int, typer.Option(min=0, help="Another seed draws other rooms.")] = 0,
    json: Json = False,
) -> None:
    """See the whole chain in two minutes: draw rooms, build the tasks, ask the baselines, score, report."""
    from sightline.demo.rooms import write_rooms  # noqa: PLC0415
    from sightline.models import MODELS  # noqa: PLC0415
    from sightline.tasks import TASKS  # noqa: PLC0415
    from sightline.tasks.crossview import CrossViewOptions  # noqa: PLC0415
    from sightline.taskset.build import BuildRequest, build  # noqa: PLC0415

    rooms = out / "rooms"
    with progress(quiet=json) as bar:
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
    validation = [Path(part.path) for part in built if part.manifest.split == "validation"]
    summaries, page, skipped = run_all(validation, list(MODELS), out / "runs", quiet=json)

    def text() -> None:
        print_summaries(summaries)
        print(f"report: {page.resolve()}")

    emit({"summaries": plain(summaries), "report": str(page), "skipped": skipped}, as_json=json, text=text)


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
