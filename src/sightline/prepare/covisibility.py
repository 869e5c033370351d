"""Which frames of a prepared scan show which object, and how much two frames share, by depth and pose; kept beside the scan.

    {root}/{scan}/covisibility.json    {"key": ..., "frame_ids": [...], "object_ids": [...], "visible": [[...]], "overlap": [[...]]}

An object's points are the surface points under its instance masks, from all frames, one for each `VOXEL_M` cube; at most
`MAX_OBJECT_POINTS`. Its visible fraction in a frame is the share of them that lie in the picture with the measured depth being
their own (`geometry.visibility`). The overlap of two frames is that of their surface points (`frame_overlap`). The file is made
again when the scan's record or one of the numbers below changes.
"""

import hashlib
from pathlib import Path

import msgspec
import numpy as np
from jaxtyping import Float, Float32, UInt8

from sightline.datasets.scans.pixels import ScanPixels, depth_camera
from sightline.errors import InputError
from sightline.files import inside, read_json, write_json
from sightline.geometry.visibility import MAX_OBJECT_POINTS, frame_overlap, mask_points, point_visibility
from sightline.types import Camera, Record, Scan

VOXEL_M = 0.02
FRAME_POINTS = 2_000
MAX_FRAMES = 256
REVISION = 1


class Covisibility(Record):
    """`visible[f][o]`: the share, 0..1, of object o's points that frame f shows; None where the object has no points.
    `overlap[f][g]`: the share, 0..1, of what frames f and g show together that both show; symmetric."""

    key: str
    frame_ids: tuple[str, ...]
    object_ids: tuple[str, ...]
    visible: tuple[tuple[float | None, ...], ...]
    overlap: tuple[tuple[float, ...], ...]


def covisibility(scan: Scan, root: Path) -> Covisibility:
    """The numbers of one prepared scan, computed at the first call and read after that.

    Raises:
        InputError: lengths are not in metres, a frame has no depth or no pose, or there are more than `MAX_FRAMES` frames.
        FileNotFoundError, InputError: a picture is missing or damaged.
    """
    if not scan.in_metres:
        raise InputError(
            f"{scan.scan_id}: its lengths are in a network's own unit, and what is visible is told in metres. Make the scan with "
            "--metres-per-unit."
        )
    if len(scan.frames) > MAX_FRAMES:
        raise InputError(
            f"{scan.scan_id}: {len(scan.frames)} frames; co-visibility compares every two, at most {MAX_FRAMES} frames. Prepare "
            "the scan with a lower --fps, or with --max-frames."
        )
    path = inside(root, f"{scan.scan_id}/covisibility.json")
    key = hashlib.blake2b(
        msgspec.json.encode((REVISION, VOXEL_M, FRAME_POINTS, MAX_OBJECT_POINTS, scan)), digest_size=16
    ).hexdigest()
    if path.is_file() and (found := read_json(path, Covisibility)).key == key:
        return found
    views = _views(scan, root)
    points = [_object_points(views, each.label) for each in scan.objects]
    found = Covisibility(
        key=key,
        frame_ids=tuple(frame.frame_id for frame in scan.frames),
        object_ids=tuple(each.object_id for each in scan.objects),
        visible=tuple(tuple(_share(of_object, *view[:2]) for of_object in points) for view in views),
        overlap=_overlaps(views),
    )
    write_json(path, found)
    return found


_View = tuple[Camera, Float32[np.ndarray, "h w"], UInt8[np.ndarray, "h2 w2"] | None]


def _views(scan: Scan, root: Path) -> list[_View]:
    views = []
    with ScanPixels(scan, root) as pixels:
        for frame in scan.frames:
            depth = pixels.depth_m(frame)
            if depth is None or frame.camera is None:
                raise InputError(f"{scan.scan_id}, frame {frame.frame_id}: no depth or no pose, and co-visibility needs both.")
            views.append((depth_camera(frame, depth), depth, pixels.instances(frame)))
    return views


def _object_points(views: list[_View], label: int | None) -> Float[np.ndarray, "n 3"]:
    """One point a voxel, the first one met; of too many an even selection. n is 0 where no frame has the label."""
    found = [np.zeros((0, 3))]
    for camera, depth, labels in views:
        if labels is not None and label is not None:
            rows, columns = np.indices(depth.shape)
            at_rows = ((rows + 0.5) * labels.shape[0] / depth.shape[0]).astype(int)
            at_columns = ((columns + 0.5) * labels.shape[1] / depth.shape[1]).astype(int)
            mask = labels[at_rows, at_columns] == label
            found.append(mask_points(mask, depth, camera))
    points = np.concatenate(found)
    _, first = np.unique(np.floor(points / VOXEL_M).astype(np.int64), axis=0, return_index=True)
    points = points[np.sort(first)]
    if len(points) > MAX_OBJECT_POINTS:
        points = points[np.arange(MAX_OBJECT_POINTS) * len(points) // MAX_OBJECT_POINTS]
    return points


def _share(points: Float[np.ndarray, "n 3"], camera: Camera, depth: Float32[np.ndarray, "h w"]) -> float | None:
    return round(float(point_visibility(points, camera, depth).visible.mean()), 6) if len(points) else None


def _overlaps(views: list[_View]) -> tuple[tuple[float, ...], ...]:
    table = np.zeros((len(views), len(views)))
    for a, (camera_a, depth_a, _) in enumerate(views):
        for b, (camera_b, depth_b, _) in enumerate(views[: a + 1]):
            table[a, b] = table[b, a] = round(frame_overlap(depth_a, camera_a, depth_b, camera_b, max_points=FRAME_POINTS), 6)
    return tuple(tuple(row) for row in table.tolist())
