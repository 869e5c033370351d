"""16 of 128 frames of 640x480 by what they see of a room, beside the plain way; CPU time of one thread.

The plain way makes the points of all pixels with numpy, a Python set of cell triples for each frame, and takes set differences for
every frame in every round, as the published tools do. It gets every fourth pixel in both directions, a sixteenth of the work, and
so do we in the comparison, where both have to choose the same frames; the figure for all pixels is ours alone.
"""

import time

import numpy as np

from sightline.geometry.camera import scale_camera, unproject
from sightline.tasks.space_aware import EDGE_M, space_aware
from sightline.types import Camera

FRAMES, COUNT, WIDTH, HEIGHT, THIN = 128, 16, 640, 480, 4
ROOM = np.array([6.0, 5.0, 2.6])


def main() -> None:
    depths, cameras = walk()
    space_aware(depths[:2], cameras[:2], 1)  # compiled
    start = time.process_time()
    full = space_aware(depths, cameras, COUNT)
    full_s = time.process_time() - start
    few = [np.ascontiguousarray(depth[::THIN, ::THIN]) for depth in depths]
    start = time.process_time()
    ours = space_aware(few, cameras, COUNT)
    ours_s = time.process_time() - start
    start = time.process_time()
    plain = plain_choice(few, cameras)
    plain_s = time.process_time() - start
    if list(ours.order) != plain:
        raise SystemExit(f"other choices: {ours.order} and {plain}")
    print(f"{COUNT} of {FRAMES} frames at {WIDTH}x{HEIGHT}, {EDGE_M} m cells: {full_s:.2f} s CPU, {full.num_filled} filled")
    print(
        f"every {THIN}th pixel: ours {ours_s:.2f} s CPU, plain sets {plain_s:.1f} s CPU, {plain_s / ours_s:.0f} times; same frames"
    )


def walk() -> tuple[list[np.ndarray], list[Camera]]:
    """Depth of an empty box room from a camera that walks an ellipse and turns; metres, exact."""
    xs, ys = np.meshgrid((np.arange(WIDTH) + 0.5 - 320) / 500, (np.arange(HEIGHT) + 0.5 - 240) / 500)
    rays = np.stack([xs, ys, np.ones_like(xs)], axis=-1)
    depths, cameras = [], []
    for frame in range(FRAMES):
        at = 2 * np.pi * frame / FRAMES
        origin = ROOM * (0.5, 0.5, 0.55) + np.array([1.8 * np.cos(at), 1.4 * np.sin(at), 0.2 * np.sin(3 * at)])
        look = 2.3 * at
        forward = np.array([np.cos(look), np.sin(look), -0.15])
        forward /= np.linalg.norm(forward)
        right = np.cross(forward, (0, 0, 1))
        right /= np.linalg.norm(right)
        rotation = np.stack([right, np.cross(forward, right), forward], axis=1)
        world = rays @ rotation.T
        with np.errstate(divide="ignore"):
            reach = np.where(world > 0, (ROOM - origin) / world, -origin / world).min(axis=-1)
        pose = np.eye(4)
        pose[:3, :3], pose[:3, 3] = rotation, origin
        depths.append((reach * 0.999).astype(np.float32))
        cameras.append(
            Camera(
                width=WIDTH, height=HEIGHT, fx=500, fy=500, cx=320, cy=240, camera_to_world=tuple(pose.ravel().tolist()), world="w"
            )
        )
    return depths, cameras


def plain_choice(depths: list[np.ndarray], cameras: list[Camera]) -> list[int]:
    height, width = depths[0].shape
    xs, ys = np.meshgrid(np.arange(width) + 0.5, np.arange(height) + 0.5)
    pixels = np.stack([xs.ravel(), ys.ravel()], axis=1)
    cells = []
    for depth, camera in zip(depths, cameras, strict=True):
        places = np.floor(unproject(pixels, depth.ravel().astype(np.float64), scale_camera(camera, width, height)) / EDGE_M).astype(
            np.int64
        )
        cells.append(set(map(tuple, places.tolist())))
    chosen: list[int] = []
    covered: set[tuple[int, ...]] = set()
    for _ in range(COUNT):
        gains = [len(each - covered) if frame not in chosen else -1 for frame, each in enumerate(cells)]
        best = max(range(len(cells)), key=lambda frame: (gains[frame], -frame))
        if gains[best] <= 0:
            break
        chosen.append(best)
        covered |= cells[best]
    return chosen
