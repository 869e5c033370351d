"""Depth, pose and intrinsics of a prepared scan's frames, as an x3 tree has them: with them its absences are proved, not assumed.

{kk}_{frame}_depth.png    16 bits, in the size of the view (nearest pixel)
{kk}_{frame}_pose.txt     4x4 camera to world, metres
intrinsics.json           one for the object's folder: written only where all its views have the same
"""

import json
from pathlib import Path

import numpy as np
from jaxtyping import UInt16

from sightline import media
from sightline.datasets.scans.pixels import depth_camera
from sightline.errors import InputError
from sightline.files import inside, read_json
from sightline.geometry.camera import scale_camera
from sightline.types import Camera, Scan, ScanFrame

ROUNDING = 1e-6
Size = tuple[int, int]


class PosedFrames:
    """What a prepared scan knows of its frames beyond their pictures."""

    def __init__(self, scan: Scan, root: Path) -> None:
        self._frames = {frame.frame_id: frame for frame in scan.frames}
        self._root = root

    def same_intrinsics(self, frame_ids: list[str], size: Size) -> bytes | None:
        """`intrinsics.json` for pictures of `size`, None where a frame has no pose or depth, or they differ."""
        found = []
        for frame_id in frame_ids:
            frame = self._frames[frame_id]
            if frame.camera is None or frame.depth is None or not _same_pose(frame):
                return None
            camera = scale_camera(frame.camera, *size)
            found.append((camera.fx, camera.fy, camera.cx, camera.cy, frame.metres_per_unit))
        if np.ptp(np.array(found), axis=0).max() > ROUNDING:
            return None
        fields = dict(zip(("fx", "fy", "cx", "cy", "metres_per_unit"), found[0], strict=True))
        return (json.dumps({"width": size[0], "height": size[1], **fields, "pixel_centre": 0.5}, indent=1) + "\n").encode()

    def view_files(self, frame_id: str, size: Size) -> dict[str, bytes]:
        """The depth picture and the pose of a frame with both, by the last part of their names.

        Raises:
            FileNotFoundError, InputError: the depth picture is missing or damaged.
        """
        frame = self._frames[frame_id]
        assert frame.camera is not None, "same_intrinsics has seen it"
        assert frame.depth is not None, "same_intrinsics has seen it"
        units = media.read_depth(inside(self._root, frame.depth), 1.0).astype(np.uint16)
        seen_by = depth_camera(frame, units)
        pose = np.reshape(frame.camera.camera_to_world, (4, 4))
        return {
            "depth.png": media.encode_grey_png(_resampled(units, seen_by, scale_camera(frame.camera, *size))),
            "pose.txt": "".join(" ".join(f"{value:.12f}" for value in row) + "\n" for row in pose).encode(),
        }


def _same_pose(frame: ScanFrame) -> bool:
    return frame.depth_camera is None or (
        frame.camera is not None and frame.depth_camera.camera_to_world == frame.camera.camera_to_world
    )


def _resampled(units: UInt16[np.ndarray, "h w"], own: Camera, wanted: Camera) -> UInt16[np.ndarray, "h2 w2"]:
    """Depth as another camera at the same place sees it, which turns no pixel's z: the nearest pixel, 0 where there is none."""
    x = np.floor((np.arange(wanted.width) + 0.5 - wanted.cx) / wanted.fx * own.fx + own.cx).astype(int)
    y = np.floor((np.arange(wanted.height) + 0.5 - wanted.cy) / wanted.fy * own.fy + own.cy).astype(int)
    inside_x, inside_y = (x >= 0) & (x < own.width), (y >= 0) & (y < own.height)
    found = units[np.clip(y, 0, own.height - 1)[:, None], np.clip(x, 0, own.width - 1)[None, :]]
    return np.where(inside_y[:, None] & inside_x[None, :], found, np.uint16(0))


def posed_frames(root: Path, clip_id: str) -> PosedFrames | None:
    """Of a clip that is a prepared scan, else None. Raises InputError if the scan's record is damaged."""
    path = inside(root, f"{clip_id}/scan.json")
    if not path.is_file():
        return None
    scan = read_json(path, Scan)
    if scan.scan_id != clip_id:
        raise InputError(f"{path}: the record of scan {scan.scan_id!r}. Prepare the scan again.")
    return PosedFrames(scan, root)
