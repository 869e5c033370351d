"""The x3 layout on the way to disk: one scene's folder, which appears whole by renaming, and the items of its five_frames JSON.

An item, one a view, in the published field names (boxes with exclusive ends, in pixels of the full-resolution picture):

    {"scene_id": "blackswan", "uid": 1, "frame_id": "00012", "label": null, "img_w": 854, "img_h": 480, "x0": 154.0, "y0": 103.0,
     "x1": 586.0, "y1": 364.0, "cx_norm": 0.4333, "cy_norm": 0.4865, "original": "validation/blackswan/uid_1/01_00012_original.png",
     "inpainted": "...", "mask": "..."}
"""

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool

from sightline.files import sync_path
from sightline.geometry.boxes import Box
from sightline.media import encode_grey_png

PUBLISHED_PICTURES = ("original", "inpainted", "mask")


@dataclass(frozen=True)
class SceneFolder:
    """A scene's folder before it has its name. `place` is what that will be, from the tree's root."""

    temporary: Path
    place: str

    def write(self, uid: str, name: str, content: bytes) -> None:
        """Write one file of one object."""
        folder = self.temporary / f"uid_{uid}"
        folder.mkdir(exist_ok=True)
        with (folder / name).open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def write_items(self, uid: str, scene_id: str, items: list[dict[str, Any]]) -> None:
        """Write the five_frames JSON of one object."""
        self.write(uid, f"{scene_id}_uid_{uid}_five_frames.json", (json.dumps(items, indent=1) + "\n").encode())


@contextlib.contextmanager
def scene_folder(root: Path, place: str) -> Iterator[SceneFolder]:
    """The folder `root / place`, which appears when the block ends, complete, or never. An empty one does not appear."""
    folder = root / place
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}.tmp")
    temporary.mkdir(parents=True)
    try:
        yield SceneFolder(temporary, place)
        children = [path for path in temporary.iterdir() if path.is_dir()]
        if children:
            for path in (*children, temporary):
                sync_path(path)
            if folder.exists():  # complete, but its record was lost in a kill: it is made again
                shutil.rmtree(folder)
            temporary.rename(folder)
            sync_path(folder.parent)
    finally:
        if temporary.exists():
            shutil.rmtree(temporary)


def remove_leftovers(split_folder: Path) -> None:
    """Delete what a killed `scene_folder` left in a split's folder. Only for the one who holds the tree."""
    for path in split_folder.glob(".*.tmp"):
        shutil.rmtree(path)


def five_frames_item(
    *, scene_id: str, uid: str, view_id: str, label: str | None, size: tuple[int, int], box: Box | None, place: str
) -> dict[str, Any]:
    """One item. `view_id` is "{kk}_{frame}", `size` the full-resolution (width, height), `box` in its pixels or None, `place` the
    scene's folder from the root."""
    values = box or (None,) * 4
    centre = (None, None)
    if box is not None:
        centre = (round((box[0] + box[2]) / 2 / size[0], 4), round((box[1] + box[3]) / 2 / size[1], 4))
    return {
        "scene_id": scene_id,
        "uid": int(uid) if uid.isdecimal() else uid,
        "frame_id": view_id.partition("_")[2],
        "label": label,
        "img_w": size[0],
        "img_h": size[1],
        **dict(zip(("x0", "y0", "x1", "y1"), values, strict=True)),
        **dict(zip(("cx_norm", "cy_norm"), centre, strict=True)),
        **{name: f"{place}/uid_{uid}/{view_id}_{name}.png" for name in PUBLISHED_PICTURES},
    }


def mask_png(mask: Bool[np.ndarray, "h w"]) -> bytes:
    """A mask as a grey PNG of 0 and 255."""
    return encode_grey_png(mask.astype(np.uint8) * np.uint8(255))
