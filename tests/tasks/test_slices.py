"""The slices of a pair, on a plate 2 m before a camera of 80 x 60 pixels and focal length 100 px, with a wall at 4 m."""

import json
from pathlib import Path

import numpy as np

from sightline.datasets.x3 import X3
from sightline.media import encode_grey_png, encode_png
from sightline.tasks import TASKS
from sightline.tasks.crossview import CrossViewOptions
from sightline.tasks.pictures import Studio
from sightline.tasks.seen import see_scene
from sightline.types import Example

# View: columns of the plate (None: not in the picture), first column that a board at 1 m hides, camera's place along x in metres.
# A camera 0.2 m to the right sees the plate 0.2 * 100 / 2 = 10 pixels further left; 2 m to the right, 100: out of the picture.
VIEWS = {
    1: ((40, 50), 80, 0.0),
    2: ((40, 50), 45, 0.0),  # the right half of the plate is behind the board
    3: ((30, 40), 80, 0.2),
    4: (None, 80, 2.0),
}


def write_scene(root: Path, scene: str, views: tuple[int, ...]) -> None:
    folder = root / "validation" / scene / "uid_1"
    folder.mkdir(parents=True)
    rng = np.random.default_rng(len(scene))
    for kk in views:
        columns, hidden_from, x_m = VIEWS[kk]
        plate = np.zeros((60, 80), dtype=bool)
        if columns:
            plate[20:30, slice(*columns)] = True
        depth_mm = np.where(plate, 2000, 4000)
        depth_mm[:, hidden_from:] = 1000
        mask = plate & (depth_mm == 2000)
        pose = np.eye(4)
        pose[0, 3] = x_m
        picture = rng.integers(0, 256, (60, 80, 3), dtype=np.uint8)
        removed = np.where(mask[:, :, None], 255 - picture, picture)
        stem = folder / f"{kk:02d}_{kk:06d}"
        stem.with_name(f"{stem.name}_original.png").write_bytes(encode_png(picture))
        stem.with_name(f"{stem.name}_mask.png").write_bytes(encode_grey_png(mask.astype(np.uint8) * 255))
        stem.with_name(f"{stem.name}_depth.png").write_bytes(encode_grey_png(depth_mm.astype(np.uint16)))
        stem.with_name(f"{stem.name}_pose.txt").write_text("\n".join(" ".join(map(str, row)) for row in pose))
        if mask.any():
            stem.with_name(f"{stem.name}_inpainted.png").write_bytes(encode_png(removed))
    intrinsics = {"width": 80, "height": 60, "fx": 100.0, "fy": 100.0, "cx": 40.0, "cy": 30.0}
    (folder / "intrinsics.json").write_text(json.dumps(intrinsics))


def examples(root: Path, task: str, views: tuple[int, ...]) -> list[Example]:
    """Those of the first of two such scenes."""
    for scene in ("hall", "kitchen"):
        write_scene(root, scene, views)
    reader, studio = X3(root, "validation"), Studio(root)
    seen = see_scene(reader[0], studio, elsewhere=lambda _: iter([reader[1]]))
    outcomes = list(TASKS[task]()(seen, studio, CrossViewOptions()))
    return [outcome for outcome in outcomes if isinstance(outcome, Example)]


def test_a_pair_says_how_much_of_the_surface_is_shared_and_how_much_is_hidden(tmp_path):
    by_view = {example.id[-2:]: example for example in examples(tmp_path, "t1_multi", (1, 2, 3, 4))}
    assert {view: (example.tier, example.slices) for view, example in by_view.items()} == {
        # 100 and 50 of 4800 pixels; half of the plate shows, half is hidden
        "02": ("V", {"reference_area": 0.020833, "query_area": 0.010417, "covisible": 0.5, "occluded": 0.5}),
        "03": ("V", {"reference_area": 0.020833, "query_area": 0.020833, "covisible": 1.0, "occluded": 0.0}),
        # out of the picture is not hidden
        "04": ("N1", {"reference_area": 0.020833, "query_area": 0.0, "covisible": 0.0, "occluded": 0.0}),
    }


def test_a_view_of_another_scene_has_no_size_and_no_overlap(tmp_path):
    slices = {example.tier: set(example.slices) for example in examples(tmp_path, "t2a", (1, 2, 3))}
    every = {"reference_area", "query_area", "covisible", "occluded"}
    assert slices["N0"] == {"reference_area"}
    assert slices["N4"] == slices["V"] == every
