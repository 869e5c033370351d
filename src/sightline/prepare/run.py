"""Prepare one unit (a clip, a photo) after the other: in parallel, resumable, the same bytes for any number of workers.

    {out}/prepare.json            what is made of what: options and versions; other options against it are refused
    {out}/{split}/{scene}/        appears whole
    {out}/.done/{unit}.json       the unit is complete: what its sources were, how much came of it, its part of the ledger
    {out}/ledger.jsonl            written last: everything dropped or altered, in order of the units' names

Units can be added to a tree (another --split of the same data); its ledger and counts are those of all of them.
"""

import hashlib
import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol, runtime_checkable

import cv2
import msgspec

import sightline
from sightline.errors import InputError
from sightline.files import inside, only_writer, read_json, remove_temporaries, write_json, write_whole
from sightline.prepare.x3_tree import remove_leftovers
from sightline.types import LedgerEntry, Record
from sightline.worker_process import settle_worker

SPLITS = ("train", "validation")
Split = Literal["train", "validation"]


class SplitOptions(Record):
    """Which split a unit goes to: `split_as`, or by a hash of the seed and its name, `validation` being the second's share."""

    validation: float = 0.25
    split_as: Split | None = None
    seed: int = 0

    def split_of(self, unit_id: str) -> Split:
        """Depends on nothing but the options and the name."""
        if self.split_as is not None:
            return self.split_as
        digest = hashlib.blake2b(f"{self.seed}/split/{unit_id}".encode(), digest_size=8).digest()
        return "validation" if int.from_bytes(digest) / 2**64 < self.validation else "train"


class PrepareRecord(Record):
    """`prepare.json`. `kind` names what is prepared (`clips`, `removals`)."""

    kind: str
    options: dict[str, Any]
    package_version: str
    opencv_version: str


class Outcome(Record):
    """What came of one unit."""

    num_objects: int = 0
    num_views: int = 0
    ledger: tuple[LedgerEntry, ...] = ()


class Done(Record):
    """`.done/{unit}.json`. `place` is the scene's folder; `sources` a hash of the names and sizes of the files it was made of."""

    unit_id: str
    place: str
    sources: str
    outcome: Outcome


class PreparedTree(Record):
    """A finished tree: scenes per split, objects, views, and the numbers dropped and altered per reason."""

    path: str
    num_units: int
    scenes: dict[str, int]
    num_objects: int
    num_views: int
    dropped: dict[str, int]
    altered: dict[str, int]


class Unit(Record):
    """One thing to prepare. `content` is what the work needs, as JSON; `files` are its sources, relative to the data root.

    JSON, because msgspec leaves out a field that *is* its default, and after pickling an equal string is another object: the
    ledger of a worker process would be written in other words.
    """

    unit_id: str
    content: bytes
    files: tuple[str, ...]


Work = Callable[[bytes, Path, Path, str], Outcome]  # a unit's content, the data root, the tree's root, the scene's place


def prepare(  # noqa: PLR0913 - the work, where from, where to, and how
    units: Sequence[Unit],
    root: Path,
    out: Path,
    *,
    kind: str,
    work: Work,
    split_options: SplitOptions,
    options: dict[str, Any],
    workers: int = 1,
    on_progress: Callable[[int, int], None] | None = None,
) -> PreparedTree:
    """Prepare the units that are not complete yet. `work` must be picklable.

    Raises:
        InputError: `out` holds something else, a tree of other options, or units whose sources have changed since.
    """
    report = on_progress or (lambda *_: None)
    record = PrepareRecord(kind=kind, options=options, package_version=sightline.__version__, opencv_version=cv2.__version__)
    names = Counter(unit.unit_id for unit in units)
    if twice := [name for name, count in names.items() if count > 1]:
        raise InputError(f"{root}: {', '.join(twice[:3])} stands in it twice; a scene is one clip. Prepare one --split at a time.")
    _check_out(out)
    with only_writer(out):
        _check_record(out / "prepare.json", record)
        jobs = [_Job(unit, root, out, f"{split_options.split_of(unit.unit_id)}/{unit.unit_id}", work) for unit in units]
        todo = [job for job in jobs if not job.is_done()]
        _check_versions(out / "prepare.json", record, todo=bool(todo))
        for split in SPLITS:
            remove_leftovers(out / split)
        for folder in (out, out / ".done"):
            remove_temporaries(folder)
        report(len(jobs) - len(todo), len(jobs))
        for count, _ in enumerate(run_jobs(todo, workers), start=len(jobs) - len(todo) + 1):
            report(count, len(jobs))
        done = [read_json(path, Done) for path in sorted((out / ".done").glob("*.json"))]
        encoder = msgspec.json.Encoder()
        lines = [encoder.encode(entry) + b"\n" for each in done for entry in each.outcome.ledger]
        write_whole(out / "ledger.jsonl", b"".join(lines))
    return _summary(out, done)


@dataclass(frozen=True)
class _Job:
    """One unit with where it comes from and goes to."""

    unit: Unit
    root: Path
    out: Path
    place: str
    work: Work

    @property
    def done_path(self) -> Path:
        return inside(self.out, f".done/{self.unit.unit_id}.json")

    def is_done(self) -> bool:
        """Raises InputError if it is, but its sources have changed since."""
        if not self.done_path.is_file():
            return False
        found = read_json(self.done_path, Done)
        if found.sources != self.sources():
            raise InputError(
                f"{self.root}: the files of {self.unit.unit_id} have changed since {self.out / found.place} was made of them. "
                f"Give another --out, or delete that folder and {self.done_path}."
            )
        return found.outcome.num_objects == 0 or (self.out / found.place).is_dir()

    def sources(self) -> str:
        digest = hashlib.blake2b(digest_size=16)
        for name in self.unit.files:
            path = inside(self.root, name)
            digest.update(f"{name}\0{path.stat().st_size if path.is_file() else -1}\n".encode())
        return digest.hexdigest()

    def run(self) -> None:
        """Make the scene. A scene whose record was lost in a kill is made again."""
        sources = self.sources()
        outcome = self.work(self.unit.content, self.root, self.out, self.place)
        write_json(self.done_path, Done(unit_id=self.unit.unit_id, place=self.place, sources=sources, outcome=outcome))


@runtime_checkable
class Job(Protocol):
    """Work that can be sent to another process; nothing is left of it if it is killed."""

    def run(self) -> None: ...


def run_jobs(jobs: Sequence[Job], workers: int) -> Iterator[None]:
    """Run all jobs, giving back control after each; in order if there is one worker.

    Raises:
        InputError: a worker process died; and whatever a job raises.
    """
    if workers <= 1 or len(jobs) <= 1:
        for job in jobs:
            yield job.run()
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, len(jobs)), context, initializer=settle_worker) as pool:
        futures = [pool.submit(job.run) for job in jobs]
        try:
            for future in as_completed(futures):
                yield future.result()
        except BrokenProcessPool as error:
            raise InputError(
                "a worker died (out of memory?). Nothing finished is lost: run the same command again, with fewer --workers."
            ) from error
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _check_out(out: Path) -> None:
    if (out / "prepare.json").is_file():
        return
    if found := [split for split in SPLITS if (out / split).exists()]:
        raise InputError(
            f"{out} holds {found[0]}/ but no prepare.json: it is not a tree that `sightline prepare` made. Give another --out."
        )


def _check_record(path: Path, record: PrepareRecord) -> None:
    if not path.is_file():
        write_json(path, record)
        return
    found = read_json(path, PrepareRecord)
    old, new = {"kind": found.kind, **found.options}, {"kind": record.kind, **record.options}
    differing = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    if differing:
        named = ", ".join(f"{name}: {old.get(name)} there, {new.get(name)} now" for name in differing)
        raise InputError(f"{path.parent} was made with other options ({named}). Give another --out, or delete the folder.")


def _check_versions(path: Path, record: PrepareRecord, *, todo: bool) -> None:
    """Another OpenCV paints other pixels: it may not go on with the tree of another one."""
    found = read_json(path, PrepareRecord)
    old, new = (found.package_version, found.opencv_version), (record.package_version, record.opencv_version)
    if todo and old != new:
        raise InputError(
            f"{path.parent} was begun with Sightline {old[0]} and OpenCV {old[1]}, here are {new[0]} and {new[1]}. "
            "Finish it with those, or give another --out."
        )


def _summary(out: Path, done: list[Done]) -> PreparedTree:
    scenes = Counter(each.place.partition("/")[0] for each in done if each.outcome.num_objects)
    counts: dict[str, Counter[str]] = {"dropped": Counter(), "altered": Counter()}
    for each in done:
        for entry in each.outcome.ledger:
            counts[entry.action][entry.reason] += 1
    return PreparedTree(
        path=str(out),
        num_units=len(done),
        scenes={split: scenes[split] for split in SPLITS if scenes[split]},
        num_objects=sum(each.outcome.num_objects for each in done),
        num_views=sum(each.outcome.num_views for each in done),
        dropped=dict(sorted(counts["dropped"].items())),
        altered=dict(sorted(counts["altered"].items())),
    )
