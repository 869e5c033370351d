"""ScanNet++: the iPhone stream of each scene, its poses from COLMAP or ARKit, and the annotated boxes.

    [data/]{scene}/iphone/rgb.mkv                      1920 x 1440, 60 frames a second
                  iphone/depth.bin                     192 x 256 a frame (`depth_stream`)
                  iphone/colmap/cameras.txt, images.txt    world to camera; names such as frame_000120.jpg; preferred
                  iphone/pose_intrinsic_imu.json       {"frame_000000": {"aligned_pose": [4x4], "intrinsic": [3x3], ...}, ...}
                  scans/segments_anno.json             {"segGroups": [{"id": 1, "label": "chair", "segments": [...], "obb": {...}}]}
                  scans/mesh_aligned_0.05.ply, segments.json

`aligned_pose` is camera to world in OpenCV axes, already in the mesh's world; COLMAP's poses are inverted. COLMAP counts the centre
of the first pixel as 0.5, the ARKit intrinsics as 0. Distortion of COLMAP cameras is not undone; a ledger entry says so.
"""

from collections.abc import Iterator
from pathlib import Path
from re import fullmatch
from typing import Literal

import msgspec
import numpy as np
from jaxtyping import Float

from sightline import video
from sightline.datasets.scans import ScanOptions
from sightline.datasets.scans.boxes import AnnotatedBox, boxes_as_objects
from sightline.datasets.scans.colmap import ColmapImage, read_images
from sightline.datasets.scans.poses import make_camera, pose_problem
from sightline.errors import InputError
from sightline.files import read_json
from sightline.types import LedgerEntry, MeshFiles, Scan, ScanFrame

COLOUR_SIZE = (1920, 1440)
MESH = "scans/mesh_aligned_0.05.ply"


class _ArkitFrame(msgspec.Struct):
    """One frame of pose_intrinsic_imu.json; the motion sensor's numbers are let through."""

    intrinsic: list[list[float]]
    aligned_pose: list[list[float]] | None = None
    timestamp: float | None = None


class _Groups(msgspec.Struct):
    segGroups: tuple[AnnotatedBox, ...]  # noqa: N815 - the file's own spelling


class ScanNetPP:
    """The scenes below `root` or `root/data` that have an iPhone stream."""

    def __init__(self, root: Path, options: ScanOptions | None = None) -> None:
        self.root = root
        self.options = options or ScanOptions()
        self._base = "data/" if (root / "data").is_dir() else ""
        self._scan_ids = sorted(path.name for path in (root / self._base).iterdir() if (path / "iphone").is_dir())

    def scan_ids(self) -> list[str]:
        return list(self._scan_ids)

    def __len__(self) -> int:
        return len(self._scan_ids)

    def __iter__(self) -> Iterator[Scan]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Scan:
        """Raises FileNotFoundError or InputError: no video, no poses, or a damaged file."""
        scan_id = self._scan_ids[index]
        return _Scene(self.root, f"{self._base}{scan_id}", scan_id).read()


class _Scene:
    """One scene on its way into a `Scan`."""

    def __init__(self, root: Path, place: str, scan_id: str) -> None:
        self.root = root
        self.place = place
        self.scan_id = scan_id
        self.folder = root / place
        self.problems: list[LedgerEntry] = []
        self._depth = f"{place}/iphone/depth.bin" if (self.folder / "iphone/depth.bin").is_file() else None

    def read(self) -> Scan:
        rate = float(video.frame_rate(self.folder / "iphone/rgb.mkv"))
        images = self.folder / "iphone/colmap/images.txt"
        frames = tuple(self._from_colmap(images, rate) if images.is_file() else self._from_arkit(rate))
        if self._depth is None:
            self._note("", "depth_missing", "there is no iphone/depth.bin", action="altered")
        annotation = self.folder / "scans/segments_anno.json"
        groups = read_json(annotation, _Groups).segGroups if annotation.is_file() else ()
        if not groups:
            self._note("", "no_objects", "there is no scans/segments_anno.json, or no object in it", action="altered")
        objects = boxes_as_objects(self.scan_id, groups, self.problems)
        return Scan(
            scan_id=self.scan_id,
            dataset="scannetpp",
            frames=frames,
            objects=objects,
            mesh=self._mesh(),
            fps=rate,
            problems=tuple(self.problems),
        )

    def _from_colmap(self, path: Path, rate: float) -> Iterator[ScanFrame]:
        images = {_frame_number(image.name): image for image in read_images(path)}
        if any(image.distorted for image in images.values()):
            detail = (
                "COLMAP's cameras have lens distortion; pinhole cameras are used, their pixels are a little off near the border"
            )
            self._note("", "distortion_ignored", detail, action="altered")
        for number in sorted(images):
            image = images[number]
            yield from self._frame(number, image.camera_to_world, image, rate)

    def _from_arkit(self, rate: float) -> Iterator[ScanFrame]:
        path = self.folder / "iphone/pose_intrinsic_imu.json"
        if not path.is_file():
            raise FileNotFoundError(f"{self.folder / 'iphone'}: no poses. Expected colmap/images.txt or pose_intrinsic_imu.json.")
        found = read_json(path, dict[str, _ArkitFrame])
        for name in sorted(found):
            number, entry = _frame_number(name), found[name]
            pose = np.array(entry.aligned_pose or np.full((4, 4), np.nan), dtype=np.float64)
            intrinsic = np.array(entry.intrinsic, dtype=np.float64)
            if pose.shape != (4, 4) or intrinsic.shape != (3, 3):
                raise InputError(
                    f"{path}, {name}: pose of {pose.shape}, intrinsics of {intrinsic.shape}; expected 4 x 4 and 3 x 3."
                )
            values = tuple(intrinsic[[0, 1, 0, 1], [0, 1, 2, 2]].tolist())
            lens = ColmapImage(name, pose, values, COLOUR_SIZE, distorted=False)
            yield from self._frame(number, pose, lens, rate, pixel_centre=0.0)

    def _frame(
        self, number: int, pose: Float[np.ndarray, "4 4"], lens: ColmapImage, rate: float, *, pixel_centre: float = 0.5
    ) -> Iterator[ScanFrame]:
        problem = pose_problem(pose)
        if problem is not None:
            self._note(f"/{number:06d}", "pose_invalid", problem)
            return
        yield ScanFrame(
            frame_id=f"{number:06d}",
            image=f"{self.place}/iphone/rgb.mkv",
            image_index=number,
            depth=self._depth,
            depth_index=None if self._depth is None else number,
            depth_form="iphone_bin",
            camera=make_camera(
                pose, lens.intrinsics, size=lens.size, world=self.scan_id, pixel_centre=pixel_centre, where=str(self.folder)
            ),
            timestamp_s=number / rate,
        )

    def _mesh(self) -> MeshFiles | None:
        if not (self.folder / MESH).is_file():
            return None
        segments, groups = "scans/segments.json", "scans/segments_anno.json"
        if not (self.folder / segments).is_file() or not (self.folder / groups).is_file():
            self._note(
                "", "mesh_without_segments", f"{segments} or {groups} is not there: no masks from the mesh", action="altered"
            )
            return MeshFiles(mesh=f"{self.place}/{MESH}")
        return MeshFiles(mesh=f"{self.place}/{MESH}", segments=f"{self.place}/{segments}", groups=f"{self.place}/{groups}")

    def _note(self, unit: str, reason: str, detail: str, *, action: Literal["dropped", "altered"] = "dropped") -> None:
        self.problems.append(LedgerEntry(unit=f"{self.scan_id}{unit}", reason=reason, detail=detail, action=action))


def _frame_number(name: str) -> int:
    match = fullmatch(r"(?:.*/)?frame_(\d{1,9})(?:\.\w+)?", name)
    if match is None:
        raise InputError(f"frame {name!r}: expected a name such as frame_000120.")
    return int(match[1])
