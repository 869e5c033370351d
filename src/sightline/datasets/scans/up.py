"""Which way is up in a world that does not say, and a scan turned so that z is up.

    y, -z                 an axis of the world that the poses are in
    0.1,-0.98,0.05        a vector in it
    auto                  found from depth: `gravity`

Directions to the left and right need more than an up: cameras with one negative focal length (fy of ICL-NUIM) belong to a mirrored
world, in which left and right change places on the plan. Such a scan is mirrored back while it is turned: its focal lengths are
positive afterwards, and its pictures are the same.
"""

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
from jaxtyping import Float

from sightline.datasets.scans.gravity import estimate_up
from sightline.errors import InputError
from sightline.types import Camera, LedgerEntry, Scan

AUTO = "auto"
AXES = {
    f"{sign}{name}": tuple(float(f"{sign}{value}") for value in row)
    for sign in ("", "-")
    for name, row in zip("xyz", np.eye(3, dtype=int).tolist(), strict=True)
}
MIN_LENGTH = 1e-6


def parse_up(text: str, where: str = "--up") -> tuple[float, float, float] | None:
    """An up axis as a user writes it, of length 1; None for `auto`.

    Raises:
        InputError: neither an axis, nor a vector, nor `auto`; the message begins with `where`.
    """
    word = text.strip().lower()
    if word == AUTO:
        return None
    try:
        x, y, z = AXES[word] if word in AXES else (float(part) for part in word.split(","))
    except ValueError:
        x = y = z = float("nan")
    length = float(np.sqrt(x * x + y * y + z * z))
    if not np.isfinite(length) or length < MIN_LENGTH:
        raise InputError(
            f"{where} {text!r}: expected the way up in the world of the poses: one of {', '.join(AXES)}, a vector such as "
            "0,-1,0.1, or auto."
        )
    return x / length, y / length, z / length


def turned_up(scan: Scan, root: Path, up: tuple[float, float, float] | None) -> Scan:
    """The scan with z up; where None is given and depth does not tell, the scan as it is, with `up_unsure` among its problems.

    Raises:
        FileNotFoundError, InputError: a depth picture that is needed is missing or damaged.
    """
    if up is not None:
        return _turned(scan, up)
    found = estimate_up(scan, root)
    reason = "up_unsure" if found.up is None else "up_estimated"
    noted = msgspec.structs.replace(
        scan, problems=(*scan.problems, LedgerEntry(unit=scan.scan_id, reason=reason, detail=found.detail, action="altered"))
    )
    return noted if found.up is None else _turned(noted, found.up)


def _turned(scan: Scan, up: Sequence[float]) -> Scan:
    cameras = [frame.camera for frame in scan.frames if frame.camera is not None]
    turn = rotation_to_z(up)
    if cameras and cameras[0].fx * cameras[0].fy < 0:
        turn = np.diag([1.0, -1.0, 1.0]) @ turn
    world = np.eye(4)
    world[:3, :3] = turn
    frames = tuple(
        msgspec.structs.replace(
            frame,
            camera=None if frame.camera is None else _proper(frame.camera, world),
            depth_camera=None if frame.depth_camera is None else _proper(frame.depth_camera, world),
        )
        for frame in scan.frames
    )
    return msgspec.structs.replace(scan, frames=frames, z_up=True, alignment=tuple(world.ravel().tolist()))


def _proper(camera: Camera, world: Float[np.ndarray, "4 4"]) -> Camera:
    """The camera in the turned world, with positive focal lengths: a negative one turns its axis round."""
    signs = np.diag([np.sign(camera.fx), np.sign(camera.fy), 1.0, 1.0])
    pose = world @ np.reshape(camera.camera_to_world, (4, 4)) @ signs
    return msgspec.structs.replace(camera, fx=abs(camera.fx), fy=abs(camera.fy), camera_to_world=tuple(pose.ravel().tolist()))


def rotation_to_z(up: Sequence[float]) -> Float[np.ndarray, "3 3"]:
    """The least rotation that takes the unit vector `up` to z; half a turn about x where it is -z."""
    x, y, z = (float(part) for part in up)
    if z < -1 + 1e-9:
        return np.diag([1.0, -1.0, -1.0])
    cross = np.array([[0.0, 0.0, -x], [0.0, 0.0, -y], [x, y, 0.0]])  # of up x z = (y, -x, 0)
    return np.eye(3) + cross + cross @ cross / (1 + z)
