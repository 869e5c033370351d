"""A demo room as a prepared scan on disk: what a reader of scans gives, with pictures, depth and instance labels."""

from pathlib import Path

import numpy as np

from sightline.demo.render import cast, colour, to_millimetres
from sightline.files import write_json, write_whole
from sightline.label_png import encode_label_png
from sightline.media import encode_grey_png, encode_png
from sightline.types import Camera, Scan, ScanFrame, ScanObject
from tests.tasks.spatial.rooms import LENS, rendered


def write_scan(root: Path, seed: int, *, dataset: str = "scannet", labelled: bool = True) -> Scan:
    """Write room number `seed` as a scan below `root`; its frames are half a second apart."""
    place, layout, _ = rendered(seed)
    frames = []
    for number, pose in enumerate(layout.poses):
        hits = cast(layout, pose, lens=LENS)
        name = f"{place.scene_id}/{{}}/{number:06d}.png"
        write_whole(root / name.format("colour"), encode_png(colour(layout, hits, pose, lens=LENS)))
        write_whole(root / name.format("depth"), encode_grey_png(to_millimetres(hits.depth)))
        if labelled:
            write_whole(root / name.format("instances"), encode_label_png((hits.part + 1).astype(np.uint8)))
        camera = Camera(
            width=LENS.width,
            height=LENS.height,
            fx=LENS.focal,
            fy=LENS.focal,
            cx=LENS.centre[0],
            cy=LENS.centre[1],
            camera_to_world=tuple(pose.ravel().tolist()),
            world=place.scene_id,
        )
        frames.append(
            ScanFrame(
                frame_id=f"{number:06d}",
                image=name.format("colour"),
                depth=name.format("depth"),
                instances=name.format("instances") if labelled else None,
                camera=camera,
                timestamp_s=10 + 2.0 * number,
            )
        )
    objects = tuple(
        ScanObject(object_id=each.object_id, category=each.label, box=each.box, label=int(each.object_id) + 1)
        for each in place.objects
    )
    wall = ScanObject(object_id="w", category="Wall", box=objects[0].box)
    scan = Scan(scan_id=place.scene_id, dataset=dataset, frames=tuple(frames), objects=(*objects, wall), floor_z_m=0.0)
    write_json(root / place.scene_id / "scan.json", scan)
    return scan
