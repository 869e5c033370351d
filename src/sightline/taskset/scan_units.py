"""Scans as the units of a build: each gives the generated questions about its room."""

from collections.abc import Iterator
from pathlib import Path

from sightline.datasets.scans import open_scans
from sightline.tasks.crossview import Outcome
from sightline.tasks.pictures import Studio
from sightline.tasks.spatial.options import SpatialOptions
from sightline.tasks.spatial.scan import scan_questions
from sightline.taskset.recordings import see_scene_recording
from sightline.types import MaskRle, Scan


class Scans:
    """The scans of one root; they are one split, of the name that the build gives it."""

    def __init__(self, reader: str, root: Path, split: str, options: SpatialOptions) -> None:
        self._reader = open_scans(reader, root)
        self._split = split
        self._options = options

    def __len__(self) -> int:
        return len(self._reader)

    def __getitem__(self, index: int) -> "ScanUnit":
        return ScanUnit(self._reader[index], Studio(self._reader.root), self._split, self._options)

    def ids(self) -> list[str]:
        return self._reader.scan_ids()

    def sources(self) -> list[Path]:
        choices = self._options.frames.choices
        return [self._reader.root, *([Path(choices)] if choices is not None else ())]


class ScanUnit:
    """One scan."""

    ledger = ()

    def __init__(self, scan: Scan, studio: Studio, split: str, options: SpatialOptions) -> None:
        self.studio = studio
        self.masks: dict[str, MaskRle] = {}
        self.recording = see_scene_recording(scan.dataset, scan.scan_id)
        self._scan, self._split, self._options = scan, split, options

    def outcomes(self, task: str) -> Iterator[Outcome]:  # noqa: ARG002 - scans have one task
        return scan_questions(self._scan, self.studio, self._options, split=self._split)
