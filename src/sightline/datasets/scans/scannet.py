"""ScanNet v2: one folder a scene, `.sens` as downloaded or the form that the authors' exporter writes.

    [scans/]scene0000_00/scene0000_00.sens                     or color/0.jpg, depth/0.png, pose/0.txt, intrinsic/*.txt
                         scene0000_00.txt                      "axisAlignment = 16 numbers", "colorWidth = 1296", ...
                         scene0000_00_vh_clean_2.ply           the mesh; ..._vh_clean_2.0.010000.segs.json its segments
                         scene0000_00.aggregation.json         the objects (or scene0000_00_vh_clean.aggregation.json)
                         instance-filt/0.png                   8 bits: objectId + 1, 0 = none

World: after the axis alignment, z up. A lost pose (inf) drops the frame. A scene without its .txt, or without `axisAlignment` in
it, stays in the sensor's world, and a ledger entry says so. Depth 0 is none; 1000 units a metre. Object boxes: the upright box of
least footprint around the object's vertices. Instance numbers begin at 0 in the aggregation and at 1 in `instance-filt`.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from jaxtyping import Float

from sightline import picture_header
from sightline.datasets.scans import ScanOptions
from sightline.datasets.scans.mesh import (
    SegmentGroup,
    group_number,
    read_groups,
    read_ply,
    read_segments,
    transformed,
    upright_box,
    vertex_objects,
)
from sightline.datasets.scans.poses import make_camera, numbers, pose_problem, read_matrix, text_lines
from sightline.datasets.scans.sens import SensFile
from sightline.errors import InputError
from sightline.types import LedgerEntry, MeshFiles, Scan, ScanFrame, ScanObject

MAX_LABEL = 254
Extent = tuple[tuple[float, float, float], tuple[float, float, float]]
MESH, SEGMENTS = "_vh_clean_2.ply", "_vh_clean_2.0.010000.segs.json"
GROUPS = (".aggregation.json", "_vh_clean.aggregation.json")


class ScanNet:
    """The scenes below `root` or `root/scans`."""

    def __init__(self, root: Path, options: ScanOptions | None = None) -> None:
        self.root = root
        self.options = options or ScanOptions()
        self._base = "scans/" if (root / "scans").is_dir() else ""
        self._scan_ids = sorted(
            path.name
            for path in (root / self._base).iterdir()
            if (path / f"{path.name}.sens").is_file() or (path / "color").is_dir()
        )

    def scan_ids(self) -> list[str]:
        return list(self._scan_ids)

    def __len__(self) -> int:
        return len(self._scan_ids)

    def __iter__(self) -> Iterator[Scan]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Scan:
        """Raises FileNotFoundError or InputError: a file that the scene cannot do without is missing or wrong."""
        return _Scene(self.root, f"{self._base}{self._scan_ids[index]}", self._scan_ids[index]).read()


class _Scene:
    """One scene on its way into a `Scan`."""

    def __init__(self, root: Path, place: str, scan_id: str) -> None:
        self.root = root
        self.place = place
        self.scan_id = scan_id
        self.folder = root / place
        self.problems: list[LedgerEntry] = []

    def read(self) -> Scan:
        alignment = self._alignment()
        matrix = np.eye(4) if alignment is None else np.array(alignment).reshape(4, 4)
        sens = self.folder / f"{self.scan_id}.sens"
        frames = tuple(self._from_sens(sens, matrix) if sens.is_file() else self._from_files(matrix))
        mesh, objects, extent = self._objects(alignment)
        return Scan(
            scan_id=self.scan_id,
            dataset="scannet",
            frames=frames,
            objects=objects,
            extent=extent,
            floor_z_m=None if extent is None or alignment is None else extent[0][2],
            mesh=mesh,
            alignment=alignment,
            fps=30.0,
            problems=tuple(self.problems),
        )

    def _alignment(self) -> tuple[float, ...] | None:
        path = self.folder / f"{self.scan_id}.txt"
        lines = text_lines(path) if path.is_file() else []
        found = next((line.partition("=")[2] for line in lines if line.partition("=")[0].strip() == "axisAlignment"), None)
        if found is None:
            detail = f"{path.name} has no axisAlignment: the scene stays in the sensor's world, in which z may not be up"
            self._note("", "not_aligned", detail, action="altered")
            return None
        matrix = tuple(numbers(str(path), found.split()))
        problem = pose_problem(np.array(matrix).reshape(4, 4)) if len(matrix) == 16 else f"it has {len(matrix)} numbers, not 16"
        if problem is not None:
            raise InputError(f"{path}: axisAlignment is no rigid 4 x 4 transform: {problem}")
        return matrix

    def _from_sens(self, path: Path, alignment: Float[np.ndarray, "4 4"]) -> Iterator[ScanFrame]:
        relative = f"{self.place}/{path.name}"
        with SensFile(path) as file:
            if file.damage:
                self._note("", "sens_cut", file.damage, action="altered", path=relative)
            header = file.header
            for index, stored in enumerate(file.frames):
                if not self._usable(index, stored.camera_to_world, relative):
                    continue
                pose = alignment @ stored.camera_to_world
                yield ScanFrame(
                    frame_id=f"{index:06d}",
                    image=relative,
                    image_index=index,
                    depth=relative,
                    depth_index=index,
                    depth_form="sens",
                    metres_per_unit=1 / header.units_per_metre,
                    camera=make_camera(
                        pose, _values(header.intrinsic_colour), size=header.colour_size, world=self.scan_id, where=str(path)
                    ),
                    depth_camera=make_camera(
                        pose, _values(header.intrinsic_depth), size=header.depth_size, world=self.scan_id, where=str(path)
                    ),
                    instances=self._instances(index),
                    timestamp_s=stored.timestamp_us / 1e6,
                )

    def _from_files(self, alignment: Float[np.ndarray, "4 4"]) -> Iterator[ScanFrame]:
        intrinsics = {name: read_matrix(self.folder / f"intrinsic/intrinsic_{name}.txt") for name in ("color", "depth")}
        images = {int(path.stem): path.name for path in (self.folder / "color").iterdir() if path.stem.isdecimal()}
        sizes: dict[str, tuple[int, int]] = {}
        for index in sorted(images):
            image = f"{self.place}/color/{images[index]}"
            pose_path = self.folder / f"pose/{index}.txt"
            if not pose_path.is_file():
                self._note(f"/{index:06d}", "pose_invalid", "no pose file", path=image)
                continue
            pose = read_matrix(pose_path)
            if not self._usable(index, pose, image):
                continue
            depth = f"{self.place}/depth/{index}.png"
            has_depth = (self.root / depth).is_file()
            if not has_depth:
                self._note(f"/{index:06d}", "depth_missing", "no depth picture of that number", action="altered")
            sizes.setdefault("color", _size(self.root / image))
            if has_depth:
                sizes.setdefault("depth", _size(self.root / depth))
            cameras = {
                name: make_camera(
                    alignment @ pose, _values(intrinsics[name]), size=size, world=self.scan_id, where=str(self.folder)
                )
                for name, size in sizes.items()
            }
            yield ScanFrame(
                frame_id=f"{index:06d}",
                image=image,
                depth=depth if has_depth else None,
                camera=cameras["color"],
                depth_camera=cameras["depth"] if has_depth else None,
                instances=self._instances(index),
                timestamp_s=index / 30,
            )

    def _objects(self, alignment: tuple[float, ...] | None) -> tuple[MeshFiles | None, tuple[ScanObject, ...], Extent | None]:
        mesh_path = self.folder / f"{self.scan_id}{MESH}"
        if not mesh_path.is_file():
            self._note("", "no_mesh", f"{mesh_path.name} is not there: no objects and no room size", action="altered")
            return None, (), None
        points = transformed(read_ply(mesh_path).vertices, alignment)
        extent = (_vector(points.min(axis=0)), _vector(points.max(axis=0)))
        names = {"segments": f"{self.scan_id}{SEGMENTS}", "groups": f"{self.scan_id}{GROUPS[0]}"}
        if not (self.folder / names["groups"]).is_file():
            names["groups"] = f"{self.scan_id}{GROUPS[1]}"
        missing = [name for name in names.values() if not (self.folder / name).is_file()]
        if missing:
            self._note("", "mesh_without_segments", f"{missing[0]} is not there: the mesh has no objects", action="altered")
            return MeshFiles(mesh=f"{self.place}/{mesh_path.name}"), (), extent
        groups = read_groups(self.folder / names["groups"])
        owners = vertex_objects(read_segments(self.folder / names["segments"], len(points)), groups)
        files = MeshFiles(mesh=f"{self.place}/{mesh_path.name}", **{name: f"{self.place}/{path}" for name, path in names.items()})
        owned = [(group, points[owners == place]) for place, group in enumerate(groups)]
        return files, tuple(self._object(group, own) for group, own in owned if self._has(group, own)), extent

    def _has(self, group: SegmentGroup, points: Float[np.ndarray, "n 3"]) -> bool:
        number = group_number(group)
        if not len(points):
            self._note(f"/object {number}", "object_without_vertices", f"no vertex of the mesh is of {group.label!r}")
            return False
        return True

    def _object(self, group: SegmentGroup, points: Float[np.ndarray, "n 3"]) -> ScanObject:
        number = group_number(group)
        label = number + 1 if 0 <= number < MAX_LABEL else None
        return ScanObject(object_id=str(number), category=group.label, box=upright_box(points), label=label)

    def _usable(self, index: int, pose: Float[np.ndarray, "4 4"], path: str) -> bool:
        problem = pose_problem(pose)
        if problem is not None:
            self._note(f"/{index:06d}", "pose_invalid", problem, path=path)
        return problem is None

    def _instances(self, index: int) -> str | None:
        path = f"{self.place}/instance-filt/{index}.png"
        return path if (self.root / path).is_file() else None

    def _note(
        self, unit: str, reason: str, detail: str, *, action: Literal["dropped", "altered"] = "dropped", path: str | None = None
    ) -> None:
        self.problems.append(LedgerEntry(unit=f"{self.scan_id}{unit}", reason=reason, detail=detail, action=action, path=path))


def _values(matrix: Float[np.ndarray, "4 4"]) -> tuple[float, ...]:
    return tuple(matrix[[0, 1, 0, 1], [0, 1, 2, 2]].tolist())


def _size(path: Path) -> tuple[int, int]:
    header = picture_header.probe(path)
    return header.width, header.height


def _vector(point: Float[np.ndarray, "3"]) -> tuple[float, float, float]:
    return float(point[0]), float(point[1]), float(point[2])
