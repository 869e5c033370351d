"""COCO instances: objects of single pictures. One clip of one frame a picture; layouts: `datasets.coco_json`, `.coco_files`.

    {root}/annotations/instances_val2017.json   {root}/val2017/000000142238.jpg

All annotations of a picture are tracks with their box and their mask, where they have one; crowds are marked. Pictures without
annotations are clips without tracks. A detection file made of a panoptic one (compressed codes) is read as well; a panoptic file
itself (`segments_info`) is not. Source: cocodataset.org.
"""

from collections.abc import Iterator
from pathlib import Path

from sightline.datasets import check_split
from sightline.datasets.clips.frame_folders import problem
from sightline.datasets.clips.listed_frames import existing
from sightline.datasets.coco.coco_files import missing_pictures, picture_folder, split_files
from sightline.datasets.coco.coco_json import CocoFile, coco_identity, joined, picture_tracks
from sightline.errors import InputError
from sightline.types import Clip, ClipFrame


class Coco:
    """Pictures of one file, in order of their names.

    Raises:
        FileNotFoundError: no such root.
        InputError: no such file, one that cannot be read, or annotations of which none joins a picture.
    """

    def __init__(self, root: Path, split: str) -> None:
        found = split_files(root, "images")
        check_split(root, split, found)
        self.root = root
        self.split = split
        self._file = CocoFile(found[split])
        self._pictures = sorted(self._file.images, key=lambda picture: picture.file_name)
        if not {picture.id for picture in self._pictures} & set(self._file.owners()):
            raise InputError(
                f"{self._file.path}: no annotation is of a picture that the file lists. It is damaged; fetch it again."
            )
        self._folder = picture_folder(root, self._file.path, split, [picture.file_name for picture in self._pictures])

    @staticmethod
    def splits(root: Path) -> list[str]:
        """The files that hold annotated pictures."""
        return list(split_files(root, "images"))

    def __len__(self) -> int:
        return len(self._pictures)

    def __iter__(self) -> Iterator[Clip]:
        return (self[index] for index in range(len(self)))

    def clip_ids(self) -> list[str]:
        return [_name(picture.file_name) for picture in self._pictures]

    def sources(self) -> list[Path]:
        return [self._file.path, *existing([self.root / self._folder])]

    def __getitem__(self, index: int) -> Clip:
        picture = self._pictures[index]
        name = _name(picture.file_name)
        tracks, problems = picture_tracks(self._file.annotations(picture.id), picture, self._file)
        path = joined(self._folder, picture.file_name)
        gone = missing_pictures(self.root, self._folder, [picture.file_name])
        if gone:
            problems.append(problem(name, "picture_missing", f"{path} is not there"))
        return Clip(
            clip_id=name,
            split=self.split,
            frames=(ClipFrame(frame_id=Path(picture.file_name).stem, image=None if gone else path),),
            tracks=tuple(tracks),
            problems=tuple(problems),
            width=picture.width,
            height=picture.height,
            video_id=coco_identity(picture.file_name),
        )


def _name(file_name: str) -> str:
    return file_name.rpartition(".")[0]
