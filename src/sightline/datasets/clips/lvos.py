"""LVOS v1 and v2: long clips, a JPEG and a palette PNG at every fifth frame.

    {root}/train/JPEGImages/ab12CD34/00000001.jpg       eight digits, from 1 in steps of 5: 00000001, 00000006
    {root}/train/Annotations/ab12CD34/00000001.png      palette, index = object, 255 = void
    {root}/train/train_meta.json                        {"videos": {"ab12CD34": {"objects": {"1": {"frame_range":
                                                            {"start": "1", "end": "2496", "frame_nums": "480"}}}}}}
    {root}/train/train_expression_meta.json             v1 only: the same with a "caption" for each object

Surprises: the second split is called `val` or `valid`, and copies name its files after either, or after `train`, or leave them
beside the split; the numbers are texts. An object is known in the frames of its range, both ends included; before and after it
nothing is said. Captions become expressions of kind "caption". `test` gives the first mask of each object only (`first_masks`);
Annotations_convert (the same for `val`) is not read. v2 holds the videos of v1 under the same names: the identity of a clip is its
name, so that a merge or a mixture of both finds them. Rate: 6 frames a second. Source: LingyiHongfd/LVOS, LVOS-api.
"""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from sightline.datasets import check_split
from sightline.datasets.clips.first_masks import known_positions
from sightline.datasets.clips.frame_folders import (
    FrameFolders,
    altered,
    folder_problems,
    folders_with_pictures,
    problem,
    without_labels,
)
from sightline.errors import InputError
from sightline.files import read_json
from sightline.types import Clip, ClipFrame, Expression, LedgerEntry, Track

FRAMES_A_SECOND = 6.0
LABELS = range(1, 255)
NAMES = ("train", "val", "valid", "test")


class _Range(msgspec.Struct):
    start: int
    end: int


class _Object(msgspec.Struct):
    frame_range: _Range | None = None
    caption: str | None = None


class _Video(msgspec.Struct):
    objects: dict[str, _Object]


class _Meta(msgspec.Struct):
    videos: dict[str, _Video]


class Lvos:
    """Clips of one split of an LVOS tree.

    Raises:
        FileNotFoundError: no such root, or the split has no meta file.
        InputError: no LVOS tree, no such split, or a meta file that is not one.
    """

    def __init__(self, root: Path, split: str) -> None:
        check_split(root, split, self.splits(root))
        self.root = root
        self.split = split
        meta = _meta_path(root, split, "_meta.json")
        if meta is None:
            raise FileNotFoundError(
                f"{root / split / split}_meta.json: no such file. It says in which frames each object is annotated."
            )
        captions = _meta_path(root, split, "_expression_meta.json")
        self._metas = [path for path in (meta, captions) if path is not None]
        self._videos = _read_meta(meta).videos
        self._captions = _read_meta(captions).videos if captions else {}
        self._folders = FrameFolders(root, f"{split}/JPEGImages", f"{split}/Annotations")
        self._clip_ids = sorted({*self._videos, *self._folders.clip_ids()})

    @staticmethod
    def splits(root: Path) -> list[str]:
        """The folders below the root that hold JPEGImages."""
        if not root.is_dir():
            raise FileNotFoundError(f"{root} is not a folder. Give the root that holds train/ and val/.")
        if found := folders_with_pictures(root):
            return found
        raise InputError(
            f"{root} is not an LVOS tree: expected train/JPEGImages/, train/Annotations/ and train/train_meta.json in it."
        )

    def __len__(self) -> int:
        return len(self._clip_ids)

    def __iter__(self) -> Iterator[Clip]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Clip:
        clip_id = self._clip_ids[index]
        frames = self._folders.frames(clip_id)
        video = self._videos.get(clip_id)
        problems = folder_problems(clip_id, frames, labelled=False)
        if video is None:
            frames, entry = without_labels(clip_id, frames, meta=self._metas[0])
            problems.append(entry)
        tracks = self._tracks(clip_id, video, frames, problems) if video else ()
        return Clip(
            clip_id=clip_id,
            split=self.split,
            frames=frames,
            tracks=tracks,
            expressions=self._expressions(clip_id, tracks, problems),
            problems=tuple(problems),
            fps=FRAMES_A_SECOND,
            video_id=f"lvos/{clip_id}",
        )

    def clip_ids(self) -> list[str]:
        return list(self._clip_ids)

    def sources(self) -> list[Path]:
        return [*self._metas, *self._folders.sources(self._clip_ids)]

    def _tracks(self, clip_id: str, video: _Video, frames: tuple[ClipFrame, ...], problems: list[LedgerEntry]) -> tuple[Track, ...]:
        numbers = [int(frame.frame_id) for frame in frames if frame.labels]
        listed: dict[str, list[int]] = {}
        for name, each in video.objects.items():
            if not (name.isdecimal() and int(name) in LABELS) or each.frame_range is None:
                detail = f"object {name!r}: expected a number from 1 to 254 and a frame_range"
                problems.append(problem(clip_id, "bad_object", detail))
                continue
            start, end = each.frame_range.start, each.frame_range.end
            # the first entry is the start even where its file is missing: `known_positions` compares it with what is labelled
            listed[name] = [start, *(number for number in numbers if start < number <= end)]
        unlabelled = sum(frame.labels is None for frame in frames)
        held_back = self.split == "test"
        if unlabelled:
            entry = altered if held_back else problem
            detail = f"{unlabelled} of {len(frames)} frames have no labels"
            problems.append(entry(clip_id, "first_masks_only" if held_back else "labels_missing", detail))
        positions = known_positions(frames, listed, may_be_first_only=held_back)
        return tuple(Track(object_id=name, label=int(name), annotated=positions[name]) for name in sorted(listed, key=int))

    def _expressions(self, clip_id: str, tracks: tuple[Track, ...], problems: list[LedgerEntry]) -> tuple[Expression, ...]:
        video = self._captions.get(clip_id)
        if video is None:
            return ()
        known = {track.object_id for track in tracks}
        captions = {name: each.caption for name, each in sorted(video.objects.items()) if each.caption}
        if lost := [name for name in captions if name not in known]:
            problems.append(
                problem(clip_id, "expression_without_object", f"captions of the objects {', '.join(lost)}, which it lacks")
            )
        return tuple(
            Expression(expression_id=name, text=text, object_ids=(name,), kind="caption")
            for name, text in captions.items()
            if name in known
        )


def _meta_path(root: Path, split: str, ending: str) -> Path | None:
    """The split's file, wherever copies put it and whatever they call it; files of another split beside the root are not its."""
    inner = [root / split / f"{name}{ending}" for name in (split, *NAMES)]
    aliases = [split] if split not in ("val", "valid") else ["val", "valid"]
    return next((path for path in (*inner, *(root / f"{name}{ending}" for name in aliases)) if path.is_file()), None)


def _read_meta(path: Path) -> _Meta:
    """Numbers are texts on disk, so this is read without msgspec's strictness."""
    plain = read_json(path, dict)
    try:
        return msgspec.convert(plain, _Meta, strict=False)
    except msgspec.ValidationError as error:
        raise InputError(f"{path}: {error}. Expected videos, in them objects, in them frame_range with start and end.") from error
