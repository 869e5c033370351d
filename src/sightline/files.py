"""Files that appear whole or not at all, paths that stay under their root, and one writer at a time.

A file is written to a hidden temporary name beside its target, flushed to disk and renamed: no reader ever sees half of it.
"""

import contextlib
import fcntl
import json
import os
import secrets
import shutil
import stat
from collections.abc import Iterator
from functools import lru_cache
from io import BufferedWriter
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar, overload

import msgspec

from sightline.errors import InputError

MAX_JSON_BYTES = 256 * 2**20
T = TypeVar("T")


def write_whole(path: Path, content: bytes) -> None:
    """Write `content` to `path` so that the file is there complete or not at all. Creates parent folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with whole_file(path) as file:
        file.write(content)


def remove_temporaries(folder: Path) -> None:
    """Delete what a killed `write_whole` left in `folder`. Only for the one who holds the folder (`only_writer`)."""
    for path in folder.glob(".*.tmp"):
        path.unlink()


def sync_path(path: Path) -> None:
    """Make a file's content, or the renames inside a folder, durable."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[BufferedWriter]:
    """Write a file piece by piece; it appears at `path` complete when the block ends well, and not at all otherwise."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.tmp")
    try:
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync_path(path.parent)


@contextlib.contextmanager
def whole_folder(path: Path) -> Iterator[Path]:
    """Fill a folder file by file: the given one appears at `path` complete when the block ends well, and not at all otherwise.

    Raises:
        InputError: `path` is there already.
    """
    if path.exists():
        raise InputError(f"{path} is there already. Delete it, or choose another folder.")
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}.partial")
    partial.mkdir()
    try:
        yield partial
        for place, _, names in os.walk(partial, topdown=False):
            for name in names:
                sync_path(Path(place) / name)
            sync_path(Path(place))
        partial.replace(path)
    except BaseException:
        shutil.rmtree(partial)
        raise
    sync_path(path.parent)


def write_json(path: Path, value: object) -> None:
    """Write a record or plain value as JSON, two-space indented, keys in the given order, with a final newline."""
    plain = msgspec.to_builtins(value)
    write_whole(path, (json.dumps(plain, indent=2, ensure_ascii=False) + "\n").encode())


@overload
def read_json(path: Path, kind: type[T], *, max_bytes: int = MAX_JSON_BYTES) -> T: ...
@overload
def read_json(path: Path, kind: object, *, max_bytes: int = MAX_JSON_BYTES) -> Any: ...  # noqa: ANN401 - `list[T]` is no type
def read_json(path: Path, kind: Any, *, max_bytes: int = MAX_JSON_BYTES) -> Any:
    """Read a JSON file as `kind`.

    Raises:
        FileNotFoundError: no such file.
        InputError: larger than `max_bytes`, not JSON, or of another shape; the message names the file and the field.
    """
    size = path.stat().st_size
    if size > max_bytes:
        raise InputError(f"{path}: JSON of {size:,} bytes; at most {max_bytes:,} are read.")
    try:
        return msgspec.json.decode(path.read_bytes(), type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InputError(f"{path}: {error}") from error


def inside(root: Path, relative: str) -> Path:
    """`root / relative`, refused if it is absolute, has `..`, or leads outside through a link.

    Raises:
        InputError: the path leaves the root.
    """
    pure = PurePosixPath(relative)
    if pure.is_absolute() or ".." in pure.parts or "\\" in relative or "\0" in relative:
        raise InputError(f"path {relative!r} leaves its root {root}: give paths relative to the root, without '..'.")
    path = root / pure
    resolved = _resolved(root)
    if _meets_link(resolved, pure.parts) and not path.resolve().is_relative_to(resolved):
        raise InputError(f"path {relative!r} leaves its root {root} through a link to {path.resolve()}.")
    return path


@lru_cache(maxsize=64)
def _resolved(root: Path) -> Path:
    return root.resolve()


def _meets_link(folder: Path, names: tuple[str, ...]) -> bool:
    """Whether a name on the way down from `folder` may be a link. Most have none, and resolving one costs three times this."""
    place = str(folder)
    for name in names:
        place = f"{place}/{name}"
        try:
            if stat.S_ISLNK(os.lstat(place).st_mode):
                return True
        except (FileNotFoundError, NotADirectoryError):
            return False  # there is nothing further down
        except OSError:
            return True
    return False


@contextlib.contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold `folder` for writing; the hold ends with the process, however it ends.

    Raises:
        InputError: another process holds it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read(64).strip() or "unknown"
            raise InputError(
                f"{folder} is being written by another process (pid {holder}). Wait for it, or choose another folder."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)
