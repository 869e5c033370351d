"""ARKitScenes: one folder a video, colour and depth at 256 x 192, turned upright.

    [{split}/]{video}/lowres_wide/{video}_3359.183.png              lowres_depth/ the same names, 16 bits, millimetres
                     lowres_wide_intrinsics/{video}_3359.183.pincam  width height fx fy cx cy
                     lowres_wide.traj                               time, axis-angle (3, radians), translation (3): world to camera
                     {video}_3dod_annotation.json   {"data": [{"uid": ..., "label": ..., "segments": {"obbAligned": ...}}]}
                     {video}_3dod_mesh.ply
    metadata.csv (here or one folder up)                            video_id, ..., sky_direction (Up, Left, Right, Down), ...

The trajectory is world to camera and is inverted once. A picture takes the pose within `POSE_TOLERANCE_S` of its time, and the
intrinsics of its own time or one millisecond beside it (the files round differently). The sky's side says how the phone was held:
pictures, intrinsics and poses are turned so that it is up.
"""

import csv
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import cv2
import msgspec
import numpy as np
from jaxtyping import Float

from sightline.datasets.scans import ScanOptions
from sightline.datasets.scans.boxes import AnnotatedBox, Obb, boxes_as_objects
from sightline.datasets.scans.mesh import read_ply
from sightline.datasets.scans.pixels import upright
from sightline.datasets.scans.poses import invert_pose, make_camera, numbers, pose_problem, text_lines
from sightline.errors import InputError
from sightline.files import read_json
from sightline.types import LedgerEntry, MeshFiles, Scan, ScanFrame

POSE_TOLERANCE_S = 0.05
TURNS = {"up": 0, "right": 1, "down": 2, "left": 3}  # counter-clockwise quarters that bring the sky's side up
SPLITS = ("Training", "Validation")


class _Segments(msgspec.Struct):
    obbAligned: Obb | None = None  # noqa: N815 - the file's own spelling


class _Annotated(msgspec.Struct):
    label: str
    uid: str | None = None
    segments: _Segments = msgspec.field(default_factory=_Segments)


class _Annotation(msgspec.Struct):
    data: tuple[_Annotated, ...] = ()


class ArkitScenes:
    """The videos at or below `root` (`Training/`, `Validation/`)."""

    def __init__(self, root: Path, options: ScanOptions | None = None) -> None:
        self.root = root
        self.options = options or ScanOptions()
        places = ["", *(f"{split}/" for split in SPLITS if (root / split).is_dir())]
        self._places = {
            path.name: f"{place}{path.name}"
            for place in places
            for path in sorted((root / place).iterdir())
            if (path / "lowres_wide.traj").is_file()
        }
        self._sky = _sky_directions(root)

    def scan_ids(self) -> list[str]:
        return sorted(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Scan]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Scan:
        """Raises FileNotFoundError or InputError: a file that the scan cannot do without is missing or wrong."""
        scan_id = self.scan_ids()[index]
        place, folder = self._places[scan_id], self.root / self._places[scan_id]
        problems: list[LedgerEntry] = []
        frames = tuple(self._frames(scan_id, place, problems))
        annotation = folder / f"{scan_id}_3dod_annotation.json"
        annotated = read_json(annotation, _Annotation).data if annotation.is_file() else ()
        boxes = [AnnotatedBox(label=each.label, obb=each.segments.obbAligned, id=each.uid) for each in annotated]
        mesh = folder / f"{scan_id}_3dod_mesh.ply"
        extent = None
        if mesh.is_file():
            vertices = read_ply(mesh).vertices
            low, high = vertices.min(axis=0).tolist(), vertices.max(axis=0).tolist()
            extent = (tuple(low), tuple(high))
        return Scan(
            scan_id=scan_id,
            dataset="arkitscenes",
            frames=frames,
            objects=boxes_as_objects(scan_id, boxes, problems),
            extent=extent,
            mesh=MeshFiles(mesh=f"{place}/{mesh.name}") if mesh.is_file() else None,
            fps=_rate(frames),
            problems=tuple(problems),
        )

    def _frames(self, scan_id: str, place: str, problems: list[LedgerEntry]) -> Iterator[ScanFrame]:
        folder = self.root / place
        times, poses = read_trajectory(folder / "lowres_wide.traj")
        turns = self._turns(scan_id, problems)
        depths = {path.name for path in (folder / "lowres_depth").glob("*.png")}
        pictures = sorted((folder / "lowres_wide").glob("*.png"), key=_time)
        for path in pictures:
            time = _time(path)
            nearest = int(np.abs(times - time).argmin())
            unit = f"{scan_id}/{time:.3f}"
            problem = pose_problem(poses[nearest])
            if abs(times[nearest] - time) > POSE_TOLERANCE_S:
                problem = (
                    f"the nearest pose is {abs(times[nearest] - time) * 1000:.0f} ms away, at most {POSE_TOLERANCE_S * 1000:.0f}"
                )
            pincam = _pincam(folder, scan_id, time)
            if problem is not None or pincam is None:
                reason = "pose_invalid" if problem is not None else "intrinsics_missing"
                problems.append(LedgerEntry(unit=unit, reason=reason, detail=problem or "no .pincam of that time", path=path.name))
                continue
            width, height, *values = pincam
            camera = make_camera(poses[nearest], values, size=(int(width), int(height)), world=scan_id, where=str(folder))
            depth = f"{place}/lowres_depth/{path.name}" if path.name in depths else None
            if depth is None:
                problems.append(LedgerEntry(unit=unit, reason="depth_missing", detail="no depth of that time", action="altered"))
            image = f"{place}/lowres_wide/{path.name}"
            frame = ScanFrame(
                frame_id=f"{round(time * 1000):09d}",
                image=image,
                depth=depth,
                camera=camera,
                timestamp_s=time,
                quarter_turns=turns,
            )
            yield upright(frame)

    def _turns(self, scan_id: str, problems: list[LedgerEntry]) -> int:
        sky = self._sky.get(scan_id)
        if sky is None:
            detail = "no metadata.csv names the sky's side: the pictures stay as they are stored"
            problems.append(LedgerEntry(unit=scan_id, reason="sky_unknown", detail=detail, action="altered"))
            return 0
        if sky.lower() not in TURNS:
            raise InputError(f"{self.root}: sky_direction {sky!r} of video {scan_id}; expected Up, Down, Left or Right.")
        return TURNS[sky.lower()]


def read_trajectory(path: Path) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, "n 4 4"]]:
    """Times (s) and camera-to-world poses of a .traj file, which holds world to camera; a row that is not finite gives nan.

    Raises:
        FileNotFoundError: no such file.
        InputError: no row, or one of other than 7 numbers.
    """
    lines = text_lines(path)
    rows = [numbers(f"{path}, line {row}", line.split()) for row, line in enumerate(lines, start=1)]
    if not rows or any(len(row) != 7 for row in rows):
        raise InputError(
            f"{path}: expected rows of 7 numbers (time, axis-angle, translation), found {sorted({len(row) for row in rows})}."
        )
    poses = []
    for row in rows:
        if not np.isfinite(row).all():
            poses.append(np.full((4, 4), np.nan))
            continue
        world_to_camera = np.eye(4)
        world_to_camera[:3, :3] = cv2.Rodrigues(np.array(row[1:4], np.float64))[0]
        world_to_camera[:3, 3] = row[4:7]
        poses.append(invert_pose(world_to_camera))
    return np.array([row[0] for row in rows]), np.array(poses)


def _time(path: Path) -> float:
    try:
        return float(path.stem.rpartition("_")[2])
    except ValueError as error:
        raise InputError(f"{path}: expected a name that ends in its time, such as 41048190_3359.183.png.") from error


def _pincam(folder: Path, scan_id: str, time: float) -> list[float] | None:
    for milliseconds in (0, -1, 1):
        path = folder / "lowres_wide_intrinsics" / f"{scan_id}_{time + milliseconds / 1000:.3f}.pincam"
        if path.is_file():
            values = numbers(str(path), " ".join(text_lines(path)).split())
            if len(values) != 6:
                raise InputError(f"{path}: {len(values)} numbers; expected width height fx fy cx cy.")
            return values
    return None


def _rate(frames: tuple[ScanFrame, ...]) -> float | None:
    times = [frame.timestamp_s for frame in frames if frame.timestamp_s is not None]
    return (len(times) - 1) / (times[-1] - times[0]) if len(times) > 1 and times[-1] > times[0] else None


def _sky_directions(root: Path) -> dict[str, str]:
    path = next((path for path in (root / "metadata.csv", root.parent / "metadata.csv") if path.is_file()), None)
    if path is None:
        return {}
    rows = csv.DictReader(StringIO("\n".join(text_lines(path))))
    return {row["video_id"]: row["sky_direction"] for row in rows if row.get("video_id") and row.get("sky_direction")}
