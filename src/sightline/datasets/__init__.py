"""One reader per on-disk format. A reader lists annotations and paths; it never decodes a pixel."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

from sightline.types import Clip, Inquiry, LedgerEntry, RemovalTriple, Scene


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
    """Clips of one split of a data set, in sorted order; `root` is what their paths are relative to. Single pictures with
    expressions are clips of one frame."""

    root: Path
    split: str

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Clip: ...
    def __iter__(self) -> Iterator[Clip]: ...
    def clip_ids(self) -> list[str]:
        """The ids of all clips, in order, without opening what is in them."""
        ...

    def sources(self) -> list[Path]:
        """The files and folders the clips are read from; a build goes on only if they have not changed."""
        ...


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


@runtime_checkable
class QuestionReader(Protocol):
    """Questions of one split as their authors wrote them. An index is a row of the file, which may hold several questions, or none
    that can be used, and then why.

    `tasks` names the task of each kind of question that the split has (kinds: `tasks.questions`). `role` is the split of their
    examples for the leak check: all parts of a benchmark are "test", whatever they are called.
    """

    root: Path
    split: str

    @property
    def tasks(self) -> Mapping[str, str]: ...
    @property
    def role(self) -> str: ...
    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> tuple[Inquiry | LedgerEntry, ...]: ...
    def sources(self) -> list[Path]:
        """The files and folders the questions are read from; a build goes on only if they have not changed."""
        ...


@runtime_checkable
class QuestionFormat(Protocol):
    """A question reader's class: which splits a root holds, and how to open one."""

    def __call__(self, root: Path, split: str) -> QuestionReader: ...
    def splits(self, root: Path) -> list[str]:
        """The splits found under `root`, in order."""
        ...


def _refspatial_bench() -> QuestionFormat:
    from sightline.datasets.refspatial_bench import RefSpatialBench  # noqa: PLC0415

    return RefSpatialBench


def _refspatial() -> QuestionFormat:
    from sightline.datasets.refspatial import RefSpatial  # noqa: PLC0415

    return RefSpatial


def _where2place() -> QuestionFormat:
    from sightline.datasets.where2place import Where2Place  # noqa: PLC0415

    return Where2Place


def _robospatial_home() -> QuestionFormat:
    from sightline.datasets.robospatial_home import RoboSpatialHome  # noqa: PLC0415

    return RoboSpatialHome


# Benchmarks and training files that bring their own questions: `sightline build NAME` makes task sets of them.
QUESTION_READERS: dict[str, tuple[Callable[[], QuestionFormat], str]] = {
    "refspatial-bench": (_refspatial_bench, "{Location|Placement|Unseen}/question.json, image/, mask/; or data/{split}-*.parquet"),
    "refspatial": (_refspatial, "{2D|3D|Simulator}/*.json (conversations with points as text), image/, depth/"),
    "where2place": (_where2place, "point_questions.jsonl, images/, masks/"),
    "robospatial-home": (_robospatial_home, "annotations.json, images/; or data/{category}-*.parquet"),
}
