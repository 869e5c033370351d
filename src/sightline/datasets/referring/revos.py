"""ReVOS: referring and reasoning expressions over videos of several data sets, some of them about nothing that is there.

    {root}/JPEGImages/TAO/clip_a/00000.jpg      a video's name is "TAO/clip_a", with the slash; repacked copies have no JPEGImages/
    {root}/meta_expressions_train_.json         the last underscore is in the name; also valid_ and train_sub_
    {root}/mask_dict.json                       masks of train and valid together; layouts: `datasets.expressions`, `.mask_lists`
    {"exp": "the dog that runs first", "obj_id": [1], "anno_id": [12], "type_id": 0}

`type_id` 0 is "referring", 1 "reasoning", 2 "no_target" (the expression's `kind`). `obj_id` may be empty: nothing is meant. A text
with a question mark is a question and is kept as it is. "train_sub" is a part of train: it can be asked for, but is not listed
among the splits. Clips of one frame exist. A recording's identity is that of the data set it is from ("tao/clip_a").
`PUBLISHED_SHA256` are the sums of the authors; a copy that lacks videos, as one well-known bundle does, shows in `problems`.
Source: cilinyan/ReVOS-api.
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

SPLITS = ("train", "valid")
PARTS = ("train_sub",)
PLACES = ("", "ReVOS", "revos")
KINDS = {0: "referring", 1: "reasoning", 2: "no_target"}
PUBLISHED_SHA256 = {
    "mask_dict.json": "e9b4310661495ddd47dedcac1e289621cf8f5dff89c0bb8b65f7699f748d5cff",
    "mask_dict_foreground.json": "05d9be5d7bbed03b216a457274022ad1c9e683b4ffdc32b19c60c5e797fd8f01",
    "meta_expressions_train_.json": "3917dfba8725d080c8658dc43ad4a84cf41ce51438acfaee70bef5aa0310417a",
    "meta_expressions_train_sub_.json": "e171028757d8ec75bea33a661c38c288ecdafdb6c7bc64bb9e14edb97e2e5ade",
    "meta_expressions_valid_.json": "127b975e78effef6033846e68989dcf79c692d644dd07c835b723cea700d4c2d",
}


class ReVos:
    """Clips of one split, in sorted order.

    Raises:
        FileNotFoundError: no such root; when a clip is asked for, no mask_dict.json.
        InputError: no ReVOS tree, no such split, a file of another form; when a clip is asked for, masks of another release.
    """

    def __init__(self, root: Path, split: str) -> None:
        base, found = _expression_files(root)
        check_split(root, split, found)
        self.root = root
        self.split = split
        self._path = found[split]
        self._videos = read_videos(self._path)
        self._clips = sorted(self._videos)
        self._masks_path = root / base / "mask_dict.json"
        pictures = "JPEGImages" if (root / base / "JPEGImages").is_dir() else ""
        self._folder = "/".join(filter(None, (base, pictures)))

    @staticmethod
    def splits(root: Path) -> list[str]:
        """Those of train and valid that are there."""
        return [split for split in _expression_files(root)[1] if split in SPLITS]

    @staticmethod
    def check_sums(root: Path) -> list[LedgerEntry]:
        """The files that are not as the authors published them; reads them whole."""
        return check_sums(root, _expression_files(root)[0], PUBLISHED_SHA256)

    def __len__(self) -> int:
        return len(self._clips)

    def __iter__(self) -> Iterator[Clip]:
        return (self[index] for index in range(len(self)))

    def clip_ids(self) -> list[str]:
        return list(self._clips)

    def sources(self) -> list[Path]:
        folders = [self.root / self._folder / clip_id for clip_id in self._clips]
        return [self._path, *([self._masks_path] if self._masks_path.is_file() else []), *existing(folders)]

    def __getitem__(self, index: int) -> Clip:
        clip_id = self._clips[index]
        video = self._videos[clip_id]
        folder = f"{self._folder}/{clip_id}" if self._folder else clip_id
        frames, problems = listed_frames(self.root, folder, video.frames, clip_id)
        tracks, lost = video_tracks(self._masks, video, clip_id)
        strange = [name for name, said in video.expressions.items() if said.type_id == 2 and said.objects()]
        if strange:
            detail = f"expressions {', '.join(strange)} are of type 2, which means nothing, and have objects; the objects count"
            problems.append(LedgerEntry(unit=clip_id, reason="no_target_has_objects", detail=detail, action="altered"))
        source, _, name = clip_id.partition("/")
        return Clip(
            clip_id=clip_id,
            split=self.split,
            frames=frames,
            tracks=tuple(tracks),
            expressions=tuple(video_expressions(video, clip_id, tracks, lost, KINDS)),
            problems=(*problems, *lost),
            width=video.width,
            height=video.height,
            video_id=f"{source.lower().replace('-', '_')}/{name}" if name else f"revos/{clip_id}",
        )

    @cached_property
    def _masks(self) -> Masks:
        if not self._masks_path.is_file():
            raise FileNotFoundError(
                f"{self._masks_path} is not there; the masks of all splits are in it. Fetch it from the authors."
            )
        masks = open_masks(self._masks_path)
        check_joins(masks, self._videos, self._path)
        return masks


def _expression_files(root: Path) -> tuple[str, dict[str, Path]]:
    """The tree's folder from the root, and the expression file of each split that is there."""
    if not root.is_dir():
        raise FileNotFoundError(
            f"{root} is not a folder. Give the root that holds mask_dict.json and meta_expressions_valid_.json."
        )
    for place in PLACES:
        files = {split: root / place / f"meta_expressions_{split}_.json" for split in (*SPLITS, *PARTS)}
        if found := {split: path for split, path in files.items() if path.is_file()}:
            return place, found
    raise InputError(f"{root} is no ReVOS tree: expected meta_expressions_train_.json or meta_expressions_valid_.json in it.")
