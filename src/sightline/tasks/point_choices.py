"""Frames that were chosen by a network's points, as `sightline choose-frames` keeps them and builds read them.

    CHOICES/settings.json    how they were chosen: one way a folder
    CHOICES/5f2c....json     {"source": "room1.mp4", "num_frames": 300, "chosen": {"frames": [0, 41, 203], "order": [41, 0, 203],
                              "gains": [911, 402, 77], "num_filled": 0}}

A choice is named by what it depends on beside the settings: how many frames there are, and the bytes of the video's file, or of the
pictures among which was chosen. So a video or scan may move, and a changed one has no choice.
"""

import hashlib
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

import msgspec

from sightline.errors import InputError
from sightline.files import inside, read_json
from sightline.tasks.frame_rules import FrameRule, candidates
from sightline.tasks.space_aware import Chosen
from sightline.types import Record, Scan

SETTINGS = "settings.json"
REVISION = 1
PointsPolicy = Literal["points_aware", "points_reference"]


class FramesUnchosenError(InputError):
    """There is no choice for a video or scan."""


class ChoiceSettings(Record):
    """`settings.json`. `points_aware` has exactly `num_frames`, `points_reference` is the published tool's choice and may have
    fewer. `weights`: a digest of the network's; `dtype`: what its aggregator ran in."""

    policy: PointsPolicy
    num_frames: int
    num_candidates: int
    weights: str
    dtype: str
    revision: int = REVISION


class KeptChoice(Record):
    """One file. `source` is what it was called, for people."""

    source: str
    num_frames: int
    chosen: Chosen


def with_choices(rule: FrameRule, choices: Path | None) -> FrameRule:
    """`rule` with the folder that its choices lie in; a rule by other means as it is.

    Raises:
        FileNotFoundError: no such folder of choices.
        InputError: a rule by points without a folder, a folder without such a rule, or choices of another kind or number.
    """
    by_points = rule.policy in ("points_aware", "points_reference")
    if by_points != (choices is not None):
        raise InputError(
            "--frames points-aware (or points-reference) and --choices FOLDER go together: such frames are chosen beforehand, by "
            "`sightline choose-frames`."
        )
    if choices is None:
        return rule
    if not (choices / SETTINGS).is_file():
        raise FileNotFoundError(f"--choices {choices}: no {SETTINGS} in it. Make the choices with `sightline choose-frames`.")
    kept = read_json(choices / SETTINGS, ChoiceSettings)
    asked = (rule.policy, rule.num_frames, rule.num_candidates, REVISION)
    if asked != (kept.policy, kept.num_frames, kept.num_candidates, kept.revision):
        raise InputError(
            f"--choices {choices} holds {kept.policy.replace('_', '-')} choices of {kept.num_frames} among {kept.num_candidates} "
            f"frames; asked for are {rule.policy.replace('_', '-')}, {rule.num_frames} among {rule.num_candidates}. Give --frames "
            "and --num-frames as they were chosen, or choose again into another folder."
        )
    return msgspec.structs.replace(rule, choices=str(choices), weights=f"{kept.weights}-{kept.dtype}")


def video_choice(place: Path, names: Sequence[str], num_frames: int, rule: FrameRule) -> Chosen:
    """The choice for a video: a file, or a folder whose frames have these `names`.

    Raises:
        FramesUnchosenError: there is none.
    """
    key = folder_key([place / names[index] for index in candidates(num_frames, rule)], num_frames) if names else file_key(place)
    return _kept(key, str(place), num_frames, rule)


def scan_choice(scan: Scan, root: Path, rule: FrameRule) -> Chosen:
    """The choice among a scan's frames.

    Raises:
        FramesUnchosenError: there is none.
    """
    return _kept(scan_key(scan, root, rule.num_candidates), scan.scan_id, len(scan.frames), rule)


def scan_key(scan: Scan, root: Path, num_candidates: int) -> str:
    """The key of a scan whose colour pictures are files below `root`.

    Raises:
        InputError: they lie in a video or a sensor's file.
    """
    if not all(frame.image_index is None and frame.quarter_turns % 4 == 0 for frame in scan.frames):
        raise FramesUnchosenError(
            f"{scan.scan_id}: its frames are no files of their own, so that frames cannot be chosen by points. Prepare the scan "
            "first: `sightline prepare scan`."
        )
    places = candidates(len(scan.frames), FrameRule(num_candidates=num_candidates))
    return folder_key([inside(root, scan.frames[index].image) for index in places], len(scan.frames))


def file_key(video: Path) -> str:
    """32 hexadecimal digits that name a video's file by its bytes."""
    return _named("video", [_digest(video)])


def folder_key(pictures: Sequence[Path], num_frames: int) -> str:
    """32 hexadecimal digits that name a folder of `num_frames` frames by the bytes of those among which is chosen."""
    return _named(f"frames {num_frames}", [_digest(path) for path in pictures])


def _kept(key: str, name: str, num_frames: int, rule: FrameRule) -> Chosen:
    path = Path(rule.choices or ".") / f"{key}.json"
    if not path.is_file():
        raise FramesUnchosenError(
            f"{name}: no frames were chosen for it in {rule.choices}, or it has changed since. Run `sightline choose-frames` on it "
            "with the options of that folder."
        )
    kept = read_json(path, KeptChoice)
    if kept.num_frames != num_frames or not all(0 <= frame < num_frames for frame in kept.chosen.frames):
        raise InputError(f"{path}: a choice among {kept.num_frames} frames; {name} has {num_frames}. Delete it, and choose again.")
    return kept.chosen


def _named(kind: str, digests: Sequence[str]) -> str:
    return hashlib.blake2b("\0".join([kind, *digests]).encode(), digest_size=16).hexdigest()


def _digest(path: Path) -> str:
    changed = path.stat()
    return _digest_of(path, changed.st_mtime_ns, changed.st_size)


@lru_cache(maxsize=65_536)
def _digest_of(path: Path, _changed_ns: int, _size: int) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
