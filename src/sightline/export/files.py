"""What every export leaves in its folder: its rows, its pictures and a note of where they came from.

OUT/{name}.json           the rows
    {name}.export.json    {"format": "llava", "taskset": "t2b-train", "taskset_fingerprint": "9f3c...", "dialect": "qwen3", ...}
    media/5e/5e0c....png  with copied media: each picture once, called by the digest of its pixels
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import BufferedWriter
from pathlib import Path
from typing import Any

import msgspec

import sightline
from sightline import media, picture_header
from sightline.dialects import Dialect
from sightline.errors import InputError
from sightline.files import inside, read_json, whole_file, write_json, write_whole
from sightline.taskset.store import TaskSet
from sightline.types import ImageRef, Record


class Exported(Record):
    """What was written: rows by file (names relative to `path`), copied pictures, examples left out by reason."""

    path: str
    rows: dict[str, int]
    num_copied: int = 0
    left_out: dict[str, int] = {}


def open_all(tasksets: Sequence[Path]) -> list[TaskSet]:
    """The task sets, no two of one name.

    Raises:
        FileNotFoundError: one is not there.
        InputError: two would be written to one file.
    """
    opened = [TaskSet(path) for path in tasksets]
    names = [taskset.manifest.name for taskset in opened]
    for name in names:
        if names.count(name) > 1:
            raise InputError(
                f"two task sets are called {name!r}, so both would be written to one file: export them into two folders."
            )
    return opened


class Pictures:
    """How foreign files of one task set name its pictures.

    Args:
        taskset: whose pictures.
        out: the export's folder.
        media_root: names are relative to this folder, in which the pictures lie already; None: each picture is copied once to
            `out`/media, and names are relative to `out`.
    """

    def __init__(self, taskset: TaskSet, out: Path, *, media_root: Path | None) -> None:
        self.taskset = taskset
        self.out = out
        self.media_root = media_root
        self.num_copied = 0
        self._names: dict[ImageRef, str] = {}

    def name(self, image: ImageRef) -> str:
        """The picture's POSIX path, relative to the root.

        Raises:
            FileNotFoundError: the picture is gone.
            InputError: it does not lie below the declared root, or (when copied) its pixels have changed.
        """
        if image not in self._names:
            self._names[image] = self._copied(image) if self.media_root is None else self._below(image, self.media_root)
        return self._names[image]

    def _below(self, image: ImageRef, root: Path) -> str:
        path = self.taskset.file(image).resolve()
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing. If the data has moved, change {self.taskset.path / 'roots.json'}.")
        if not path.is_relative_to(root.resolve()):
            raise InputError(
                f"{path} does not lie below --media-root {root.resolve()}. Give a folder above all pictures "
                f"({', '.join(str(place) for place in self.taskset.roots.values())}), or copy them with --copy-media."
            )
        return path.relative_to(root.resolve()).as_posix()

    def _copied(self, image: ImageRef) -> str:
        content, suffix = picture_file(self.taskset, image)
        name = f"media/{image.digest[:2]}/{image.digest}{suffix}"
        target = inside(self.out, name)
        if not target.is_file():
            write_whole(target, content)
            self.num_copied += 1
        return name


def picture_file(taskset: TaskSet, image: ImageRef) -> tuple[bytes, str]:
    """A picture as a file to hand on, and that file's suffix: as it lies on disk, but upright, because not every reader turns it.

    Raises:
        FileNotFoundError: the picture is gone.
        InputError: its pixels are not those the task set was built from.
    """
    rgb = taskset.read_rgb(image)
    path = taskset.file(image)
    if picture_header.probe(path).orientation != 1:
        return media.encode_png(rgb), ".png"
    return path.read_bytes(), path.suffix.lower()


def choose_root(media_root: Path | None, *, copy_media: bool) -> Path | None:
    """The root for `Pictures` from the two options that a user may give, of which exactly one is needed.

    Raises:
        InputError: both or neither are given.
    """
    if copy_media == (media_root is not None):
        raise InputError(
            "where do the pictures lie? Give one of: --media-root DIR (paths in the file are relative to it), "
            "--copy-media (each picture is copied once into the export's folder)."
        )
    return media_root


@contextmanager
def noted(out: Path, name: str, taskset: TaskSet, *, kind: str, dialect: Dialect | None, options: dict[str, Any]) -> Iterator[None]:
    """Around the writing of one task set's rows: `{name}.export.json` is written when the block ends well.

    Raises:
        InputError: rows of that name stand there already, from another task set or with another option.
    """
    path = out / f"{name}.export.json"
    note = origin(taskset, dialect) | {"format": kind, "options": options, "sightline": sightline.__version__}
    stored = read_json(path, dict[str, Any]) if path.exists() else note
    differences = [
        f"{key} is {stored.get(key)!r} there and {note.get(key)!r} here"
        for key in sorted((stored.keys() | note.keys()) - {"sightline"})
        if stored.get(key) != note.get(key)
    ]
    if differences:
        raise InputError(f"{path}: another export of {name}: {'; '.join(differences)}. Choose another folder, or delete that one.")
    yield
    write_json(path, note)


def origin(taskset: TaskSet, dialect: Dialect | None) -> dict[str, Any]:
    """Which task set, and in which dialect: plain JSON values."""
    manifest = taskset.manifest
    declared = {} if dialect is None else {"dialect": dialect.name, "dialect_options": dict(dialect.options())}
    return {
        "taskset": manifest.name,
        "taskset_fingerprint": manifest.fingerprint,
        "task": manifest.task,
        "split": manifest.split,
        "num_examples": manifest.num_examples,
    } | declared


class JsonArray:
    """A JSON array that is written as a stream, one value a line."""

    def __init__(self, file: BufferedWriter) -> None:
        self._file = file
        self.count = 0

    def add(self, value: object) -> None:
        self._file.write((b",\n" if self.count else b"[\n") + msgspec.json.encode(value))
        self.count += 1

    def close(self) -> None:
        self._file.write(b"\n]\n" if self.count else b"[]\n")


@contextmanager
def json_array(path: Path) -> Iterator[JsonArray]:
    """A JSON file of one array, which appears whole when the block ends well."""
    with whole_file(path) as file:
        array = JsonArray(file)
        yield array
        array.close()
