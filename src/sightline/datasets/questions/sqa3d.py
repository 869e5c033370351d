"""SQA3D: a person stands somewhere in a ScanNet scan, in words; what do they see?

    {root}/sqa_task/balanced/v1_balanced_questions_{train,val,test}_scannetv2.json      (or in {root} itself)
        {"questions": [{"scene_id": "scene0050_00", "situation": "I am standing by the ottoman ...",
                        "alternative_situation": ["...", "..."], "question": "What instrument ...?", "question_id": 220602000002}]}
    {root}/sqa_task/balanced/v1_balanced_sqa_annotations_{split}_scannetv2.json
        {"annotations": [{"question_id": 220602000002, "answers": [{"answer": "piano", "answer_confidence": "yes", "answer_id": 1}],
                          "position": {"x": 0.7, ...}, "rotation": {"_z": -0.99, ...}, "answer_type": "other", ...}]}

Of a training question every situation (the main one, then the alternatives) is an example of its own; else the main one alone. The
question type is the first word of the question if that is what, is, how, can or which, else others. Position (metres, in the scan's
own axes) and rotation (a quaternion) are kept as evidence. Source: SilongYong/SQA3D.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec
import numpy as np
from jaxtyping import Int

from sightline.datasets import check_split
from sightline.datasets.questions.qa_files import QaFile
from sightline.datasets.questions.scanqa import scan_video
from sightline.errors import InputError
from sightline.types import LedgerEntry, Medium, SpatialInquiry, TextAnswer

SPLITS = ("train", "val", "test")
FOLDERS = ("sqa_task/balanced", "")
TYPES = ("what", "is", "how", "can", "which")
HOW = "Answer the question using a single word or phrase."


class Row(msgspec.Struct, frozen=True):
    """One question."""

    question_id: int
    scene_id: str
    situation: str
    question: str
    alternative_situation: list[str] = []


class Given(msgspec.Struct, frozen=True):
    """One answer."""

    answer: str
    answer_confidence: str | None = None
    answer_id: int | None = None


class Annotation(msgspec.Struct, frozen=True):
    """What is known of one question."""

    question_id: int
    answers: list[Given] = []
    scene_id: str | None = None
    position: dict[str, float] = {}
    rotation: dict[str, float] = {}
    question_type: str | None = None
    answer_type: str | None = None


class Sqa3d:
    """The questions of one split with their answers.

    Raises:
        FileNotFoundError: no such root, or its file of answers is not there.
        InputError: no such split in it, or a file cannot be read.
    """

    def __init__(self, root: Path, split: str) -> None:
        check_split(root, split, self.splits(root))
        self.root, self.split, self.role = root, split, split
        asked = _questions(root, split)
        self._file = QaFile(asked, root, Row, key=("questions",))
        said = QaFile(
            asked.with_name(f"v1_balanced_sqa_annotations_{split}_scannetv2.json"), root, Annotation, key=("annotations",)
        )
        self._said_path = said.path
        found = [said[index] for index in range(len(said))]
        self._annotations: Mapping[int, Annotation] = {each.question_id: each for each in found if isinstance(each, Annotation)}

    @staticmethod
    def splits(root: Path) -> list[str]:
        """The splits found under `root`."""
        if not root.is_dir():
            raise FileNotFoundError(f"{root} is not a folder. Give the folder that holds sqa_task/balanced/.")
        if not (found := [split for split in SPLITS if _questions(root, split).is_file()]):
            raise InputError(f"{root} is not SQA3D: expected {_questions(root, 'test').name} in sqa_task/balanced.")
        return found

    def sources(self) -> list[Path]:
        return [self._file.path, self._said_path]

    def __len__(self) -> int:
        return len(self._file)

    def order(self) -> Int[np.ndarray, " n"]:
        return self._file.order()

    def __getitem__(self, index: int) -> tuple[SpatialInquiry | LedgerEntry, ...]:
        row = self._file[index]
        if isinstance(row, LedgerEntry):
            return (row,)
        return (*self._file.notes(index, str(row.question_id)), *self._read(row, index))

    def _read(self, row: Row, index: int) -> Iterator[SpatialInquiry | LedgerEntry]:
        known = self._annotations.get(row.question_id)
        answers = [each.answer.strip() for each in known.answers if each.answer.strip()] if known else []
        if known is None or not answers:
            detail = f"question {row.question_id} has no answer in {self._said_path.name}"
            yield self._file.drop(index, "answer_empty", detail)
            return
        try:
            video = scan_video(self.root, row.scene_id)
        except InputError as error:
            yield self._file.drop(index, "path_leaves_root", str(error))
            return
        first = row.question.strip().lower().split(" ")[0]
        situations = [row.situation, *(row.alternative_situation if self.role == "train" else [])]
        for number, situation in enumerate(situations):
            yield SpatialInquiry(
                inquiry_id=f"{index}-{row.question_id}_{number}",
                published_id=f"{row.question_id}_{number}" if self.role == "train" else str(row.question_id),
                words=(Medium(path=video, what="video"), f"\n{situation} {row.question}\n"),
                target=TextAnswer(text=answers[0]),
                answer_text=answers[0],
                suffix=HOW,
                accepted=tuple(answers),
                question_type=first if first in TYPES else "others",
                dataset="scannet",
                scene_id=row.scene_id,
                evidence={
                    "situation": situation,
                    "question": row.question,
                    **{f"position_{axis}": value for axis, value in known.position.items()},
                    **{f"rotation{axis}": value for axis, value in known.rotation.items()},
                },
            )


def _questions(root: Path, split: str) -> Path:
    name = f"v1_balanced_questions_{split}_scannetv2.json"
    return next((root / folder / name for folder in FOLDERS if (root / folder / name).is_file()), root / FOLDERS[0] / name)
