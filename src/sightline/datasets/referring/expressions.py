"""The `meta_expressions` files of video referring: MeViS, ReVOS and Ref-YouTube-VOS write the same with different fields.

    {"videos": {"0a1b2c3d4e5f": {"vid_id": 0, "frames": ["00000", "00001"],
                                 "expressions": {"0": {"exp": "two birds flying away", "obj_id": [0, 2], "anno_id": [5, 7]}}}}}

`obj_id` is a list, one number or one string; where neither it nor `anno_id` is there, the targets are held back. A video's name may
hold a slash. Masks, where there are some, lie in a file of their own (`datasets.mask_lists`).
"""

from collections.abc import Iterator
from pathlib import Path

from sightline.datasets.coco.coco_json import Open
from sightline.errors import InputError
from sightline.files import read_json
from sightline.types import Expression, LedgerEntry, Track

MAX_BYTES = 512 * 2**20
NAMED = 3
Ids = list[int | str] | int | str


class Said(Open):
    """One expression as it stands there; `obj_id` is None where the targets are held back."""

    exp: str
    obj_id: Ids | None = None
    anno_id: Ids | None = None
    type_id: int | None = None

    def objects(self) -> list[str] | None:
        return None if self.obj_id is None else _listed(self.obj_id)

    def annotations(self) -> list[str]:
        return [] if self.anno_id is None else _listed(self.anno_id)


class Video(Open):
    frames: list[str]
    expressions: dict[str, Said]
    height: int | None = None
    width: int | None = None


class _File(Open):
    videos: dict[str, Video]


def read_videos(path: Path) -> dict[str, Video]:
    """The videos of a `meta_expressions` file by name.

    Raises:
        FileNotFoundError: no such file.
        InputError: another form, or a video without frames.
    """
    videos = read_json(path, _File, max_bytes=MAX_BYTES).videos
    empty = [name for name, video in videos.items() if not video.frames]
    if empty:
        raise InputError(f"{path}: {len(empty)} videos have no frames ({', '.join(empty[:NAMED])}). Fetch the file again.")
    return videos


def video_expressions(
    video: Video, clip_id: str, tracks: list[Track] | None, problems: list[LedgerEntry], kinds: dict[int, str] | None = None
) -> Iterator[Expression]:
    """The expressions of a video, in the file's order. Those whose ids do not fit are in `problems` already and are left out; one
    that means an object without masks is left out and added there. `tracks` is None where the targets are held back."""
    strange = {entry.unit for entry in problems if entry.reason == "ids_do_not_join"}
    known = {track.object_id for track in tracks or ()}
    for name, said in video.expressions.items():
        unit = f"{clip_id}/{name}"
        if unit in strange:
            continue
        objects = None if tracks is None else said.objects()
        if objects is not None and not known.issuperset(objects):
            lost = ", ".join(sorted(set(objects) - known))
            problems.append(LedgerEntry(unit=unit, reason="target_missing", detail=f"expression {name} means object {lost}"))
            continue
        kind = kinds.get(said.type_id) if kinds and said.type_id is not None else None
        yield Expression(
            expression_id=name,
            text=said.exp,
            object_ids=None if objects is None else tuple(objects),
            annotation_ids=tuple(said.annotations()),
            kind=kind or ("no_target" if objects == [] else None),
        )


def _listed(ids: Ids) -> list[str]:
    return [str(each) for each in ids] if isinstance(ids, list) else [str(ids)]
