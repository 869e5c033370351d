"""A MeViS tree of one clip with two objects and three expressions, and its box and mask task sets.

Six frames of 48 x 32 pixels; object 1 moves 2 pixels a frame, object 2 stands still and is gone after the third frame. Expression
"0" means object 1, "1" object 2, "2" both.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np

from sightline.geometry.masks import encode_mask
from sightline.tasks.footage import Sampling
from sightline.tasks.refer import ReferOptions
from sightline.taskset.build import BuildRequest, build
from sightline.taskset.store import TaskSet
from sightline.types import MaskRle
from tests.davis_tree import HEIGHT, WIDTH, Square, save_picture

NUM_FRAMES = 6
CLIP = "0a1b2c3d4e5f"
MOVING: tuple[Square, ...] = tuple((4 + 2 * k, 4, 14 + 2 * k, 14) for k in range(NUM_FRAMES))
STILL: tuple[Square | None, ...] = tuple((30, 18, 42, 28) if k < 3 else None for k in range(NUM_FRAMES))


def square(place: Square) -> MaskRle:
    mask = np.zeros((HEIGHT, WIDTH), bool)
    x0, y0, x1, y1 = place
    mask[y0:y1, x0:x1] = True
    return encode_mask(mask)


def write_tree(root: Path, *, clip: str = CLIP, hidden: bool = False) -> Path:
    """The split valid_u; `hidden`: valid, which has words alone."""
    base = root / ("valid" if hidden else "valid_u")
    stems = [f"{k:05d}" for k in range(NUM_FRAMES)]
    for k, stem in enumerate(stems):
        save_picture(base / "JPEGImages" / clip / f"{stem}.jpg", seed=k)
    meant = {"0": [0], "1": [1], "2": [0, 1]}
    said = {name: {"exp": f"thing {name}", "obj_id": ids, "anno_id": [5 + one for one in ids]} for name, ids in meant.items()}
    if hidden:
        said = {name: {"exp": entry["exp"]} for name, entry in said.items()}
    video = {"vid_id": 0, "frames": stems, "expressions": said}
    (base / "meta_expressions.json").write_text(json.dumps({"videos": {clip: video}}))
    if hidden:
        return root
    codes = {"5": [_code(place) for place in MOVING], "6": [_code(place) for place in STILL]}
    (base / "mask_dict.json").write_text(json.dumps(codes))
    return root


def make_sets(folder: Path, *, key_frames: int = 3, clip: str = CLIP) -> dict[str, TaskSet]:
    """`refer_track` on some even frames and `refer_mask_track` on all."""
    root = write_tree(folder / "mevis", clip=clip)
    samplings = {
        "refer_track": Sampling(policy="uniform", num_frames=key_frames),
        "refer_mask_track": Sampling(policy="all"),
    }
    for task, sampling in samplings.items():
        options = ReferOptions(sampling=sampling)
        request = BuildRequest(reader="mevis", root=str(root), splits=("valid_u",), tasks=(task,), options=options)
        build(request, folder / "tasks", workers=1)
    return {task: TaskSet(folder / "tasks" / f"{task}-valid_u") for task in samplings}


def _code(place: Square | None) -> dict[str, Any] | None:
    return None if place is None else {"size": [HEIGHT, WIDTH], "counts": square(place).counts}
