"""Which recordings a task set was made of: `sources.jsonl` beside its index, a line for each clip that gave an example.

    {"group":"bear","video_id":"davis/bear","first_frame":"6d2f0c9b81e4a357"}

`video_id` is the source data set and its name of the recording, the same in every data set that uses it; `first_frame` is the
perceptual hash of the clip's first frame as 16 hexadecimal digits.
"""

import re

from sightline.datasets.questions.scenes import ALIASES
from sightline.errors import InputError
from sightline.geometry.perceptual_hash import picture_hash
from sightline.tasks.pictures import Studio
from sightline.types import Clip, LedgerEntry, Record

SCAN_OF_ROOM = re.compile(r"(?<=^scene\d{4})_\d{2}$")


class Recording(Record):
    """One line of `sources.jsonl`. `first_frame` is None where the first frame has no picture, or one of a single colour."""

    group: str
    video_id: str
    first_frame: str | None = None


def canonical_id(video_id: str) -> str:
    """A recording's id with its source spelt in one way: people write "YouTube-VOS/003234408d" and "youtube_vos/003234408d".

    Of scans the id is the room: "ScanNet/scene0011_01" is "scannet/scene0011", because all scans of a room show the same things.
    """
    source, slash, name = video_id.partition("/")
    source = source.lower().replace("-", "_")
    source = ALIASES.get(source, source) if slash else source
    return f"{source}{slash}{SCAN_OF_ROOM.sub('', name) if source == 'scannet' else name}"


def see_scene_recording(dataset: str, scene_id: str) -> Recording:
    """The recording that a question about a scan is about; known by its id alone."""
    return Recording(group=f"{dataset}/{scene_id}", video_id=canonical_id(f"{dataset}/{scene_id}"))


def see_recording(clip: Clip, studio: Studio, *, reader: str) -> tuple[Recording, LedgerEntry | None]:
    """The recording of a clip, and where its first frame cannot be decoded an entry for the ledger.

    A clip without `video_id` is a recording of the reader's own data set.
    """
    video_id = canonical_id(clip.video_id or f"{reader}/{clip.clip_id}")
    found = Recording(group=clip.clip_id, video_id=video_id)
    path = clip.frames[0].image if clip.frames else None
    if path is None:
        return found, None
    try:
        first = picture_hash(studio.rgb(path))
    except (InputError, FileNotFoundError) as error:
        detail = f"the leak check knows this clip by its id alone: {error}"
        return found, LedgerEntry(unit=clip.clip_id, reason="first_frame_unreadable", detail=detail, action="altered", path=path)
    hashed = None if first is None else f"{first:016x}"
    return Recording(group=clip.clip_id, video_id=video_id, first_frame=hashed), None
