"""A shard: a fixed run of scenes, turned into examples by a pure function of the scenes and the recipe.

In the staging folder of a build, for every task:

    {task}/set/examples-00003.jsonl, {task}/set/media/...      already where the task set will have them
    {task}/parts/00003.masks.jsonl, {task}/parts/00003.ledger.jsonl
    done/00003.json                                            written last: the shard is complete

A shard without its `done` record is built again from nothing; the same names get the same bytes.
"""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

import msgspec

from sightline.datasets import READERS, Reader
from sightline.files import inside, sync_path, write_json
from sightline.geometry.masks import mask_id
from sightline.tasks import TASKS, VARIANTS
from sightline.tasks.crossview import CrossViewOptions
from sightline.tasks.pictures import Studio
from sightline.tasks.seen import SeenScene, see_scene
from sightline.taskset.store import StoredMask
from sightline.types import Example, LedgerEntry, MaskRle, Record, Scene

SCENES_KEPT = 64


class ShardJob(Record):
    """Everything a worker needs, as plain values."""

    reader: str
    root: str
    split: str
    tasks: tuple[str, ...]
    options: CrossViewOptions
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
        self.root = Path(job.root)
        self.staging = Path(job.staging)
        self.reader: Reader = READERS[job.reader][0]()(self.root, job.split)
        self.scene = lru_cache(maxsize=SCENES_KEPT)(self.reader.__getitem__)

    def build(self, shard: int, first: int, last: int) -> ShardDone:
        """Build shard number `shard` from scenes `first` to `last` - 1 and record it as done."""
        examples = dict.fromkeys(self.job.tasks, 0)
        with ExitStack() as stack:
            writers = {task: stack.enter_context(TaskWriter(self.staging / task, shard)) for task in self.job.tasks}
            for index in range(first, last):
                studio = Studio(self.root)
                seen = see_scene(
                    self.scene(index),
                    studio,
                    elsewhere=lambda key, here=index: self._elsewhere(key, here),
                    min_area=self.job.options.min_area,
                )
                for task, writer in writers.items():
                    examples[task] += self._run(task, writer, seen, studio)
        done = ShardDone(shard=shard, scenes=last - first, examples=examples)
        write_json(self.staging / "done" / f"{shard:05d}.json", done)
        return done

    def _run(self, task: str, writer: "TaskWriter", seen: SeenScene, studio: Studio) -> int:
        rles = {mask_id(rle): rle for item in seen.objects for view in item.views for rle in (view.rle, view.rle_dilated) if rle}
        for entry in seen.ledger:
            writer.drop(entry)
        count = 0
        for outcome in (TASKS | VARIANTS)[task]()(seen, studio, self.job.options):
            if isinstance(outcome, LedgerEntry):
                writer.drop(outcome)
            else:
                writer.keep(outcome, rles, studio)
                count += 1
        return count

    def _elsewhere(self, key: bytes, here: int) -> Iterator[Scene]:
        count = len(self.reader)
        start = int.from_bytes(key[8:16]) % count
        return (self.scene(index) for index in ((start + step) % count for step in range(count)) if index != here)


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
        self.seen_media: set[Path] = set()

    def __enter__(self) -> "TaskWriter":
        return self

    def __exit__(self, *raised: object) -> None:
        for file in self.files.values():
            if raised[0] is None:
                file.flush()
                os.fsync(file.fileno())
            file.close()
        if raised[0] is None:
            for path in self.seen_media:
                sync_path(path)
            for folder in {path.parent for path in self.seen_media}:
                sync_path(folder)

    def drop(self, entry: LedgerEntry) -> None:
        self._line("ledger", entry)

    def keep(self, example: Example, rles: dict[str, MaskRle], studio: Studio) -> None:
        question, truth = example.question, example.truth
        for name in (question.reference.mask if question.reference else None, truth.mask, truth.mask_dilated):
            if name is not None and name not in self.seen_masks:
                self.seen_masks.add(name)
                self._line("masks", StoredMask(id=name, rle=rles[name] if name in rles else studio.made_masks[name]))
        for image in question.images:
            path = inside(self.media, image.path)
            if image.root == "media" and path not in self.seen_media:
                self.seen_media.add(path)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(studio.encoded(image))
        self._line("examples", example)

    def _line(self, kind: str, record: Record) -> None:
        self.files[kind].write(self.encoder.encode(record) + b"\n")
