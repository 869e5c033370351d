"""The x3 pipeline's JSON files as task sets.

Every row that cannot be used is in the ledger of its task set with the reason. Pictures and masks are read from the x3 tree that
`query_original` lies in, with everything else that the tree has (labels, depth, poses); of a row come the pair, the picture that
was shown (copied below `media/`) and the truth. The prompt is ours (theirs has the answer's notation in its words): in the wording
that the row has, if it is one of ours, else in the first.
"""

import hashlib
import shutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

import msgspec

from sightline.datasets.x3 import SPLITS, X3
from sightline.errors import InputError
from sightline.export.x3.paths import RootMap
from sightline.export.x3.placed import FrameTally, Options, PlacedRow
from sightline.export.x3.queries import ForeignScene
from sightline.export.x3.rebuild import rebuild
from sightline.export.x3.rows import NUM_PICTURES, ROW_TASKS, Row, name_of_theirs, split_of_file
from sightline.files import only_writer, read_json, sync_path
from sightline.geometry.masks import mask_id
from sightline.tasks.pictures import Studio
from sightline.tasks.seen import see_scene
from sightline.taskset.build import Built, find_complete
from sightline.taskset.lines import write_lines
from sightline.taskset.shards import TaskWriter
from sightline.taskset.splits import check_pictures, check_scenes
from sightline.taskset.write import assemble
from sightline.types import Example, LedgerEntry, Scene

NAMED = 3  # how many missing files an error names

Progress = Callable[[str, int, int], None]  # task set, scenes done, scenes in all


@dataclass
class Group:
    """The rows of one task set, which lie in the x3 tree `root`, and the ledger entries of those that name no usable place."""

    task: str
    split: str
    root: Path
    rows: list[PlacedRow] = field(default_factory=list)
    ledger: list[LedgerEntry] = field(default_factory=list)

    @property
    def name(self) -> str:
        return f"{self.task}-{self.split}"


def import_x3(
    files: Sequence[Path],
    out: Path,
    *,
    root_map: RootMap,
    options: Options,
    allow_shared_scenes: bool = False,
    on_progress: Progress | None = None,
) -> list[Built]:
    """Write one task set `out`/{task}-{split} for each task and split of the rows; a complete one of the same files is left alone.

    Raises:
        FileNotFoundError: a JSON file is not there.
        InputError: wrong types in it; no picture of it lies here; the truth of concatenated pictures is in another frame than
            `options.concat_frame`; several x3 trees in one task set; a leak between splits.
    """
    groups = _groups(files, root_map)
    if not allow_shared_scenes:
        check_scenes(_scenes_by_split(groups))
    digest = hashlib.sha256(b"".join(hashlib.sha256(path.read_bytes()).digest() for path in files)).hexdigest()[:32]
    with only_writer(out):
        try:
            built = [_build(group, out, digest, options=options, on_progress=on_progress) for group in groups]
            new = {part.path: _staging(out, part.manifest.name) / "set" for part in built if not part.existed}
            if not allow_shared_scenes:
                check_pictures([*sorted(path.parent for path in out.glob("*/index.parquet")), *new.values()])
            for path, staged in new.items():
                staged.rename(path)
            sync_path(out)
        finally:
            for group in groups:
                shutil.rmtree(_staging(out, group.name), ignore_errors=True)
    return built


def _staging(out: Path, name: str) -> Path:
    return out / f".importing-{name}"


def _groups(files: Sequence[Path], root_map: RootMap) -> list[Group]:
    groups: dict[str, Group] = {}
    loose: dict[str, list[LedgerEntry]] = {}
    seen: set[tuple[str, str]] = set()
    for file in files:
        if not file.is_file():
            raise FileNotFoundError(f"{file}: no such file. Give the x3 pipeline's JSON files, e.g. t1_val_multi.json.")
        placed = list(_placed(file, root_map))
        if not placed:
            raise InputError(f"{file}: it has no rows.")
        _check_some_are_here(file, [row for row in placed if isinstance(row, PlacedRow)], root_map)
        for outcome in placed:
            if isinstance(outcome, LedgerEntry):
                loose.setdefault(str(file), []).append(outcome)
                continue
            group = _group_of(groups, outcome, file)
            key = (group.name, outcome.row.id)
            if key in seen:
                detail = "another row has this id; the first one was used"
                group.ledger.append(LedgerEntry(unit=outcome.row.id, reason="id_twice", detail=detail))
            else:
                seen.add(key)
                group.rows.append(outcome)
        last = next((groups[row.group] for row in placed if isinstance(row, PlacedRow)), None)
        if last is None:
            reasons = "; ".join(sorted({entry.detail for entry in loose[str(file)]})[:NAMED])
            raise InputError(f"{file}: none of its {len(placed)} rows can be used: {reasons}.")
        last.ledger += loose.get(str(file), [])
    return list(groups.values())


def _group_of(groups: dict[str, Group], placed: PlacedRow, file: Path) -> Group:
    group = groups.setdefault(placed.group, Group(task=placed.name.task, split=placed.split, root=placed.root))
    if group.root != placed.root:
        raise InputError(
            f"{file}: the rows of {group.name} lie in two x3 trees, {group.root} and {placed.root} (row {placed.row.id}). "
            "A task set has one; import the files of each tree into a folder of its own."
        )
    return group


def _placed(file: Path, root_map: RootMap) -> Iterator[PlacedRow | LedgerEntry]:
    """The rows of a file with their paths on this machine."""
    for row in read_json(file, list[Row]):
        yield _place(row, file, root_map)


def _place(row: Row, file: Path, root_map: RootMap) -> PlacedRow | LedgerEntry:
    def unusable(reason: str, detail: str) -> LedgerEntry:
        return LedgerEntry(unit=row.id, reason=reason, detail=detail)

    name = name_of_theirs(row.id)
    if name is None or row.task not in (name.task, ROW_TASKS[name.task]):
        return unusable(
            "id_unreadable", f"task {row.task!r}, and an id that is none of T1_MULTI, T1_CONCAT, T2A_MULTI or T2B_MULTI"
        )
    if len(row.pictures) != NUM_PICTURES[name.task]:
        return unusable("picture_count", f"{len(row.pictures)} pictures, expected {NUM_PICTURES[name.task]}")
    try:
        pictures = tuple(root_map.resolve(text, file.parent) for text in row.pictures)
        query = root_map.resolve(row.query_original, file.parent) if row.query_original else pictures[-1]
    except InputError as error:
        raise InputError(f"{file}, row {row.id}: {error}") from error
    if len(query.parents) < 5 or query.parents[2].name not in SPLITS:
        return unusable("no_x3_folder", f"{query} does not lie in {{root}}/{{train|validation}}/{{scene}}/uid_{{uid}}/")
    split = query.parents[2].name
    if split_of_file(file) not in (None, split):
        return unusable("split_disagrees", f"{file.name} is of {split_of_file(file)}, but the query lies in {split}/")
    own = f"{name.scene}/uid_{name.uid}/{name.views[-1]}"
    if not name.variant.startswith("N0") and not query.as_posix().startswith(f"{query.parents[2].as_posix()}/{own}_"):
        return unusable("id_disagrees_with_path", f"by its id the query is {own}, but query_original is {query}")
    return PlacedRow(row=row, name=name, split=split, root=query.parents[3], pictures=pictures, query=query)


def _check_some_are_here(file: Path, rows: Sequence[PlacedRow], root_map: RootMap) -> None:
    """Refuse a file none of whose queries is here: its paths are those of another machine."""
    if not rows or any(placed.query.is_file() for placed in rows):
        return
    missing = ", ".join(str(placed.query) for placed in rows[:NAMED])
    old = PurePosixPath(rows[0].row.query_original or rows[0].row.pictures[-1])
    tree = old.parents[3] if len(old.parents) > 4 else old.parent
    raise InputError(
        f"{file}: none of the {len(rows)} query pictures it names is on this machine: {missing}"
        f"{' (after --root-map)' if root_map.folders else ''}. They are paths of another machine: say where its folders lie here, "
        f"e.g. --root-map {tree}=/folder/here, once for the x3 tree and once for the folder of the marked or concatenated pictures."
    )


def _scenes_by_split(groups: Sequence[Group]) -> dict[str, list[str]]:
    scenes: dict[str, set[str]] = {}
    for group in groups:
        scenes.setdefault(group.split, set()).update(placed.name.scene for placed in group.rows)
    return {split: sorted(names) for split, names in sorted(scenes.items())}


def _build(group: Group, out: Path, digest: str, *, options: Options, on_progress: Progress | None) -> Built:
    path = out / group.name
    recipe = _recipe(group, options)
    found = find_complete(path, recipe, digest)
    if found is not None:
        return Built(path=str(path), manifest=found, existed=True)
    staging = _staging(out, group.name)
    if staging.exists():  # of an import that was killed
        shutil.rmtree(staging)
    _write(group, staging, options=options, on_progress=on_progress)
    manifest = assemble(
        staging,
        group.name,
        task=group.task,
        split=group.split,
        recipe=recipe,
        source_fingerprint=digest,
        roots={"data": str(group.root.resolve())},
    )
    write_lines(staging / "set")
    return Built(path=str(path), manifest=manifest)


def _recipe(group: Group, options: Options) -> dict[str, Any]:
    return {"reader": "x3-json", "split": group.split, "options": {**msgspec.to_builtins(options), "seed": 0}}


def _write(group: Group, staging: Path, *, options: Options, on_progress: Progress | None) -> None:
    reader = X3(group.root, group.split)
    positions = {scene_id: index for index, scene_id in enumerate(reader.scene_ids())}
    by_scene: dict[str, list[PlacedRow]] = {scene_id: [] for scene_id in positions}
    tally = FrameTally(group.name, options.concat_frame)
    with TaskWriter(staging, 0) as writer:
        for entry in group.ledger:
            writer.drop(entry)
        for placed in group.rows:
            if placed.name.scene in by_scene:
                by_scene[placed.name.scene].append(placed)
            else:
                detail = f"{group.root}/{group.split} has no folder {placed.name.scene}"
                writer.drop(LedgerEntry(unit=placed.row.id, reason="scene_missing", detail=detail))
        todo = [(scene_id, rows) for scene_id, rows in by_scene.items() if rows]
        for done, (scene_id, rows) in enumerate(todo, start=1):
            scene = reader[positions[scene_id]]
            _write_scene(
                scene,
                rows,
                writer,
                options=options,
                tally=tally,
                foreign=lambda name: reader[positions[name]] if name in positions else None,
            )
            if on_progress:
                on_progress(group.name, done, len(todo))
        tally.check()
        for entry in tally.unproven:
            writer.drop(entry)


def _write_scene(
    scene: Scene,
    rows: Sequence[PlacedRow],
    writer: TaskWriter,
    *,
    options: Options,
    tally: FrameTally,
    foreign: ForeignScene,
) -> None:
    studio, shown = Studio(rows[0].root), Studio(rows[0].root)
    seen = see_scene(scene, studio, elsewhere=lambda _: iter(()), min_area=options.min_area)
    rles = {mask_id(rle): rle for item in seen.objects for view in item.views for rle in (view.rle, view.rle_dilated) if rle}
    for entry in seen.ledger:
        if entry.action == "altered":
            writer.drop(entry)
    for outcome in rebuild(seen, rows, studio=studio, shown=shown, options=options, tally=tally, foreign=foreign):
        if isinstance(outcome, Example):
            writer.keep(outcome, rles, shown)
        else:
            writer.drop(outcome)
