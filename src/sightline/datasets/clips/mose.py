"""MOSE v1 and v2: one folder a clip, a JPEG and a palette PNG a frame.

    {root}/train/JPEGImages/0a1b2c3d/00000.jpg
    {root}/train/Annotations/0a1b2c3d/00000.png     palette, index = object
    {root}/valid/...                                pictures of all frames, labels of the first one only

A split is a folder with JPEGImages in it; where the root itself holds JPEGImages, all of it is the split "all". There are no lists,
no categories and no frame rate. Surprises: objects vanish and come back under their number; a label picture has one object a
pixel, so masks never overlap; v2 has clips of several shots, which nothing marks. A frame without labels is unknown, not empty: on
`valid` that is all but the first, and each clip there has one entry `first_masks_only` that says so. The clips of both versions are
of one collection of videos, so a clip's identity is its name. Source: henghuiding/MOSE-api.
"""

from collections.abc import Iterator
from pathlib import Path

from sightline.datasets import check_split
from sightline.datasets.clips.frame_folders import FrameFolders, altered, folder_problems, folders_with_pictures
from sightline.errors import InputError
from sightline.types import Clip

EVERYTHING = "all"
TRAINING = ("train", EVERYTHING)


class Mose:
    """Clips of one split of a MOSE tree.

    Raises:
        FileNotFoundError: no such root.
        InputError: no MOSE tree, no such split, or no clip in it.
    """

    def __init__(self, root: Path, split: str) -> None:
        check_split(root, split, self.splits(root))
        self.root = root
        self.split = split
        place = "" if split == EVERYTHING else f"{split}/"
        self._folders = FrameFolders(root, f"{place}JPEGImages", f"{place}Annotations")
        self._clip_ids = self._folders.clip_ids()
        if not self._clip_ids:
            raise InputError(f"{root}: split {split!r} has no clip.")

    @staticmethod
    def splits(root: Path) -> list[str]:
        """The folders below the root that hold JPEGImages, or "all"."""
        if not root.is_dir():
            raise FileNotFoundError(f"{root} is not a folder. Give the root that holds train/ and valid/.")
        if (root / "JPEGImages").is_dir():
            return [EVERYTHING]
        if found := folders_with_pictures(root):
            return found
        raise InputError(
            f"{root} is not a MOSE tree: expected JPEGImages/ and Annotations/ in it, or in its folders train/, valid/."
        )

    def __len__(self) -> int:
        return len(self._clip_ids)

    def __iter__(self) -> Iterator[Clip]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Clip:
        clip_id = self._clip_ids[index]
        frames = self._folders.frames(clip_id)
        unlabelled = sum(frame.labels is None for frame in frames)
        held_back = self.split not in TRAINING and unlabelled == len(frames) - 1 and frames[0].labels is not None
        problems = folder_problems(clip_id, frames, labelled=not held_back)
        if held_back and unlabelled:
            problems.append(altered(clip_id, "first_masks_only", f"{unlabelled} of {len(frames)} frames have no labels, by design"))
        return Clip(clip_id=clip_id, split=self.split, frames=frames, problems=tuple(problems), video_id=f"mose/{clip_id}")

    def clip_ids(self) -> list[str]:
        return list(self._clip_ids)

    def sources(self) -> list[Path]:
        return self._folders.sources(self._clip_ids)
