"""Where each line of a task set's JSON lines lies, by its number and by the id in it, with none of them in memory.

DIR/examples.lines, DIR/masks.lines: one row of 32 bytes a line, little-endian. Row i holds shard, length, offset and key of line i,
and the number of the line whose key is the i-th smallest. A key is the BLAKE2b-64 of an id; two ids may have one in common, so
that what is found by key is compared with the id in its line.

The files follow from `index.parquet` and `masks-*.jsonl` and stand in no fingerprint. A build writes them; for a task set without
them they are written on first use, or, in a folder that cannot be written, made anew in a temporary file by each process.
"""

import hashlib
import os
import tempfile
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from itertools import islice, takewhile
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec
import numpy as np
from jaxtyping import Int64, UInt64

from sightline.errors import InputError
from sightline.files import whole_file

Kind = Literal["examples", "masks"]
KINDS: tuple[Kind, ...] = ("examples", "masks")
ROW = np.dtype([("shard", "<u4"), ("length", "<u4"), ("offset", "<u8"), ("key", "<u8"), ("by_key", "<u8")])
ROWS_AT_A_TIME = 2**16
ROWS_A_BUCKET = 2**18


class Line(NamedTuple):
    """Where a line lies, and the id in it."""

    shard: int
    offset: int
    length: int
    id: str


class Named(msgspec.Struct):
    """The id of a record; its other fields are passed over."""

    id: str


class Lines:
    """The lines of `folder`'s shards of one kind.

    Raises:
        InputError: a `.lines` file that does not fit the shards beside it.
    """

    def __init__(self, folder: Path, kind: Kind) -> None:
        self._shards = f"{folder}/{kind}-"
        rows = _open_rows(folder, kind)
        self._rows = rows
        self._keys, self._by_key = rows["key"], rows["by_key"]

    def __len__(self) -> int:
        return len(self._rows)

    def read(self, line: int) -> bytes:
        """Line number `line`, from 0; a negative number counts from the end.

        Raises:
            IndexError: there is no such line.
        """
        shard, length, offset, _, _ = self._rows[line].item()
        descriptor = os.open(f"{self._shards}{shard:05d}.jsonl", os.O_RDONLY)
        try:
            return os.pread(descriptor, length, offset)
        finally:
            os.close(descriptor)

    def candidates(self, name: str) -> Iterator[int]:
        """The numbers of the lines whose id has the key of `name`: none, one, and hardly ever more."""
        key = _key(name)
        first = bisect_left(self._by_key, key, key=self._keys.__getitem__)
        lines = (int(self._by_key[place]) for place in range(first, len(self)))
        return takewhile(lambda line: self._keys[line] == key, lines)


def write_lines(folder: Path) -> None:
    """Write the `.lines` files of a task set whose shards and index are complete."""
    for kind in KINDS:
        _write(folder, kind)


def _key(name: str) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=8).digest())


def _open_rows(folder: Path, kind: Kind) -> np.ndarray:
    path = folder / f"{kind}.lines"
    if not path.is_file():
        if not os.access(folder, os.W_OK):
            with tempfile.NamedTemporaryFile(suffix=path.name) as file:
                _fill(Path(file.name), _lines_of(folder, kind))
                return _mapped(Path(file.name), "r")
        _write(folder, kind)
    rows = _mapped(path, "r")
    if path.stat().st_size % ROW.itemsize or not _fits(rows, folder, kind):
        raise InputError(f"{path} does not fit the {kind}-*.jsonl files beside it. Delete it: it is made anew on the next use.")
    return rows


def _mapped(path: Path, mode: Literal["r", "r+"]) -> np.ndarray:
    if path.stat().st_size < ROW.itemsize:
        return np.zeros(0, ROW)  # an empty file cannot be mapped
    return np.asarray(np.memmap(path, ROW, mode, shape=path.stat().st_size // ROW.itemsize))


def _fits(rows: np.ndarray, folder: Path, kind: Kind) -> bool:
    """Whether the last line ends with the last shard that holds any."""
    filled = [path for path in folder.glob(f"{kind}-*.jsonl") if path.stat().st_size]
    if not len(rows) or not filled:
        return not len(rows) and not filled
    last = max(filled)
    shard, length, offset, _, _ = rows[-1].item()
    return last.name == f"{kind}-{shard:05d}.jsonl" and last.stat().st_size == offset + length


def _write(folder: Path, kind: Kind) -> None:
    with whole_file(folder / f"{kind}.lines") as file:
        _fill(Path(file.name), _lines_of(folder, kind))


def _lines_of(folder: Path, kind: Kind) -> Iterator[Line]:
    return _indexed(folder / "index.parquet") if kind == "examples" else _parsed(folder)


def _indexed(path: Path) -> Iterator[Line]:
    import pyarrow.parquet as pq  # noqa: PLC0415 - 0.2 s that `--help` should not pay

    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(ROWS_AT_A_TIME, columns=["shard", "offset", "length", "id"]):
            columns = (batch.column(name).to_pylist() for name in ("shard", "offset", "length", "id"))
            yield from (Line(*values) for values in zip(*columns, strict=True))


def _parsed(folder: Path) -> Iterator[Line]:
    decoder = msgspec.json.Decoder(Named)
    for path in sorted(folder.glob("masks-*.jsonl")):
        shard, offset = int(path.stem.removeprefix("masks-")), 0
        with path.open("rb") as file:
            for line in file:
                yield Line(shard, offset, len(line), decoder.decode(line).id)
                offset += len(line)


def _fill(path: Path, lines: Iterable[Line]) -> None:
    remaining = iter(lines)
    with path.open("ab") as file:
        while some := list(islice(remaining, ROWS_AT_A_TIME)):
            rows = [(line.shard, line.length, line.offset, _key(line.id), 0) for line in some]
            file.write(np.array(rows, ROW).tobytes())
    rows = _mapped(path, "r+")
    _sort(rows["key"], rows["by_key"])


def _sort(keys: UInt64[np.ndarray, " n"], by_key: UInt64[np.ndarray, " n"]) -> None:
    """Fill `by_key` with the numbers of the keys in ascending order: first into buckets by their leading bits, then each bucket."""
    bits = max(0, (len(keys) // ROWS_A_BUCKET).bit_length())
    sizes = np.zeros(2**bits, np.int64)
    for first in range(0, len(keys), ROWS_AT_A_TIME):
        sizes += np.bincount(_buckets(keys[first : first + ROWS_AT_A_TIME], bits), minlength=len(sizes))
    ends = sizes.cumsum()
    free = ends - sizes
    for first in range(0, len(keys), ROWS_AT_A_TIME):
        buckets = _buckets(keys[first : first + ROWS_AT_A_TIME], bits)
        order = np.argsort(buckets, kind="stable")
        counts = np.bincount(buckets, minlength=len(sizes))
        places = np.arange(len(order)) + np.repeat(free - (counts.cumsum() - counts), counts)
        by_key[places] = first + order
        free += counts
    for first, end in zip(ends - sizes, ends, strict=True):
        lines = by_key[first:end]
        by_key[first:end] = lines[np.argsort(keys[lines], kind="stable")]


def _buckets(keys: UInt64[np.ndarray, " n"], bits: int) -> Int64[np.ndarray, " n"]:
    return (keys >> np.uint64(64 - bits)).astype(np.int64) if bits else np.zeros(len(keys), np.int64)
