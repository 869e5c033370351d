"""A tiny x3 tree in the true on-disk layout, written by hand: 24x18 pictures, one square object a uid."""

import json
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 24, 18
Square = tuple[int, int, int, int]  # x0, y0, x1, y1, exclusive ends


def picture(scene: str, frame: int) -> np.ndarray:
    """Noise that differs from frame to frame and scene to scene."""
    seed = sum(ord(letter) * 31**place for place, letter in enumerate(scene)) + frame
    return np.random.default_rng(seed).integers(0, 256, (HEIGHT, WIDTH, 3), dtype=np.uint8)


def square_mask(square: Square | None, grow: int = 0) -> np.ndarray:
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    if square is not None:
        x0, y0, x1, y1 = square
        mask[max(0, y0 - grow) : y1 + grow, max(0, x0 - grow) : x1 + grow] = 255
    return mask


def write_object(
    root: Path,
    split: str,
    scene: str,
    uid: int,
    squares: list[Square | None],
    *,
    label: str = "cup",
    dilated: str = "mask_dialated",
) -> Path:
    """Write one uid folder; view kk (1-based) shows the object at `squares[kk - 1]`, or not at all."""
    folder = root / split / scene / f"uid_{uid}"
    folder.mkdir(parents=True)
    items = []
    for kk, square in enumerate(squares, start=1):
        frame = 10 * kk
        stem = f"{kk:02d}_{frame:06d}"
        original = picture(scene, frame)
        mask = square_mask(square)
        inpainted = original.copy()
        inpainted[mask > 0] = 127
        Image.fromarray(original).save(folder / f"{stem}_original.png")
        Image.fromarray(inpainted).save(folder / f"{stem}_inpainted.png")
        Image.fromarray(mask).save(folder / f"{stem}_mask.png")
        Image.fromarray(square_mask(square, grow=1)).save(folder / f"{stem}_{dilated}.png")
        # the JSON's boxes are those of a capture three times as large
        box = [3.0 * value for value in square] if square else [None] * 4
        names = dict(zip(("x0", "y0", "x1", "y1"), box, strict=True))
        size = {"img_w": 3 * WIDTH, "img_h": 3 * HEIGHT}
        items.append({"scene_id": scene, "uid": uid, "frame_id": f"{frame:06d}", "label": label, **size, **names})
    (folder / f"{scene}_uid_{uid}_five_frames.json").write_text(json.dumps(items))
    return folder


def write_tree(root: Path) -> Path:
    """Two training scenes and one validation scene; in `kitchen` uid 1 is absent from view 3 while uid 2 (same label) is there."""
    write_object(root, "train", "kitchen", 1, [(2, 2, 8, 8), (4, 4, 10, 10), None])
    write_object(root, "train", "kitchen", 2, [(14, 9, 20, 15), (15, 10, 21, 16), (12, 4, 18, 10)])
    write_object(root, "train", "office", 5, [(1, 1, 7, 7), None, (3, 9, 9, 15)], label="lamp")
    write_object(root, "validation", "attic", 1, [(5, 5, 11, 11), (6, 6, 12, 12), None], label="box", dilated="mask_dilated")
    return root
