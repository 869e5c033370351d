"""The rows of question files, each read on its own: a row that cannot be read is named and the others stay.

A JSON file is a list of objects; of a large one no row is decoded before it is asked for.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from sightline.errors import InputError
from sightline.files import inside, read_json
from sightline.types import LedgerEntry, PictureFile

MAX_BYTES = 16 * 2**30  # of a training file; the rows stay undecoded, so this is also about the memory it takes
NAMED = 5
T = TypeVar("T")


def json_records(path: Path) -> list[msgspec.Raw]:
    """The rows of a JSON file that is a list, undecoded.

    Raises:
        FileNotFoundError, InputError: as `files.read_json`.
    """
    return read_json(path, list[msgspec.Raw], max_bytes=MAX_BYTES)


def decode_records(rows: Iterable[msgspec.Raw | dict[str, Any]], kind: type[T], path: Path, root: Path) -> list[T | LedgerEntry]:
    """Every row as `kind`, or as a ledger entry that says what is wrong with it and in which row."""
    return [decode_record(row, kind, index=index, path=path, root=root) for index, row in enumerate(rows)]


def decode_record(row: msgspec.Raw | dict[str, Any], kind: type[T], *, index: int, path: Path, root: Path) -> T | LedgerEntry:
    """One row as `kind`. An unknown field is an error like any other: the file is not of the published layout."""
    try:
        return msgspec.json.decode(row, type=kind) if isinstance(row, msgspec.Raw) else msgspec.convert(row, kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        where = path.relative_to(root).as_posix()
        return LedgerEntry(unit=f"{where}#{index}", reason="row_unreadable", detail=f"row {index}: {error}", path=where)


def check_ids(ids: Sequence[int | str], path: Path) -> None:
    """Raise InputError if an id stands twice: answers could not be told apart."""
    twice = [str(name) for name, count in Counter(map(str, ids)).items() if count > 1]
    if twice:
        raise InputError(
            f"{path}: {len(twice)} ids stand in several rows ({', '.join(twice[:NAMED])}). Each question needs its own."
        )


def existing(root: Path, folder: str, name: str | None, unit: str, *, what: str) -> PictureFile | LedgerEntry:
    """The file `name` of `folder` below `root`, or why it cannot be used (`{what}_missing`)."""
    if not name:
        return LedgerEntry(unit=unit, reason=f"{what}_missing", detail=f"the question names no {what}")
    path = f"{folder}/{name}" if folder else name
    try:
        there = inside(root, path).is_file()
    except InputError as error:
        return LedgerEntry(unit=unit, reason="path_leaves_root", detail=str(error))
    if not there:
        return LedgerEntry(unit=unit, reason=f"{what}_missing", detail=f"{root / path} is not there", path=path)
    return PictureFile(path=path)
