"""Videos in COCO-style JSON, in both forms: CocoVID (an annotation a frame) and YouTube-VIS (an annotation an object).

    CocoVID      {"videos": [{"id": 1, "name": "0043f083b5", "width": 1280, "height": 720}],
                  "images": [{"id": 1, "video_id": 1, "frame_id": 0, "file_name": "0043f083b5/00000.jpg", "width": .., ...}],
                  "annotations": [{"id": 1, "video_id": 1, "image_id": 1, "category_id": 1, "instance_id": 1, "bbox": [..],
                                   "segmentation": ..., "iscrowd": 0}]}
    YouTube-VIS  {"videos": [{"id": 1, "width": 1280, "height": 720, "length": 2, "file_names": ["a/00000.jpg", "a/00005.jpg"]}],
                  "annotations": [{"id": 1, "video_id": 1, "category_id": 1, "iscrowd": 0,
                                   "segmentations": [{"size": .., "counts": ..}, null], "bboxes": [[..], null]}]}

Where they lie: `datasets.coco_files`. In CocoVID frames stand in order of `frame_id`, or of `order_in_video` where there is none,
and an object is its `instance_id` (or `track_id`); in a frame with annotations an object without one is absent, and of a frame
without any annotation nothing is known; where an image has `is_labeled` (or `is_det_keyframe`), that decides. In YouTube-VIS
null is absent; the files of valid and test have no annotations. A frame in which an object with masks has a box only is unknown.
`bbox` is x, y, width, height. Clips are in order of their names; videos of YouTube-VIS are recordings of YouTube-VOS. The list of
videos may be left out of CocoVID; a video is then the images of one `video_id`.
Sources: open-mmlab/mmtracking, youtube-vos.org.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from sightline.datasets.clips.frame_folders import problem, some
from sightline.datasets.clips.listed_frames import existing
from sightline.datasets.coco.coco_categories import category_tracks
from sightline.datasets.coco.coco_files import missing_pictures, picture_folder, split_files, vis_files
from sightline.datasets.coco.coco_json import CocoFile, joined
from sightline.datasets.coco.coco_tracks import Video, frame_tracks, video_tracks, videos_with_pictures
from sightline.errors import InputError
from sightline.types import Clip, ClipFrame, LedgerEntry, Track

ReadTracks = Callable[[CocoFile, Video, str], tuple[list[Track], list[LedgerEntry]]]
YOUTUBE_NAME = re.compile(r"[0-9a-f]{10}")


class _CocoClips:
    """Clips of one file of either form.

    Raises:
        FileNotFoundError: no such root.
        InputError: no such file, one that cannot be read, or two videos of one name.
    """

    def __init__(self, root: Path, split: str, *, files: Mapping[str, Path], read_tracks: ReadTracks) -> None:
        found = files
        if split not in found:
            raise InputError(f"{root} has no split {split!r}; it has {', '.join(found)}.")
        self.root = root
        self.split = split
        whole = read_tracks is video_tracks  # an annotation is an object over all frames
        self._file = CocoFile(found[split], by="video_id" if whole else "image_id")
        videos = _listed(self._file) if whole else videos_with_pictures(self._file)
        self._videos = {video.title(): video for video in videos}
        if len(self._videos) < len(videos):
            raise InputError(f"{found[split]}: {len(videos)} videos have {len(self._videos)} names; each needs its own.")
        self._clips = sorted(self._videos)
        names = [name for clip in self._clips for name in self._videos[clip].file_names[:1]]
        self._folder = picture_folder(root, found[split], split, names)
        self._read_tracks = read_tracks

    def __len__(self) -> int:
        return len(self._clips)

    def __iter__(self) -> Iterator[Clip]:
        return (self[index] for index in range(len(self)))

    def clip_ids(self) -> list[str]:
        return list(self._clips)

    def sources(self) -> list[Path]:
        places = {
            self.root / joined(self._folder, name.rpartition("/")[0]) for clip in self._videos.values() for name in clip.file_names
        }
        return [self._file.path, *existing(sorted(places))]

    def __getitem__(self, index: int) -> Clip:
        clip_id = self._clips[index]
        video = self._videos[clip_id]
        tracks, problems = self._read_tracks(self._file, video, clip_id)
        gone = missing_pictures(self.root, self._folder, video.file_names)
        if gone:
            missing = [joined(self._folder, name) for name in video.file_names if name in gone]
            problems.append(
                problem(clip_id, "picture_missing", some(missing, of=len(video.file_names), what="listed pictures are absent"))
            )
        frames = (
            ClipFrame(frame_id=Path(name).stem, image=None if name in gone else joined(self._folder, name))
            for name in video.file_names
        )
        return Clip(
            clip_id=clip_id,
            split=self.split,
            frames=tuple(frames),
            tracks=tuple(tracks),
            problems=tuple(problems),
            width=video.width,
            height=video.height,
            video_id=f"youtube_vos/{clip_id}" if YOUTUBE_NAME.fullmatch(clip_id) else "",
        )


class CocoVideo(_CocoClips):
    """Clips of one CocoVID file."""

    def __init__(self, root: Path, split: str) -> None:
        super().__init__(root, split, files=split_files(root, "frames"), read_tracks=frame_tracks)

    @staticmethod
    def splits(root: Path) -> list[str]:
        """The files of this form."""
        return list(split_files(root, "frames"))


class CocoVideoCategories(_CocoClips):
    """Clips of one CocoVID file whose annotations say of which category they are but not of which object; see `coco_categories`."""

    def __init__(self, root: Path, split: str) -> None:
        super().__init__(root, split, files=split_files(root, "frames"), read_tracks=category_tracks)

    @staticmethod
    def splits(root: Path) -> list[str]:
        """The files of this form."""
        return list(split_files(root, "frames"))


class YouTubeVis(_CocoClips):
    """Clips of one YouTube-VIS file, or of one that mmtracking has turned into CocoVID."""

    def __init__(self, root: Path, split: str) -> None:
        files, kind = vis_files(root)
        super().__init__(root, split, files=files, read_tracks=video_tracks if kind == "videos" else frame_tracks)

    @staticmethod
    def splits(root: Path) -> list[str]:
        """The files of this form."""
        return list(vis_files(root)[0])


def _listed(file: CocoFile) -> list[Video]:
    return [file.decode(raw, Video, f"video {index}") for index, raw in enumerate(file.videos)]
