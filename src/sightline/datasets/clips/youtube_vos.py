"""YouTube-VOS 2019: annotated every fifth frame of 30 a second, with categories.

    {root}/train/meta.json                              {"videos": {"00ab12cd34": {"objects": {"3": {"category": "penguin",
                                                            "frames": ["00005", "00010"]}}}}}
    {root}/train/JPEGImages/00ab12cd34/00000.jpg        every fifth frame: 00000, 00005, 00010
    {root}/train/Annotations/00ab12cd34/00000.png       palette, index = object; `valid`, `test`: the first mask of each object
    {root}/all_frames/train_all_frames/JPEGImages/...   all frames; `YouTubeVosAllFrames` reads these (also without all_frames/)

Surprises: object numbers have gaps; objects start later than the clip; a pixel of 0 may also mean that an object is not annotated
in this frame. `frames` of the meta file says where it is: there, no pixel is absence; in any other frame nothing is known. In
`valid` and `test` an object is known at its first frame alone (`first_masks`). Clips are those of the meta file and those on disk;
what only one of them has, and listed frames that are not on disk, stand in `problems`. Rate: 6 frames a second, or 30 with all of
them. Source: youtube-vos.org.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import msgspec

from sightline.datasets import check_split
from sightline.datasets.clips.first_masks import known_positions
from sightline.datasets.clips.frame_folders import FrameFolders, altered, folder_problems, problem, some, without_labels
from sightline.errors import InputError
from sightline.files import read_json
from sightline.types import Clip, ClipFrame, LedgerEntry, Track

SPLITS = ("train", "valid", "test")
LABELS = range(1, 255)  # of a label picture: 0 is nothing, 255 void


class _Object(msgspec.Struct):
    frames: list[str]
    category: str | None = None


class _Video(msgspec.Struct):
    objects: dict[str, _Object]


class _Meta(msgspec.Struct):
    videos: dict[str, _Video]


class _Known(NamedTuple):
    """The usable objects of a clip, and what is wrong with the rest."""

    tracks: tuple[Track, ...]
    problems: list[LedgerEntry]


class YouTubeVos:
    """Clips of one split, every fifth frame.

    Raises:
        FileNotFoundError: no such root.
        InputError: no YouTube-VOS tree, no such split, or a meta file that is not one.
    """

    fps = 6.0

    def __init__(self, root: Path, split: str) -> None:
        check_split(root, split, self.splits(root))
        self.root = root
        self.split = split
        self._meta_path = root / split / "meta.json"
        self._videos = read_json(self._meta_path, _Meta).videos
        images = self.pictures(root, split)
        assert images is not None, "a split is one only with its pictures"
        self._folders = FrameFolders(root, images, f"{split}/Annotations")
        self._clip_ids = sorted({*self._videos, *self._folders.clip_ids()})

    @classmethod
    def splits(cls, root: Path) -> list[str]:
        """Those of train, valid, test that have a meta file and pictures."""
        if not root.is_dir():
            raise FileNotFoundError(f"{root} is not a folder. Give the root that holds train/ and valid/.")
        if found := [split for split in SPLITS if (root / split / "meta.json").is_file() and cls.pictures(root, split)]:
            return found
        raise InputError(f"{root} is not a YouTube-VOS tree for this reader: expected train/meta.json and {cls.expected()}.")

    @staticmethod
    def pictures(root: Path, split: str) -> str | None:
        """The folder that holds the clips' pictures, from the root; None if there is none."""
        return f"{split}/JPEGImages" if (root / split / "JPEGImages").is_dir() else None

    @staticmethod
    def expected() -> str:
        """The folder of pictures, for messages."""
        return "train/JPEGImages/"

    def __len__(self) -> int:
        return len(self._clip_ids)

    def __iter__(self) -> Iterator[Clip]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Clip:
        clip_id = self._clip_ids[index]
        frames = self._folders.frames(clip_id)
        problems = folder_problems(clip_id, frames, labelled=False)
        video = self._videos.get(clip_id)
        if video is None:
            frames, entry = without_labels(clip_id, frames, meta=self._meta_path)
            problems.append(entry)
        known = self._known(clip_id, video, frames) if video else _Known((), [])
        return Clip(
            clip_id=clip_id,
            split=self.split,
            frames=frames,
            tracks=known.tracks,
            problems=(*problems, *known.problems),
            fps=self.fps,
            video_id=f"youtube_vos/{clip_id}",
        )

    def clip_ids(self) -> list[str]:
        return list(self._clip_ids)

    def sources(self) -> list[Path]:
        return [self._meta_path, *self._folders.sources(self._clip_ids)]

    def _known(self, clip_id: str, video: _Video, frames: tuple[ClipFrame, ...]) -> _Known:
        usable = {name: each for name, each in video.objects.items() if name.isdecimal() and int(name) in LABELS}
        problems = [
            problem(clip_id, "bad_object", f"object {name!r}: expected a number from 1 to 254")
            for name in video.objects.keys() - usable.keys()
        ]
        listed = {name: sorted(int(frame) for frame in each.frames if frame.isdecimal()) for name, each in usable.items()}
        held_back = self.split != "train"
        positions = known_positions(frames, listed, may_be_first_only=held_back)
        labelled = {int(frame.frame_id) for frame in frames if frame.labels}
        wanted = sorted({number for numbers in listed.values() for number in numbers})
        if frames and (missing := [f"{number:05d}" for number in wanted if number not in labelled]):
            what = "listed frames have no labels"
            entry = altered if held_back else problem
            problems.append(
                entry(clip_id, "first_masks_only" if held_back else "labels_missing", some(missing, of=len(wanted), what=what))
            )
        tracks = tuple(
            Track(object_id=name, label=int(name), category=usable[name].category, annotated=positions[name])
            for name in sorted(usable, key=int)
        )
        return _Known(tracks, problems)


class YouTubeVosAllFrames(YouTubeVos):
    """The same clips with all frames, 30 a second; labels stand at every fifth. Raises what `YouTubeVos` raises."""

    fps = 30.0

    @staticmethod
    def pictures(root: Path, split: str) -> str | None:
        places = (f"{above}{split}_all_frames/JPEGImages" for above in ("all_frames/", ""))
        return next((place for place in places if (root / place).is_dir()), None)

    @staticmethod
    def expected() -> str:
        return "all_frames/train_all_frames/JPEGImages/"
