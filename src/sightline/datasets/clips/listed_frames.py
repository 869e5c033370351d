"""The frames of a clip that a file lists by stem: "00000", "00005", ... (not always consecutive).

Whether a listed picture is there is known from one look at its folder; the picture itself is not opened.
"""

import os
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from sightline.datasets.clips.frame_folders import problem, some
from sightline.errors import InputError
from sightline.files import inside
from sightline.types import ClipFrame, LedgerEntry

PICTURES = (".jpg", ".jpeg", ".png")
STEM = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,199}")


def listed_frames(
    root: Path, folder: str, stems: Sequence[str], clip_id: str, *, labels: str | None = None
) -> tuple[tuple[ClipFrame, ...], list[LedgerEntry]]:
    """The listed frames in the order of their file, and what of them is missing.

    Args:
        root: the data root.
        folder: that of the pictures, from the root.
        stems: their names without ending, as listed.
        clip_id: for the entries.
        labels: the folder of label pictures (PNG) of the same stems, from the root; a frame without one has no labels.

    Raises:
        InputError: a stem that is no file's name, one that stands twice, or a folder outside the root.
    """
    _check_stems(stems, clip_id)
    pictures = _files_by_stem(root, folder, PICTURES)
    shown = _files_by_stem(root, labels, (".png",)) if labels is not None else {}
    frames = tuple(ClipFrame(frame_id=stem, image=pictures.get(stem), labels=shown.get(stem)) for stem in stems)
    problems = []
    if missing := [f"{folder}/{stem}.jpg" for stem in stems if stem not in pictures]:
        problems.append(problem(clip_id, "picture_missing", some(missing, of=len(stems), what="listed pictures are absent")))
    if labels is not None and (missing := [f"{labels}/{stem}.png" for stem in stems if stem not in shown]):
        problems.append(problem(clip_id, "labels_missing", some(missing, of=len(stems), what="frames have no labels")))
    return frames, problems


def existing(folders: Iterable[Path]) -> list[Path]:
    """Those of the folders that are there: what a clip is depends on the files in them."""
    return [folder for folder in folders if folder.is_dir()]


def _files_by_stem(root: Path, folder: str, endings: Sequence[str]) -> dict[str, str]:
    """Paths from the root by stem, of the files in a folder that end in one of `endings`; nothing where the folder is not there."""
    path = inside(root, folder)
    if not path.is_dir():
        return {}
    with os.scandir(path) as entries:
        names = sorted(entry.name for entry in entries if entry.name.endswith(tuple(endings)))
    return {name.rpartition(".")[0]: f"{folder}/{name}" for name in names}


def _check_stems(stems: Iterable[str], clip_id: str) -> None:
    seen: set[str] = set()
    for stem in stems:
        if not STEM.fullmatch(stem) or stem in seen:
            raise InputError(
                f"clip {clip_id}: frame {stem[:80]!r} {'stands twice' if stem in seen else 'is not the name of a picture'}; "
                "expected names such as 00005, each once. Mend the file that lists them."
            )
        seen.add(stem)
