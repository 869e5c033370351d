"""RefCOCO, RefCOCO+ and RefCOCOg: expressions for objects of COCO train2014. One clip of one frame a picture.

    {root}/refcoco/instances.json              COCO annotations of the pictures; or under ref_seg/ or refer_seg/
    {root}/refcoco/refs(unc).p                 expressions; also refs(google).p, and refs(umd).p of RefCOCOg
    {"ref_id": 7, "ann_id": 4001, "category_id": 18, "image_id": 9001, "file_name": "COCO_train2014_000000009001_3.jpg",
     "split": "testA", "sent_ids": [21], "sentences": [{"sent_id": 21, "sent": "brown dog on left", "raw": "Brown dog, on left",
     "tokens": ["brown", "dog", "on", "left"]}]}

Splits are those of the first partition (unc; umd for RefCOCOg), and with its name those of another: "google-train". Partitions of
one data set share pictures, and so do the splits of google: do not train on one and report the other. Beside testA and testB,
"test" may be asked for: both, as the authors' tool gives (a split there contains the letter, so testAB belongs to testA and testB).
Surprises: `file_name` of an expression has a suffix that no file has, so pictures are joined by `image_id`; pictures lie in one of
three places (`IMAGES`); the pickle is of Python 2 (`datasets.plain_pickle`). All annotations of a picture are tracks, crowds
marked; an expression's text is `sent`, the cleaned words, and `raw` the words as typed. Source: lichengunc/refer.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sightline.datasets.clips.listed_frames import existing
from sightline.datasets.coco.coco_json import CocoFile, Id, Picture, coco_identity, joined, media_folder, picture_tracks
from sightline.datasets.referring.refs import Ref, ReferSet
from sightline.errors import InputError
from sightline.files import inside
from sightline.types import Clip, ClipFrame, Expression, LedgerEntry, Track

IMAGES = ("coco2014/train2014", "images/mscoco/images/train2014", "glamm_data/images/coco2014/train2014", "train2014")


@dataclass(frozen=True)
class RefCocoFormat:
    """One data set of the family as a clip format."""

    refer_set: ReferSet

    def __call__(self, root: Path, split: str) -> "RefCoco":
        return RefCoco(root, split, self.refer_set)

    def splits(self, root: Path) -> list[str]:
        """The splits of all partitions that are there."""
        return self.refer_set.splits(root)


REFCOCO = RefCocoFormat(ReferSet("refcoco", ("unc", "google")))
REFCOCO_PLUS = RefCocoFormat(ReferSet("refcoco+", ("unc",)))
REFCOCOG = RefCocoFormat(ReferSet("refcocog", ("umd", "google")))


class RefCoco:
    """Pictures of one split of one data set of the family.

    Raises:
        FileNotFoundError: no such root.
        InputError: no such data set or split, a file that cannot be read, or expressions of which none joins a picture.
    """

    def __init__(self, root: Path, split: str, refer_set: ReferSet) -> None:
        self.root = root
        self.split = split
        base, self._refs_path, refs = refer_set.select(root, split)
        self._crowds = refer_set.crowds
        self._file = CocoFile(root / base / "instances.json")
        self._pictures: dict[Id, Picture] = {picture.id: picture for picture in self._file.images}
        self._refs: dict[int, list[Ref]] = {}
        for ref in refs:
            self._refs.setdefault(ref.image_id, []).append(ref)
        self._image_ids = sorted(self._refs)
        joining = [self._pictures[image_id].file_name for image_id in self._image_ids if image_id in self._pictures]
        if not joining:
            raise InputError(
                f"{self._refs_path}: none of its {len(refs):,} expressions of split {split!r} speaks of a picture that "
                f"{self._file.path} lists (the first of image {refs[0].image_id}). The two are of different releases."
            )
        parent = Path(base).parent.as_posix().removeprefix(".")
        folders = [joined(where, folder) for where in dict.fromkeys((base, parent, "")) for folder in IMAGES]
        self._media = media_folder(root, folders, joining) or joined(base, IMAGES[0])

    def __len__(self) -> int:
        return len(self._image_ids)

    def __iter__(self) -> Iterator[Clip]:
        return (self[index] for index in range(len(self)))

    def clip_ids(self) -> list[str]:
        return [self._name(image_id) for image_id in self._image_ids]

    def sources(self) -> list[Path]:
        return [self._refs_path, self._file.path, *existing([self.root / self._media])]

    def __getitem__(self, index: int) -> Clip:
        image_id = self._image_ids[index]
        name = self._name(image_id)
        picture = self._pictures.get(image_id)
        if picture is None:
            gone = f"{self._file.path.name} has no image {image_id}, of which {len(self._refs[image_id])} objects are spoken"
            return Clip(clip_id=name, split=self.split, frames=(), problems=(_entry(name, "clip_missing", gone),))
        tracks, problems = picture_tracks(self._file.annotations(image_id), picture, self._file)
        path = f"{self._media}/{picture.file_name}"
        there = inside(self.root, path).is_file()
        if not there:
            problems.append(_entry(name, "picture_missing", f"{path} is not there"))
        return Clip(
            clip_id=name,
            split=self.split,
            frames=(ClipFrame(frame_id=name, image=path if there else None),),
            tracks=tuple(tracks),
            expressions=tuple(self._expressions(image_id, name, tracks, problems)),
            problems=tuple(problems),
            width=picture.width,
            height=picture.height,
            video_id=coco_identity(picture.file_name),
        )

    def _expressions(
        self, image_id: int, clip_id: str, tracks: Sequence[Track], problems: list[LedgerEntry]
    ) -> Iterator[Expression]:
        known = {track.object_id for track in tracks if self._crowds or not track.crowd}
        crowds = {track.object_id for track in tracks} - known
        for ref in self._refs[image_id]:
            unit = f"{clip_id}/{ref.ref_id}"
            meant = [str(number) for number in ([ref.ann_id] if isinstance(ref.ann_id, int) else ref.ann_id) if number != -1]
            targets = tuple(object_id for object_id in meant if object_id in known)
            lost = [object_id for object_id in meant if object_id not in known | crowds]
            if lost or (meant and not targets):
                reason = (
                    f"means annotation {', '.join(lost)}, which is not there or cannot be used" if lost else "means crowds only"
                )
                problems.append(_entry(unit, "target_missing", f"ref {ref.ref_id} {reason}"))
                continue
            if len(targets) < len(meant):
                skipped = f"ref {ref.ref_id} also means {len(meant) - len(targets)} crowds, which are left out"
                problems.append(LedgerEntry(unit=unit, reason="crowd_skipped", detail=skipped, action="altered"))
            for sentence in ref.sentences:
                yield Expression(
                    expression_id=str(sentence.sent_id),
                    text=sentence.sent,
                    raw=sentence.raw,
                    object_ids=targets,
                    annotation_ids=targets,
                    kind=None if targets else "no_target",
                )

    def _name(self, image_id: int) -> str:
        picture = self._pictures.get(image_id)
        return Path(picture.file_name).stem if picture else f"image_{image_id}"


def _entry(unit: str, reason: str, detail: str) -> LedgerEntry:
    return LedgerEntry(unit=unit, reason=reason, detail=detail)
