"""A JSON object of up to many gigabytes, mapped into memory: its keys are known, a value is parsed when it is asked for.

The file is walked once, at about 2 GB a second, which proves that it is whole; of every value only the place is kept. The mapped
pages belong to the system, which takes them back when it likes, so the process stays as small as the list of keys.
"""

import mmap
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Generic, TypeVar

import msgspec

from sightline.errors import InputError

T = TypeVar("T")


class JsonSlices(Generic[T]):
    """The values of the object in the file `path`, each decoded as `kind` when it is asked for.

    Raises:
        FileNotFoundError: no such file.
        InputError: not one JSON object: cut off, malformed, or a list; with the byte where that shows.
    """

    def __init__(self, path: Path, kind: Any) -> None:  # noqa: ANN401 - `list[T]` is no type
        self.path = path
        self._kind = kind
        self._slices: dict[str, msgspec.Raw] = decode_mapped(path, dict[str, msgspec.Raw])

    def __len__(self) -> int:
        return len(self._slices)

    def __iter__(self) -> Iterator[str]:
        return iter(self._slices)

    def __contains__(self, key: str) -> bool:
        return key in self._slices

    def __getitem__(self, key: str) -> T:
        """The value of `key`; KeyError if there is none.

        Raises:
            InputError: the value is not of the form that is read here; the message names the file, the key and the field.
        """
        try:
            return msgspec.json.decode(self._slices[key], type=self._kind)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise InputError(f"{self.path}, {key[:80]!r}: {error}") from error


def decode_mapped(path: Path, kind: Any) -> Any:  # noqa: ANN401 - `list[T]` is no type
    """A JSON file as `kind` without reading it whole: every `msgspec.Raw` in it is a view of the mapped file.

    Raises:
        FileNotFoundError, InputError: as `JsonSlices`; also a field of another form.
    """
    with path.open("rb") as file:
        size = path.stat().st_size
        if size == 0:
            raise InputError(f"{path}: the file is empty; expected JSON. Fetch it again.")
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    try:
        decoded = msgspec.json.decode(mapped, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        if "truncated" in str(error):
            raise InputError(f"{path}: the JSON is cut off at byte {size:,}, the end of the file. Fetch it again.") from error
        raise InputError(f"{path}: {error}") from error
    mapped.madvise(mmap.MADV_DONTNEED)
    return decoded
