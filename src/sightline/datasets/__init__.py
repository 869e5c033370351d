"""One reader per on-disk format. A reader lists annotations and paths; it never decodes a pixel.

Here: scenes, clips and removals. Readers of questions are in `datasets.questions`, those of scans in `datasets.scans`.
"""

from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Protocol, runtime_checkable

from sightline.errors import InputError, unknown_name
from sightline.types import Clip, RemovalTriple, Scene


@runtime_checkable
class Reader(Protocol):
    """Scenes of one split of a data set, in sorted order.

    `root` is the data root all paths are relative to; `split` the split that is read.
    """

    root: Path
    split: str

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Scene: ...
    def __iter__(self) -> Iterator[Scene]: ...
    def scene_ids(self) -> list[str]:
        """The ids of all scenes, by listing folders only."""
        ...


@runtime_checkable
class ReaderFormat(Protocol):
    """A reader's class: which splits a root holds, and how to open one."""

    def __call__(self, root: Path, split: str) -> Reader: ...
    def splits(self, root: Path) -> list[str]:
        """The splits found under `root`, in order."""
        ...


def _x3() -> ReaderFormat:
    from sightline.datasets.x3 import X3  # noqa: PLC0415

    return X3


READERS: dict[str, tuple[Callable[[], ReaderFormat], str]] = {
    "x3": (_x3, "{split}/{scene}/uid_{uid}/{kk}_{frame}_{original|inpainted|mask|mask_dialated}.png (multi-view, removed twins)"),
}


@runtime_checkable
class ClipReader(Protocol):
    """Clips of one split of a data set, in sorted order; `root` is what their paths are relative to. Single pictures with
    expressions are clips of one frame."""

    root: Path
    split: str

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Clip: ...
    def __iter__(self) -> Iterator[Clip]: ...
    def clip_ids(self) -> list[str]:
        """The ids of all clips, in order, without opening what is in them."""
        ...

    def sources(self) -> list[Path]:
        """The files and folders the clips are read from; a build goes on only if they have not changed."""
        ...


@runtime_checkable
class ClipFormat(Protocol):
    """A clip reader's class: which splits a root holds, and how to open one."""

    def __call__(self, root: Path, split: str) -> ClipReader: ...
    def splits(self, root: Path) -> list[str]:
        """The splits found under `root`, in order."""
        ...


def _davis() -> ClipFormat:
    from sightline.datasets.clips.davis import Davis  # noqa: PLC0415

    return Davis


def _mose() -> ClipFormat:
    from sightline.datasets.clips.mose import Mose  # noqa: PLC0415

    return Mose


def _youtube_vos() -> ClipFormat:
    from sightline.datasets.clips.youtube_vos import YouTubeVos  # noqa: PLC0415

    return YouTubeVos


def _youtube_vos_30fps() -> ClipFormat:
    from sightline.datasets.clips.youtube_vos import YouTubeVosAllFrames  # noqa: PLC0415

    return YouTubeVosAllFrames


def _lvos() -> ClipFormat:
    from sightline.datasets.clips.lvos import Lvos  # noqa: PLC0415

    return Lvos


def _sav() -> ClipFormat:
    from sightline.datasets.clips.sav import Sav  # noqa: PLC0415

    return Sav


def _sav_auto() -> ClipFormat:
    from sightline.datasets.clips.sav import SavAuto  # noqa: PLC0415

    return SavAuto


def _merged() -> ClipFormat:
    from sightline.datasets.clips.merged import Merged  # noqa: PLC0415

    return Merged


def _refcoco() -> ClipFormat:
    from sightline.datasets.referring.refcoco import REFCOCO  # noqa: PLC0415

    return REFCOCO


def _refcoco_plus() -> ClipFormat:
    from sightline.datasets.referring.refcoco import REFCOCO_PLUS  # noqa: PLC0415

    return REFCOCO_PLUS


def _refcocog() -> ClipFormat:
    from sightline.datasets.referring.refcoco import REFCOCOG  # noqa: PLC0415

    return REFCOCOG


def _grefcoco() -> ClipFormat:
    from sightline.datasets.referring.grefcoco import GREFCOCO  # noqa: PLC0415

    return GREFCOCO


def _refcoco_rec() -> ClipFormat:
    from sightline.datasets.referring.refcoco_rec import RefCocoRec  # noqa: PLC0415

    return RefCocoRec


def _mevis() -> ClipFormat:
    from sightline.datasets.referring.mevis import MeVis  # noqa: PLC0415

    return MeVis


def _ref_youtube_vos() -> ClipFormat:
    from sightline.datasets.referring.ref_youtube_vos import RefYouTubeVos  # noqa: PLC0415

    return RefYouTubeVos


def _ref_davis17() -> ClipFormat:
    from sightline.datasets.referring.ref_davis17 import RefDavis17  # noqa: PLC0415

    return RefDavis17


def _revos() -> ClipFormat:
    from sightline.datasets.referring.revos import ReVos  # noqa: PLC0415

    return ReVos


def _coco() -> ClipFormat:
    from sightline.datasets.coco.coco import Coco  # noqa: PLC0415

    return Coco


def _coco_video() -> ClipFormat:
    from sightline.datasets.coco.coco_video import CocoVideo  # noqa: PLC0415

    return CocoVideo


def _coco_video_categories() -> ClipFormat:
    from sightline.datasets.coco.coco_video import CocoVideoCategories  # noqa: PLC0415

    return CocoVideoCategories


def _youtube_vis() -> ClipFormat:
    from sightline.datasets.coco.coco_video import YouTubeVis  # noqa: PLC0415

    return YouTubeVis


def _scans() -> ClipFormat:
    from sightline.datasets.clips.prepared_scans import ScanClips  # noqa: PLC0415

    return ScanClips


# Clips with masks: `sightline prepare x3` makes an x3 tree of them.
CLIP_READERS: dict[str, tuple[Callable[[], ClipFormat], str]] = {
    "davis": (_davis, "JPEGImages/{res}/{seq}/%05d.jpg, Annotations/{res}/{seq}/%05d.png (labels), ImageSets/{year}/{split}.txt"),
    "mose": (_mose, "{train|valid}/JPEGImages/{clip}/%05d.jpg, Annotations/{clip}/%05d.png (labels; valid: the first)"),
    "youtube-vos": (_youtube_vos, "{train|valid|test}/meta.json, JPEGImages/{clip}/%05d.jpg, Annotations/{clip}/%05d.png (labels)"),
    "youtube-vos-30fps": (_youtube_vos_30fps, "the same, with the pictures of all_frames/{split}_all_frames/JPEGImages/{clip}/"),
    "lvos": (_lvos, "{train|val|valid|test}/{split}_meta.json, JPEGImages/{clip}/%08d.jpg, Annotations/{clip}/%08d.png (labels)"),
    "sav": (_sav, "sav_train/sav_000/{video}.mp4, {video}_manual.json; sav_{val|test}/JPEGImages_24fps/, Annotations_6fps/"),
    "sav-auto": (_sav_auto, "sav_train/sav_000/{video}.mp4, {video}_auto.json (automatic masks)"),
    "merged": (_merged, "clips/{split}/{source}_{clip}.json, JPEGImages/{source}_{clip}/ (from `sightline prepare merge`)"),
    "scans": (_scans, "{scan}/scan.json, colour/, instances/ (from `sightline prepare scan`)"),
    "refcoco": (_refcoco, "[ref_seg/]refcoco/instances.json, refs(unc).p (expressions); pictures of COCO train2014"),
    "refcoco+": (_refcoco_plus, "[ref_seg/]refcoco+/instances.json, refs(unc).p"),
    "refcocog": (_refcocog, "[ref_seg/]refcocog/instances.json, refs(umd).p, refs(google).p"),
    "grefcoco": (_grefcoco, "[ref_seg/]grefcoco/instances.json, grefs(unc).json (several objects, or none)"),
    "refcoco-rec": (_refcoco_rec, "refcoco_testA.jsonl and the like: image, sent, bbox (boxes without masks)"),
    "mevis": (_mevis, "{split}/meta_expressions.json, mask_dict.json, JPEGImages/{clip}/%05d.jpg"),
    "ref-youtube-vos": (
        _ref_youtube_vos,
        "meta_expressions/{split}/meta_expressions.json, train/meta.json, {split}/JPEGImages/, train/Annotations/",
    ),
    "ref-davis17": (_ref_davis17, "Davis17_annot*.txt (or the categorised csv) beside or above a davis tree"),
    "revos": (_revos, "meta_expressions_{split}_.json, mask_dict.json, [JPEGImages/]{source}/{video}/%05d.jpg"),
    "coco": (_coco, "annotations/instances_{split}.json and pictures (one clip each)"),
    "coco-video": (_coco_video, "a CocoVID file: videos, images with frame_id or order_in_video, annotations with instance_id"),
    "coco-video-categories": (
        _coco_video_categories,
        "a CocoVID file without instance_id or track_id: objects told from categories",
    ),
    "youtube-vis": (_youtube_vis, "{split}.json or {split}/instances.json: videos with file_names, annotations with segmentations"),
}


def clip_format(name: str) -> ClipFormat:
    """The reader of clips called `name`.

    Raises:
        InputError: none is; the message lists them and the nearest name.
    """
    if name not in CLIP_READERS:
        raise unknown_name("reader of clips", name, CLIP_READERS)
    return CLIP_READERS[name][0]()


def check_split(root: Path, split: str, found: Collection[str]) -> None:
    """Refuse a split that is none of those `found` under `root`.

    Raises:
        InputError: that is so.
    """
    if split not in found:
        raise InputError(f"{root} has no split {split!r}; it has {', '.join(found)}.")


def one_split(name: str, root: Path, split: str | None) -> str:
    """`split`, or where it is None the only one that `root` holds in the layout `name`.

    Raises:
        InputError: no reader of clips has this name, `root` is not of its layout, or it holds several splits.
    """
    splits = clip_format(name).splits(root)
    if split is None and len(splits) > 1:
        raise InputError(f"{root} has the splits {', '.join(splits)}: choose one with --split.")
    return split or splits[0]


def _removals() -> Callable[[Path], list[RemovalTriple]]:
    from sightline.datasets.removals import list_removals  # noqa: PLC0415

    return list_removals


# Real removals, one picture each: `sightline prepare x3` makes an x3 tree of them, too.
REMOVAL_READERS: dict[str, tuple[Callable[[], Callable[[Path], list[RemovalTriple]]], str]] = {
    "removal": (_removals, "{name}.jpg, {name}/with_mask.png (object tinted), {name}/inpainted_with_mask.png (object removed)"),
}
