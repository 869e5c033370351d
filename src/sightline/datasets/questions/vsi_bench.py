"""VSI-Bench: questions about videos of rooms, eight tasks, numbers and choices.

    {root}/test.jsonl                  {"id": 0, "dataset": "arkitscenes", "scene_name": "41069025", "question_type":
                                        "object_counting", "question": "How many table(s) are in this room?",
                                        "ground_truth": "4", "options": null}
    {root}/arkitscenes/41069025.mp4    and scannet/scene0011_00.mp4, scannetpp/7b6477cb95.mp4 (or folders of frames)

Options are strings with their letter ("A. chair"), the truth of a choice is the letter, of a number its digits. A prompt is the
authors': "These are frames of a video.", the question, "Options:" with one option a line, and how to answer; number questions ask
for a single word or phrase. Further fields (`pruned` of the debiased part) are kept as evidence. Source: nyu-visionx/VSI-Bench,
vision-x-nyu/thinking-in-space (lmms_eval/tasks/vsibench).
"""

from pathlib import Path

import msgspec
import numpy as np
from jaxtyping import Int

from sightline.datasets import check_split
from sightline.datasets.questions.cells import parquet_files, plain_rows
from sightline.datasets.questions.qa_files import QaFile, find_medium, grouped
from sightline.datasets.questions.qa_text import Unusable, listed_options, read_answer
from sightline.datasets.questions.records import check_ids, decode_records
from sightline.datasets.questions.scenes import dataset_name
from sightline.errors import InputError
from sightline.types import LedgerEntry, Medium, SpatialInquiry

FILES = ("test.jsonl", "test.json", "vsibench.jsonl")
PRE = "These are frames of a video."
HOW_NUMBER = "Please answer the question using a single word or phrase."
HOW_CHOICE = "Answer with the option's letter from the given choices directly."


class Row(msgspec.Struct, frozen=True):
    """One question."""

    id: int | str
    dataset: str
    scene_name: str
    question_type: str
    question: str
    ground_truth: str | float | None
    options: list[str] | None = None
    pruned: bool | None = None


class VsiBench:
    """The questions, all of the split `test`.

    Raises:
        FileNotFoundError: no such root, or no questions in it.
        InputError: the file cannot be read, or an id stands twice.
    """

    role = "test"

    def __init__(self, root: Path, split: str) -> None:
        check_split(root, split, self.splits(root))
        self.root, self.split = root, split
        path = next((root / name for name in FILES if (root / name).is_file()), None)
        if path is not None:
            self._file = QaFile(path, root, Row)
            self._paths, self._rows = [path], [self._file[index] for index in range(len(self._file))]
        else:
            self._file, self._paths = None, parquet_files(root, "test")
            self._rows = [row for file in self._paths for row in decode_records(plain_rows(file, ()), Row, file, root)]
        check_ids([row.id for row in self._rows if isinstance(row, Row)], self._paths[0])

    @staticmethod
    def splits(root: Path) -> list[str]:
        """VSI-Bench is one set, `test`."""
        if not any((root / name).is_file() for name in FILES) and not parquet_files(root, "test"):
            raise FileNotFoundError(f"{root}: none of {', '.join(FILES)}, test-*.parquet is there. Give the folder that holds one.")
        return ["test"]

    def sources(self) -> list[Path]:
        return self._paths

    def __len__(self) -> int:
        return len(self._rows)

    def order(self) -> Int[np.ndarray, " n"]:
        keys = [(row.dataset, row.scene_name) if isinstance(row, Row) else ("", "") for row in self._rows]
        return grouped(keys)

    def __getitem__(self, index: int) -> tuple[SpatialInquiry | LedgerEntry, ...]:
        row = self._rows[index]
        if isinstance(row, LedgerEntry):
            return (row,)
        notes = tuple(self._file.notes(index, None)) if self._file else ()
        made = self._inquiry(row)
        if isinstance(made, Unusable):
            return (*notes, LedgerEntry(unit=f"test/{row.id}", reason=made.reason, detail=made.detail, path=self._paths[0].name))
        return (*notes, made)

    def _inquiry(self, row: Row) -> SpatialInquiry | Unusable:
        options = listed_options(row.options or ())
        truth = "" if row.ground_truth is None else str(row.ground_truth)
        target = read_answer(truth, options, row.question_type, row.question)
        if isinstance(target, Unusable):
            return target
        dataset = dataset_name(row.dataset)
        try:
            video = find_medium(self.root, (f"{row.dataset}/{row.scene_name}.mp4", f"{dataset}/{row.scene_name}.mp4"))
        except InputError as error:
            return Unusable("path_leaves_root", str(error))
        asked = [PRE, row.question, *(["Options:", *(row.options or ())] if options else [])]
        return SpatialInquiry(
            inquiry_id=str(row.id),
            published_id=str(row.id),
            words=(Medium(path=video, what="video"), "\n" + "\n".join(asked) + "\n"),
            target=target,
            answer_text=truth,
            suffix=HOW_CHOICE if options else HOW_NUMBER,
            options=options,
            question_type=row.question_type,
            dataset=dataset,
            scene_id=row.scene_name,
            evidence={} if row.pruned is None else {"pruned": int(row.pruned)},
        )
