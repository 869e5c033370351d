"""`sightline eval sam2 KEY=VALUE...`: follow every object of held-out videos with a checkpoint, score, report; one command.

OUT/tasks/segment-*   the videos as a task set
    runs/             a run for the checkpoint and each baseline, and the report
    tables/MODEL/     videos, objects and frames with their J and F, CSV and JSON
    masks/LAYOUT/     the checkpoint's masks, where they were asked for
"""

import importlib.util
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlencode

import typer

from sightline.cli import app
from sightline.cli.console import Json, emit, plain, print_table, progress
from sightline.cli.runs import run_all
from sightline.errors import InputError, unknown_name

if TYPE_CHECKING:
    from sightline.evaluate.track_tables import TrackColumns

FAMILY = "sam2_eval"


@dataclass(frozen=True)
class CheckpointSettings:
    """The checkpoint: a transformers folder, or a `.pt` with its YAML. `image_size` None: the checkpoint's own."""

    checkpoint_path: str
    config_path: str | None = None
    image_size: int | None = None


@dataclass(frozen=True)
class HeldOutSettings:
    """The videos: a COCO-style JSON, or the root of a data set with its format and split."""

    val_path: str
    format: str = ""
    val_split: str = ""
    instances: Literal["track", "category"] = "track"


@dataclass(frozen=True)
class FollowSettings:
    """How objects are given and followed: see `tasks.segment.SegmentOptions`."""

    prompt: Literal["mask", "box", "point"] = "mask"
    late: Literal["given", "left_out"] = "given"
    frames: Literal["any", "labelled"] = "any"
    max_frames: int = 2000
    both_directions: bool = False


@dataclass(frozen=True)
class EvalSam2Settings:
    """All of `conf/sam2_eval/config.yaml`."""

    output_dir: str
    model: CheckpointSettings
    data: HeldOutSettings
    validation: FollowSettings = field(default_factory=FollowSettings)
    device: str | None = None
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    offload: bool = False
    objects_at_a_time: int = 0
    baselines: tuple[str, ...] = ("copy-first-mask",)
    write: tuple[Literal["palette", "objects", "rle"], ...] = ()
    workers: int = 1

    def __post_init__(self) -> None:
        from sightline.models import TRACKERS  # noqa: PLC0415

        for name in self.baselines:
            if name not in TRACKERS:
                raise unknown_name("baseline of trackers", name, TRACKERS)
        for name, value, least in (
            ("objects_at_a_time", self.objects_at_a_time, 0),
            ("workers", self.workers, 1),
            ("validation.max_frames", self.validation.max_frames, 2),
        ):
            if value < least:
                raise InputError(f"{name} {value}: expected at least {least}.")


@app.command("eval-sam2", hidden=True)
def eval_sam2(
    overrides: Annotated[list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Settings; docs/sam2.md.")] = None,
    *,
    config_name: Annotated[str, typer.Option("--config-name", help="The configuration to start from.")] = "config",
    config_dir: Annotated[Path | None, typer.Option("--config-dir", help="A folder of your own configurations.")] = None,
    show_config: Annotated[bool, typer.Option("--show-config", help="Print the resolved settings and do nothing.")] = False,
    json: Json = False,
) -> None:
    """Evaluate a SAM 2 checkpoint: data.val_path=FILE.json|ROOT model.checkpoint_path=FOLDER|FILE.pt output_dir=OUT.

    Stop it at any moment and run it again: videos that are done are kept.
    """
    if importlib.util.find_spec("hydra") is None:
        raise InputError("eval sam2 needs Hydra, not installed here. Run: pip install 'sightline[models,train]'.")
    from sightline.taskset.store import TaskSet  # noqa: PLC0415
    from sightline.train.config.compose import compose  # noqa: PLC0415
    from sightline.train.config.typed import typed  # noqa: PLC0415

    composed = compose(FAMILY, overrides or [], config_name=config_name, config_dir=config_dir)
    if show_config:
        print(composed.text, end="")
        return
    settings = typed(composed.values, EvalSam2Settings, where=composed.where)
    out = Path(settings.output_dir)
    taskset = _build(settings, out, quiet=json)
    model = _model(settings)
    _, page, _ = run_all([taskset], [*settings.baselines, model], out / "runs", options=_options(settings), quiet=json)
    tables = _tables(settings, out, taskset, model)
    if settings.write:
        _write_masks(settings, out, taskset, model, quiet=json)
    dropped = TaskSet(taskset).manifest.dropped
    value = {"report": str(page), "tables": str(out / "tables"), "models": plain(tables), "left_out": dropped}

    def text() -> None:
        _print(tables, out, page)
        if dropped:
            told = ", ".join(f"{reason} {count}" for reason, count in dropped.items())
            print(f"left out (see {taskset / 'ledger.jsonl'}): {told}")

    emit(value, as_json=json, text=text)


def _model(settings: EvalSam2Settings) -> str:
    """The checkpoint as `--model` takes it."""
    how = {
        "config": settings.model.config_path,
        "size": settings.model.image_size,
        "both_directions": "yes" if settings.validation.both_directions else None,
        "offload": "yes" if settings.offload else None,
        "objects": settings.objects_at_a_time or None,
    }
    query = urlencode({key: value for key, value in how.items() if value is not None})
    return f"sam2:{settings.model.checkpoint_path}{'?' if query else ''}{query}"


def _options(settings: EvalSam2Settings) -> Any:  # noqa: ANN401 - ModelOptions, which is imported when it is needed
    from sightline.models import ModelOptions  # noqa: PLC0415

    return ModelOptions(device=settings.device, dtype=settings.dtype)


def _build(settings: EvalSam2Settings, out: Path, *, quiet: bool) -> Path:
    """The videos as a task set; what is there already is kept."""
    from sightline.models import get_model  # noqa: PLC0415
    from sightline.tasks.footage import Sampling  # noqa: PLC0415
    from sightline.tasks.segment import TASK, SegmentOptions  # noqa: PLC0415
    from sightline.taskset.build import BuildRequest, build  # noqa: PLC0415

    get_model(_model(settings), _options(settings))  # a checkpoint that is not there is told before the videos are read
    reader, root, split = _source(settings.data)
    follow = settings.validation
    options = SegmentOptions(
        sampling=Sampling(policy="all", max_frames=follow.max_frames),
        given_by=follow.prompt,
        late=follow.late,
        frames=follow.frames,
    )
    request = BuildRequest(reader=reader, root=str(root), splits=(split,), tasks=(TASK,), options=options)
    with progress(quiet=quiet) as bar:
        (built,) = build(
            request,
            out / "tasks",
            workers=settings.workers,
            on_progress=lambda name, done, total: bar(f"videos of {name}", done, total),
        )
    return Path(built.path)


def _source(data: HeldOutSettings) -> tuple[str, Path, str]:
    """The reader, root and split of the videos."""
    from sightline.datasets import CLIP_READERS  # noqa: PLC0415
    from sightline.datasets.coco.coco_files import form  # noqa: PLC0415
    from sightline.train.sam2.videos import BY_CATEGORY, FORMATS, VideoSource, open_source  # noqa: PLC0415

    path, split = Path(data.val_path), data.val_split
    if path.is_dir() and not split and data.format in CLIP_READERS:
        splits = CLIP_READERS[data.format][0]().splits(path)
        if len(splits) > 1:
            raise InputError(f"{path} has the splits {', '.join(splits)}: choose one with data.val_split.")
        split = splits[0]
    reader = open_source(VideoSource(path, data.format, split, (), data.instances))
    if data.instances == "category":
        return BY_CATEGORY, reader.root, reader.split
    kind = form(path) if path.is_file() else None
    return FORMATS[kind] if kind else data.format, reader.root, reader.split


def _tables(settings: EvalSam2Settings, out: Path, taskset: Path, model: str) -> "dict[str, TrackColumns]":
    from sightline.evaluate.track_tables import write_track_tables  # noqa: PLC0415
    from sightline.models import get_model  # noqa: PLC0415
    from sightline.taskset.store import TaskSet  # noqa: PLC0415

    tasks = TaskSet(taskset)
    names = [*settings.baselines, get_model(model, _options(settings)).name]
    return {
        name: write_track_tables(out / "tables" / name, out / "runs" / name / tasks.manifest.name, tasks)
        for name in reversed(names)
    }


def _write_masks(settings: EvalSam2Settings, out: Path, taskset: Path, model: str, *, quiet: bool) -> None:
    from sightline.evaluate.run import read_run  # noqa: PLC0415
    from sightline.evaluate.run_tracks import run_tracks  # noqa: PLC0415
    from sightline.export.track_masks import write_tracks  # noqa: PLC0415
    from sightline.models import get_model  # noqa: PLC0415
    from sightline.taskset.store import TaskSet  # noqa: PLC0415

    tasks = TaskSet(taskset)
    run = out / "runs" / get_model(model, _options(settings)).name / tasks.manifest.name
    source = {"model": read_run(run).description, "taskset": tasks.manifest.fingerprint}
    total = len(set(tasks.index["group"]))
    with progress(quiet=quiet) as bar:
        for layout in settings.write:
            done: list[str] = []

            def note(video: str, done: list[str] = done, layout: str = layout) -> None:
                done.append(video)
                bar(f"masks: {layout}", len(done), total)

            write_tracks(out / "masks" / layout, run_tracks(run, tasks), layout=layout, source=source, on_video=note)


def _print(tables: "dict[str, TrackColumns]", out: Path, page: Path) -> None:
    columns = list(next(iter(tables.values())).columns)
    rows = [
        (name, *("-" if found.columns[key] is None else f"{100 * (found.columns[key] or 0):.2f}" for key in columns))
        for name, found in tables.items()
    ]
    first = next(iter(tables.values()))
    title = f"{first.num_objects} objects of {first.num_videos} videos, {first.num_frames} masks; %, means over objects"
    print_table(title, ("model", *columns), rows)
    print(f"tables: {out / 'tables'}\nreport: {page}")
