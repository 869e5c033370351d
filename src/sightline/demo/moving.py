"""A few short clips with exact masks, for trying video training: coloured shapes that drift over a patterned ground.

    {root}/train.json, val.json             COCO-style video JSON, as `export coco-video` writes it
    {root}/{train|val}_{nn}/{kkkkk}.png     the frames, 96x96

Two objects a clip, a disk and a box, each with a pattern of its own; the later one drawn hides the other. They swing around a place
of their own and grow and shrink a little. A clip depends on the seed and its number alone; training and validation share no clip.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, UInt8

from sightline.errors import InputError
from sightline.files import only_writer, write_whole
from sightline.geometry.masks import encode_mask, rle_area, rle_box
from sightline.media import encode_png

SIDE, NUM_FRAMES = 96, 12
CATEGORIES = ("disk", "box")


@dataclass(frozen=True)
class Shape:
    """One object of a clip: where it swings around, how far, from which phase, how large, and its two colours."""

    kind: int
    middle: tuple[float, float]
    reach: tuple[float, float]
    phase: float
    radius: float
    colours: UInt8[np.ndarray, "2 3"]

    def mask(self, frame: int) -> Bool[np.ndarray, "h w"]:
        """Where it is in a frame."""
        turn = self.phase + 2 * np.pi * frame / (2 * NUM_FRAMES)
        x, y = (
            middle + reach * wave for middle, reach, wave in zip(self.middle, self.reach, (np.cos(turn), np.sin(turn)), strict=True)
        )
        radius = self.radius * (1 + 0.15 * np.sin(2 * turn))
        rows, columns = _pixels()
        if CATEGORIES[self.kind] == "disk":
            return (columns - x) ** 2 + (rows - y) ** 2 < radius**2
        return np.maximum(abs(columns - x), abs(rows - y) * 1.3) < radius


def write_moving(root: Path, *, num_train: int = 6, num_validation: int = 2, seed: int = 0) -> None:
    """Write the clips and their two JSON files; what is there already stays.

    Raises:
        InputError: fewer than one clip of a split, or a negative seed.
    """
    if num_train < 1 or num_validation < 1 or seed < 0:
        raise InputError(f"{num_train} and {num_validation} clips, seed {seed}: expected at least one of each, and a seed from 0.")
    with only_writer(root):
        for split, numbers in (("train", range(num_train)), ("val", range(num_train, num_train + num_validation))):
            content: dict[str, list[dict[str, Any]]] = {"videos": [], "images": [], "annotations": []}
            for number in numbers:
                _write_clip(root, content, f"{split}_{number:02d}", np.random.default_rng((seed, number)))
            categories = [{"id": index + 1, "name": name} for index, name in enumerate(CATEGORIES)]
            write_whole(root / f"{split}.json", json.dumps({**content, "categories": categories}).encode())


def _write_clip(root: Path, content: dict[str, list[dict[str, Any]]], name: str, rng: np.random.Generator) -> None:
    video = len(content["videos"]) + 1
    content["videos"].append({"id": video, "name": name, "length": NUM_FRAMES, "fps": 12.0, "width": SIDE, "height": SIDE})
    ground = rng.integers(40, 120, (2, 3)).astype(np.uint8)
    shapes = [_draw(kind, rng) for kind in range(len(CATEGORIES))]
    for frame in range(NUM_FRAMES):
        file_name = f"{name}/{frame:05d}.png"
        picture = _pattern(ground, period=16.0)
        masks = [shape.mask(frame) for shape in shapes]
        for shape, mask in zip(shapes, masks, strict=True):
            picture[mask] = _pattern(shape.colours, period=5.0)[mask]
        if not (root / file_name).exists():
            write_whole(root / file_name, encode_png(picture))
        image = len(content["images"]) + 1
        content["images"].append(
            {
                "id": image,
                "video_id": video,
                "order_in_video": frame,
                "file_name": file_name,
                "width": SIDE,
                "height": SIDE,
                "is_labeled": True,
            }
        )
        for place, mask in enumerate((masks[0] & ~masks[1], masks[1])):
            if mask.any():
                content["annotations"].append(_annotation(len(content["annotations"]) + 1, image, place, mask))


def _annotation(number: int, image: int, place: int, mask: Bool[np.ndarray, "h w"]) -> dict[str, Any]:
    rle = encode_mask(mask)
    x0, y0, x1, y1 = rle_box(rle) or (0.0, 0.0, 0.0, 0.0)
    return {
        "id": number,
        "image_id": image,
        "track_id": place + 1,
        "category_id": place + 1,
        "iscrowd": 0,
        "area": rle_area(rle),
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "segmentation": {"size": [rle.height, rle.width], "counts": rle.counts},
    }


def _draw(kind: int, rng: np.random.Generator) -> Shape:
    bright, dark = rng.integers(150, 256, 3), rng.integers(0, 60, 3)
    bright[kind] = 255  # disks are reddish, boxes greenish
    dark[kind] = 160
    middle, reach = rng.uniform(0.35 * SIDE, 0.65 * SIDE, 2), rng.uniform(0.1 * SIDE, 0.25 * SIDE, 2)
    return Shape(
        kind=kind,
        middle=(float(middle[0]), float(middle[1])),
        reach=(float(reach[0]), float(reach[1])),
        phase=float(rng.uniform(0, 2 * np.pi)),
        radius=float(rng.uniform(0.12 * SIDE, 0.2 * SIDE)),
        colours=np.stack([bright, dark]).astype(np.uint8),
    )


def _pattern(colours: UInt8[np.ndarray, "2 3"], *, period: float) -> UInt8[np.ndarray, "h w 3"]:
    """Diagonal stripes."""
    rows, columns = _pixels()
    return colours[(((rows + columns) // period) % 2).astype(np.intp)]


def _pixels() -> tuple[Float[np.ndarray, "h w"], Float[np.ndarray, "h w"]]:
    """Rows and columns of pixel centres."""
    rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
    return rows, columns
