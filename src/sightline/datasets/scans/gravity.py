"""Which way is up, from the depth of frames whose pictures stand more or less upright.

Rooms are built level: floors, table tops and ceilings give many surface normals along the vertical, and walls give normals square
to it. The vertical is taken to be the direction that most of the surface is square to, among those within `CONE_DEG` of the
pictures' own up, averaged over all frames. It is refused where that is a guess:

    the pictures' ups point many ways, so that their mean says little      `MIN_AGREEMENT`
    too little of the surface is level                                     `MIN_LEVEL`
    another direction in the cone, 20 degrees away, has half as much       `MAX_RIVAL`
    too little of the surface is upright                                   `MIN_UPRIGHT`

Pictures that all lie on their side cannot be told from upright ones: then the axis must be given.
"""

from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from sightline.datasets.scans.pixels import ScanPixels, depth_camera
from sightline.geometry.camera import unproject
from sightline.types import Camera, Scan

FRAMES = 32
FRAME_NORMALS = 2500
STEP = 1 / 160  # of the width: how far the neighbours are that a normal is made of
MAX_BEND = 0.01  # of the depth: neighbours on both sides that are farther from a plane belong to an edge
CONE_DEG = 45.0
NEAR_DEG = 5.0
APART_DEG = 20.0
CANDIDATES = 600
MIN_NORMALS = 500
MIN_AGREEMENT = 0.7
MIN_LEVEL = 0.03
MAX_RIVAL = 0.5
MIN_UPRIGHT = 0.1


class UpEstimate(NamedTuple):
    """`up` of length 1 in the world of the poses, None where it is not sure; `detail` says why, or what it is based on."""

    up: tuple[float, float, float] | None
    detail: str


def estimate_up(scan: Scan, root: Path) -> UpEstimate:
    """From evenly chosen frames with depth.

    Raises:
        FileNotFoundError, InputError: a depth picture is missing or damaged.
    """
    usable = [frame for frame in scan.frames if frame.depth is not None and frame.camera is not None]
    chosen = np.linspace(0, len(usable) - 1, min(FRAMES, len(usable))).round().astype(int).tolist() if usable else []
    normals, ups = [np.zeros((0, 3))], [np.zeros(3)]
    with ScanPixels(scan, root) as pixels:
        for index in chosen:
            depth = pixels.depth_m(usable[index])
            assert depth is not None, "chosen because it has depth"
            camera = depth_camera(usable[index], depth)
            normals.append(surface_normals(depth.astype(np.float64), camera))
            ups.append(-np.sign(camera.fy) * np.reshape(camera.camera_to_world, (4, 4))[:3, 1])
    return up_of_normals(np.concatenate(normals), np.sum(ups, axis=0) / max(len(chosen), 1), num_frames=len(chosen))


def up_of_normals(normals: Float[np.ndarray, "n 3"], mean_up: Float[np.ndarray, "3"], *, num_frames: int) -> UpEstimate:
    """`normals` have length 1 and either sign; `mean_up` is the mean of the pictures' ups, as long as these agree (0..1)."""
    agreement = float(np.linalg.norm(mean_up))
    remedy = "Give --up x, -x, y, -y, z, -z or a vector."
    if len(normals) < MIN_NORMALS:
        return UpEstimate(
            None, f"{len(normals)} places of smooth surface in {num_frames} frames, {MIN_NORMALS} are needed. {remedy}"
        )
    if agreement < MIN_AGREEMENT:
        return UpEstimate(None, f"the pictures' ups agree to {agreement:.2f}, {MIN_AGREEMENT} is needed. {remedy}")
    guess = mean_up / agreement
    upward = normals * np.where(normals @ guess < 0, -1.0, 1.0)[:, None]
    inside = upward[upward @ guess > _cos(CONE_DEG)]
    candidates = inside[np.linspace(0, len(inside) - 1, min(CANDIDATES, len(inside))).astype(int)] if len(inside) else inside
    support = np.array([float((upward @ each > _cos(NEAR_DEG)).mean()) for each in candidates])
    if not len(support) or support.max() < MIN_LEVEL:
        share = float(support.max()) if len(support) else 0.0
        return UpEstimate(None, f"{share:.1%} of the surface is level, {MIN_LEVEL:.0%} is needed. {remedy}")
    up = _refined(candidates[int(support.argmax())], upward)
    level = float((upward @ up > _cos(NEAR_DEG)).mean())
    upright = float((np.abs(upward @ up) < np.sin(np.radians(NEAR_DEG))).mean())
    rival = float(support[candidates @ up < _cos(APART_DEG)].max(initial=0.0))
    if rival > MAX_RIVAL * level:
        return UpEstimate(
            None, f"two directions may be up: {level:.1%} and {rival:.1%} of the surface lie square to them. {remedy}"
        )
    if upright < MIN_UPRIGHT:
        return UpEstimate(None, f"{upright:.1%} of the surface is upright, {MIN_UPRIGHT:.0%} is needed. {remedy}")
    x, y, z = up.tolist()
    tilt = float(np.degrees(np.arccos(np.clip(up @ guess, -1, 1))))
    found = (
        f"up is {x:.4f},{y:.4f},{z:.4f} in the world of the poses, from {num_frames} frames: {level:.1%} of the surface is level, "
        f"{upright:.1%} upright, the next direction has {rival:.1%}; {tilt:.0f} degrees from the pictures' mean up"
    )
    return UpEstimate((x, y, z), found)


def surface_normals(depth_m: Float[np.ndarray, "h w"], camera: Camera) -> Float[np.ndarray, "n 3"]:
    """Normals in the world at about `FRAME_NORMALS` places on a raster, where the surface is smooth; n may be 0."""
    height, width = depth_m.shape
    reach = max(1, round(width * STEP))
    step = max(1, int(np.sqrt(depth_m.size / FRAME_NORMALS)))
    rows, columns = np.mgrid[reach : height - reach : step, reach : width - reach : step].reshape(2, -1)
    middle = depth_m[rows, columns]
    sides = {(dy, dx): depth_m[rows + dy, columns + dx] for dy, dx in ((0, -reach), (0, reach), (-reach, 0), (reach, 0))}
    smooth = middle > 0
    for first, second in (((0, -reach), (0, reach)), ((-reach, 0), (reach, 0))):
        a, b = sides[first], sides[second]
        smooth &= (a > 0) & (b > 0) & (np.abs(a + b - 2 * middle) < MAX_BEND * middle)
    points = {
        place: unproject(np.stack([columns + place[1] + 0.5, rows + place[0] + 0.5], axis=1)[smooth], z[smooth], camera)
        for place, z in sides.items()
    }
    normals = np.cross(points[0, reach] - points[0, -reach], points[reach, 0] - points[-reach, 0])
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    return (normals / np.where(lengths > 0, lengths, 1.0))[lengths[:, 0] > 0]


def _refined(up: Float[np.ndarray, "3"], normals: Float[np.ndarray, "n 3"]) -> Float[np.ndarray, "3"]:
    """The mean of the normals near `up`, taken anew around itself."""
    for _ in range(5):
        mean = normals[normals @ up > _cos(NEAR_DEG)].mean(axis=0)
        up = mean / np.linalg.norm(mean)
    return up


def _cos(degrees: float) -> float:
    return float(np.cos(np.radians(degrees)))
