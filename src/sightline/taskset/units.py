"""Units: what a build shards. A unit is one scene or clip, read, and the examples that each task makes of it.

The build knows nothing of what lies behind a unit; `open_units` is the one place that does.
"""

import difflib
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Protocol, runtime_checkable

from sightline.datasets import CLIP_READERS, READERS
from sightline.datasets.questions import QA_READERS, QUESTION_READERS
from sightline.datasets.scans import SCAN_READERS
from sightline.errors import InputError, unknown_name
from sightline.geometry.masks import mask_id
from sightline.tasks import CLIP_TASKS, TASKS, VARIANTS
from sightline.tasks.clips import SeenClip
from sightline.tasks.crossview import CrossViewOptions, Outcome
from sightline.tasks.footage import ClipOptions
from sightline.tasks.pictures import Studio
from sightline.tasks.questions import QuestionOptions
from sightline.tasks.seen import SeenScene, see_scene
from sightline.tasks.spatial.options import SpatialOptions
from sightline.tasks.spatial_qa import QaOptions
from sightline.taskset.question_units import Questions, SpatialQa
from sightline.taskset.recordings import Recording, see_recording
from sightline.taskset.scan_units import Scans
from sightline.types import LedgerEntry, MaskRle, Scene

SCENES_KEPT = 64

Options = CrossViewOptions | ClipOptions | QuestionOptions | QaOptions | SpatialOptions
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

    @property
    def recording(self) -> Recording | None:
        """What a clip was filmed from; None of scenes and questions, which the leak check knows by their pictures alone."""
        ...

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
    if reader in CLIP_READERS:
        return CLIP_READERS[reader][0]().splits(root)
    if reader in QUESTION_READERS:
        return QUESTION_READERS[reader][0]().splits(root)
    if reader in QA_READERS:
        return QA_READERS[reader][0]().splits(root)
    if reader in SCAN_READERS:
        return []  # a folder of scans is one split, of the name that a build gives it
    raise unknown_name("reader", reader, [*READERS, *CLIP_READERS, *QUESTION_READERS, *QA_READERS, *SCAN_READERS])


def open_units(reader: str, root: Path, split: str, options: Options, *, only: Collection[str] = ()) -> Units:
    """Open one split for building; of clips the ones named in `only`, if any are.

    Raises:
        InputError: no reader has this name, `root` is not of its layout, the options are of another family of tasks, or no clip has
            a name in `only`.
    """
    if only and not isinstance(options, ClipOptions):
        raise InputError(f"only {', '.join(only)}: single clips can be chosen; {reader} has none. Leave it out.")
    match options:
        case CrossViewOptions():
            _check_name("reader of scenes", reader, READERS)
            return _Scenes(reader, root, split, options)
        case QuestionOptions():
            _check_name("reader of questions", reader, QUESTION_READERS)
            return Questions(reader, root, split, options)
        case QaOptions():
            _check_name("reader of spatial QA", reader, QA_READERS)
            return SpatialQa(reader, root, split, options)
        case SpatialOptions():
            return Scans(reader, root, split, options)
        case ClipOptions():
            _check_name("reader of clips", reader, CLIP_READERS)
            return _Clips(reader, root, split, options, only)


def _check_name(what: str, reader: str, readers: Collection[str]) -> None:
    if reader not in readers:
        raise unknown_name(what, reader, readers)


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
    recording = None

    def __init__(self, seen: SeenScene, studio: Studio, options: CrossViewOptions) -> None:
        self.ledger = seen.ledger
        self.studio = studio
        self.masks = {
            mask_id(rle): rle for item in seen.objects for view in item.views for rle in (view.rle, view.rle_dilated) if rle
        }
        self._seen, self._options = seen, options

    def outcomes(self, task: str) -> Iterator[Outcome]:
        return (TASKS | VARIANTS)[task]()(self._seen, self.studio, self._options)


class _Clips:
    """Clips of a video or referring reader, all or those of some names."""

    def __init__(self, reader: str, root: Path, split: str, options: ClipOptions, only: Collection[str]) -> None:
        self._name = reader
        self._reader = CLIP_READERS[reader][0]()(root, split)
        self._options = options
        names = self._reader.clip_ids()
        for name in only:
            if name not in names:
                near = difflib.get_close_matches(name, names, n=3) or names[:3]
                raise InputError(f"{root}, split {split!r}: no clip {name!r} among its {len(names):,}; it has {', '.join(near)}.")
        self._chosen = [(index, name) for index, name in enumerate(names) if not only or name in only]

    def __len__(self) -> int:
        return len(self._chosen)

    def __getitem__(self, index: int) -> "_ClipUnit":
        return _ClipUnit(SeenClip(self._reader[self._chosen[index][0]], self._reader.root), self._options, reader=self._name)

    def ids(self) -> list[str]:
        return [name for _, name in self._chosen]

    def sources(self) -> list[Path]:
        return self._reader.sources()


class _ClipUnit:
    def __init__(self, seen: SeenClip, options: ClipOptions, *, reader: str) -> None:
        self.studio = Studio(seen.root)
        self.recording, unhashed = see_recording(seen.clip, self.studio, reader=reader)
        self.ledger = (*seen.ledger, *((unhashed,) if unhashed else ()))
        self.masks: dict[str, MaskRle] = {}
        self._seen, self._options = seen, options

    def outcomes(self, task: str) -> Iterator[Outcome]:
        return CLIP_TASKS[task]()(self._seen, self.studio, self._options)
