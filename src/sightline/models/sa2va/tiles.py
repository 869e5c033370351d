"""A picture as InternVL's vision tower takes it: square tiles in the grid nearest to its shape, and a thumbnail of the whole.

Of all grids of at most `most` tiles the one whose aspect is nearest to the picture's; between equally near ones the larger only if
the picture's area is more than half of that grid's. Resized by Pillow's bicubic filter without keeping the aspect, cut row by row.
Source: OpenGVLab/InternVL, `dynamic_preprocess`.
"""

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from sightline.models.sa2va.pictures import normalised

Tiles = UInt8[np.ndarray, "n s s 3"]


def grid_of(width: int, height: int, *, side: int, most: int) -> tuple[int, int]:
    """(columns, rows) for a picture."""
    aspect = width / height
    grids = sorted(
        ((columns, rows) for columns in range(1, most + 1) for rows in range(1, most + 1) if columns * rows <= most),
        key=lambda grid: grid[0] * grid[1],
    )
    best, distance = (1, 1), float("inf")
    for columns, rows in grids:
        own = abs(aspect - columns / rows)
        larger = own == distance and width * height > side * side * columns * rows / 2
        if own < distance or larger:
            best, distance = (columns, rows), own
    return best


def cut(rgb: UInt8[np.ndarray, "h w 3"], *, side: int, most: int, thumbnail: bool = True) -> Tiles:
    """The tiles of a picture; one alone has no thumbnail beside it. `most` 1: all of it in one tile, as video frames are."""
    picture = Image.fromarray(rgb)
    columns, rows = grid_of(picture.width, picture.height, side=side, most=most)
    whole = np.asarray(picture.resize((columns * side, rows * side), Image.Resampling.BICUBIC))
    tiles = whole.reshape(rows, side, columns, side, 3).swapaxes(1, 2).reshape(-1, side, side, 3)
    if thumbnail and len(tiles) > 1:
        small = np.asarray(picture.resize((side, side), Image.Resampling.BICUBIC))
        tiles = np.concatenate([tiles, small[None]])
    return np.ascontiguousarray(tiles)


def as_pixels(tiles: Tiles) -> Tensor:
    """(n, 3, s, s), normalised by ImageNet's exact mean and deviation."""
    return torch.stack([normalised(tile, constants="exact") for tile in tiles])
