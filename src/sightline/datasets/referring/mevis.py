"""MeViS: expressions of motion, often for several objects of a video.

    {root}/train/JPEGImages/0a1b2c3d4e5f/00000.jpg      root may hold them in MeViS_release/
    {root}/train/meta_expressions.json                  test: meta_expressions_release.json; layout: `datasets.expressions`
    {root}/train/mask_dict.json                         train and valid_u only; several hundred MB

Of `valid` and `test` nothing but frames and words is published: `object_ids` is None there. `valid` (140 videos, scored by a
server) and `valid_u` (50 videos, with masks) are different splits and their numbers differ by 5 to 8 points. Masks of a clip are
parsed when the clip is asked for. `PUBLISHED_SHA256` has the sums that the authors gave for the mask files. Surprises: objects of
a video without expression have no masks here; a mask list shorter than its video; see `problems`. Source: henghuiding/MeViS.
"""

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from sightline.datasets import check_split
from sightline.datasets.clips.listed_frames import existing, listed_frames
from sightline.datasets.referring.expressions import read_videos, video_expressions
from sightline.datasets.referring.mask_lists import Masks, check_joins, open_masks, video_tracks
from sightline.datasets.referring.published_sums import check_sums
from sightline.errors import InputError
from sightline.types import Clip, LedgerEntry

SPLITS = ("train", "valid_u", "valid", "test")
HIDDEN = ("valid", "test")
NAMES = ("meta_expressions.json", "meta_expressions_release.json")
MASKS = "mask_dict.json"
PLACES = ("", "MeViS_release", "mevis", "MeViS", "MeViS/MeViS_release")
PUBLISHED_SHA256 = {
    "train/mask_dict.json": "f9d9b01a2a6d7a004e2e7a664ce2b9b1576218e975030f8e4df4f66111fb253f",
    "valid_u/mask_dict.json": "6e711a3f713cd95a825f536323e434b4d80f85a8e4e66d0cd662408e8779db50",
}


class MeVis:
    """Clips of one split, in sorted order.

    Raises:
        FileNotFoundError: no such root; when a clip is asked for, no mask_dict.json where masks are published.
        InputError: no MeViS tree, no such split, a file of another form; when a clip is asked for, masks of another release.
    """

    def __init__(self, root: Path, split: str) -> None:
        found = _expression_files(root)
        check_split(root, split, found)
        self.root = root
        self.split = split
        self._path = found[split]
        self._folder = self._path.parent.relative_to(root).as_posix()
        self._videos = read_videos(self._path)
        self._clips = sorted(self._videos)

    @staticmethod
    def splits(root: Path) -> list[str]:
        """Those of train, valid_u, valid and test that have expressions."""
        return list(_expression_files(root))

    @staticmethod
    def check_sums(root: Path) -> list[LedgerEntry]:
        """The files that are not as the authors published them; reads them whole."""
        folder = next(iter(_expression_files(root).values())).parents[1].relative_to(root).as_posix()
        return check_sums(root, folder, PUBLISHED_SHA256)

    def __len__(self) -> int:
        return len(self._clips)

    def __iter__(self) -> Iterator[Clip]:
        return (self[index] for index in range(len(self)))

    def clip_ids(self) -> list[str]:
        return list(self._clips)

    def sources(self) -> list[Path]:
        folders = [self.root / self._folder / "JPEGImages" / clip_id for clip_id in self._clips]
        masks = self._path.with_name(MASKS)
        return [self._path, *([masks] if masks.is_file() else []), *existing(folders)]

    def __getitem__(self, index: int) -> Clip:
        clip_id = self._clips[index]
        video = self._videos[clip_id]
        frames, problems = listed_frames(self.root, f"{self._folder}/JPEGImages/{clip_id}", video.frames, clip_id)
        tracks, lost = video_tracks(self._masks, video, clip_id)
        return Clip(
            clip_id=clip_id,
            split=self.split,
            frames=frames,
            tracks=tuple(tracks),
            expressions=tuple(video_expressions(video, clip_id, tracks if self._masks else None, lost)),
            problems=(*problems, *lost),
            width=video.width,
            height=video.height,
            video_id=f"mevis/{clip_id}",
        )

    @cached_property
    def _masks(self) -> Masks | None:
        if self.split in HIDDEN:
            return None
        path = self._path.with_name(MASKS)
        if not path.is_file():
            raise FileNotFoundError(f"{path} is not there; the masks of {self.split} are in it. Fetch it, or read valid or test.")
        masks = open_masks(path)
        check_joins(masks, self._videos, self._path)
        return masks


def _expression_files(root: Path) -> dict[str, Path]:
    if not root.is_dir():
        raise FileNotFoundError(f"{root} is not a folder. Give the root that holds train/, valid_u/, valid/ or test/.")
    for place in PLACES:
        paths = [(split, root / place / split / name) for split in SPLITS for name in NAMES]
        if found := {split: path for split, path in reversed(paths) if path.is_file()}:
            return {split: found[split] for split in SPLITS if split in found}
    raise InputError(
        f"{root} is no MeViS tree: expected train/meta_expressions.json or that of another split, also in MeViS_release/."
    )
