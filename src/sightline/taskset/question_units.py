"""Units of published questions: a row of a question file, or the rows of spatial QA about the same media."""

from collections.abc import Iterator, Sequence
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Int

from sightline.datasets.questions import QA_READERS, QUESTION_READERS, QaReader
from sightline.tasks.crossview import Outcome
from sightline.tasks.pictures import Studio
from sightline.tasks.questions import QuestionOptions, Source, pose
from sightline.tasks.scan_coverage import scan_records
from sightline.tasks.spatial_qa import QaOptions, QaSource, check_media, pose_qa
from sightline.taskset.recordings import see_scene_recording
from sightline.types import Inquiry, LedgerEntry, MaskRle, SpatialInquiry

STUDIOS_KEPT = 4


class Questions:
    """Rows of a question file."""

    def __init__(self, reader: str, root: Path, split: str, options: QuestionOptions) -> None:
        self._reader = QUESTION_READERS[reader][0]()(root, split)
        self._source = Source(reader=reader, split=split, role=self._reader.role, tasks=dict(self._reader.tasks))
        self._options = options

    def __len__(self) -> int:
        return len(self._reader)

    def __getitem__(self, index: int) -> "_QuestionUnit":
        return _QuestionUnit(self._reader[index], Studio(self._reader.root), self._source, self._options)

    def ids(self) -> list[str]:
        return []  # a picture is known by its content, which no list tells

    def sources(self) -> list[Path]:
        return self._reader.sources()


class _QuestionUnit:
    recording = None

    def __init__(self, found: Sequence[Inquiry | LedgerEntry], studio: Studio, source: Source, options: QuestionOptions) -> None:
        self.studio = studio
        self.masks: dict[str, MaskRle] = {}
        outcomes = [
            outcome
            for entry in found
            for outcome in ([entry] if isinstance(entry, LedgerEntry) else pose(entry, source, studio, options))
        ]
        self.ledger = [outcome for outcome in outcomes if isinstance(outcome, LedgerEntry)]
        self._examples = [outcome for outcome in outcomes if not isinstance(outcome, LedgerEntry)]

    def outcomes(self, task: str) -> Iterator[Outcome]:
        return (example for example in self._examples if example.question.task == task)


class SpatialQa:
    """Rows of a file of spatial QA, those about the same media together. The studio is kept while the rows show the same: files may
    be shuffled, and a video or picture is decoded once all the same."""

    def __init__(self, reader: str, root: Path, split: str, options: QaOptions) -> None:
        self._reader_name, self._root, self._split = reader, root, split
        self._options = options
        self._studio = lru_cache(maxsize=STUDIOS_KEPT)(self._new_studio)

    @cached_property
    def _reader(self) -> QaReader:
        """Opened when it is needed: a root may hold large files that are not asked for."""
        return QA_READERS[self._reader_name][0]()(self._root, self._split)

    @cached_property
    def _source(self) -> QaSource:
        return QaSource(reader=self._reader_name, split=self._split, role=self._reader.role)

    @cached_property
    def _order(self) -> Int[np.ndarray, " n"]:
        return self._reader.order()

    def __len__(self) -> int:
        return len(self._reader)

    def __getitem__(self, index: int) -> "_SpatialQaUnit":
        found = self._reader[int(self._order[index])]
        media = tuple(medium.path for each in found if isinstance(each, SpatialInquiry) for medium in each.media)
        return _SpatialQaUnit(found, self._studio(media), self._source, self._options)

    def ids(self) -> list[str]:
        return []  # the scenes are read from the rows; the check of recordings compares them

    def sources(self) -> list[Path]:
        if self._options.missing_media == "error" and len(self):  # before anything is staged that could not go on otherwise
            check_media([each for each in self._reader[0] if isinstance(each, SpatialInquiry)], self._source, self._root)
        scans, choices = self._options.frames.scans, self._options.frames.choices
        seen = [*(scan_records(Path(scans)) if scans is not None else ()), *([Path(choices)] if choices is not None else ())]
        return [*self._reader.sources(), *seen]

    def _new_studio(self, _media: tuple[str, ...]) -> Studio:
        return Studio(self._root)


class _SpatialQaUnit:
    def __init__(self, found: Sequence[SpatialInquiry | LedgerEntry], studio: Studio, source: QaSource, options: QaOptions) -> None:
        self.studio = studio
        self.masks: dict[str, MaskRle] = {}
        outcomes = [
            outcome
            for entry in found
            for outcome in ([entry] if isinstance(entry, LedgerEntry) else pose_qa(entry, source, studio, options))
        ]
        self.ledger = [outcome for outcome in outcomes if isinstance(outcome, LedgerEntry)]
        self._examples = [outcome for outcome in outcomes if not isinstance(outcome, LedgerEntry)]
        scene = next((each for each in found if isinstance(each, SpatialInquiry) and each.dataset), None)
        self.recording = see_scene_recording(scene.dataset, scene.scene_id) if scene else None

    def outcomes(self, task: str) -> Iterator[Outcome]:
        return (example for example in self._examples if example.question.task == task)
