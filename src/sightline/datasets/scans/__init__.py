"""Readers of scans: rooms as posed colour and depth frames with boxes. A reader lists and converts; `pixels` decodes.

Every reader is `Format(root, options)`; `options` are for folders that do not say themselves how their numbers are meant.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, runtime_checkable

from sightline.errors import InputError, unknown_name
from sightline.types import Record, Scan


class ScanOptions(Record):
    """How the numbers of a plain folder are meant; every other layout says so itself.

    `depth_scale`: stored depth units a metre. `invert_poses`: the files have world to camera. `intrinsics`: fx, fy, cx, cy in
    pixels of the colour pictures; a negative fy (ICL-NUIM) mirrors the axis and stays as it is. `pixel_centre`: the centre of the
    first pixel in the units of cx and cy, 0 (most calibrations) or 0.5. `up`: the way up in the world of the poses (`up.parse_up`);
    with it the scan is turned so that z is up.
    """

    depth_scale: float = 1000.0
    invert_poses: bool = False
    intrinsics: tuple[float, float, float, float] | None = None
    pixel_centre: float = 0.0
    up: str | None = None


@runtime_checkable
class ScanReader(Protocol):
    """The scans below `root`, in sorted order; their paths are relative to `root`. `options` are those that it was opened with."""

    root: Path
    options: ScanOptions

    def __len__(self) -> int: ...
    def __getitem__(self, index: int) -> Scan: ...
    def __iter__(self) -> Iterator[Scan]: ...
    def scan_ids(self) -> list[str]:
        """The ids of all scans, in order, without opening what is in them."""
        ...


ScanFormat = Callable[[Path, ScanOptions], ScanReader]


def _prepared() -> ScanFormat:
    from sightline.datasets.scans.prepared import PreparedScans  # noqa: PLC0415

    return PreparedScans


def _rgbd() -> ScanFormat:
    from sightline.datasets.scans.rgbd import PosedRgbd  # noqa: PLC0415

    return PosedRgbd


def _scannet() -> ScanFormat:
    from sightline.datasets.scans.scannet import ScanNet  # noqa: PLC0415

    return ScanNet


def _scannetpp() -> ScanFormat:
    from sightline.datasets.scans.scannetpp import ScanNetPP  # noqa: PLC0415

    return ScanNetPP


def _arkitscenes() -> ScanFormat:
    from sightline.datasets.scans.arkitscenes import ArkitScenes  # noqa: PLC0415

    return ArkitScenes


SCAN_READERS: dict[str, tuple[Callable[[], ScanFormat], str]] = {
    "prepared": (_prepared, "{scan}/scan.json, colour/, depth/, instances/ (from `sightline prepare scan`)"),
    "rgbd": (_rgbd, "[{scan}/]color/{n}.png, depth/{n}.png, pose.txt or pose/{n}.txt, intrinsics.json; instances/, objects.json"),
    "scannet": (_scannet, "[scans/]{scene}/{scene}.sens, or color/, depth/, pose/, intrinsic/; aggregation and segs JSON"),
    "scannetpp": (_scannetpp, "[data/]{scene}/iphone/rgb.mkv, depth.bin, pose_intrinsic_imu.json or colmap/; scans/"),
    "arkitscenes": (_arkitscenes, "[{split}/]{video}/lowres_wide/, lowres_depth/, lowres_wide.traj, {video}_3dod_annotation.json"),
}


def open_scans(name: str, root: Path, options: ScanOptions | None = None) -> ScanReader:
    """The scans of `root` in the layout `name`.

    Raises:
        FileNotFoundError: no such folder.
        InputError: no such layout, options that it does not take, or no scan in `root`.
    """
    if name not in SCAN_READERS:
        raise unknown_name("reader of scans", name, SCAN_READERS)
    if not root.is_dir():
        raise FileNotFoundError(f"{root} is not a folder. Give the folder of the scans.")
    if options is not None and options != ScanOptions() and name != "rgbd":
        raise InputError(f"{name} says itself how its numbers are meant: leave the depth scale, intrinsics, inversion and up away.")
    reader = SCAN_READERS[name][0]()(root, options or ScanOptions())
    if not len(reader):
        raise InputError(f"{root}: no scan in it. Expected {SCAN_READERS[name][1]}.")
    return reader
