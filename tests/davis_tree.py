"""A tiny DAVIS tree in the true on-disk layout, written by hand: 48x32 pictures, square objects."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 48, 32
Square = tuple[int, int, int, int]  # x0, y0, x1, y1, exclusive ends
PALETTE = [0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0, *[64] * (252 * 3)]  # 256 colours, the first four those of DAVIS


def labels(squares: Mapping[int, Square]) -> np.ndarray:
    """Label numbers with the square of each object; later ones lie on top."""
    array = np.zeros((HEIGHT, WIDTH), np.uint8)
    for label, (x0, y0, x1, y1) in squares.items():
        array[y0:y1, x0:x1] = label
    return array


def save_palette(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(array)
    image.putpalette(PALETTE)
    image.save(path)


def save_picture(path: Path, seed: int, *, width: int = WIDTH, height: int = HEIGHT) -> None:
    """A smooth coloured picture, another for each seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    coarse = np.random.default_rng(seed).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    Image.fromarray(coarse).resize((width, height), Image.Resampling.BICUBIC).save(path, quality=95)


def write_sequence(
    root: Path, sequence: str, frames: Sequence[Mapping[int, Square] | None], *, pictures: bool = True, grey: bool = False
) -> None:
    """Frame k shows the objects at `frames[k]`; None: it has no labels. `grey`: 0 and 255 as in 2016."""
    for number, squares in enumerate(frames):
        if pictures:
            save_picture(root / "JPEGImages" / "480p" / sequence / f"{number:05d}.jpg", seed=1000 * len(sequence) + number)
        if squares is None:
            continue
        path = root / "Annotations" / "480p" / sequence / f"{number:05d}.png"
        if grey:
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray((labels(squares) > 0).astype(np.uint8) * np.uint8(255)).save(path)
        else:
            save_palette(path, labels(squares))


def write_list(root: Path, folder: str, split: str, lines: Sequence[str]) -> None:
    path = root / "ImageSets" / folder / f"{split}.txt"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def write_tree(root: Path) -> Path:
    """Two usable sequences and one without pictures. `duel` has two objects; the second leaves after frame 3 of 6."""
    duel = [{1: (4 + 2 * k, 4, 14 + 2 * k, 14), **({2: (30, 18, 42, 28)} if k < 4 else {})} for k in range(6)]
    write_sequence(root, "duel", duel)
    write_sequence(root, "solo", [{1: (10, 8 + k, 24, 20 + k)} for k in range(5)], grey=True)
    write_sequence(root, "unseen", [{1: (2, 2, 12, 12)}] * 3, pictures=False)
    write_list(root, "2017", "train", ["duel"])
    write_list(root, "2017", "val", ["solo", "unseen", "nowhere"])
    return root
