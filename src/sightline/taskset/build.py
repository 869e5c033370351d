"""Build task sets from a data set: in parallel, resumable, the same bytes for any number of workers.

OUT/.building-validation/        staging of one split while it is built
    plan.json                    recipe and source; another recipe or a changed source is refused
    done/00003.json              shard 3 is complete
    {task}/set, {task}/parts     see `shards`
OUT/{task}-validation/           appears by one rename when everything in it is complete
"""

import hashlib
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec

import sightline
from sightline.errors import InputError
from sightline.files import only_writer, read_json, sync_path, write_json
from sightline.tasks.spatial_qa import QaOptions
from sightline.taskset.engine import Crew, RunShards
from sightline.taskset.leaks import check_recordings
from sightline.taskset.lines import write_lines
from sightline.taskset.pool import run_shards
from sightline.taskset.registry import held_out
from sightline.taskset.shards import ShardJob, end_attempts
from sightline.taskset.splits import check_pictures, check_scenes
from sightline.taskset.store import Manifest
from sightline.taskset.units import Options, list_splits, open_units
from sightline.taskset.write import assemble
from sightline.types import Record

MAX_SHARDS = 256
MAX_SCENES_PER_SHARD = 64
MAX_ROWS_PER_SHARD = 1024  # of question files: a row is one example, and a million of them would be 16,000 shards
PLACES = ("scans", "cache", "choices")  # options that only say where something lies: it may lie elsewhere the next time

Progress = Callable[[str, int, int], None]  # split, scenes done, scenes in all


class BuildRequest(Record):
    """What to build. `tasks` are names of `sightline.tasks.TASKS`, `VARIANTS` or `CLIP_TASKS`; `leaks` is a registry file: a split
    for training that holds a recording held out there is refused, or built without that recording (`drop_leaks`). `only`: the clips
    that are built, by name; none: all.
    """

    reader: str
    root: str
    splits: tuple[str, ...]
    tasks: tuple[str, ...]
    options: Options
    allow_shared_scenes: bool = False
    leaks: str | None = None
    drop_leaks: bool = False
    only: tuple[str, ...] = ()


class Plan(Record):
    """`plan.json` of a staging folder: a build is continued only if all of this is the same."""

    recipe: dict[str, Any]
    tasks: tuple[str, ...]
    package_version: str
    source: str
    num_scenes: int


class Built(Record):
    """One task set of a finished build; `existed` if it was complete before."""

    path: str
    manifest: Manifest
    existed: bool = False


def build(
    request: BuildRequest,
    out: Path,
    *,
    workers: int | None = 1,
    engine: RunShards = run_shards,
    on_progress: Progress | None = None,
) -> list[Built]:
    """Build every task set of the request below `out`; what is complete already is left as it is.

    `workers` is None for as many as there are processors; `engine` comes from `engine.open_engine`.

    Raises:
        FileNotFoundError, InputError: bad root, a leak between splits, other options than those of an earlier build, a changed
            source.
    """
    root = Path(request.root)
    if request.drop_leaks and request.leaks is None:
        raise InputError("--drop-leaks needs --leaks REGISTRY: which recordings are held out.")
    if not request.allow_shared_scenes:
        present = list_splits(request.reader, root)
        check_scenes({split: open_units(request.reader, root, split, request.options).ids() for split in present})
    with only_writer(out):
        crew = Crew(engine, workers)
        staged = [_stage(request, out, split, crew=crew, on_progress=on_progress) for split in request.splits]
        new = [part for split in staged for part in split if not part.existed]
        if not request.allow_shared_scenes:
            finished = [path.parent for path in sorted(out.glob("*/index.parquet"))]
            sets = [*finished, *(_set_folder(out, part.manifest) for part in new)]
            check_pictures(sets)
            check_recordings(sets, registry=Path(request.leaks) if request.leaks else None)
        parts = [part for split in staged for part in split]
        if not any(part.manifest.num_examples for part in parts):
            raise InputError(f"{root}: no example could be built. {_why_empty(parts)}")
        return [_publish(out, part) for part in parts]


def _why_empty(parts: list[Built]) -> str:
    reasons: Counter[str] = Counter()
    for part in parts:
        reasons.update(part.manifest.dropped)
    named = ", ".join(f"{reason} {count}" for reason, count in reasons.most_common(6)) or "the scenes hold no views"
    return f"Dropped: {named}. The ledgers are in {Path(parts[0].path).parent}/.building-*/*/set/ledger.jsonl."


def _stage(request: BuildRequest, out: Path, split: str, *, crew: Crew, on_progress: Progress | None) -> list[Built]:
    """Bring one split to complete task sets, still in staging."""
    started = time.time()
    units = open_units(request.reader, Path(request.root), split, request.options, only=request.only)
    source, source_key = fingerprint_source(units.sources())
    recipe = _recipe(request, split)
    complete = {task: find_complete(out / f"{task}-{split}", recipe, source) for task in request.tasks}
    missing = tuple(task for task in request.tasks if complete[task] is None)
    if missing:
        plan = Plan(recipe=recipe, tasks=missing, package_version=sightline.__version__, source=source_key, num_scenes=len(units))
        staging = out / f".building-{split}"
        plan = _open_staging(staging, plan)
        job = ShardJob(
            reader=request.reader,
            root=request.root,
            split=split,
            tasks=plan.tasks,
            options=request.options,
            staging=str(staging),
            dropped_leaks=request.leaks if _drops_leaks(request, split) else None,
            only=request.only,
        )
        _build_shards(job, len(units), crew=crew, on_progress=on_progress)
    built = []
    for task in request.tasks:
        path = out / f"{task}-{split}"
        if (found := complete[task]) is None:
            found = assemble(
                out / f".building-{split}" / task,
                path.name,
                task=task,
                split=split,
                recipe=recipe,
                source_fingerprint=source,
                roots={"data": str(Path(request.root).resolve())},
            )
            write_lines(_set_folder(out, found))
            built_in_s = round(time.time() - started, 3)
            write_json(_set_folder(out, found) / "timing.json", {"built_in_s": built_in_s, "workers": crew.workers})
        built.append(Built(path=str(path), manifest=found, existed=complete[task] is not None))
    return built


def _recipe(request: BuildRequest, split: str) -> dict[str, Any]:
    recipe = {
        "reader": request.reader,
        "split": split,
        "options": _spelt_out(request.options),
        "allow_shared_scenes": request.allow_shared_scenes,
    }
    if request.only:
        recipe["only"] = sorted(request.only)
    if _drops_leaks(request, split):
        recipe["leaks_dropped"] = hashlib.sha256(Path(request.leaks or "").read_bytes()).hexdigest()[:32]
    return recipe


def _drops_leaks(request: BuildRequest, split: str) -> bool:
    return request.drop_leaks and request.leaks is not None and not held_out(split)


def _spelt_out(options: Record) -> dict[str, Any]:
    """Every option with its value, those with their default value too, also of options in options; without places."""
    values = {name: value for name, value in msgspec.structs.asdict(options).items() if name not in PLACES}
    return {name: _spelt_out(value) if isinstance(value, Record) else _as_read(value) for name, value in values.items()}


def _as_read(value: object) -> Any:  # noqa: ANN401 - any plain value
    """A value as it is after writing and reading it: a tuple is then a list."""
    return msgspec.json.decode(msgspec.json.encode(value))


def fingerprint_source(paths: Sequence[Path]) -> tuple[str, str]:
    """Two hashes of files and of all file names below folders: with sizes (the same for a copy), and with sizes and times of
    change."""
    portable, exact = hashlib.sha256(), hashlib.sha256()
    files = (found for path in paths for found in (_files(path, "") if path.is_dir() else [(path.name, path.stat())]))
    for path, stat in files:
        portable.update(f"{path}\0{stat.st_size}\n".encode())
        exact.update(f"{path}\0{stat.st_size}\0{stat.st_mtime_ns}\n".encode())
    return portable.hexdigest()[:32], exact.hexdigest()[:32]


def _files(folder: Path, prefix: str) -> Iterator[tuple[str, os.stat_result]]:
    with os.scandir(folder) as entries:
        for entry in sorted(entries, key=lambda entry: entry.name):
            if entry.is_dir():
                yield from _files(Path(entry.path), f"{prefix}{entry.name}/")
            else:
                yield f"{prefix}{entry.name}", entry.stat()


def find_complete(folder: Path, recipe: dict[str, Any], source: str) -> Manifest | None:
    """The manifest of a task set built before, None if there is none.

    Raises:
        InputError: it was built with other options, or from a source that has changed.
    """
    if not (folder / "manifest.json").is_file():
        return None
    manifest = read_json(folder / "manifest.json", Manifest)
    differing = _differences(manifest.recipe, recipe)
    if differing:
        raise InputError(
            f"{folder} was built with other options ({differing}). Give another --out, or delete the folder to build it again."
        )
    if manifest.source_fingerprint != source:
        raise InputError(f"{folder} was built from data that has changed since. Give another --out, or delete the folder.")
    return manifest


def _open_staging(staging: Path, plan: Plan) -> Plan:
    """The plan to go on with: that of an interrupted build if it is the same work, else a new one."""
    path = staging / "plan.json"
    if not path.is_file():
        if staging.exists():
            shutil.rmtree(staging)
        write_json(path, plan)
        return plan
    found = read_json(path, Plan)
    if msgspec.structs.replace(found, tasks=plan.tasks) == plan and set(plan.tasks) <= set(found.tasks):
        return found
    reason = _differences(found.recipe, plan.recipe)
    if not reason:
        same_source = found.source == plan.source and found.num_scenes == plan.num_scenes
        reason = f"tasks {', '.join(found.tasks)}" if same_source else "the data has changed since"
        if found.package_version != plan.package_version:
            reason = f"package version {found.package_version}"
    raise InputError(
        f"{staging} holds an interrupted build that differs ({reason}). Finish it with its own options, or delete that folder."
    )


def _differences(old: dict[str, Any], new: dict[str, Any]) -> str:
    flat_old = {**old, **old.get("options", {}), "options": None}
    flat_new = {**new, **new.get("options", {}), "options": None}
    names = sorted(key for key in flat_old.keys() | flat_new.keys() if flat_old.get(key) != flat_new.get(key))
    return ", ".join(f"{name}: {flat_old.get(name)} there, {flat_new.get(name)} now" for name in names)


def _build_shards(job: ShardJob, num_scenes: int, *, crew: Crew, on_progress: Progress | None) -> None:
    most = MAX_ROWS_PER_SHARD if isinstance(job.options, QaOptions) else MAX_SCENES_PER_SHARD
    size = min(most, max(1, -(-num_scenes // MAX_SHARDS)))
    bounds = [(first, min(first + size, num_scenes)) for first in range(0, num_scenes, size)]
    done = 0
    todo = []
    for shard, (first, last) in enumerate(bounds):
        if (Path(job.staging) / "done" / f"{shard:05d}.json").is_file():
            done += last - first
        else:
            todo.append((shard, first, last))
    report = on_progress or (lambda *_: None)
    report(job.split, done, num_scenes)
    for task in job.tasks:
        end_attempts(Path(job.staging) / task)
    for finished in crew.run(job, todo, crew.workers):
        done += finished.scenes
        report(job.split, done, num_scenes)


def _set_folder(out: Path, manifest: Manifest) -> Path:
    return out / f".building-{manifest.split}" / manifest.task / "set"


def _publish(out: Path, part: Built) -> Built:
    """Move a complete task set to its place; the last one of a split takes the staging folder with it."""
    staging = out / f".building-{part.manifest.split}"
    if not part.existed:
        _set_folder(out, part.manifest).rename(part.path)
        sync_path(out)
    if staging.exists() and not any(staging.glob("*/set/manifest.json")):
        shutil.rmtree(staging)
    return part
