"""ScanQA: questions about ScanNet scans, answered in free words.

    {root}/ScanQA_v1.0_{train,val,test_w_obj,test_wo_obj}.json
        [{"answers": ["brown cabinet with tv sitting in it"], "object_ids": [8], "object_names": ["cabinet"],
          "question": "What is in the right corner of room by curtains?", "question_id": "val-scene0011-0",
          "scene_id": "scene0011_00"}, ...]
    {root}/scannet/{scene_id}.mp4, {root}/scannet/videos/{scene_id}.mp4, or folders of frames

Of a training question each answer is an example of its own (`{question_id}_{k}`); of any other the first answer is the truth, and
all are accepted. The test files come without answers; such rows are left out. The asked objects are kept as evidence. Source:
ATR-DBI/ScanQA.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec
import numpy as np
from jaxtyping import Int

from sightline.datasets import check_split
from sightline.datasets.questions.qa_files import QaFile, find_medium
from sightline.errors import InputError
from sightline.types import LedgerEntry, Medium, SpatialInquiry, TextAnswer

PARTS = {"train": "train", "val": "val", "test_w_obj": "test", "test_wo_obj": "test"}  # and their role
HOW = "Answer the question using a single word or phrase."


def file_of(split: str) -> str:
    return f"ScanQA_v1.0_{split}.json"


def scan_video(root: Path, scene_id: str) -> str:
    """The video of a ScanNet scan, or the folder of its frames; the first of the usual places where there is none.

    Raises:
        InputError: the scene's name leads out of the root.
    """
    return find_medium(root, (f"scannet/{scene_id}.mp4", f"scannet/videos/{scene_id}.mp4", f"{scene_id}.mp4"))


class Row(msgspec.Struct, frozen=True):
    """One question."""

    question: str
    question_id: str
    scene_id: str
    answers: list[str] = []
    object_ids: list[int] = []
    object_names: list[str] = []


class ScanQa:
    """The questions of one file.

    Raises:
        FileNotFoundError: no such root.
        InputError: no such file in it, or it is no JSON list.
    """

    def __init__(self, root: Path, split: str) -> None:
        check_split(root, split, self.splits(root))
        self.root, self.split, self.role = root, split, PARTS[split]
        self._file = QaFile(root / file_of(split), root, Row)

    @staticmethod
    def splits(root: Path) -> list[str]:
        """The files found under `root`."""
        if not root.is_dir():
            raise FileNotFoundError(f"{root} is not a folder. Give the folder that holds {file_of('val')}.")
        if not (found := [split for split in PARTS if (root / file_of(split)).is_file()]):
            raise InputError(f"{root} is not ScanQA: expected one of {', '.join(map(file_of, PARTS))} in it.")
        return found

    def sources(self) -> list[Path]:
        return [self._file.path]

    def __len__(self) -> int:
        return len(self._file)

    def order(self) -> Int[np.ndarray, " n"]:
        return self._file.order()

    def __getitem__(self, index: int) -> tuple[SpatialInquiry | LedgerEntry, ...]:
        row = self._file[index]
        return (row,) if isinstance(row, LedgerEntry) else (*self._file.notes(index, row.question_id), *self._read(row, index))

    def _read(self, row: Row, index: int) -> Iterator[SpatialInquiry | LedgerEntry]:
        answers = [answer.strip() for answer in row.answers if answer.strip()]
        if not answers:
            yield self._file.drop(index, "answer_empty", f"question {row.question_id} has no answer")
            return
        try:
            video = scan_video(self.root, row.scene_id)
        except InputError as error:
            yield self._file.drop(index, "path_leaves_root", str(error))
            return
        for number, answer in enumerate(answers if self.role == "train" else answers[:1]):
            yield SpatialInquiry(
                inquiry_id=f"{index}-{row.question_id}_{number}",
                published_id=f"scanqa_{row.question_id}_{number}" if self.role == "train" else row.question_id,
                words=(Medium(path=video, what="video"), f"\n{row.question}\n"),
                target=TextAnswer(text=answer),
                answer_text=answer,
                suffix=HOW,
                accepted=() if self.role == "train" else tuple(answers),
                question_type=row.question.split(" ")[0].lower() if row.question else "",
                dataset="scannet",
                scene_id=row.scene_id,
                evidence={"objects": ", ".join(map(str, row.object_ids)), "object_names": ", ".join(row.object_names)},
            )
