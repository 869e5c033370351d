"""One reader per on-disk format. A reader lists annotations and paths; it never decodes a pixel."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, runtime_checkable

from sightline.types import Clip, RemovalTriple, Scene


@runtime_checkable
class Reader(Protocol):
    """Scenes of one split of a data set, in sorted order.

    `root` is the data root all paths are relative to; `split` the split that is read.
    """

    root: Path
    split: str

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Scene: ...
    def __iter__(self) -> Iterator[Scene]: ...
    def scene_ids(self) -> list[str]:
        """The ids of all scenes, by listing folders only."""
        ...


@runtime_checkable
class ReaderFormat(Protocol):
    """A reader's class: which splits a root holds, and how to open one."""

    def __call__(self, root: Path, split: str) -> Reader: ...
    def splits(self, root: Path) -> list[str]:
        """The splits found under `root`, in order."""
        ...


def _x3() -> ReaderFormat:
    from sightline.datasets.x3 import X3  # noqa: PLC0415

    return X3


READERS: dict[str, tuple[Callable[[], ReaderFormat], str]] = {
    "x3": (_x3, "{split}/{scene}/uid_{uid}/{kk}_{frame}_{original|inpainted|mask|mask_dialated}.png (multi-view, removed twins)"),
}


@runtime_checkable
class ClipReader(Protocol):
    """Clips of one split of a data set, in sorted order; `root` is what their paths are relative to."""

    root: Path
    split: str

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Clip: ...
    def __iter__(self) -> Iterator[Clip]: ...


@runtime_checkable
class ClipFormat(Protocol):
    """A clip reader's class: which splits a root holds, and how to open one."""

    def __call__(self, root: Path, split: str) -> ClipReader: ...
    def splits(self, root: Path) -> list[str]:
        """The splits found under `root`, in order."""
        ...


def _davis() -> ClipFormat:
    from sightline.datasets.davis import Davis  # noqa: PLC0415

    return Davis


# Clips with masks: `sightline prepare x3` makes an x3 tree of them.
CLIP_READERS: dict[str, tuple[Callable[[], ClipFormat], str]] = {
    "davis": (_davis, "JPEGImages/{res}/{seq}/%05d.jpg, Annotations/{res}/{seq}/%05d.png (labels), ImageSets/{year}/{split}.txt"),
}


def _removals() -> Callable[[Path], list[RemovalTriple]]:
    from sightline.datasets.removals import list_removals  # noqa: PLC0415

    return list_removals


# Real removals, one picture each: `sightline prepare x3` makes an x3 tree of them, too.
REMOVAL_READERS: dict[str, tuple[Callable[[], Callable[[Path], list[RemovalTriple]]], str]] = {
    "removal": (_removals, "{name}.jpg, {name}/with_mask.png (object tinted), {name}/inpainted_with_mask.png (object removed)"),
}
