"""Space-aware frames of a video by the depth and the poses of the prepared scan of its scene; many questions, one choice.

The scan is `{scans}/{scene}/scan.json` or `{scans}/{dataset}/{scene}/scan.json`, as `sightline prepare scan` writes it. It rarely
has the video's very frames, and frame rates are not told alike (VSI-Bench's ScanNet videos run at 24, the sensor at 30): so the
first and the last frame of both are taken for the same moments, and each candidate of the video sees what the scan's frame nearest
to it in between sees. Frames without depth or pose do not count.

A choice is kept as `{cache}/{dataset}-{scene}-{key}.json`; the key is made of the scan's record, the depth files' bytes, the places
in the video, and the rule. Anything that tells the cells of each candidate, such as a network's points, can stand in for the scan:
`tasks.space_aware.points_aware` gives the same record.
"""

import hashlib
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import msgspec
import numpy as np

from sightline.datasets.scans.pixels import ScanPixels, depth_camera
from sightline.errors import InputError
from sightline.files import inside, read_json, write_json
from sightline.tasks.frame_rules import FrameRule, candidates
from sightline.tasks.space_aware import Chosen, space_aware
from sightline.types import Scan, ScanFrame

RECORD = "scan.json"
REVISION = 1
SCENES_KEPT = 4096


class SceneUnseenError(InputError):
    """Nothing tells what the frames of a scene's video see: its scan is not there, or cannot be used."""


def scan_records(root: Path) -> list[Path]:
    """The records of all scans that a choice may read."""
    return sorted([*root.glob(f"*/{RECORD}"), *root.glob(f"*/*/{RECORD}")])


def video_coverage(dataset: str, scene_id: str, num_frames: int, rule: FrameRule) -> Chosen:
    """`rule.num_frames` frames of the video of a scene (all, of a shorter one), chosen once for all its questions.

    Raises:
        SceneUnseenError: no scan of this scene, or its record, depth or poses cannot be used.
    """
    root = Path(rule.scans or ".")
    if scene_id:
        for home in (root, root / dataset):
            record = inside(home, f"{scene_id}/{RECORD}")
            if record.is_file():
                try:
                    return _kept(record, record.stat().st_mtime_ns, home, num_frames, rule)
                except (InputError, FileNotFoundError) as error:
                    raise SceneUnseenError(f"{record}: {error}") from error
    raise SceneUnseenError(
        f"{root}: no scan {scene_id or 'of a question without a scene'}, so that space-aware frames cannot be chosen. "
        "`sightline prepare scan` makes one; or choose other --frames."
    )


@lru_cache(maxsize=SCENES_KEPT)
def _kept(record: Path, _changed_ns: int, home: Path, num_frames: int, rule: FrameRule) -> Chosen:
    """`home` is the folder that the record's paths are relative to."""
    scan = read_json(record, Scan)
    places = candidates(num_frames, rule)
    seen = _seen_by(scan, num_frames, places)
    if rule.cache is None:
        return _chosen(scan, home, places, seen, rule)
    name = f"{scan.dataset}-{scan.scan_id}-{_key(record, scan, home, seen, places, rule)}.json"
    path = Path(rule.cache) / name.replace("/", "-")
    if not path.is_file():
        write_json(path, _chosen(scan, home, places, seen, rule))
    return read_json(path, Chosen)


def scan_coverage(scan: Scan, root: Path, rule: FrameRule) -> Chosen:
    """The choice among the scan's own frames that have depth and a pose.

    Raises:
        FileNotFoundError, InputError: no such frame, depth is missing or damaged, or a pose is none.
    """
    usable = _usable(scan)
    places = tuple(usable[place] for place in candidates(len(usable), rule))
    return _chosen(scan, root, places, places, rule)


def _chosen(scan: Scan, home: Path, places: Sequence[int], seen: Sequence[int], rule: FrameRule) -> Chosen:
    """The choice among `places`, each of which sees what the scan's frame at the same place of `seen` sees."""
    with ScanPixels(scan, home) as pixels:
        depths = {index: depth for index in sorted(set(seen)) if (depth := pixels.depth_m(scan.frames[index])) is not None}
    cameras = {index: depth_camera(scan.frames[index], depth) for index, depth in depths.items()}
    found = space_aware([depths[index] for index in seen], [cameras[index] for index in seen], rule.num_frames, edge_m=rule.edge_m)
    return msgspec.structs.replace(
        found, frames=tuple(places[place] for place in found.frames), order=tuple(places[place] for place in found.order)
    )


def _usable(scan: Scan) -> list[int]:
    if not scan.in_metres:
        raise InputError(
            f"{scan.scan_id}: its lengths are in a network's own unit, and cells are in metres. Choose by the network's points "
            "(`sightline choose-frames`, --frames points-aware), or make the scan with --metres-per-unit."
        )
    usable = [index for index, frame in enumerate(scan.frames) if frame.depth is not None and frame.camera is not None]
    if not usable:
        raise InputError(f"{scan.scan_id}: no frame with depth and a pose, so that space-aware frames cannot be chosen.")
    return usable


def _seen_by(scan: Scan, num_frames: int, places: Sequence[int]) -> list[int]:
    """For each place in the video the scan's frame with depth and pose that is nearest; of two as near the earlier."""
    usable = _usable(scan)
    moments = _shares(scan.frames)
    known = [moments[index] for index in usable]
    return [usable[_nearest(known, place / max(num_frames - 1, 1))] for place in places]


def _shares(frames: tuple[ScanFrame, ...]) -> list[float]:
    """When each frame was taken, from 0 (the first) to 1 (the last); evenly where not every frame has a time."""
    times = [frame.timestamp_s for frame in frames]
    if None in times or times[0] == times[-1]:
        return np.linspace(0, 1, len(frames)).tolist()
    first, last = (float(time) for time in (times[0], times[-1]) if time is not None)
    return [(float(time) - first) / (last - first) for time in times if time is not None]


def _nearest(sorted_values: list[float], value: float) -> int:
    after = min(bisect_left(sorted_values, value), len(sorted_values) - 1)
    before = max(after - 1, 0)
    return before if value - sorted_values[before] <= sorted_values[after] - value else after


def _key(record: Path, scan: Scan, home: Path, seen: Sequence[int], places: Sequence[int], rule: FrameRule) -> str:
    digest = hashlib.sha256(record.read_bytes())
    digest.update(repr((REVISION, tuple(places), tuple(seen), rule.num_frames, rule.edge_m)).encode())
    for path in dict.fromkeys(scan.frames[index].depth for index in seen):
        with inside(home, path or "").open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:24]
