"""Units: what a build shards. A unit is one scene or clip, read, and the examples that each task makes of it.

The build knows nothing of what lies behind a unit; `open_units` is the one place that does.
"""

from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol, runtime_checkable

from sightline.datasets import READERS
from sightline.errors import InputError
from sightline.geometry.masks import mask_id
from sightline.tasks import TASKS, VARIANTS
from sightline.tasks.crossview import CrossViewOptions, Outcome
from sightline.tasks.pictures import Studio
from sightline.tasks.seen import SeenScene, see_scene
from sightline.types import LedgerEntry, MaskRle, Scene

SCENES_KEPT = 64

Options = CrossViewOptions
"""The options of each family of tasks; a record with `seed`, as every recipe has."""


@runtime_checkable
class Unit(Protocol):
    """One scene or clip. `studio` makes and holds its pictures; `masks` are the codes its examples refer to, by hash, beside
    those that the studio made."""

    @property
    def ledger(self) -> Sequence[LedgerEntry]:
        """What could not be used, whatever the task."""
        ...

    @property
    def studio(self) -> Studio: ...

    @property
    def masks(self) -> Mapping[str, MaskRle]: ...

    def outcomes(self, task: str) -> Iterator[Outcome]:
        """The examples of one task, and what it had to drop."""
        ...


@runtime_checkable
class Units(Protocol):
    """The units of one split of a data set, in sorted order."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Unit: ...
    def ids(self) -> list[str]:
        """The scenes or recordings the units are from, for the leak check; by listing only."""
        ...

    def sources(self) -> list[Path]:
        """The files and folders that were read: a build goes on only if none of their sizes and times has changed."""
        ...


def list_splits(reader: str, root: Path) -> list[str]:
    """The splits that `root` holds.

    Raises:
        InputError: no reader has this name, or `root` is not of its layout.
    """
    if reader in READERS:
        return READERS[reader][0]().splits(root)
    raise _unknown(reader)


def open_units(reader: str, root: Path, split: str, options: Options) -> Units:
    """Open one split for building.

    Raises:
        InputError: no reader has this name, `root` is not of its layout, or the options are of another family of tasks.
    """
    if reader in READERS:
        return _Scenes(reader, root, split, options)
    raise _unknown(reader)


def _unknown(reader: str) -> InputError:
    return InputError(f"no reader is called {reader!r}; the readers are: {', '.join(READERS)}.")


class _Scenes:
    """Scenes of a cross-view reader."""

    def __init__(self, reader: str, root: Path, split: str, options: CrossViewOptions) -> None:
        self._reader = READERS[reader][0]()(root, split)
        self._options = options
        self._scene = lru_cache(maxsize=SCENES_KEPT)(self._reader.__getitem__)

    def __len__(self) -> int:
        return len(self._reader)

    def __getitem__(self, index: int) -> "_SceneUnit":
        studio = Studio(self._reader.root)
        seen = see_scene(
            self._scene(index),
            studio,
            elsewhere=lambda key: self._elsewhere(key, index),
            min_area=self._options.min_area,
        )
        return _SceneUnit(seen, studio, self._options)

    def ids(self) -> list[str]:
        return self._reader.scene_ids()

    def sources(self) -> list[Path]:
        return [self._reader.root / self._reader.split]

    def _elsewhere(self, key: bytes, here: int) -> Iterator[Scene]:
        count = len(self)
        start = int.from_bytes(key[8:16]) % count
        return (self._scene(index) for index in ((start + step) % count for step in range(count)) if index != here)


class _SceneUnit:
    def __init__(self, seen: SeenScene, studio: Studio, options: CrossViewOptions) -> None:
        self.ledger = seen.ledger
        self.studio = studio
        self.masks = {
            mask_id(rle): rle for item in seen.objects for view in item.views for rle in (view.rle, view.rle_dilated) if rle
        }
        self._seen, self._options = seen, options

    def outcomes(self, task: str) -> Iterator[Outcome]:
        return (TASKS | VARIANTS)[task]()(self._seen, self.studio, self._options)
