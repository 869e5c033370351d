"""Pictures and depth as tiles of one size, ready for the towers: what RoboRefer does before its network, equal on any Pillow.

    resize       one tile, the aspect ratio ignored
    dynamic      a grid of min_tiles..max_tiles squares nearest to the picture's shape, row by row, then the whole picture in one
                 square ("thumbnail") as the last tile, unless the grid is 1x1
    dynamic_s2   for each scale but the last a square of (scale / first scale)^2 tiles, then a grid as in dynamic that has at least
                 as many tiles as the last scale would; no thumbnail

A grid is (columns, rows). A picture is resized once, bicubic, to its grid. Pillow up to 12 resizes the width first and then the
height, Pillow 13 at times the other way round, which changes up to 8 grey levels: so each is asked for in a call of its own.
Source: Zhoues/RoboRefer, `dynamic_preprocess`; NVlabs/VILA for dynamic_s2.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import product
from typing import Literal, get_args

import numpy as np
from jaxtyping import Float32, Shaped, UInt8
from PIL import Image

from sightline.errors import InputError, unknown_name

Mode = Literal["resize", "dynamic", "dynamic_s2"]
MODES: tuple[Mode, ...] = get_args(Mode)
MOST_TILES = 64


@dataclass(frozen=True)
class TilingRule:
    """How a picture becomes tiles of `side` x `side` pixels. `mean` and `std` are of values 0..1, one a channel.

    Raises:
        InputError: numbers of tiles or scales that make no sense together.
    """

    mode: Mode
    side: int
    min_tiles: int = 1
    max_tiles: int = 12
    scales: tuple[int, ...] = (448, 896, 1344)
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.5, 0.5, 0.5)

    def __post_init__(self) -> None:
        if not 1 <= self.min_tiles <= self.max_tiles <= MOST_TILES:
            raise InputError(
                f"tiles from {self.min_tiles} to {self.max_tiles}; expected 1 <= min_tiles <= max_tiles <= {MOST_TILES}. "
                "The published models have 1 and 12."
            )
        if self.mode == "dynamic_s2":
            self._check_scales()

    def grid(self, width: int, height: int) -> tuple[int, int]:
        """(columns, rows) of a picture's grid, the thumbnail and the smaller scales not counted."""
        return (1, 1) if self.mode == "resize" else _nearest(self._grids, width, height, self.side)

    def num_tiles(self, width: int, height: int) -> int:
        """How many tiles a picture of this size becomes."""
        columns, rows = self.grid(width, height)
        tiles = columns * rows
        if self.mode == "dynamic_s2":
            return tiles + sum(count * count for count in self.small_squares)
        return tiles + (tiles > 1)

    def num_slots(self, width: int, height: int) -> int:
        """How many placeholders stand for a picture: one a tile, but one in all for `dynamic_s2`."""
        return 1 if self.mode == "dynamic_s2" else self.num_tiles(width, height)

    @property
    def small_squares(self) -> tuple[int, ...]:
        """Tiles along a side of each scale but the last (`dynamic_s2`)."""
        return tuple(scale // self.scales[0] for scale in self.scales[:-1])

    def cut(self, picture: UInt8[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "n 3 s s"]:
        """The tiles of a picture, normalised, channels first."""
        tiles = np.concatenate([self._tiles(picture, columns, rows) for columns, rows in self._squares(picture)])
        values = tiles.transpose(0, 3, 1, 2).astype(np.float32) / np.float32(255)
        mean = np.asarray(self.mean, np.float32)[:, None, None]
        return np.ascontiguousarray((values - mean) / np.asarray(self.std, np.float32)[:, None, None])

    def _squares(self, picture: UInt8[np.ndarray, "h w 3"]) -> Iterator[tuple[int, int]]:
        """The grids that a picture is cut by, one after the other."""
        height, width = picture.shape[:2]
        if self.mode == "dynamic_s2":
            yield from ((count, count) for count in self.small_squares)
        columns, rows = self.grid(width, height)
        yield columns, rows
        if self.mode == "dynamic" and columns * rows > 1:
            yield 1, 1

    def _tiles(self, picture: UInt8[np.ndarray, "h w 3"], columns: int, rows: int) -> UInt8[np.ndarray, "n s s 3"]:
        side = self.side
        resized = resize_in_two(picture, side * columns, side * rows)
        squares = resized.reshape(rows, side, columns, side, 3).swapaxes(1, 2)
        return squares.reshape(rows * columns, side, side, 3)

    @cached_property
    def _grids(self) -> tuple[tuple[int, int], ...]:
        least = (self.scales[-1] // self.scales[0]) ** 2 if self.mode == "dynamic_s2" else self.min_tiles
        return _candidates(least, self.max_tiles)

    def _check_scales(self) -> None:
        scales = self.scales
        if (
            len(scales) < 2
            or scales[0] != self.side
            or any(scale % scales[0] for scale in scales)
            or list(scales) != sorted(scales)
        ):
            raise InputError(
                f"dynamic_s2 with the scales {', '.join(map(str, scales))} and tiles of {self.side} pixels; expected growing "
                "multiples of the tile's side, beginning with it, such as 448, 896, 1344."
            )
        if (scales[-1] // scales[0]) ** 2 > self.max_tiles:
            raise InputError(
                f"dynamic_s2: the scale {scales[-1]} has {(scales[-1] // scales[0]) ** 2} tiles, but max_tiles is {self.max_tiles}."
            )


def known_mode(name: str) -> Mode:
    """The image mode called `name`.

    Raises:
        InputError: there is none; the message lists the choices.
    """
    for mode in MODES:
        if name == mode:
            return mode
    raise unknown_name("image mode of RoboRefer", name, MODES)


def resize_in_two(picture: UInt8[np.ndarray, "h w 3"], width: int, height: int) -> UInt8[np.ndarray, "new_h new_w 3"]:
    """Bicubic, the width first and then the height, whatever Pillow would do first by itself."""
    image = Image.fromarray(picture)
    wide = image.resize((width, image.height), Image.Resampling.BICUBIC)
    return np.asarray(wide.resize((width, height), Image.Resampling.BICUBIC))


def check_depth(picture: UInt8[np.ndarray, "h w 3"], depth: Shaped[np.ndarray, "..."], *, where: str) -> UInt8[np.ndarray, "h w 3"]:
    """The depth picture of `picture`, as RoboRefer takes it: as large, three channels of 8 bits.

    Raises:
        InputError: grey, of another kind of number, or of another size.
    """
    if depth.ndim != 3 or depth.shape[2] != 3 or depth.dtype != np.uint8:
        raise InputError(
            f"{where}: depth of shape {depth.shape} and {depth.dtype}; RoboRefer takes three equal channels of 8 bits, near bright "
            "(codec u8x3_minmax). Make it with `sightline depth`, or encode it with `depth_codecs.minmax_picture`."
        )
    if depth.shape[:2] != picture.shape[:2]:
        raise InputError(
            f"{where}: depth of {depth.shape[1]} x {depth.shape[0]} pixels, but its picture has {picture.shape[1]} x "
            f"{picture.shape[0]}. Give depth in the picture's own size."
        )
    return depth


@lru_cache
def _candidates(least: int, most: int) -> tuple[tuple[int, int], ...]:
    """All (columns, rows) of `least` to `most` tiles, fewest first."""
    sides = range(1, most + 1)
    found = [(columns, rows) for columns, rows in product(sides, sides) if least <= columns * rows <= most]
    return tuple(sorted(found, key=lambda grid: grid[0] * grid[1]))


def _nearest(grids: tuple[tuple[int, int], ...], width: int, height: int, side: int) -> tuple[int, int]:
    """The grid nearest in columns / rows; of equally near ones a later one only if the picture fills more than half of it."""
    best, least = grids[0], float("inf")
    for columns, rows in grids:
        distance = abs(width / height - columns / rows)
        fills = width * height > 0.5 * side * side * columns * rows
        if distance < least or (distance == least and fills):
            best, least = (columns, rows), distance
    return best
