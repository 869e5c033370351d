"""ViewSpatial-Bench: where something is, or which way somebody looks, from the camera's or from a person's place.

    {root}/ViewSpatial-Bench.json    [{"question_type": "Camera perspective - Relative Direction",
                                        "image_path": ["ViewSpatial-Bench/scannetv2_val/scene0011_00/original_images/280.jpg"],
                                        "question": "Could you tell me the location of the counter ...?",
                                        "answer": "A. right", "choices": "A. right\\nB. front-up\\nC. back-left\\nD. front"}, ...]
    {root}/scannetv2_val/..., {root}/val2017/...     or below {root}/ViewSpatial-Bench/

Rows have no id, so that a question is known by its place. The authors put question and choices together without a break and ask to
"Reply only to the corresponding option."; here a line break stands between the two. Source: ZJU-REAL/ViewSpatial-Bench
(evaluate.py).
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
from jaxtyping import Int

from sightline.datasets import check_split
from sightline.datasets.questions.qa_files import QaFile, find_medium
from sightline.datasets.questions.qa_text import Unusable, listed_options, read_answer
from sightline.datasets.questions.scenes import scene_in_paths
from sightline.errors import InputError
from sightline.types import LedgerEntry, Medium, SpatialInquiry

FILE = "ViewSpatial-Bench.json"
FOLDERS = ("", "eval", "ViewSpatial-Bench")
PREFIX = "ViewSpatial-Bench/"
HOW = "Reply only to the corresponding option.\nAnswer:"


class Row(msgspec.Struct, frozen=True):
    """One question."""

    question_type: str
    image_path: list[str]
    question: str
    answer: str
    choices: str


class ViewSpatialBench:
    """The questions, all of the split `test`.

    Raises:
        FileNotFoundError: no such root, or no questions in it.
        InputError: the file is no JSON list.
    """

    role = "test"

    def __init__(self, root: Path, split: str) -> None:
        check_split(root, split, self.splits(root))
        self.root, self.split = root, split
        self._file = QaFile(next(path for path in _places(root) if path.is_file()), root, Row)

    @staticmethod
    def splits(root: Path) -> list[str]:
        """ViewSpatial-Bench is one set, `test`."""
        if not any(path.is_file() for path in _places(root)):
            raise FileNotFoundError(f"{root / FILE} is not there. Give the folder that holds it and the pictures.")
        return ["test"]

    def sources(self) -> list[Path]:
        return [self._file.path]

    def __len__(self) -> int:
        return len(self._file)

    def order(self) -> Int[np.ndarray, " n"]:
        return self._file.order()

    def __getitem__(self, index: int) -> tuple[SpatialInquiry | LedgerEntry, ...]:
        row = self._file[index]
        return (row,) if isinstance(row, LedgerEntry) else (*self._file.notes(index, None), *self._read(row, index))

    def _read(self, row: Row, index: int) -> Iterator[SpatialInquiry | LedgerEntry]:
        options = listed_options([line for line in row.choices.split("\n") if line.strip()])
        target = read_answer(row.answer, options, row.question_type)
        if isinstance(target, Unusable):
            yield self._file.drop(index, *target)
            return
        try:
            images = [find_medium(self.root, (path, path.removeprefix(PREFIX))) for path in row.image_path]
        except InputError as error:
            yield self._file.drop(index, "path_leaves_root", str(error))
            return
        scene = scene_in_paths([path.removeprefix(PREFIX) for path in row.image_path])
        yield SpatialInquiry(
            inquiry_id=str(index),
            published_id=str(index),
            words=(*(part for path in images for part in (Medium(path=path), "\n")), f"{row.question}\n{row.choices}\n"),
            target=target,
            answer_text=row.answer,
            suffix=HOW,
            options=options,
            question_type=row.question_type,
            dataset=scene.dataset if scene else "",
            scene_id=scene.scene_id if scene else "",
        )


def _places(root: Path) -> list[Path]:
    return [root / folder / FILE for folder in FOLDERS]
