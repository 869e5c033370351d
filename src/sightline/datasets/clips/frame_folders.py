"""Folders of numbered pictures, one a frame, as video data sets lay them out, and what is wrong with one clip's folders.

    {images}/{clip}/00000.jpg       the pictures
    {labels}/{clip}/00000.png       label numbers, for all frames or for some

A frame is known by the number in its file's name: numbers may start anywhere and go on in steps. Only folders are listed.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from re import compile as pattern

import msgspec

from sightline.files import inside
from sightline.types import ClipFrame, LedgerEntry

CLIP = pattern(r"[A-Za-z0-9_-][A-Za-z0-9_.-]{0,199}")
NUMBER = pattern(r"\d{1,12}")
NAMED = 3  # how many files an entry names


@dataclass(frozen=True)
class FrameFolders:
    """Where the pictures and the labels of all clips lie, as paths from the root."""

    root: Path
    images: str
    labels: str

    def clip_ids(self) -> list[str]:
        """The clips that have a folder of pictures or of labels, sorted."""
        places = [self.root / self.images, self.root / self.labels]
        return sorted({name for place in places for name in subfolders(place)})

    def frames(self, clip_id: str) -> tuple[ClipFrame, ...]:
        """The frames of one clip, in order of their numbers; () if it has none.

        Raises:
            InputError: a folder leads out of the root.
        """
        images = numbered_files(self.root, f"{self.images}/{clip_id}", ".jpg")
        labels = numbered_files(self.root, f"{self.labels}/{clip_id}", ".png")
        return tuple(_frame(images.get(number), labels.get(number)) for number in sorted(images.keys() | labels.keys()))

    def sources(self, clip_ids: Sequence[str]) -> list[Path]:
        """The folders of these clips that are there."""
        folders = [self.root / place / clip_id for place in (self.images, self.labels) for clip_id in clip_ids]
        return [folder for folder in folders if folder.is_dir()]


def subfolders(place: Path) -> list[str]:
    """The names of the folders in `place` that can be clips, sorted; hidden ones are not. Empty if there is no such folder."""
    return sorted(path.name for path in place.iterdir() if CLIP.fullmatch(path.name) and path.is_dir()) if place.is_dir() else []


def folders_with_pictures(root: Path) -> list[str]:
    """The folders in `root` that hold JPEGImages, sorted."""
    return [name for name in subfolders(root) if (root / name / "JPEGImages").is_dir()]


def without_labels(clip_id: str, frames: tuple[ClipFrame, ...], *, meta: Path) -> tuple[tuple[ClipFrame, ...], LedgerEntry]:
    """The frames of a clip that its `meta` file does not list, and the entry that says so: whose labels they are is not known."""
    bare = tuple(msgspec.structs.replace(frame, labels=None) for frame in frames)
    return bare, problem(clip_id, "not_in_meta", f"{meta.name} does not list it: its labels are not used")


def numbered_files(root: Path, folder: str, suffix: str) -> dict[int, str]:
    """Paths from the root by number, ascending. Files whose names are not numbers are not frames.

    Raises:
        InputError: the folder leads out of the root.
    """
    path = inside(root, folder)
    if not path.is_dir():
        return {}
    names = [entry.name for entry in path.iterdir() if entry.suffix == suffix and NUMBER.fullmatch(entry.stem)]
    return {int(Path(name).stem): f"{folder}/{name}" for name in sorted(names, key=lambda name: (int(Path(name).stem), name))}


def folder_problems(clip_id: str, frames: Sequence[ClipFrame], *, labelled: bool = True) -> list[LedgerEntry]:
    """What is missing in a clip's folders: all of it, pictures, labels (if every frame is to be `labelled`), or numbers."""
    if not frames:
        return [problem(clip_id, "clip_missing", "listed, but it has neither pictures nor labels")]
    found = []
    if missing := [frame.labels for frame in frames if frame.image is None and frame.labels]:
        found.append(problem(clip_id, "picture_missing", some(missing, of=len(frames), what="frames have no picture")))
    if labelled and (missing := [frame.image for frame in frames if frame.labels is None and frame.image]):
        found.append(problem(clip_id, "labels_missing", some(missing, of=len(frames), what="frames have no labels")))
    return found + _gaps(clip_id, frames)


def problem(clip_id: str, reason: str, detail: str) -> LedgerEntry:
    """Something of the clip that cannot be used."""
    return LedgerEntry(unit=clip_id, reason=reason, detail=detail)


def altered(clip_id: str, reason: str, detail: str) -> LedgerEntry:
    """Something of the clip that is used otherwise than it lies on disk, or that its user has to know."""
    return LedgerEntry(unit=clip_id, reason=reason, detail=detail, action="altered")


def some(paths: Sequence[str], *, of: int, what: str) -> str:
    """How many of how many, and the first few of them."""
    return f"{len(paths)} of {of} {what}: {', '.join(paths[:NAMED])}{', ...' if len(paths) > NAMED else ''}"


def _frame(image: str | None, labels: str | None) -> ClipFrame:
    return ClipFrame(frame_id=Path(image or labels or "").stem, image=image, labels=labels)


def _gaps(clip_id: str, frames: Sequence[ClipFrame]) -> list[LedgerEntry]:
    """Places where the numbers jump: from there on times that are counted in frames are too early."""
    steps = [(int(b.frame_id) - int(a.frame_id), f"{a.frame_id} to {b.frame_id}") for a, b in pairwise(frames)]
    if not steps:
        return []
    usual = Counter(step for step, _ in steps).most_common(1)[0][0]
    jumps = [where for step, where in steps if step != usual]
    detail = some(jumps, of=len(steps), what=f"steps between frame numbers are not {usual}")
    return [altered(clip_id, "frame_gap", detail)] if jumps else []
