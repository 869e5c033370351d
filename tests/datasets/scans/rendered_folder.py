"""A demo room as a plain posed RGB-D folder, in any world: what its pictures show is known exactly."""

import json
from pathlib import Path

import numpy as np

from sightline.demo.render import Lens, cast, colour, to_millimetres
from sightline.files import write_whole
from sightline.label_png import encode_label_png
from sightline.media import encode_grey_png, encode_png
from tests.scan_trees import write_matrix
from tests.tasks.spatial.rooms import rendered

SIZE = (192, 144)


def write_room(folder: Path, seed: int, *, turned: np.ndarray | None = None, names: bool = True, **intrinsics: object) -> None:
    """Room number `seed` below `folder`; `turned` (3 x 3) takes its own world, where z is up, to that of the pose files."""
    place, layout, _ = rendered(seed)
    lens = Lens(*SIZE)
    world = np.eye(4)
    world[:3, :3] = np.eye(3) if turned is None else turned
    for number, pose in enumerate(layout.poses):
        hits = cast(layout, pose, lens=lens)
        write_whole(folder / f"color/{number}.png", encode_png(colour(layout, hits, pose, lens=lens)))
        write_whole(folder / f"depth/{number}.png", encode_grey_png(to_millimetres(hits.depth)))
        write_whole(folder / f"instances/{number}.png", encode_label_png((hits.part + 1).astype(np.uint8)))
        write_matrix(folder / f"pose/{number}.txt", world @ pose)
    fields = {"width": SIZE[0], "height": SIZE[1], "fx": lens.focal, "fy": lens.focal, "cx": lens.centre[0], "cy": lens.centre[1]}
    (folder / "intrinsics.json").write_text(json.dumps(fields | {"pixel_centre": 0.5} | intrinsics))
    if names:
        (folder / "objects.json").write_text(json.dumps({str(int(each.object_id) + 1): each.label for each in place.objects}))
