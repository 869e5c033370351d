"""SA-V: videos of 24 frames a second with masks at 6. Masks of different objects may overlap, and nothing has a name.

    {root}/sav_train/sav_000/sav_000002.mp4, sav_000002_manual.json, sav_000002_auto.json
        {"video_id": "sav_000002", "video_frame_count": 300.0, "video_height": 848.0, "video_width": 480.0,
         "masklet_id": [0, 4], "masklet": [[{"size": [848, 480], "counts": "..."}, null], ...], ...}     masklet[frame][object]
    {root}/sav_val/JPEGImages_24fps/sav_000005/00000.jpg
    {root}/sav_val/Annotations_6fps/sav_000005/000/00000.png, 00004.png       one binary picture an object

A clip is the annotated frames alone, 6 a second: masklet[i] is decoded frame 4 * i, named so ("00004") and given as `video_frame`.
Their pictures are those that `sightline prepare frames` extracted (`sav_frames`). An object's id in `train` is its column in the
inner lists, as Ref-SAV has it, not its masklet_id; in val and test it is its folder. Manual and automatic masklets are two readers,
`Sav` and `SavAuto`, because they may show one thing twice. No code, an empty code, or no PNG at a frame where another object has
one: absent. Surprises: unpacked archives repeat folders (sav_000/sav_train/sav_000/), and a video found twice is read once;
decoders lose frames, and the clip then ends with its pictures. Source: facebookresearch/sam2, sav_dataset.
"""

from collections.abc import Iterator
from pathlib import Path
from re import compile as pattern

import msgspec

from sightline.datasets.clips import sav_masklets
from sightline.datasets.clips.frame_folders import FrameFolders, altered, numbered_files, problem, some, subfolders
from sightline.datasets.clips.sav_frames import LABEL_FPS, LABEL_STEP, extracted_folders
from sightline.errors import InputError
from sightline.files import inside
from sightline.types import Clip, ClipFrame, Track

CHUNK = pattern(r"sav_\d{3}")
HELD_OUT = ("val", "test")


class Sav:
    """Clips of one split with manual masks.

    Raises:
        FileNotFoundError: no such root.
        InputError: no SA-V tree, or no such split.
    """

    kind = "manual"

    def __init__(self, root: Path, split: str) -> None:
        found = self.splits(root)
        if split not in found:
            raise InputError(f"{root} has no split {split!r} of {self.kind} masks; it has {', '.join(found)}.")
        self.root = root
        self.split = split
        self._found: dict[str, list[str]] = {}
        place = _held_out(root, split) or ""
        self._folders = FrameFolders(root, f"{place}/JPEGImages_24fps", f"{place}/Annotations_6fps")
        if split not in HELD_OUT:
            self._found = _annotation_files(root, self.kind)
            self._extracted = extracted_folders(root)
        self._clip_ids = self._folders.clip_ids() if split in HELD_OUT else sorted(self._found)

    @classmethod
    def splits(cls, root: Path) -> list[str]:
        """Those of train, val, test that are there."""
        if not root.is_dir():
            raise FileNotFoundError(f"{root} is not a folder. Give the root that holds sav_train/ or sav_val/.")
        found = ["train"] if _annotation_files(root, cls.kind) else []
        if cls.kind == "manual":
            found += [split for split in HELD_OUT if _held_out(root, split) is not None]
        if found:
            return found
        raise InputError(
            f"{root} is not an SA-V tree: expected sav_train/sav_000/sav_000001_{cls.kind}.json or sav_val/Annotations_6fps/ in it."
        )

    def __len__(self) -> int:
        return len(self._clip_ids)

    def __iter__(self) -> Iterator[Clip]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Clip:
        clip_id = self._clip_ids[index]
        if self.split in HELD_OUT:
            return self._of_pictures(clip_id)
        first, *others = self._found[clip_id]
        clip = sav_masklets.read_clip(self.root, first, extracted=self._extracted)
        if not others:
            return clip
        again = altered(clip_id, "found_twice", some(others, of=len(others), what="further copies of its file are not read"))
        return msgspec.structs.replace(clip, problems=(*clip.problems, again))

    def clip_ids(self) -> list[str]:
        return list(self._clip_ids)

    def sources(self) -> list[Path]:
        if self.split in HELD_OUT:
            return self._folders.sources(self._clip_ids)
        pictures = [self.root / folder / clip_id for folder in self._extracted for clip_id in self._clip_ids]
        return [*(self.root / files[0] for files in self._found.values()), *(path for path in pictures if path.is_dir())]

    def _of_pictures(self, clip_id: str) -> Clip:
        place = self._folders.labels
        objects = subfolders(inside(self.root, f"{place}/{clip_id}"))
        masks = {name: numbered_files(self.root, f"{place}/{clip_id}/{name}", ".png") for name in objects}
        images = numbered_files(self.root, f"{self._folders.images}/{clip_id}", ".jpg")
        labelled = {number for paths in masks.values() for number in paths}
        numbers = sorted(labelled | {number for number in images if number % LABEL_STEP == 0})
        problems = [] if labelled else [problem(clip_id, "labels_missing", "no object has a mask picture")]
        if missing := [f"{number:05d}.jpg" for number in numbers if number not in images]:
            problems.append(problem(clip_id, "picture_missing", some(missing, of=len(numbers), what="frames have no picture")))
        frames = [ClipFrame(frame_id=f"{number:05d}", image=images.get(number), video_frame=number) for number in numbers]
        known = tuple(position for position, number in enumerate(numbers) if number in labelled)
        tracks = tuple(
            Track(object_id=name, mask_paths=tuple(paths.get(number) for number in numbers), annotated=known)
            for name, paths in masks.items()
        )
        return Clip(
            clip_id=clip_id,
            split=self.split,
            frames=tuple(frames),
            tracks=tracks,
            problems=tuple(problems),
            fps=LABEL_FPS,
            video_id=f"sav/{clip_id}",
        )


class SavAuto(Sav):
    """The training clips with automatic masks. Raises what `Sav` raises."""

    kind = "auto"


def _held_out(root: Path, split: str) -> str | None:
    """The folder of val or test, from the root; archives may repeat its name."""
    places = (f"sav_{split}", f"sav_{split}/sav_{split}") if split in HELD_OUT else ()
    return next((place for place in places if (root / place / "Annotations_6fps").is_dir()), None)


def _annotation_files(root: Path, kind: str) -> dict[str, list[str]]:
    """The files of each video, from the root: in the root, in sav_train, in their chunks, and where an archive repeats these."""
    places = [place for place in ("", "sav_train/") if (root / place).is_dir()]
    chunks = [f"{place}{name}/" for place in places for name in subfolders(root / place) if CHUNK.fullmatch(name)]
    repeated = [f"{chunk}sav_train/{chunk.split('/')[-2]}/" for chunk in chunks]
    ending = f"_{kind}.json"
    found: dict[str, list[str]] = {}
    for place in (*places, *chunks, *repeated):
        folder = inside(root, place or ".")
        names = sorted(path.name for path in folder.iterdir() if path.name.endswith(ending)) if folder.is_dir() else []
        for name in names:
            found.setdefault(name.removesuffix(ending), []).append(f"{place}{name}")
    return found
