"""MindCube: a few pictures around one place, a question with lettered options in its words.

    {root}/data/raw/MindCube_train.jsonl, MindCube_tinybench.jsonl, MindCube.jsonl       (or in {root}/raw or {root} itself)
        {"id": "among_group001_q0_1_1", "category": [...], "type": "...", "meta_info": [...],
         "question": "... A. Above B. Under C. Front D. Behind", "images": ["other_all_image/among/...png", ...], "gt_answer": "A"}
    {root}/data/other_all_image/...

Splits: `train`, `tinybench`, `full` (which holds the other two). The question type is the setting that the id names: around,
rotation, translation, among, else other. Surprises: the training set and the benchmark are drawn from one set, so that `full` is
never trained on; the file says nothing on how to answer, so that the dialect does. Source: mll-lab-nu/MindCube.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from jaxtyping import Int

from sightline.datasets import check_split
from sightline.datasets.questions.qa_files import QaFile, find_medium, plain_value
from sightline.datasets.questions.qa_text import Unusable, find_options, read_answer
from sightline.datasets.questions.scenes import scene_in_paths
from sightline.errors import InputError
from sightline.types import LedgerEntry, Medium, SpatialInquiry

FILES = {"train": "MindCube_train.jsonl", "tinybench": "MindCube_tinybench.jsonl", "full": "MindCube.jsonl"}
FOLDERS = ("data/raw", "raw", "")
SETTINGS = ("around", "rotation", "translation", "among")


class Row(msgspec.Struct, frozen=True):
    """One question."""

    id: str
    question: str
    images: list[str]
    gt_answer: str
    category: Any = None
    type: Any = None
    meta_info: Any = None


class MindCube:
    """The questions of one file.

    Raises:
        FileNotFoundError: no such root.
        InputError: no such file in it, or it cannot be read.
    """

    def __init__(self, root: Path, split: str) -> None:
        check_split(root, split, self.splits(root))
        self.root, self.split = root, split
        self.role = "train" if split == "train" else "test"
        self._file = QaFile(_files(root)[split], root, Row)

    @staticmethod
    def splits(root: Path) -> list[str]:
        """The files found under `root`."""
        if not root.is_dir():
            raise FileNotFoundError(f"{root} is not a folder. Give the folder that holds data/raw/ and data/other_all_image/.")
        if not (found := list(_files(root))):
            raise InputError(f"{root} is not MindCube: expected one of {', '.join(FILES.values())} in data/raw.")
        return found

    def sources(self) -> list[Path]:
        return [self._file.path]

    def __len__(self) -> int:
        return len(self._file)

    def order(self) -> Int[np.ndarray, " n"]:
        return self._file.order()

    def __getitem__(self, index: int) -> tuple[SpatialInquiry | LedgerEntry, ...]:
        row = self._file[index]
        return (row,) if isinstance(row, LedgerEntry) else (*self._file.notes(index, row.id), *self._read(row, index))

    def _read(self, row: Row, index: int) -> Iterator[SpatialInquiry | LedgerEntry]:
        options = find_options(row.question)
        kind = next((name for name in SETTINGS if name in row.id), "other")
        target = (
            read_answer(row.gt_answer, options, kind)
            if options
            else Unusable("options_missing", f"no lettered options in {row.question[-80:]!r}")
        )
        if isinstance(target, Unusable):
            yield self._file.drop(index, *target)
            return
        try:
            images = [find_medium(self.root, (path,)) for path in row.images]
        except InputError as error:
            yield self._file.drop(index, "path_leaves_root", str(error))
            return
        scene = scene_in_paths(row.images)
        yield SpatialInquiry(
            inquiry_id=f"{index}-{row.id}",
            published_id=row.id,
            words=(*(part for path in images for part in (Medium(path=path), "\n")), row.question),
            target=target,
            answer_text=row.gt_answer,
            options=options,
            question_type=kind,
            dataset=scene.dataset if scene else "",
            scene_id=scene.scene_id if scene else "",
            evidence={name: plain_value(value) for name in ("category", "type") if (value := getattr(row, name)) is not None},
        )


def _files(root: Path) -> dict[str, Path]:
    places = ((split, root / folder / name) for split, name in FILES.items() for folder in FOLDERS)
    found: dict[str, Path] = {}
    for split, path in places:
        if path.is_file():
            found.setdefault(split, path)
    return found
