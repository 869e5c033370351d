"""Prepared scans (`sightline prepare scan`) as clips: posed frames with instance labels, for everything that is built from clips.

    {root}/{scan}/scan.json, colour/, depth/, instances/        see `datasets.scans.prepared`

One split, "all". Frames without instance labels have no `labels`; objects without a label in the pictures are no tracks.
"""

from collections.abc import Iterator
from pathlib import Path

from sightline.datasets import check_split
from sightline.datasets.scans.prepared import PreparedScans
from sightline.errors import InputError
from sightline.types import Clip, ClipFrame, Track

SPLIT = "all"


class ScanClips:
    """The complete scans of one root as clips.

    Raises:
        FileNotFoundError: no such root.
        InputError: no prepared scan in it, or another split.
    """

    def __init__(self, root: Path, split: str) -> None:
        check_split(root, split, self.splits(root))
        self.root = root
        self.split = split
        self._scans = PreparedScans(root)

    @staticmethod
    def splits(root: Path) -> list[str]:
        """The one split, if there is a scan."""
        if not root.is_dir():
            raise FileNotFoundError(f"{root} is not a folder. Give the folder that `sightline prepare scan` wrote.")
        if not len(PreparedScans(root)):
            raise InputError(f"{root}: no {{scan}}/scan.json in it. Give the folder that `sightline prepare scan` wrote.")
        return [SPLIT]

    def __len__(self) -> int:
        return len(self._scans)

    def __iter__(self) -> Iterator[Clip]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Clip:
        """Raises InputError if the record is damaged."""
        scan = self._scans[index]
        return Clip(
            clip_id=scan.scan_id,
            split=self.split,
            frames=tuple(ClipFrame(frame_id=frame.frame_id, image=frame.image, labels=frame.instances) for frame in scan.frames),
            tracks=tuple(
                Track(object_id=each.object_id, category=each.category, label=each.label)
                for each in scan.objects
                if each.label is not None
            ),
            fps=scan.fps,
            video_id=f"{scan.dataset}/{scan.scan_id}",
        )

    def clip_ids(self) -> list[str]:
        return self._scans.scan_ids()

    def sources(self) -> list[Path]:
        return [self.root / name / part for name in self.clip_ids() for part in ("scan.json", "colour", "instances")]
