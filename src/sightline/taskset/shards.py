"""A shard: a fixed run of units (scenes or clips), turned into examples by a pure function of the units and the recipe.

In the staging folder of a build, for every task:

    {task}/set/examples-00003.jsonl, {task}/set/media/...      already where the task set will have them
    {task}/parts/00003.masks.jsonl, {task}/parts/00003.ledger.jsonl
    done/00003.json                                            written last: the shard is complete

A shard without its `done` record is built again from nothing; the same names get the same bytes.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import msgspec

from sightline.files import inside, sync_path, write_json
from sightline.tasks.pictures import Studio
from sightline.taskset.store import StoredMask
from sightline.taskset.units import Options, Unit, open_units
from sightline.types import Example, LedgerEntry, MaskRle, Record

SYNCS_AT_A_TIME = 8


class ShardJob(Record):
    """Everything a worker needs, as plain values."""

    reader: str
    root: str
    split: str
    tasks: tuple[str, ...]
    options: Options
    staging: str


class ShardDone(Record):
    """`done/{shard}.json`."""

    shard: int
    scenes: int
    examples: dict[str, int]


class ShardBuilder:
    """Builds shards of one split; keeps its reader open between them."""

    def __init__(self, job: ShardJob) -> None:
        self.job = job
        self.staging = Path(job.staging)
        self.units = open_units(job.reader, Path(job.root), job.split, job.options)

    def build(self, shard: int, first: int, last: int) -> ShardDone:
        """Build shard number `shard` from units `first` to `last` - 1 and record it as done."""
        examples = dict.fromkeys(self.job.tasks, 0)
        with ExitStack() as stack:
            writers = {task: stack.enter_context(TaskWriter(self.staging / task, shard)) for task in self.job.tasks}
            for index in range(first, last):
                unit = self.units[index]
                for task, writer in writers.items():
                    examples[task] += writer.take(unit, task)
        done = ShardDone(shard=shard, scenes=last - first, examples=examples)
        write_json(self.staging / "done" / f"{shard:05d}.json", done)
        return done


class TaskWriter:
    """The open files of one shard of one task; everything is on disk when it closes without an error."""

    def __init__(self, folder: Path, shard: int) -> None:
        self.media = folder / "set" / "media"
        parts = folder / "parts"
        for path in (self.media, parts):
            path.mkdir(parents=True, exist_ok=True)
        self.files: dict[str, BinaryIO] = {
            "examples": (folder / "set" / f"examples-{shard:05d}.jsonl").open("wb"),
            "masks": (parts / f"{shard:05d}.masks.jsonl").open("wb"),
            "ledger": (parts / f"{shard:05d}.ledger.jsonl").open("wb"),
        }
        self.encoder = msgspec.json.Encoder()
        self.seen_masks: set[str] = set()
        self.seen_media: set[str] = set()
        self.folders: set[Path] = set()

    def __enter__(self) -> "TaskWriter":
        return self

    def __exit__(self, *raised: object) -> None:
        for file in self.files.values():
            file.close()
        if raised[0] is None:
            media = (self.media / path for path in self.seen_media)
            _sync_all([*(Path(file.name) for file in self.files.values()), *media, *self.folders])

    def take(self, unit: Unit, task: str) -> int:
        """Write all that a task makes of a unit; returns the number of examples."""
        for entry in unit.ledger:
            self.drop(entry)
        count = 0
        for outcome in unit.outcomes(task):
            if isinstance(outcome, LedgerEntry):
                self.drop(outcome)
            else:
                self.keep(outcome, unit.masks, unit.studio)
                count += 1
        return count

    def drop(self, entry: LedgerEntry) -> None:
        self._line("ledger", entry)

    def keep(self, example: Example, rles: Mapping[str, MaskRle], studio: Studio) -> None:
        question, truth = example.question, example.truth
        of_objects = (mask for item in truth.objects for mask in item.masks)
        for name in (question.reference.mask if question.reference else None, truth.mask, truth.mask_dilated, *of_objects):
            if name is not None and name not in self.seen_masks:
                self.seen_masks.add(name)
                self._line("masks", StoredMask(id=name, rle=rles[name] if name in rles else studio.made_masks[name]))
        for image in question.images:
            if image.root == "media" and image.path not in self.seen_media:
                self.seen_media.add(image.path)
                path = inside(self.media, image.path)
                if path.parent not in self.folders:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    self.folders.add(path.parent)
                path.write_bytes(studio.encoded(image))
        self._line("examples", example)

    def _line(self, kind: str, record: Record) -> None:
        self.files[kind].write(self.encoder.encode(record) + b"\n")


def _sync_all(paths: Sequence[Path]) -> None:
    """Make files and folders durable, several at a time: a disk takes them together, one after the other they would wait for it."""
    with ThreadPoolExecutor(SYNCS_AT_A_TIME) as pool:
        for _ in pool.map(_sync_each, (paths[start::SYNCS_AT_A_TIME] for start in range(SYNCS_AT_A_TIME))):
            pass


def _sync_each(paths: Sequence[Path]) -> None:
    for path in paths:
        sync_path(path)
