"""A plain folder of posed colour and depth pictures; several such folders below one root are several scans.

    color/12.png   (or rgb, image, images, colour; .png or .jpg)   depth/12.png   16 bits, `depth_scale` units a metre
    instances/12.png  palette or grey, object labels (0 = none, 255 = unknown), where there are any
    objects.json   {"1": "lamp", "2": "red cushion"}: names of the labels, with which objects get boxes (`mask_boxes`)
    pose.txt       one line a frame, in order of the numbers: x y z qx qy qz qw, or 12 or 16 numbers; or pose/12.txt, 4 x 4
    intrinsics.json {"width": 640, "height": 480, "fx": 481.2, "fy": -480.0, "cx": 319.5, "cy": 239.5, "metres_per_unit": 0.0002,
                     "pixel_centre": 0.0, "up": "y"}; or intrinsic.txt, 3 x 3 or 4 x 4; or given as an option

`up` (`datasets.scans.up`) may be given as an option, too. Without it a negative fy (ICL-NUIM) stays: it mirrors the axis. TUM-style
pose files with a time stamp are taken line by line, not by time.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from re import fullmatch

import msgspec
import numpy as np
from jaxtyping import Float

from sightline import picture_header
from sightline.datasets.scans import ScanOptions
from sightline.datasets.scans.boxes import MAX_LABEL
from sightline.datasets.scans.mask_boxes import boxes_of_masks
from sightline.datasets.scans.poses import invert_pose, make_camera, pose_of_words, pose_problem, read_matrix, text_lines
from sightline.datasets.scans.up import parse_up, turned_up
from sightline.errors import InputError
from sightline.files import read_json
from sightline.types import LedgerEntry, Record, Scan, ScanFrame

COLOUR_FOLDERS = ("color", "colour", "rgb", "image", "images")
PICTURES = (".png", ".jpg", ".jpeg")


class IntrinsicsFile(Record):
    """`intrinsics.json`."""

    width: int
    height: int
    fx: float
    fy: float
    cx: float
    cy: float
    metres_per_unit: float | None = None
    pixel_centre: float = 0.0
    up: str | None = None


@dataclass(frozen=True)
class _Lens:
    """Intrinsics in pixels, and the size they belong to where the file says."""

    values: tuple[float, ...]
    pixel_centre: float
    size: tuple[int, int] | None
    metres_per_unit: float
    up: str | None = None


class PosedRgbd:
    """The posed folders at or directly below `root`."""

    def __init__(self, root: Path, options: ScanOptions) -> None:
        self.root = root
        self.options = options
        if _colour_folder(root):
            self._places = {root.resolve().name: ""}
        else:
            self._places = {path.name: f"{path.name}/" for path in sorted(root.iterdir()) if path.is_dir() and _colour_folder(path)}
        if not (np.isfinite(options.depth_scale) and options.depth_scale > 0):
            raise InputError(
                f"--depth-scale {options.depth_scale:g}: expected stored units a metre, above 0, such as 1000 or 5000."
            )
        if options.up is not None:
            parse_up(options.up)

    def scan_ids(self) -> list[str]:
        return list(self._places)

    def __len__(self) -> int:
        return len(self._places)

    def __iter__(self) -> Iterator[Scan]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Scan:
        """Raises FileNotFoundError or InputError: poses or intrinsics are missing, or do not fit the pictures."""
        scan_id, place = list(self._places.items())[index]
        folder = self.root / place
        colour = _colour_folder(folder)
        assert colour is not None, "listed with it"
        pictures = _by_number(folder / colour)
        poses = _poses(folder, sorted(pictures))
        lens = _lens(folder, self.options)
        depths = _by_number(folder / "depth") if (folder / "depth").is_dir() else {}
        labels = _by_number(folder / "instances") if (folder / "instances").is_dir() else {}
        frames, problems = [], []
        for number in sorted(pictures):
            image = f"{place}{colour}/{pictures[number]}"
            pose = poses.get(number)
            reason = "no pose file" if pose is None else pose_problem(pose)
            if pose is None or reason is not None:
                problems.append(LedgerEntry(unit=f"{scan_id}/{number:06d}", reason="pose_invalid", detail=reason or "", path=image))
                continue
            header = picture_header.probe(self.root / image)
            camera = make_camera(
                invert_pose(pose) if self.options.invert_poses else pose,
                lens.values,
                size=_checked_size(folder, lens, (header.width, header.height)),
                world=scan_id,
                pixel_centre=lens.pixel_centre,
                where=str(folder),
            )
            depth = f"{place}depth/{depths[number]}" if number in depths else None
            if depth is None:
                problems.append(_no_depth(scan_id, number))
            frames.append(
                ScanFrame(
                    frame_id=f"{number:06d}",
                    image=image,
                    depth=depth,
                    metres_per_unit=lens.metres_per_unit,
                    camera=camera,
                    instances=f"{place}instances/{labels[number]}" if number in labels else None,
                )
            )
        scan = Scan(scan_id=scan_id, dataset="rgbd", frames=tuple(frames), z_up=False, problems=tuple(problems))
        up = self.options.up or lens.up
        if up is not None:
            scan = turned_up(scan, self.root, parse_up(up, f"{folder}: up"))
        return _with_objects(scan, self.root, folder / "objects.json")


def _with_objects(scan: Scan, root: Path, names_path: Path) -> Scan:
    """The scan with the objects that `objects.json` names, where there is one."""
    if not names_path.is_file():
        return scan
    names = _names(names_path)
    if not scan.z_up:
        detail = f"{len(names)} objects are named, but boxes stand upright. Give --up, or up in intrinsics.json"
        entry = LedgerEntry(unit=scan.scan_id, reason="objects_without_up", detail=detail, action="altered")
        return msgspec.structs.replace(scan, problems=(*scan.problems, entry))
    objects, left_out = boxes_of_masks(scan, root, names)
    return msgspec.structs.replace(scan, objects=objects, problems=(*scan.problems, *left_out))


def _names(path: Path) -> dict[int, str]:
    names = read_json(path, dict[str, str])
    if wrong := [label for label in names if not (fullmatch(r"[1-9]\d{0,2}", label) and int(label) <= MAX_LABEL)]:
        raise InputError(f'{path}: label {wrong[0]!r}; expected names of the labels 1 to {MAX_LABEL}, as {{"1": "lamp"}}.')
    if nameless := [label for label, name in names.items() if not name.strip()]:
        raise InputError(f"{path}: label {nameless[0]} has an empty name. Give the word that questions call it, or leave it out.")
    return {int(label): name.strip() for label, name in names.items()}


def frame_pictures(folder: Path) -> dict[int, str]:
    """The colour pictures of one posed folder, their names by frame number.

    Raises:
        InputError: there is no folder of colour pictures, or a name has no number, or a used one.
    """
    colour = _colour_folder(folder)
    if colour is None:
        raise InputError(f"{folder}: no folder of colour pictures in it; expected one of {', '.join(COLOUR_FOLDERS)}.")
    return _by_number(folder / colour)


def _no_depth(scan_id: str, number: int) -> LedgerEntry:
    detail = "the frame has no picture of that number in depth/"
    return LedgerEntry(unit=f"{scan_id}/{number:06d}", reason="depth_missing", detail=detail, action="altered")


def _colour_folder(folder: Path) -> str | None:
    return next((name for name in COLOUR_FOLDERS if (folder / name).is_dir()), None)


def _by_number(folder: Path) -> dict[int, str]:
    """The pictures of a folder by the last number in their names.

    Raises:
        InputError: a name without a number, or two of one number.
    """
    found: dict[int, str] = {}
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() not in PICTURES:
            continue
        match = fullmatch(r".*?(\d{1,15})", path.stem)
        if match is None or int(match[1]) in found:
            raise InputError(
                f"{path}: expected one picture for each frame number, such as 12.png; the name has none, or a used one."
            )
        found[int(match[1])] = path.name
    return found


def _poses(folder: Path, order: list[int]) -> dict[int, Float[np.ndarray, "4 4"]]:
    for name in ("pose.txt", "poses.txt"):
        if (folder / name).is_file():
            lines = text_lines(folder / name)
            if len(lines) != len(order):
                raise InputError(
                    f"{folder / name}: {len(lines)} poses for {len(order)} colour pictures; expected one line each, in order of "
                    "their numbers. Remove the pictures without a pose, or write one 4 x 4 file each as pose/{number}.txt."
                )
            return {
                number: pose_of_words(f"{folder / name}, line {row}", line.split())
                for row, (number, line) in enumerate(zip(order, lines, strict=True), start=1)
            }
    for name in ("pose", "poses"):
        if (folder / name).is_dir():
            return {number: read_matrix(path) for number in order if (path := folder / name / f"{number}.txt").is_file()}
    raise FileNotFoundError(
        f"{folder}: no poses. Expected pose.txt with one line a frame, or pose/{{number}}.txt with 4 x 4 numbers."
    )


def _lens(folder: Path, options: ScanOptions) -> _Lens:
    metres_per_unit = 1 / options.depth_scale
    if options.intrinsics is not None:
        return _Lens(options.intrinsics, options.pixel_centre, None, metres_per_unit)
    if (folder / "intrinsics.json").is_file():
        found = read_json(folder / "intrinsics.json", IntrinsicsFile)
        values = (found.fx, found.fy, found.cx, found.cy)
        size = (found.width, found.height)
        return _Lens(values, found.pixel_centre, size, found.metres_per_unit or metres_per_unit, found.up)
    for name in ("intrinsic.txt", "intrinsics.txt", "intrinsic/intrinsic_color.txt"):
        if (folder / name).is_file():
            matrix = read_matrix(folder / name, ((3, 3), (4, 4)))
            return _Lens(tuple(matrix[[0, 1, 0, 1], [0, 1, 2, 2]].tolist()), options.pixel_centre, None, metres_per_unit)
    raise FileNotFoundError(
        f"{folder}: no intrinsics. Give --intrinsics fx,fy,cx,cy, or put intrinsics.json or intrinsic.txt there."
    )


def _checked_size(folder: Path, lens: _Lens, size: tuple[int, int]) -> tuple[int, int]:
    if lens.size is not None and lens.size != size:
        raise InputError(
            f"{folder}: intrinsics of pictures of {lens.size[0]} x {lens.size[1]}, found pictures of {size[0]} x {size[1]}. "
            "Give the intrinsics of these pictures."
        )
    return size
