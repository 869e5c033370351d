"""`sightline prepare scan`: scans of rooms as plain folders of posed frames."""

import os
from pathlib import Path
from re import fullmatch
from typing import Annotated

import typer

from sightline.cli.console import Json, Out, emit, plain, print_table, progress
from sightline.cli.prepare import prepare_app
from sightline.errors import InputError


@prepare_app.command("scan")
def prepare_scan(  # noqa: PLR0913 - one parameter an option
    *,
    data: Annotated[str, typer.Option("--data", help="What the root holds: rgbd, scannet, scannetpp, arkitscenes, prepared.")],
    root: Annotated[Path, typer.Option("--root", help="The scans as they were downloaded.")],
    out: Out,
    scan: Annotated[list[str] | None, typer.Option("--scan", help="Only this one; may be given several times.")] = None,
    fps: Annotated[float | None, typer.Option(help="Frames a second, by their times.  [default: all]")] = None,
    every: Annotated[int, typer.Option(help="Each n-th frame of these.")] = 1,
    max_frames: Annotated[int | None, typer.Option(help="At most so many, spread evenly.  [default: all]")] = None,
    size: Annotated[str | None, typer.Option(help="WxH, such as 640x480; turned for portrait.  [default: as it is]")] = None,
    masks: Annotated[
        bool, typer.Option("--masks/--no-masks", help="Instance pictures, from the mesh where there are none.")
    ] = True,
    depth_scale: Annotated[float, typer.Option(help="rgbd: stored depth units a metre.")] = 1000.0,
    invert_poses: Annotated[bool, typer.Option("--invert-poses", help="rgbd: the files have world to camera.")] = False,
    intrinsics: Annotated[str | None, typer.Option(help="rgbd: fx,fy,cx,cy in pixels; fy may be negative.")] = None,
    up: Annotated[
        str | None, typer.Option(help="rgbd: the way up, x, -x, y, -y, z, -z, a vector 0,-1,0.1, or auto (from depth).")
    ] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Afterwards compare every picture with its checksum.")] = False,
    workers: Annotated[int, typer.Option(min=1, help="Processes.")] = os.cpu_count() or 1,
    json: Json = False,
) -> None:
    """Scans of rooms in OUT, alike for every source: colour, depth, poses, intrinsics, instance pictures, boxes.

    Stop it at any moment and run it again: it goes on. OUT/ledger.jsonl names frames without a usable pose and all else that was
    dropped or altered. Next: sightline prepare x3 --data scans --root OUT
    """
    from sightline.datasets.scans import ScanOptions, open_scans  # noqa: PLC0415
    from sightline.prepare.scans import ScanFrameOptions, damaged_files, prepare_scans  # noqa: PLC0415

    options = ScanOptions(depth_scale=depth_scale, invert_poses=invert_poses, intrinsics=_four(intrinsics), up=up)
    frames = ScanFrameOptions(fps=fps, every=every, max_frames=max_frames, size=_size(size), masks=masks)
    with progress(quiet=json) as bar:
        reader = open_scans(data, root, options)
        report = lambda done, total: bar(f"scans of {out}", done, total)  # noqa: E731
        found = prepare_scans(reader, out, dataset=data, options=frames, scan_ids=scan or (), workers=workers, on_progress=report)
        if verify:
            names = [path.parent.name for path in sorted(out.glob("*/scan.json"))]
            if damaged := [f"{name}/{each}" for name in names for each in damaged_files(out, name)]:
                raise InputError(
                    f"{out}: {len(damaged)} pictures are not what was written ({', '.join(damaged[:3])}). Delete their scans' "
                    "folders and their records in .done/, and run the command again."
                )

    def text() -> None:
        rows = [
            ("scans", found.num_scans),
            ("frames", found.num_frames),
            ("objects", found.num_objects),
            *((f"dropped: {reason}", count) for reason, count in found.dropped.items()),
            *((f"altered: {reason}", count) for reason, count in found.altered.items()),
        ]
        print_table(found.path, ("what", "number"), rows)
        print(f"Next: sightline prepare x3 --data scans --root {out} --out X3")
        print(f"  or: sightline build scan-qa --scans prepared --root {out} --out TASKS")

    emit(plain(found), as_json=json, text=text)


@prepare_app.command("instances")
def prepare_instances(
    *,
    x3: Annotated[Path, typer.Option("--x3", help="An x3 tree.")],
    scene: Annotated[str, typer.Option("--scene", help="Its scene whose frames these are, by their numbers.")],
    root: Annotated[Path, typer.Option("--root", help="One posed folder (rgbd); instances/ and objects.json are written into it.")],
    json: Json = False,
) -> None:
    """The masks of an x3 scene as label pictures of a posed folder. Next: sightline prepare scan --data rgbd --up auto.

    Change the names in objects.json where questions should call an object otherwise: each name should fit one object of the room.
    """
    from sightline.prepare.instances import write_instances  # noqa: PLC0415

    found = write_instances(x3, scene, root)

    def text() -> None:
        rows = [
            ("pictures", found.num_pictures),
            *((f"label {label}", name) for label, name in found.names.items()),
            ("pictures without the mask of an object", found.without_mask),
            ("frames without a picture here", found.not_in_folder),
        ]
        print_table(found.folder, ("what", "number"), rows)
        print(f"Next: sightline prepare scan --data rgbd --root {root} --up auto --out SCANS")

    emit(plain(found), as_json=json, text=text)


def _size(text: str | None) -> tuple[int, int] | None:
    if text is None:
        return None
    match = fullmatch(r"(\d{1,5})x(\d{1,5})", text)
    if match is None:
        raise InputError(f"--size {text!r}: expected WIDTHxHEIGHT, such as 640x480.")
    return int(match[1]), int(match[2])


def _four(text: str | None) -> tuple[float, float, float, float] | None:
    if text is None:
        return None
    try:
        fx, fy, cx, cy = (float(word) for word in text.split(","))
    except ValueError as error:
        raise InputError(f"--intrinsics {text!r}: expected fx,fy,cx,cy, such as 481.2,-480,319.5,239.5.") from error
    return fx, fy, cx, cy
