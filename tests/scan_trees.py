"""Tiny scans in the true on-disk formats, written for tests: two frames or more of a room of one box on a floor."""

import json
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np

WIDTH, HEIGHT = 48, 36
DEPTH_SIZE = (24, 18)
INTRINSICS = (40.0, 40.0, 23.5, 17.5)  # pixel centres count from 0: continuous 24, 18
BOX = (np.array([-0.5, 2.0, 0.0]), np.array([0.5, 3.0, 1.0]))  # lowest and highest corner, metres
# The camera at the origin, one metre up, looks along world y; z is up: right = x, down = -z, forward = y.
LOOKING_ALONG_Y = np.array([[1.0, 0, 0, 0], [0, 0, 1, 0], [0, -1, 0, 1.0], [0, 0, 0, 1]])


def pose_at(x: float) -> np.ndarray:
    """`LOOKING_ALONG_Y` from another place along x."""
    pose = LOOKING_ALONG_Y.copy()
    pose[0, 3] = x
    return pose


def picture(index: int, size: tuple[int, int] = (WIDTH, HEIGHT)) -> np.ndarray:
    """A smooth picture (h, w, 3) that differs with `index`."""
    x, y = np.meshgrid(np.linspace(0, 200, size[0]), np.linspace(0, 200, size[1]))
    return np.stack([x, y, np.full_like(x, 20 * index)], axis=2).astype(np.uint8)


def depth_mm(index: int, size: tuple[int, int] = DEPTH_SIZE) -> np.ndarray:
    """uint16 (h, w), 2 m and more, 0 in the first pixel."""
    rng = np.random.default_rng(index)
    depth = rng.integers(2000, 4000, (size[1], size[0])).astype(np.uint16)
    depth[0, 0] = 0
    return depth


def write_picture(path: Path, rgb: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), rgb[:, :, ::-1] if rgb.ndim == 3 else rgb)


def write_matrix(path: Path, matrix: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(" ".join(f"{value:.9g}" for value in row) + "\n" for row in matrix))


def matrix_of(intrinsics: tuple[float, float, float, float]) -> np.ndarray:
    fx, fy, cx, cy = intrinsics
    return np.array([[fx, 0, cx, 0], [0, fy, cy, 0], [0, 0, 1, 0], [0, 0, 0, 1.0]])


def write_sens(path: Path, poses: list[np.ndarray], *, units: float = 1000.0) -> Path:
    """A version 4 file: JPEG colour, zlib depth."""
    half = (INTRINSICS[0] / 2, INTRINSICS[1] / 2, 11.5, 8.5)
    name = b"StructureSensor"
    content = [struct.pack("<IQ", 4, len(name)), name]
    matrices = (matrix_of(INTRINSICS), np.eye(4), matrix_of(half), np.eye(4))
    content.extend(struct.pack("<16f", *matrix.ravel()) for matrix in matrices)
    content.append(struct.pack("<2i4IfQ", 2, 1, WIDTH, HEIGHT, *DEPTH_SIZE, units, len(poses)))
    for index, pose in enumerate(poses):
        colour = cv2.imencode(".jpg", picture(index)[:, :, ::-1])[1].tobytes()
        depth = zlib.compress(depth_mm(index).tobytes())
        content.append(struct.pack("<16f4Q", *pose.ravel(), 1_000_000 * index, 1_000_000 * index, len(colour), len(depth)))
        content += [colour, depth]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"".join(content))
    return path


def box_mesh(low: np.ndarray, high: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eight vertices and twelve triangles."""
    vertices = np.array([[(low, high)[x][0], (low, high)[y][1], (low, high)[z][2]] for x in (0, 1) for y in (0, 1) for z in (0, 1)])
    quads = [(0, 1, 3, 2), (4, 5, 7, 6), (0, 1, 5, 4), (2, 3, 7, 6), (0, 2, 6, 4), (1, 3, 7, 5)]
    return vertices, np.array([[a, b, c] for a, b, c, _ in quads] + [[a, c, d] for a, _, c, d in quads])


def room_mesh() -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Floor (segment 7) at z = 0 and the box (segment 3) on it: vertices, triangles, a segment a vertex."""
    box, sides = box_mesh(*BOX)
    floor = np.array([[-4.0, 0.5, 0], [4, 0.5, 0], [4, 8, 0], [-4, 8, 0]])
    return np.vstack([box, floor]), np.vstack([sides, [[8, 9, 10], [8, 10, 11]]]), [3] * 8 + [7] * 4


def write_ply(path: Path, vertices: np.ndarray, triangles: np.ndarray, *, binary: bool = True) -> None:
    form = "binary_little_endian" if binary else "ascii"
    header = (
        f"ply\nformat {form} 1.0\ncomment made for tests\nelement vertex {len(vertices)}\nproperty float x\nproperty float y\n"
        f"property float z\nproperty uchar red\nelement face {len(triangles)}\nproperty list uchar int vertex_indices\nend_header\n"
    ).encode()
    if binary:
        body = b"".join(struct.pack("<3fB", *vertex, 9) for vertex in vertices)
        body += b"".join(struct.pack("<B3i", 3, *triangle) for triangle in triangles)
    else:
        lines = [f"{x} {y} {z} 9" for x, y, z in vertices] + [f"3 {a} {b} {c}" for a, b, c in triangles]
        body = ("\n".join(lines) + "\n").encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(header + body)


def write_scannet_room(folder: Path, *, alignment: np.ndarray | None = None) -> None:
    """What a ScanNet scene has beside its frames: mesh, segments, aggregation, alignment (identity)."""
    name = folder.name
    vertices, triangles, segments = room_mesh()
    write_ply(folder / f"{name}_vh_clean_2.ply", vertices, triangles)
    (folder / f"{name}_vh_clean_2.0.010000.segs.json").write_text(json.dumps({"segIndices": segments, "sceneId": name}))
    groups = [
        {"id": 0, "objectId": 0, "segments": [3], "label": "box"},
        {"id": 1, "objectId": 1, "segments": [99], "label": "ghost"},
    ]
    (folder / f"{name}.aggregation.json").write_text(json.dumps({"sceneId": name, "segGroups": groups}))
    numbers = " ".join(f"{value:g}" for value in (np.eye(4) if alignment is None else alignment).ravel())
    (folder / f"{name}.txt").write_text(f"axisAlignment = {numbers} \ncolorHeight = {HEIGHT}\n")


def annotated_box(label: str, object_id: int | str) -> dict:
    """The box as ScanNet++ writes it, turned by a quarter: its first axis is world y."""
    low, high = BOX
    lengths = (high - low)[[1, 0, 2]].tolist()
    obb = {"centroid": ((low + high) / 2).tolist(), "axesLengths": lengths, "normalizedAxes": [0, 1, 0, -1, 0, 0, 0, 0, 1]}
    return {"id": object_id, "label": label, "segments": [3], "obb": obb}
