"""The rows of a JSON array or of JSON lines by number, with none of them in memory: only where each begins and ends.

    [{"id": "a", ...}, {"id": "b", ...}]        an array, however it is spaced
    {"id": "a", ...}\\n{"id": "b", ...}\\n         lines; empty ones are passed over

The ends of an array's rows are found by counting brackets outside strings, which does not parse: a row is checked when it is read.
"""

import hashlib
import mmap
import os
from pathlib import Path
from typing import no_type_check

import numpy as np
from jaxtyping import Int64

from sightline.errors import InputError
from sightline.evaluate.video.bit_kernels import compiled

MAX_ROW_BYTES = 64 * 2**20
CHUNK_BYTES = 2**22
_QUOTE, _BACKSLASH, _NEWLINE = 0x22, 0x5C, 0x0A
_OPEN, _CLOSE = (0x5B, 0x7B), (0x5D, 0x7D)
_DEPTH, _IN_STRING, _ESCAPED, _START = range(4)


class JsonRows:
    """The bytes of each row of `path`.

    Raises:
        FileNotFoundError: no such file.
        InputError: an empty file, one that is neither an array nor lines of objects, or an array that does not end.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        if not path.is_file():
            raise FileNotFoundError(f"{path}: no such annotation file.")
        if path.stat().st_size == 0:
            raise InputError(f"{path}: an empty file; expected a JSON array of records, or one record a line.")
        self.is_array = _first_byte(path) == _OPEN[0]
        self.bounds = _array_bounds(path) if self.is_array else _line_bounds(path)

    def __len__(self) -> int:
        return len(self.bounds)

    def __getitem__(self, row: int) -> bytes:
        start, end = self.bounds[row].tolist()
        if end - start > MAX_ROW_BYTES:
            raise InputError(f"{self.path}, row {row}: {end - start:,} bytes; at most {MAX_ROW_BYTES:,} are read.")
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            return os.pread(descriptor, end - start, start)
        finally:
            os.close(descriptor)

    def digest(self) -> str:
        """32 hexadecimal digits of the content."""
        digest = hashlib.blake2b(digest_size=16)
        with self.path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                digest.update(chunk)
        return digest.hexdigest()


def _first_byte(path: Path) -> int:
    with path.open("rb") as file:
        start = file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()
    if start[:1] not in (b"[", b"{"):
        raise InputError(f"{path}: begins with {start[:20]!r}; expected a JSON array of records, or one record (object) a line.")
    return start[0]


def _line_bounds(path: Path) -> Int64[np.ndarray, "n 2"]:
    with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
        bytes_ = np.frombuffer(content, np.uint8)
        ends = [
            start + np.flatnonzero(bytes_[start : start + CHUNK_BYTES] == _NEWLINE) for start in range(0, bytes_.size, CHUNK_BYTES)
        ]
        ends = np.append(np.concatenate(ends), bytes_.size)
        del bytes_
        starts = np.concatenate(([0], ends[:-1] + 1))
        bounds = np.stack((starts, ends), axis=1).astype(np.int64)
        bounds = bounds[bounds[:, 1] > bounds[:, 0]]
        short = np.flatnonzero(bounds[:, 1] - bounds[:, 0] < 3)  # a lone "\r" or blanks
        empty = [row for row in short if not content[bounds[row, 0] : bounds[row, 1]].strip()]
    return np.delete(bounds, empty, axis=0)


def _array_bounds(path: Path) -> Int64[np.ndarray, "n 2"]:
    state = np.array([0, 0, 0, -1], np.int64)
    found = []
    with path.open("rb") as file:
        offset = 0
        while chunk := file.read(CHUNK_BYTES):
            found.append(_scan(np.frombuffer(chunk, np.uint8), offset, state))
            offset += len(chunk)
    if state[_DEPTH] != 0 or state[_IN_STRING]:
        raise InputError(
            f"{path}: the JSON array does not end (after {offset:,} bytes {state[_DEPTH]} brackets are open). The file is cut "
            "short or damaged: get it again."
        )
    return np.concatenate(found)


@compiled
@no_type_check
def _scan(content: np.ndarray, offset: int, state: np.ndarray) -> np.ndarray:
    """The rows that end in this piece of the file; `state` goes on from piece to piece."""
    found = np.empty((content.size // 2 + 1, 2), np.int64)
    count = 0
    depth, in_string, escaped, start = state
    for index in range(content.size):
        byte = content[index]
        if in_string:
            if escaped:
                escaped = 0
            elif byte == _BACKSLASH:
                escaped = 1
            elif byte == _QUOTE:
                in_string = 0
            continue
        if byte == _QUOTE:
            in_string = 1
        elif byte in _OPEN:
            depth += 1
            if depth == 2:
                start = offset + index
        elif byte in _CLOSE:
            depth -= 1
            if depth == 1:
                found[count, 0], found[count, 1] = start, offset + index + 1
                count += 1
    state[0], state[1], state[2], state[3] = depth, in_string, escaped, start
    return found[:count].copy()
