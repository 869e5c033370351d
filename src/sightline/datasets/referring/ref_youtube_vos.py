"""Ref-YouTube-VOS: expressions for the objects of YouTube-VOS, one object each.

    {root}/meta_expressions/train/meta_expressions.json       also valid, test; layout: `datasets.expressions`
    {root}/train/JPEGImages/00ab12cd34/00000.jpg              every fifth frame of the video
    {root}/train/Annotations/00ab12cd34/00000.png             palette, index = object
    {root}/train/meta.json                                    {"videos": {"00ab12cd34": {"objects":
                                                                  {"1": {"category": "penguin", "frames": ["00000", "00005"]}}}}}

`obj_id` is a string, and there is no annotation id: an expression's `annotation_ids` are "00ab12cd34/1", from the label pictures
alone. A `mask_dict.pkl` that lies beside is ignored: it is not official, and its running numbers depend on who counted. In train
an object is known in the frames that meta.json lists for it; in others 0 may as well mean "not annotated": nothing is known.

The file of `valid` lists 507 videos, of which 305 are those of `test`: valid is what remains, 202 videos, and another number is
an error. Their objects are held back. A single meta_expressions/meta_expressions.json, as some copies have it, is the split "all".
"""

from collections.abc import Iterator
from pathlib import Path

from sightline.datasets import check_split
from sightline.datasets.clips.listed_frames import existing, listed_frames
from sightline.datasets.coco.coco_json import Open
from sightline.datasets.referring.expressions import Video, read_videos
from sightline.errors import InputError
from sightline.files import read_json
from sightline.types import Clip, Expression, LedgerEntry, Track

SPLITS = ("train", "valid", "test")
EVERYTHING = "all"
NUM_VALID = 202
PLACES = ("", "rvos", "ref-youtube-vos")


class _Meant(Open):
    category: str | None = None
    frames: list[str] | None = None


class _Objects(Open):
    objects: dict[str, _Meant]


class _Meta(Open):
    videos: dict[str, _Objects]


class RefYouTubeVos:
    """Clips of one split, in sorted order.

    Args:
        root: the data root.
        split: train, valid, test, or "all".
        num_valid: how many videos are left of valid without those of test.

    Raises:
        FileNotFoundError: no such root, or no file of test, which valid needs.
        InputError: no such tree or split, a file of another form, or another number of videos in valid.
    """

    def __init__(self, root: Path, split: str, num_valid: int = NUM_VALID) -> None:
        base, found = _expression_files(root)
        check_split(root, split, found)
        self.root = root
        self.split = split
        self._base = f"{base}/" if base else ""
        self._path = found[split]
        self._videos = read_videos(self._path)
        if split == "valid":
            self._videos = _without_test(self._videos, found, num_valid)
        self._clips = sorted(self._videos)
        meta = root / base / split / "meta.json"
        self._meta_path = meta if split == "train" and meta.is_file() else None
        self._meta = read_json(meta, _Meta).videos if self._meta_path else {}

    @staticmethod
    def splits(root: Path) -> list[str]:
        """Those of train, valid and test that have expressions, or "all"; valid only if test is there, too."""
        found = _expression_files(root)[1]
        return [split for split in found if split != "valid" or "test" in found]

    def __len__(self) -> int:
        return len(self._clips)

    def __iter__(self) -> Iterator[Clip]:
        return (self[index] for index in range(len(self)))

    def clip_ids(self) -> list[str]:
        return list(self._clips)

    def sources(self) -> list[Path]:
        place = self.root / self._base / self.split
        folders = [place / name / clip_id for name in ("JPEGImages", "Annotations") for clip_id in self._clips]
        return [self._path, *([self._meta_path] if self._meta_path else []), *existing(folders)]

    def __getitem__(self, index: int) -> Clip:
        clip_id = self._clips[index]
        video = self._videos[clip_id]
        known = self.split == "train"
        place = f"{self._base}{self.split}"
        labels = f"{place}/Annotations/{clip_id}" if known else None
        frames, problems = listed_frames(self.root, f"{place}/JPEGImages/{clip_id}", video.frames, clip_id, labels=labels)
        tracks = self._tracks(clip_id, video, problems) if known else []
        return Clip(
            clip_id=clip_id,
            split=self.split,
            frames=frames,
            tracks=tuple(tracks),
            expressions=tuple(_expressions(video, clip_id, {track.object_id for track in tracks}, problems)),
            problems=tuple(problems),
            fps=6.0,
            video_id=f"youtube_vos/{clip_id}",
        )

    def _tracks(self, clip_id: str, video: Video, problems: list[LedgerEntry]) -> list[Track]:
        """All objects of a video that meta.json or an expression names, by number."""
        objects = self._meta[clip_id].objects if clip_id in self._meta else {}
        if not objects:
            detail = "meta.json does not list this video: categories and the frames in which objects are known are not there"
            problems.append(LedgerEntry(unit=clip_id, reason="meta_missing", detail=detail, action="altered"))
        said = {each for words in video.expressions.values() for each in words.objects() or ()}
        names = sorted((name for name in (objects if objects else said) if _is_label(name)), key=int)
        place = {stem: index for index, stem in enumerate(video.frames)}
        tracks = []
        for name in names:
            meant = objects.get(name, _Meant())
            known = None if meant.frames is None else tuple(sorted(place[stem] for stem in set(meant.frames) if stem in place))
            tracks.append(Track(object_id=name, category=meant.category, label=int(name), annotated=known))
        return tracks


def _expressions(video: Video, clip_id: str, known: set[str], problems: list[LedgerEntry]) -> Iterator[Expression]:
    for name, said in video.expressions.items():
        objects = said.objects()
        if objects is not None and not known.issuperset(objects):
            lost = ", ".join(sorted(set(objects) - known))
            detail = f"expression {name} means object {lost}, which the video does not have"
            problems.append(LedgerEntry(unit=f"{clip_id}/{name}", reason="target_missing", detail=detail))
            continue
        yield Expression(
            expression_id=name,
            text=said.exp,
            object_ids=None if objects is None else tuple(objects),
            annotation_ids=tuple(f"{clip_id}/{each}" for each in objects or ()),
        )


def _is_label(name: str) -> bool:
    return name.isascii() and name.isdigit() and 0 < int(name) < 255


def _without_test(videos: dict[str, Video], found: dict[str, Path], num_valid: int) -> dict[str, Video]:
    if "test" not in found:
        wanted = found["valid"].parents[1] / "test" / "meta_expressions.json"
        raise FileNotFoundError(f"{wanted} is not there; it tells which videos of the file of valid are those of test. Fetch it.")
    test = read_videos(found["test"])
    left = {name: video for name, video in videos.items() if name not in test}
    if len(left) != num_valid:
        raise InputError(
            f"{found['valid']}: {len(videos)} videos, of which {len(videos) - len(left)} are among the {len(test)} of test; "
            f"{len(left)} are left, expected {num_valid}. Valid and test are of different releases, or one of them is cut. "
            "Fetch both again, or move them away to read train alone."
        )
    return left


def _expression_files(root: Path) -> tuple[str, dict[str, Path]]:
    """The tree's folder from the root, and the expression file of each split that is there."""
    if not root.is_dir():
        raise FileNotFoundError(f"{root} is not a folder. Give the root that holds meta_expressions/.")
    for place in PLACES:
        folder = root / place / "meta_expressions"
        files = {split: folder / split / "meta_expressions.json" for split in SPLITS} | {
            EVERYTHING: folder / "meta_expressions.json"
        }
        if found := {split: path for split, path in files.items() if path.is_file()}:
            return place, found
    raise InputError(f"{root} is no Ref-YouTube-VOS tree: expected meta_expressions/train/meta_expressions.json, or valid or test.")
