"""Two small videos as one COCO-style JSON, in the true on-disk form."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from sightline.geometry.masks import encode_mask
from tests.davis_tree import HEIGHT, WIDTH, Square, save_picture

# Objects by frame. `left`: object 2 appears in frame 3, and frame 4 is not annotated; `right`: one object, absent in frame 1.
LEFT: list[dict[int, Square] | None] = [
    {1: (2, 2, 14, 14)},
    {1: (4, 2, 16, 14)},
    {1: (6, 2, 18, 14)},
    {1: (8, 2, 20, 14), 2: (30, 16, 46, 30)},
    None,
    {1: (12, 2, 24, 14), 2: (30, 16, 46, 30)},
]
RIGHT: list[dict[int, Square] | None] = [{7: (20, 8, 40, 24)}, {}, {7: (22, 8, 42, 24)}, {7: (24, 8, 44, 24)}]


def write_json(root: Path, change: Callable[[dict[str, Any]], None] | None = None) -> Path:
    """`root/videos.json` with its pictures; `change` spoils the JSON before it is written."""
    images, annotations = [], []
    for video, (name, frames) in enumerate((("left", LEFT), ("right", RIGHT)), start=1):
        for order, squares in enumerate(frames):
            picture = f"{name}/{order:05d}.jpg"
            save_picture(root / picture, seed=100 * video + order)
            image = {"id": len(images) + 1, "video_id": video, "order_in_video": order, "file_name": picture}
            images.append({**image, "width": WIDTH, "height": HEIGHT, "is_labeled": squares is not None})
            for track, square in (squares or {}).items():
                annotations.append(
                    {
                        "id": len(annotations) + 1,
                        "image_id": len(images),
                        "track_id": track,
                        "category_id": 1,
                        "iscrowd": 0,
                        "segmentation": code_of(square),
                    }
                )
    content = {
        "videos": [{"id": 1, "name": "left"}, {"id": 2, "name": "right"}],
        "images": images,
        "annotations": annotations,
        "categories": [{"id": 1, "name": "thing"}],
    }
    if change:
        change(content)
    path = root / "videos.json"
    path.write_text(json.dumps(content))
    return path


def code_of(square: Square, *, width: int = WIDTH, height: int = HEIGHT) -> dict[str, Any]:
    mask = np.zeros((height, width), bool)
    x0, y0, x1, y1 = square
    mask[y0:y1, x0:x1] = True
    return {"size": [height, width], "counts": encode_mask(mask).counts}
