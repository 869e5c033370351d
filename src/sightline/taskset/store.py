"""A task set on disk, read by position or id without parsing what is not asked for.

DIR/manifest.json        what was built, how, from what, and how many were kept and dropped (written last)
    roots.json           {"data": "/where/the/originals/are"}: this machine's paths, not part of the fingerprint
    examples-00000.jsonl one example a line (`types.Example`)
    index.parquet        one row an example: id, shard, offset, length, task, split, group, tier, sizes, slices
    masks-00000.jsonl    {"id": hash, "rle": {"height": .., "width": .., "counts": ".."}}, each mask once
    examples.lines, masks.lines  where each line of those files lies, see `lines`
    media/               derived pictures (marked, concatenated)
    ledger.jsonl         every unit dropped or altered, with its reason
    timing.json          wall-clock figures, the only file that differs between two builds
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, overload

import msgspec
import numpy as np
from jaxtyping import Bool, Float, UInt8

from sightline import media
from sightline.errors import InputError
from sightline.files import inside, read_json
from sightline.geometry.masks import decode_mask
from sightline.taskset.lines import Lines, Named
from sightline.types import DepthRef, Example, ImageRef, LedgerEntry, MaskRle, Record

FORMAT = 2  # 1: pictures named by BLAKE2b
MEDIA_CACHE = 16
ROWS_AT_A_TIME = 4096


class Manifest(Record):
    """`manifest.json`: everything needed to say what a task set is and to build it again."""

    format: int
    name: str
    task: str
    split: str
    recipe: dict[str, Any]
    package_version: str
    source_fingerprint: str
    rng_key: str
    num_examples: int
    kept: dict[str, int]
    dropped: dict[str, int]
    altered: dict[str, int]
    files: dict[str, str]
    fingerprint: str


class StoredMask(Record):
    """One line of `masks-*.jsonl`."""

    id: str
    rle: MaskRle


class Index:
    """The columns of an `index.parquet`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._columns: dict[str, list[Any]] = {}

    def __getitem__(self, name: str) -> list[Any]:
        """A whole column, held from then on: for small sets."""
        if name not in self._columns:
            self._columns[name] = list(self.iterate(name))
        return self._columns[name]

    def iterate(self, name: str) -> Iterator[Any]:
        """The values of a column in stored order, some thousand in memory at a time."""
        import pyarrow.parquet as pq  # noqa: PLC0415 - 0.2 s that `--help` should not pay

        with pq.ParquetFile(self.path) as file:
            for batch in file.iter_batches(ROWS_AT_A_TIME, columns=[name]):
                yield from batch.column(0).to_pylist()


class _Asked(msgspec.Struct):
    """What an example's id is read from."""

    question: Named


class Ids(Sequence[str]):
    """The ids of the examples in stored order; they stay in their files."""

    def __init__(self, lines: Lines, index: Index) -> None:
        self._lines, self._index = lines, index
        self._id_at = lru_cache(maxsize=1024)(self._read)  # a journal asks for the same few again and again

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[str]:
        return self._index.iterate("id")

    @overload
    def __getitem__(self, position: int) -> str: ...
    @overload
    def __getitem__(self, position: slice) -> list[str]: ...
    def __getitem__(self, position: int | slice) -> str | list[str]:
        if isinstance(position, slice):
            return [self[each] for each in range(*position.indices(len(self)))]
        return self._id_at(position)

    def _read(self, position: int) -> str:
        return msgspec.json.decode(self._lines.read(position), type=_Asked).question.id

    def index(self, value: str, start: int = 0, stop: int | None = None) -> int:
        """The position of an id. Raises ValueError where it is none of them."""
        for position in self._lines.candidates(value):
            if self[position] == value and position in range(*slice(start, stop).indices(len(self))):
                return position
        raise ValueError(f"{value!r} is no example")

    def __contains__(self, value: object) -> bool:
        return isinstance(value, str) and any(self[position] == value for position in self._lines.candidates(value))


class StoredMasks(Mapping[str, MaskRle]):
    """The masks of a task set by hash, still run-length coded; each is read when it is asked for."""

    def __init__(self, lines: Lines) -> None:
        self._lines = lines
        self._decoder = msgspec.json.Decoder(StoredMask)

    def __getitem__(self, mask: str) -> MaskRle:
        for line in self._lines.candidates(mask):
            stored = self._decoder.decode(self._lines.read(line))
            if stored.id == mask:
                return stored.rle
        raise KeyError(mask)

    def __len__(self) -> int:
        return len(self._lines)

    def __iter__(self) -> Iterator[str]:
        return (self._decoder.decode(self._lines.read(line)).id for line in range(len(self)))


class TaskSet:
    """A complete task set. Indexing takes a position or an example id.

    Args:
        path: the folder.
        roots: where named roots lie, overriding `roots.json` (for a data set that has moved).

    Raises:
        FileNotFoundError: no such folder or no manifest in it.
        InputError: the manifest is unreadable or of another format.
    """

    def __init__(self, path: Path, *, roots: Mapping[str, Path] | None = None) -> None:
        self.path = path
        manifest_path = path / "manifest.json"
        if not manifest_path.is_file():
            raise FileNotFoundError(
                f"{path} is not a complete task set (no manifest.json in it). Build it with `sightline build`, "
                "or run the interrupted build again."
            )
        self.manifest = read_json(manifest_path, Manifest)
        if self.manifest.format != FORMAT:
            raise InputError(f"{manifest_path}: format {self.manifest.format}; this version reads format {FORMAT}. Build it again.")
        stored = read_json(path / "roots.json", dict[str, str])
        self.roots = {name: Path(root) for name, root in stored.items()} | {"media": path / "media"} | dict(roots or {})
        self._rgb = lru_cache(maxsize=MEDIA_CACHE)(self._decode_rgb)
        self._mask = lru_cache(maxsize=256)(self._decode_mask)

    def __len__(self) -> int:
        return self.manifest.num_examples

    def __getitem__(self, key: int | str) -> Example:
        if isinstance(key, int):
            return msgspec.json.decode(self._lines.read(key), type=Example)
        for position in self._lines.candidates(key):
            example = self[position]
            if example.id == key:
                return example
        raise InputError(f"{self.path}: no example {key!r}. `sightline show {self.path}` lists the first ids.")

    def __iter__(self) -> Iterator[Example]:
        """All examples in stored order, one at a time."""
        decoder = msgspec.json.Decoder(Example)
        for path in sorted(self.path.glob("examples-*.jsonl")):
            with path.open("rb") as file:
                for line in file:
                    yield decoder.decode(line)

    @cached_property
    def index(self) -> "Index":
        """The columns of `index.parquet`, by name."""
        return Index(self.path / "index.parquet")

    def slice_values(self, name: str) -> Float[np.ndarray, " n"]:
        """The number `name` in the slices of every example, in stored order; nan where an example has none."""
        import pyarrow.compute as pc  # noqa: PLC0415
        import pyarrow.parquet as pq  # noqa: PLC0415

        slices = pq.read_table(self.path / "index.parquet", columns=["slices"])["slices"]
        values = pc.map_lookup(slices, query_key=name, occurrence="first")  # pyright: ignore[reportAttributeAccessIssue]
        return values.to_numpy().astype(np.float64)

    @cached_property
    def _lines(self) -> Lines:
        return Lines(self.path, "examples")

    @cached_property
    def ids(self) -> Ids:
        """The ids of the examples in stored order."""
        return Ids(self._lines, self.index)

    @cached_property
    def masks(self) -> StoredMasks:
        """All masks of the set by hash, still run-length coded."""
        return StoredMasks(Lines(self.path, "masks"))

    @property
    def ledger(self) -> Iterator[LedgerEntry]:
        """Every unit dropped or altered."""
        decoder = msgspec.json.Decoder(LedgerEntry)
        with (self.path / "ledger.jsonl").open("rb") as file:
            for line in file:
                yield decoder.decode(line)

    def file(self, ref: ImageRef | DepthRef) -> Path:
        """Where the picture lies on this machine.

        Raises:
            InputError: unknown root, or a path that leaves it.
        """
        if ref.root not in self.roots:
            raise InputError(f"{self.path}: no root called {ref.root!r} in roots.json (it has {', '.join(self.roots)}).")
        return inside(self.roots[ref.root], ref.path)

    def read_rgb(self, ref: ImageRef) -> UInt8[np.ndarray, "h w 3"]:
        """The decoded picture (read-only, cached).

        Raises:
            FileNotFoundError: the file is gone; the message says how to point the root elsewhere.
            InputError: its pixels are not those the task set was built from.
        """
        return self._rgb(ref)

    def read_mask(self, mask: str) -> Bool[np.ndarray, "h w"]:
        """A mask of the set by hash (read-only, cached)."""
        return self._mask(mask)

    def read_depth(self, ref: DepthRef) -> Float[np.ndarray, "h w"]:
        """Depth in metres, 0 where there is none."""
        return media.read_depth(self.file(ref), ref.metres_per_unit)

    def _decode_rgb(self, ref: ImageRef) -> UInt8[np.ndarray, "h w 3"]:
        path = self.file(ref)
        if not path.is_file():
            raise FileNotFoundError(
                f"{path} is missing (root {ref.root!r} = {self.roots[ref.root]}). "
                f"If the data has moved, change {self.path / 'roots.json'}."
            )
        rgb = media.read_rgb(path)
        if media.pixel_digest(rgb) != ref.digest:
            raise InputError(
                f"{path}: its pixels differ from those the task set {self.path} was built from. "
                "Restore the file, or build the task set again in another folder."
            )
        rgb.flags.writeable = False
        return rgb

    def _decode_mask(self, mask: str) -> Bool[np.ndarray, "h w"]:
        try:
            rle = self.masks[mask]
        except KeyError:
            raise InputError(
                f"{self.path}: mask {mask} is in no masks-*.jsonl file: the task set is damaged, build it again."
            ) from None
        array = decode_mask(rle)
        array.flags.writeable = False
        return array
