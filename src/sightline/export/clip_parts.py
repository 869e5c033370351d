"""An export of clips, worked on in parts by several processes and joined into whole files at the end.

    {stem}.parts/00000016.json     the finished clips 16 to 31; gone when the export is complete
    {stem}.export.json             the plan (data, options, state of the source) and what was written; it is written last

The same command goes on where it stopped, with any number of processes; memory holds one clip at a time while parts are joined.
"""

import glob
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from io import BufferedWriter
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

import sightline
from sightline.errors import InputError
from sightline.files import only_writer, read_json, remove_temporaries, write_json, write_whole
from sightline.taskset.clip_work import ClipSource, Work, chunks_of, over_clips
from sightline.types import LedgerEntry, Record

CLIPS_A_PART = 16
T = TypeVar("T")
Progress = Callable[[int, int], None]


class Plan(Record):
    """What is exported: an earlier export of another plan is never mixed with it."""

    form: str
    reader: str
    split: str
    options: dict[str, Any]
    source: str
    sightline: str


class ClipsWritten(Record):
    """What was written: files by name with their number of entries, the ledger's reasons, and what else the form counts."""

    path: str
    rows: dict[str, int]
    dropped: dict[str, int] = {}
    altered: dict[str, int] = {}
    counts: dict[str, dict[str, int]] = {}


class _Note(Record):
    plan: Plan
    written: ClipsWritten


class Parts(Generic[T]):
    """The results of all clips, in order; they are read from disk each time they are asked for."""

    def __init__(self, folder: Path, kind: type[T]) -> None:
        self._folder = folder
        self._decoder = msgspec.json.Decoder(tuple[kind, ...])

    def __iter__(self) -> Iterator[T]:
        for path in sorted(self._folder.glob("[0-9]*.json")):
            yield from self._decoder.decode(path.read_bytes())


class ClipExport(Record):
    """One export: of which form, of what, with which options, to which file, and what other files it writes. `stem` is what their
    companions are named after; "" for that of the file."""

    form: str
    source: ClipSource
    out: str
    options: dict[str, Any] = {}
    others: tuple[str, ...] = ()
    stem: str = ""

    def beside(self, ending: str) -> Path:
        """A companion of the file that is written: `{stem}{ending}`."""
        out = Path(self.out)
        return out.with_name(f"{self.stem or out.stem}{ending}")

    def files(self) -> list[Path]:
        """The files that it writes, but for the ledger and the note."""
        return [Path(name) for name in (self.out, *self.others)]


def run_export(
    export: ClipExport,
    work: Work[T],
    kind: type[T],
    *,
    join: Callable[[Parts[T]], ClipsWritten],
    workers: int | None = None,
    on_progress: Progress | None = None,
) -> ClipsWritten:
    """Do `work` for every clip (a result is a `kind`), then `join` the results into files. What is complete already stays.

    Raises:
        FileNotFoundError, InputError: the data cannot be opened, an export of other data or options lies there, or `join` raises
            it.
    """
    reader = export.source.open()
    plan = _plan(export, reader.sources())
    note, folder = export.beside(".export.json"), export.beside(".parts")
    if (finished := _finished(export, plan, note, folder)) is not None:
        return finished
    with only_writer(folder):
        _hold_to(plan, folder / "plan.json")
        remove_temporaries(folder)
        for path in (*export.files(), export.beside(".ledger.jsonl"), note):
            _remove_temporaries_of(path)
        _work(export.source, work, folder, count=len(reader), workers=workers, report=on_progress or (lambda *_: None))
        try:
            written = join(Parts(folder, kind))
            write_json(note, _Note(plan=plan, written=written))
        except InputError:
            _remove(folder)  # it is final: the same parts would end the same way
            raise
        _remove(folder)
    return written


def write_entries(file: BufferedWriter, entries: Iterable[tuple[str, object]], *, name: str | None = None) -> int:
    """A JSON object, one entry a line, as a stream; within an object of the one key `name`, where there is one. The number of them.

    Raises:
        InputError: a key stands twice.
    """
    keys: set[str] = set()
    file.write(f'{{"{name}": '.encode() if name else b"")
    for key, value in entries:
        if key in keys:
            raise InputError(f"two clips have an entry {key!r}: readers of the file would see one of them. Export one split alone.")
        file.write((b",\n" if keys else b"{\n") + msgspec.json.encode(key) + b": " + msgspec.json.encode(value))
        keys.add(key)
    file.write((b"\n}" if keys else b"{}") + (b"}\n" if name else b"\n"))
    return len(keys)


def write_ledger(file: BufferedWriter, entries: Iterable[LedgerEntry]) -> tuple[dict[str, int], dict[str, int]]:
    """The entries, one a line; how many were dropped and altered, by reason."""
    counts: dict[str, Counter[str]] = {"dropped": Counter(), "altered": Counter()}
    for entry in entries:
        file.write(msgspec.json.encode(entry) + b"\n")
        counts[entry.action][entry.reason] += 1
    return dict(sorted(counts["dropped"].items())), dict(sorted(counts["altered"].items()))


def _plan(export: ClipExport, sources: Sequence[Path]) -> Plan:
    from sightline.taskset.build import fingerprint_source  # noqa: PLC0415 - brings Arrow, which the processes can do without

    return Plan(
        form=export.form,
        reader=export.source.reader,
        split=export.source.split,
        options=export.options,
        source=fingerprint_source(sources)[1],
        sightline=sightline.__version__,
    )


def _finished(export: ClipExport, plan: Plan, note: Path, folder: Path) -> ClipsWritten | None:
    """What an earlier run of the same export wrote, if all of it is there.

    Raises:
        InputError: an export of another plan, or files from elsewhere, lie where this one would write.
    """
    if note.is_file():
        stored = read_json(note, _Note)
        _same(stored.plan, plan, note)
        return stored.written if all(path.is_file() for path in export.files()) else None
    strange = [str(path) for path in export.files() if path.exists()]
    if strange and not folder.is_dir():
        raise InputError(f"{', '.join(strange)}: there already, and not from this export. Choose another name, or move it.")
    return None


def _work(source: ClipSource, work: Work[T], folder: Path, *, count: int, workers: int | None, report: Progress) -> None:
    """Write the parts that are not there."""
    todo = [chunk for chunk in chunks_of(count, CLIPS_A_PART) if not _part(folder, chunk).is_file()]
    done = count - sum(map(len, todo))
    report(done, count)
    for chunk, results in over_clips(source, work, todo, workers=workers):
        write_whole(_part(folder, chunk), msgspec.json.encode(results))
        done += len(chunk)
        report(done, count)


def _remove(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()
    folder.rmdir()


def _remove_temporaries_of(path: Path) -> None:
    """What a killed export left of one file: the folder may be others', too."""
    for temporary in path.parent.glob(f".{glob.escape(path.name)}.*.tmp"):
        temporary.unlink()


def _part(folder: Path, chunk: range) -> Path:
    return folder / f"{chunk.start:08d}.json"


def _hold_to(plan: Plan, path: Path) -> None:
    if path.is_file():
        _same(read_json(path, Plan), plan, path)
    else:
        write_json(path, plan)


def _same(stored: Plan, plan: Plan, path: Path) -> None:
    names = [name for name in plan.__struct_fields__ if getattr(stored, name) != getattr(plan, name)]
    if names:
        raise InputError(
            f"{path} is of another export: another {', another '.join(names)}. Choose another --out, or delete that file."
        )
