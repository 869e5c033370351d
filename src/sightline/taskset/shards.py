"""A shard: a fixed run of units (scenes or clips), turned into examples by a pure function of the units and the recipe.

In the staging folder of a build, for every task:

    {task}/set/examples-00003.jsonl, {task}/set/media/...      already where the task set will have them
    {task}/parts/00003.masks.jsonl, {task}/parts/00003.ledger.jsonl, {task}/parts/00003.sources.jsonl
    {task}/attempts/00003.4711.5e0c71aa/                       what a worker is writing
    done/00003.json                                            written last: the shard is complete

A shard without its `done` record is built again from nothing; the same names get the same bytes.
"""

import os
import secrets
import shutil
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

import msgspec

from sightline.files import inside, sync_path, write_json
from sightline.tasks.crossview import Outcome
from sightline.tasks.pictures import Studio
from sightline.taskset.leaks import registered_as_held_out
from sightline.taskset.recordings import Recording
from sightline.taskset.registry import Sighting
from sightline.taskset.store import StoredMask
from sightline.taskset.units import Options, Unit, open_units
from sightline.types import Example, LedgerEntry, MaskRle, Record

SYNCS_AT_A_TIME = 8
ATTEMPTS = "attempts"
PARTS = ("masks", "ledger", "sources")


class ShardJob(Record):
    """Everything a worker needs, as plain values. `dropped_leaks` is a registry whose held-out recordings are left out; `only`
    names the clips that are built, none: all."""

    reader: str
    root: str
    split: str
    tasks: tuple[str, ...]
    options: Options
    staging: str
    dropped_leaks: str | None = None
    only: tuple[str, ...] = ()


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
        self.units = open_units(job.reader, Path(job.root), job.split, job.options, only=job.only)
        self._held_out = registered_as_held_out(Path(job.dropped_leaks)) if job.dropped_leaks else None

    def build(self, shard: int, first: int, last: int) -> ShardDone:
        """Build shard number `shard` from units `first` to `last` - 1 and record it as done."""
        examples = dict.fromkeys(self.job.tasks, 0)
        with ExitStack() as stack:
            writers = {task: stack.enter_context(TaskWriter(self.staging / task, shard)) for task in self.job.tasks}
            for index in range(first, last):
                unit = self._without_leak(self.units[index])
                for task, writer in writers.items():
                    examples[task] += writer.take(unit, task)
        done = ShardDone(shard=shard, scenes=last - first, examples=examples)
        write_json(self.staging / "done" / f"{shard:05d}.json", done)
        return done

    def _without_leak(self, unit: Unit) -> Unit:
        """The unit, or in the place of one that is tested on elsewhere one that gives nothing but its entry of the ledger."""
        if self._held_out is None or unit.recording is None:
            return unit
        seen = unit.recording
        here = Sighting(video_id=seen.video_id, dataset=self.job.reader, split=self.job.split, first_frame=seen.first_frame)
        leaks = self._held_out.find([here])
        return LeftOut(LedgerEntry(unit=seen.group, reason="leak", detail=str(leaks[0])), unit) if leaks else unit


class LeftOut:
    """A unit of which nothing is built."""

    recording = None

    def __init__(self, entry: LedgerEntry, unit: Unit) -> None:
        self.ledger = (*unit.ledger, entry)
        self.studio = unit.studio
        self.masks: dict[str, MaskRle] = {}

    def outcomes(self, task: str) -> Iterator[Outcome]:  # noqa: ARG002 - as every unit
        return iter(())


class TaskWriter:
    """The files of one shard of one task, written in a folder of this attempt and moved to their places when it closes without an
    error. A worker that was given up for dead but lives on cannot damage what another one has finished in its stead: it replaces
    whole files by the same bytes, or fails because its folder is gone."""

    def __init__(self, folder: Path, shard: int) -> None:
        self.media = folder / "set" / "media"
        self.attempt = folder / ATTEMPTS / f"{shard:05d}.{os.getpid()}.{secrets.token_hex(4)}"
        self.attempt.mkdir(parents=True)
        self.places = {self.attempt / "examples": folder / "set" / f"examples-{shard:05d}.jsonl"}
        self.places |= {self.attempt / kind: folder / "parts" / f"{shard:05d}.{kind}.jsonl" for kind in PARTS}
        self.files: dict[str, BinaryIO] = {path.name: path.open("wb") for path in self.places}
        self.encoder = msgspec.json.Encoder()
        self.seen_masks: set[str] = set()
        self.seen_media: set[str] = set()
        self.seen_recordings: set[Recording] = set()

    def __enter__(self) -> "TaskWriter":
        return self

    def __exit__(self, *raised: object) -> None:
        for file in self.files.values():
            file.close()
        if raised[0] is None:
            folders = {self.media, *(place.parent for place in self.places.values())}
            for folder in folders:
                folder.mkdir(parents=True, exist_ok=True)
            _sync_all(list(self.places))
            for written, place in self.places.items():
                written.replace(place)
            _sync_all(list(folders))
        shutil.rmtree(self.attempt)

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
        if count and unit.recording is not None and unit.recording not in self.seen_recordings:
            self.seen_recordings.add(unit.recording)  # many questions are about one scan
            self._line("sources", unit.recording)
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
                written = self.attempt / f"media-{len(self.seen_media)}"
                self.seen_media.add(image.path)
                self.places[written] = inside(self.media, image.path)
                written.write_bytes(studio.encoded(image))
        self._line("examples", example)

    def _line(self, kind: str, record: Record) -> None:
        self.files[kind].write(self.encoder.encode(record) + b"\n")


def end_attempts(folder: Path) -> None:
    """Take from earlier attempts below a task's staging folder, dead or alive, what they have not finished."""
    attempts = folder / ATTEMPTS
    if attempts.exists():
        ended = attempts.with_name(f"{ATTEMPTS}-{secrets.token_hex(4)}")
        attempts.rename(ended)  # first, so that one who lives on cannot add to what is being deleted
        shutil.rmtree(ended)


def _sync_all(paths: Sequence[Path]) -> None:
    """Make files and folders durable, several at a time: a disk takes them together, one after the other they would wait for it."""
    threads = min(SYNCS_AT_A_TIME, len(paths))
    with ThreadPoolExecutor(threads) as pool:
        for _ in pool.map(_sync_each, (paths[start::threads] for start in range(threads))):
            pass


def _sync_each(paths: Sequence[Path]) -> None:
    for path in paths:
        sync_path(path)
