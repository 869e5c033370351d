"""The rows of spatial-QA files: JSON arrays or JSON lines, read one at a time, with what is odd about them noted once.

A row that cannot be read is named and the others stay. A field that the format does not have is noted at the first row that has it;
an id that stood in an earlier row is noted where it comes again. A JSON array that is cut short is an error; a line that is cut
short is a row that cannot be read.
"""

import json
import mmap
from collections import Counter
from collections.abc import Hashable, Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Generic, TypeVar, overload

import msgspec
import numpy as np
from jaxtyping import Int

from sightline.datasets.questions.records import MAX_BYTES, decode_record, json_records
from sightline.errors import InputError
from sightline.files import inside
from sightline.types import LedgerEntry

FOLDERS = ("", "visuals", "media", "videos", "data")
SUFFIXES = (".json", ".jsonl")
MEDIA_KEPT = 4096
T = TypeVar("T")


class QaFile(Generic[T]):
    """The rows of one file as `kind`, whose fields are all that the format has.

    Args:
        path: the file.
        root: the data root, for the names in the ledger.
        kind: a msgspec struct; a row's other fields are passed over and noted.
        key: the path of keys to the list in a JSON object ("questions",); () where the file is the list itself.

    Raises:
        FileNotFoundError: no such file.
        InputError: too large, not JSON, or cut short.
    """

    def __init__(self, path: Path, root: Path, kind: type[T], *, key: tuple[str, ...] = ()) -> None:
        self.path, self._root, self._kind = path, root, kind
        self.rows: Sequence[msgspec.Raw] = _object_rows(path, key) if key else read_rows(path)
        self._known = {field.encode_name for field in msgspec.structs.fields(kind)}  # pyright: ignore[reportArgumentType]
        self._first = lru_cache(maxsize=None)(self._first_with)
        self._repeated: frozenset[str] | None = None

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: int) -> T | LedgerEntry:
        return decode_record(self.rows[index], self._kind, index=index, path=self.path, root=self._root)

    def order(self) -> Int[np.ndarray, " n"]:
        """The numbers of all rows, rows about the same media (without any: the same scene) next to each other, in order of the
        first of them: what one row shows need not be decoded again for another, wherever the file has it."""
        return grouped(_media_of(row) for row in self.rows)

    @property
    def name(self) -> str:
        """The file's path from the root."""
        return self.path.relative_to(self._root).as_posix()

    def notes(self, index: int, row_id: str | None) -> Iterator[LedgerEntry]:
        """What is odd about a row that could be read; `row_id` is its id, None where the format has none."""
        for field in sorted(self._fields(index) - self._known):
            if self._first(field) == index:
                detail = f"the field {field!r} (first in row {index}) is not known and was passed over in all rows"
                yield self.note(index, "unknown_field", detail)
        if row_id is not None and row_id in self._ids_repeated():
            yield self.note(index, "duplicate_id", f"the id {row_id!r} stands in several rows; this one is called by its number")

    def note(self, index: int, reason: str, detail: str) -> LedgerEntry:
        return LedgerEntry(unit=f"{self.name}#{index}", reason=reason, detail=detail, action="altered", path=self.name)

    def drop(self, index: int, reason: str, detail: str) -> LedgerEntry:
        return LedgerEntry(unit=f"{self.name}#{index}", reason=reason, detail=detail, path=self.name)

    def _fields(self, index: int) -> set[str]:
        try:
            return set(msgspec.json.decode(self.rows[index], type=dict[str, msgspec.Raw]))
        except msgspec.DecodeError:
            return set()

    def _first_with(self, field: str) -> int:
        return next(index for index in range(len(self)) if field in self._fields(index))

    def _ids_repeated(self) -> frozenset[str]:
        if self._repeated is None:
            hashes = np.fromiter((hash(name) for name in self._ids()), np.int64)  # the names of a million rows would take 100 MB
            values, numbers = np.unique(hashes, return_counts=True)
            twice = frozenset(values[numbers > 1].tolist())
            counts = Counter(name for name in self._ids() if hash(name) in twice) if twice else Counter[str]()
            self._repeated = frozenset(name for name, count in counts.items() if count > 1)
        return self._repeated

    def _ids(self) -> Iterator[str]:
        for row in self.rows:
            try:
                fields = msgspec.json.decode(row, type=_Id)
            except msgspec.DecodeError:
                continue
            yield str(fields.id if fields.id is not None else fields.question_id)


class _Media(msgspec.Struct):
    """What a row shows, undecoded, under all its names."""

    video: msgspec.Raw = msgspec.Raw()
    videos: msgspec.Raw = msgspec.Raw()
    image: msgspec.Raw = msgspec.Raw()
    images: msgspec.Raw = msgspec.Raw()
    image_path: msgspec.Raw = msgspec.Raw()
    scene_id: msgspec.Raw = msgspec.Raw()
    scene_name: msgspec.Raw = msgspec.Raw()


def _media_of(row: msgspec.Raw) -> bytes:
    try:
        found = msgspec.json.decode(row, type=_Media | list[_Media])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return b""
    each = found if isinstance(found, list) else [found]
    shown = b"\0".join(bytes(part) for one in each for part in (one.video, one.videos, one.image, one.images, one.image_path))
    return shown if shown.strip(b"\0") else b"\0".join(bytes(part) for one in each for part in (one.scene_id, one.scene_name))


def grouped(keys: Iterable[Hashable]) -> Int[np.ndarray, " n"]:
    """The places of all keys, equal ones next to each other, in order of the first of them."""
    groups: dict[Hashable, int] = {}
    return np.argsort(np.fromiter((groups.setdefault(key, len(groups)) for key in keys), np.int64), kind="stable")


class _Id(msgspec.Struct):
    id: str | int | None = None
    question_id: str | int | None = None


def read_rows(path: Path) -> Sequence[msgspec.Raw]:
    """The undecoded rows of a JSON array, or of JSON lines (a file called so, or one that begins with an object).

    Raises:
        FileNotFoundError: no such file.
        InputError: too large, empty, or an array that is not JSON or does not end.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file of questions.")
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{path}: {path.stat().st_size:,} bytes; at most {MAX_BYTES:,} are read.")
    with path.open("rb") as file:
        start = file.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if start == b"[" and path.suffix != ".jsonl":  # there a line that is a list is a packed record
        return json_records(path)
    if start not in (b"{", b"["):
        raise InputError(f"{path}: begins with {start!r}; expected a JSON array of records, or one record (object) a line.")
    return _Lines(path)


class _Lines(Sequence[msgspec.Raw]):
    """The lines of a file that are not blank. The file is mapped and no line held, because each process of a build has them all."""

    def __init__(self, path: Path) -> None:
        ends, kept = [0], []
        with path.open("rb") as file:
            for line in file:
                ends.append(ends[-1] + len(line))
                kept.append(bool(line.strip(b"\xef\xbb\xbf \t\r\n")))
            self._file = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        edges, chosen = np.array(ends, np.int64), np.array(kept, bool)
        self._starts, self._ends = edges[:-1][chosen], edges[1:][chosen]

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, index: int) -> msgspec.Raw: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[msgspec.Raw]: ...
    def __getitem__(self, index: int | slice) -> msgspec.Raw | Sequence[msgspec.Raw]:
        if isinstance(index, slice):
            return [self[place] for place in range(*index.indices(len(self)))]
        return msgspec.Raw(self._file[int(self._starts[index]) : int(self._ends[index])])


def _object_rows(path: Path, key: tuple[str, ...]) -> Sequence[msgspec.Raw]:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file of questions.")
    if path.stat().st_size > MAX_BYTES:
        raise InputError(f"{path}: {path.stat().st_size:,} bytes; at most {MAX_BYTES:,} are read.")
    try:
        rest = msgspec.Raw(path.read_bytes())
        for name in key:
            rest = msgspec.json.decode(rest, type=dict[str, msgspec.Raw])[name]
        return msgspec.json.decode(rest, type=list[msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, KeyError) as error:
        raise InputError(
            f"{path}: expected a JSON object with a list at {'.'.join(key)!r} ({error}). Get the file again."
        ) from error


def json_files(root: Path, folders: Sequence[str]) -> dict[str, Path]:
    """The JSON files of a root and of the given folders in it by their stem, sorted; the first folder wins."""
    found: dict[str, Path] = {}
    for folder in folders:
        for path in sorted((root / folder).glob("*.json*")):
            if path.suffix in SUFFIXES and not path.name.startswith("."):
                found.setdefault(path.stem, path)
    return dict(sorted(found.items()))


def find_medium(root: Path, candidates: Sequence[str]) -> str:
    """The first of the paths, below the root or one of its usual folders of media, at which a file or a folder of frames stands;
    the first candidate itself where none does (the build then says that it is missing).

    Raises:
        InputError: a path leaves the root.
    """
    try:
        return _found_medium(root, tuple(candidates))
    except FileNotFoundError:  # which is not remembered: it may be there the next time
        return candidates[0]


@lru_cache(maxsize=MEDIA_KEPT)
def _found_medium(root: Path, candidates: tuple[str, ...]) -> str:
    for candidate in candidates:
        for folder in FOLDERS:
            path = f"{folder}/{candidate}" if folder else candidate
            if inside(root, path).exists():
                return path
            stem, dot, _ = path.rpartition(".")
            if dot and inside(root, stem).is_dir():
                return stem
    raise FileNotFoundError(candidates[0])


def plain_value(value: Any) -> str | float | int:  # noqa: ANN401 - of a JSON file
    """A JSON value as evidence: numbers and words as they are, anything else as JSON."""
    return value if isinstance(value, str | int | float) and not isinstance(value, bool) else json.dumps(value, sort_keys=True)
