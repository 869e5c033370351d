"""`sightline eval sam2 KEY=VALUE...`: follow every object of held-out videos with checkpoints, score, report; one command.

OUT/tasks/segment-*       the videos as a task set
    runs/                 a run for each checkpoint and each baseline, and the report
    comparison/           a page with all of them: bars, curves, differences to the first checkpoint
    tables/MODEL/         videos, objects and frames with their J and F, CSV and JSON
    masks/MODEL/LAYOUT/   the checkpoints' masks, where they were asked for
"""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from urllib.parse import urlencode

import typer

from sightline.cli import app
from sightline.cli.console import Json, emit, plain, print_table, progress
from sightline.cli.runs import run_all
from sightline.cli.sam2_checkpoints import Found, find_checkpoints, quoted
from sightline.errors import InputError, unknown_name

if TYPE_CHECKING:
    from sightline.evaluate.track_tables import TrackColumns

FAMILY = "sam2_eval"


@dataclass(frozen=True)
class CheckpointSettings:
    """The checkpoints: see `sam2_checkpoints.find_checkpoints`; a `.pt` needs its YAML. `image_size` None: the checkpoint's own."""

    checkpoint_path: str | tuple[str, ...]
    config_path: str | None = None
    image_size: int | None = None


@dataclass(frozen=True)
class HeldOutSettings:
    """The videos: a COCO-style JSON, or the root of a data set with its format and split; `only` some of them, by name."""

    val_path: str
    only: tuple[str, ...] = ()
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
    """Evaluate SAM 2 checkpoints: data.val_path=FILE.json|ROOT model.checkpoint_path=FOLDER|FILE.pt|RUN|SWEEP output_dir=OUT.

    Several (A,B or NAME=A,NAME=B) are compared. Stop it at any moment and run it again: videos that are done are kept.
    """
    if importlib.util.find_spec("hydra") is None:
        raise InputError("eval sam2 needs Hydra, not installed here. Run: pip install 'sightline[models,train]'.")
    from sightline.taskset.store import TaskSet  # noqa: PLC0415
    from sightline.train.config.compose import compose  # noqa: PLC0415
    from sightline.train.config.typed import typed  # noqa: PLC0415

    given = quoted(overrides or [], "model.checkpoint_path")
    composed = compose(FAMILY, given, config_name=config_name, config_dir=config_dir)
    if show_config:
        print(composed.text, end="")
        return
    settings = typed(composed.values, EvalSam2Settings, where=composed.where)
    out = Path(settings.output_dir)
    checkpoints = _checkpoints(settings)
    taskset = _build(settings, out, quiet=json)
    models = [*settings.baselines, *checkpoints.values()]
    page = run_all([taskset], models, out / "runs", options=_options(settings), quiet=json).page
    tables, comparison = _tables(settings, out, taskset, list(checkpoints), quiet=json)
    for name in checkpoints if settings.write else ():
        _write_masks(settings, out, taskset, name, quiet=json)
    dropped = TaskSet(taskset).manifest.dropped
    places = {"report": str(page), "comparison": str(comparison), "tables": str(out / "tables")}

    def text() -> None:
        _print(tables)
        print(*(f"{what}: {place}" for what, place in places.items()), sep="\n")
        if dropped:
            told = ", ".join(f"{reason} {count}" for reason, count in dropped.items())
            print(f"left out (see {taskset / 'ledger.jsonl'}): {told}")

    emit(places | {"models": plain(tables), "left_out": dropped}, as_json=json, text=text)


def _checkpoints(settings: EvalSam2Settings) -> dict[str, str]:
    """The checkpoints as `--model` takes them, by name. One that is not there is told here, before the videos are read."""
    from sightline.models import get_model  # noqa: PLC0415
    from sightline.report.vos.page import LETTERS  # noqa: PLC0415

    given = settings.model.checkpoint_path
    specs = [_spec(found, settings) for found in find_checkpoints((given,) if isinstance(given, str) else given)]
    names = [get_model(spec, _options(settings)).name for spec in specs]
    if twice := [name for name in names if names.count(name) > 1 or name in settings.baselines]:
        raise InputError(f"two models are called {twice[0]!r}. Give names: model.checkpoint_path=NAME=PATH,NAME=PATH.")
    if (count := len(names) + len(settings.baselines)) > len(LETTERS):
        raise InputError(f"{count} models in one comparison; at most {len(LETTERS)}. Name fewer checkpoints.")
    return dict(zip(names, specs, strict=True))


def _spec(found: Found, settings: EvalSam2Settings) -> str:
    how = {
        "config": settings.model.config_path if not found.path.is_dir() else None,
        "size": settings.model.image_size,
        "both_directions": "yes" if settings.validation.both_directions else None,
        "offload": "yes" if settings.offload else None,
        "objects": settings.objects_at_a_time or None,
    }
    query = urlencode({key: value for key, value in how.items() if value is not None})
    named = "" if found.name is None else f"{found.name}="
    return f"{named}sam2:{found.path}{'?' if query else ''}{query}"


def _options(settings: EvalSam2Settings) -> Any:  # noqa: ANN401 - ModelOptions, which is imported when it is needed
    from sightline.models import ModelOptions  # noqa: PLC0415

    return ModelOptions(device=settings.device, dtype=settings.dtype)


def _build(settings: EvalSam2Settings, out: Path, *, quiet: bool) -> Path:
    """The videos as a task set; what is there already is kept."""
    from sightline.tasks.footage import Sampling  # noqa: PLC0415
    from sightline.tasks.segment import TASK, SegmentOptions  # noqa: PLC0415
    from sightline.taskset.build import BuildRequest, build  # noqa: PLC0415

    reader, root, split = _source(settings.data)
    follow = settings.validation
    options = SegmentOptions(
        sampling=Sampling(policy="all", max_frames=follow.max_frames),
        given_by=follow.prompt,
        late=follow.late,
        frames=follow.frames,
    )
    only = settings.data.only
    request = BuildRequest(reader=reader, root=str(root), splits=(split,), tasks=(TASK,), options=options, only=only)
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


def _tables(
    settings: EvalSam2Settings, out: Path, taskset: Path, checkpoints: Sequence[str], *, quiet: bool
) -> "tuple[dict[str, TrackColumns], Path]":
    """The tables of each model, checkpoints first, and the page that compares all with the first checkpoint."""
    from sightline.evaluate.track_tables import tracked_objects, write_track_tables  # noqa: PLC0415
    from sightline.report.vos.page import TrackerRun, write_vos_report  # noqa: PLC0415
    from sightline.taskset.store import TaskSet  # noqa: PLC0415

    tasks = TaskSet(taskset)
    names = [*checkpoints, *reversed(settings.baselines)]
    objects = {name: tracked_objects(out / "runs" / name / tasks.manifest.name, tasks) for name in names}
    tables = {name: write_track_tables(out / "tables" / name, objects[name]) for name in names}
    with progress(quiet=quiet) as bar:
        page = write_vos_report(
            [TrackerRun(name, objects[name]) for name in names],
            out / "comparison",
            protocol="segment: J and F of every labelled frame after the prompt",
            on_progress=lambda done, total: bar("comparison", done, total),
        )
    return tables, page


def _write_masks(settings: EvalSam2Settings, out: Path, taskset: Path, model: str, *, quiet: bool) -> None:
    from sightline.evaluate.run import read_run  # noqa: PLC0415
    from sightline.evaluate.run_tracks import run_tracks  # noqa: PLC0415
    from sightline.export.track_masks import write_tracks  # noqa: PLC0415
    from sightline.taskset.store import TaskSet  # noqa: PLC0415

    tasks = TaskSet(taskset)
    run = out / "runs" / model / tasks.manifest.name
    source = {"model": read_run(run).description, "taskset": tasks.manifest.fingerprint}
    total = len(set(tasks.index["group"]))
    with progress(quiet=quiet) as bar:
        for layout in settings.write:
            done: list[str] = []

            def note(video: str, done: list[str] = done, layout: str = layout) -> None:
                done.append(video)
                bar(f"masks of {model}: {layout}", len(done), total)

            write_tracks(out / "masks" / model / layout, run_tracks(run, tasks), layout=layout, source=source, on_video=note)


def _print(tables: "dict[str, TrackColumns]") -> None:
    columns = list(next(iter(tables.values())).columns)
    rows = [
        (name, *("-" if found.columns[key] is None else f"{100 * (found.columns[key] or 0):.2f}" for key in columns))
        for name, found in tables.items()
    ]
    first = next(iter(tables.values()))
    title = f"{first.num_objects} objects of {first.num_videos} videos, {first.num_frames} masks; %, means over objects"
    print_table(title, ("model", *columns), rows)
