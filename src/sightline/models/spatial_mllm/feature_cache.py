"""Features of frozen encoders, computed once per unit of frames and kept: a folder of safetensors shards.

    CACHE/settings.json                     what the features are of (`CacheSettings`); another is refused with what differs
    CACHE/shard-00000.safetensors           `{digest}.vision`, `{digest}.geometry` of each unit (`encoding.FrozenFeatures`)
    CACHE/shard-00000.json                  {"entries": {digest: {"bytes": .., "checksums": {"vision": .., "geometry": ..}}},
                                             "files": {key of the files: digest}}; written last

A unit is known by the digest of its decoded frames, so that a moved or re-encoded copy finds its features. `files` spares decoding:
a file of the same path, size and time of change holds the same frames. Shards are mapped into memory, not read; a tensor's
checksum is compared when a process takes it for the first time. One process writes, any number read.
"""

import hashlib
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Literal

import msgspec
import torch
from blake3 import blake3
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from sightline.errors import InputError
from sightline.files import read_json, remove_temporaries, write_json, write_whole
from sightline.models.spatial_mllm.encoding import FrozenFeatures
from sightline.models.spatial_mllm.frames import FRAMES
from sightline.models.spatial_mllm.sequences import Grid
from sightline.types import Record

FORMAT = 1
SETTINGS = "settings.json"
SHARD_BYTES = 2**28
SPARE_BYTES = 2**26
"""Room that is left free on the disk."""
Stored = Literal["bfloat16", "float32"]
ITEM_BYTES: dict[Stored, int] = {"bfloat16": 2, "float32": 4}
PARTS = ("vision", "geometry")


class CacheSettings(Record):
    """What features depend on besides the frames.

    Args:
        vision, geometry: digests of the encoders' weights (`weights_digest`).
        layer: the layer of VGGT that is fused, from 0.
        widths: of both encoders' features.
        min_pixels, max_pixels: of a frame.
        stored: numbers are rounded to this. `computed`: and were computed in this.
    """

    vision: str
    geometry: str
    layer: int
    vision_width: int
    geometry_width: int
    min_pixels: int
    max_pixels: int
    patch_size: int
    computed: str
    stored: Stored = "bfloat16"
    format: int = FORMAT

    def num_bytes(self, grids: Iterable[Grid]) -> int:
        """What the features of a unit of these grids take on the disk."""
        patches = sum(steps * rows * columns for steps, rows, columns in grids)
        return patches * (self.vision_width + FRAMES * self.geometry_width) * ITEM_BYTES[self.stored]


class Entry(Record):
    """A unit in a shard."""

    bytes: int
    checksums: dict[str, str]


class ShardIndex(Record):
    """`shard-N.json`."""

    entries: dict[str, Entry]
    files: dict[str, str] = {}


class FeatureCache:
    """The features in `folder` that were made with `settings`.

    Raises:
        InputError: the folder holds features of other settings, or an index that cannot be read.
    """

    def __init__(self, folder: Path, settings: CacheSettings) -> None:
        self.folder = folder
        self.settings = settings
        if (folder / SETTINGS).is_file():
            refuse_other(folder, read_json(folder / SETTINGS, CacheSettings), settings)
        self._shard_of: dict[str, str] = {}
        self._entries: dict[str, Entry] = {}
        self._files: dict[str, str] = {}
        for path in sorted(folder.glob("shard-*.json")):
            index = read_json(path, ShardIndex)
            self._entries |= index.entries
            self._shard_of |= dict.fromkeys(index.entries, path.stem)
            self._files |= index.files
        self._open: dict[str, Any] = {}
        self._seen: set[str] = set()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, digest: str) -> bool:
        return digest in self._entries

    def __getstate__(self) -> dict[str, Any]:
        """For worker processes: each maps the shards itself."""
        return self.__dict__ | {"_open": {}, "_seen": set()}

    def digest_of_files(self, key: str) -> str | None:
        """The digest of the unit that lay in these files (`files_key`) when it was kept; None where that is not known."""
        return self._files.get(key)

    def get(self, digest: str) -> FrozenFeatures:
        """The features of a unit that is kept, mapped.

        Raises:
            InputError: a shard that is damaged or missing; the message names it.
        """
        return FrozenFeatures(*(self._tensor(digest, part) for part in PARTS))

    def check_room(self, needed: int) -> None:
        """See that `needed` bytes fit on the disk.

        Raises:
            InputError: they do not; with both numbers.
        """
        place = next(path for path in (self.folder, *self.folder.absolute().parents) if path.exists())
        free = shutil.disk_usage(place).free
        if needed + SPARE_BYTES > free:
            raise InputError(
                f"{self.folder}: features of {needed:,} bytes are still to be kept, but the disk has {free:,} free (and "
                f"{SPARE_BYTES:,} stay so). Free some, choose another disk, store bfloat16, or lower max_pixels or max_frames."
            )

    def _tensor(self, digest: str, part: str) -> Tensor:
        stem, name = self._shard_of[digest], f"{digest}.{part}"
        path = self.folder / f"{stem}.safetensors"
        try:
            if stem not in self._open:
                self._open[stem] = safe_open(path, framework="pt")
            tensor = self._open[stem].get_tensor(name)
        except (SafetensorError, FileNotFoundError) as error:
            raise InputError(
                f"{path}: cannot be read ({error}). Delete it and {stem}.json, and compute the features anew."
            ) from error
        if name not in self._seen:
            if checksum(tensor) != self._entries[digest].checksums.get(part):
                raise InputError(
                    f"{path}, {name}: its bytes are not those that were written. Delete it and {stem}.json, and compute the "
                    "features anew."
                )
            self._seen.add(name)
        return tensor


class FeatureWriter:
    """Adds units to a cache, a shard at a time. For the one who holds the folder (`files.only_writer`)."""

    def __init__(self, cache: FeatureCache, *, shard_bytes: int = SHARD_BYTES) -> None:
        self.cache = cache
        self.shard_bytes = shard_bytes
        self._tensors: dict[str, Tensor] = {}
        self._entries: dict[str, Entry] = {}
        self._files: dict[str, str] = {}
        cache.folder.mkdir(parents=True, exist_ok=True)
        remove_temporaries(cache.folder)
        write_json(cache.folder / SETTINGS, cache.settings)

    def __contains__(self, digest: str) -> bool:
        return digest in self.cache or digest in self._entries

    def add(self, digest: str, features: FrozenFeatures) -> None:
        """Keep a unit's features; they are on the disk after `flush`, or when a shard is full."""
        stored = getattr(torch, self.cache.settings.stored)
        own = {part: getattr(features, part).detach().to("cpu", stored).contiguous() for part in PARTS}
        self._tensors |= {f"{digest}.{part}": tensor for part, tensor in own.items()}
        size = sum(tensor.nbytes for tensor in own.values())
        self._entries[digest] = Entry(bytes=size, checksums={part: checksum(tensor) for part, tensor in own.items()})
        if sum(entry.bytes for entry in self._entries.values()) >= self.shard_bytes:
            self.flush()

    def name_files(self, key: str, digest: str) -> None:
        """Note that these files hold the unit."""
        if self.cache.digest_of_files(key) != digest:
            self._files[key] = digest

    def flush(self) -> None:
        """Write what is not yet on the disk."""
        if not self._entries and not self._files:
            return
        taken = [int(path.stem.removeprefix("shard-")) for path in self.cache.folder.glob("shard-*.json")]
        stem = f"shard-{max(taken, default=-1) + 1:05d}"
        write_whole(self.cache.folder / f"{stem}.safetensors", save(self._tensors))
        write_json(self.cache.folder / f"{stem}.json", ShardIndex(entries=self._entries, files=self._files))
        self._tensors, self._entries, self._files = {}, {}, {}
        self.cache = FeatureCache(self.cache.folder, self.cache.settings)


def open_features(folder: Path, settings: CacheSettings) -> FeatureCache:
    """A cache that is there, for reading; its `stored` and `computed` are its own.

    Raises:
        FileNotFoundError: no cache in the folder.
        InputError: as `FeatureCache`.
    """
    path = folder / SETTINGS
    if not path.is_file():
        raise FileNotFoundError(f"{folder}: no {SETTINGS}, so no features are kept here. Make them: sightline cache-features.")
    kept = read_json(path, CacheSettings)
    return FeatureCache(folder, msgspec.structs.replace(settings, stored=kept.stored, computed=kept.computed))


def refuse_other(folder: Path, kept: CacheSettings, asked: CacheSettings) -> None:
    """Raise InputError where the features in `folder` are of other settings, with what differs."""
    pairs = [(name, getattr(kept, name), getattr(asked, name)) for name in CacheSettings.__struct_fields__]
    differing = [f"{name} {there!r} there, {here!r} here" for name, there, here in pairs if there != here]
    if differing:
        raise InputError(
            f"{folder}: features of other settings: {'; '.join(differing)}. Use those settings, or another folder for these."
        )


def files_key(kind: str, frames: Sequence[tuple[Path, int | None]]) -> str:
    """32 hexadecimal digits of files as they stand: of each frame its path, its number in a video, and the file's size and time of
    change. Raises FileNotFoundError."""
    digest = hashlib.blake2b(kind.encode(), digest_size=16)
    for path, number in frames:
        state = path.stat()
        digest.update(f"\0{path.absolute()}\0{number}\0{state.st_size}\0{state.st_mtime_ns}".encode())
    return digest.hexdigest()


def checksum(tensor: Tensor) -> str:
    """BLAKE3 of a tensor's bytes."""
    return blake3(tensor.contiguous().view(torch.uint8).numpy().data).hexdigest(length=16)
