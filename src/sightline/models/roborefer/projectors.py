"""From the features of a tower to the width of the language model: blocks of patches folded into one token, then a perceptron.

    mlp_downsample, mlp_downsample_2x2_fix   2 x 2 patches a token:  LayerNorm(4v) Linear(4v, h) GELU Linear(h, h)
    mlp_downsample_3x3_fix                   3 x 3 patches a token:  LayerNorm(9v) Linear(9v, 3v) GELU LayerNorm(3v) Linear(3v, h)
                                             GELU Linear(h, h)

v is the width of the features, h that of the language model. The first two were once of different code in the original and give
the same numbers. Names of the tensors are the places in the list: `layers.1` is the first LayerNorm.
Source: NVlabs/VILA, base_projector.
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from sightline.models.roborefer.configuration import ProjectorType

FOLDS: Mapping[ProjectorType, int] = {"mlp_downsample": 2, "mlp_downsample_2x2_fix": 2, "mlp_downsample_3x3_fix": 3}


class Fold(nn.Module):
    """Blocks of `side` x `side` patches as one token each, with zeros at the bottom and at the right where it does not go up."""

    def __init__(self, side: int) -> None:
        super().__init__()
        self.side = side

    def forward(self, features: Tensor) -> Tensor:
        """(N, s * s, v) on a square grid, row by row -> (N, blocks, side * side * v): blocks and the patches in them row by row."""
        count, patches, width = features.shape
        square = math.isqrt(patches)
        missing = -square % self.side
        grid = pad(features.reshape(count, square, square, width), (0, 0, 0, missing, 0, missing))
        blocks = (square + missing) // self.side
        split = grid.reshape(count, blocks, self.side, blocks, self.side, width)
        return split.permute(0, 1, 3, 2, 4, 5).reshape(count, blocks * blocks, self.side * self.side * width)


class Projector(nn.Module):
    """One of the published projectors; `features` wide inside, `hidden` wide outside."""

    def __init__(self, kind: ProjectorType, features: int, hidden: int) -> None:
        super().__init__()
        self.fold = FOLDS[kind]
        folded = self.fold * self.fold * features
        if self.fold == 2:
            head = [Fold(2), nn.LayerNorm(folded), nn.Linear(folded, hidden), nn.GELU(), nn.Linear(hidden, hidden)]
        else:
            middle = 3 * features
            head = [Fold(3), nn.LayerNorm(folded), nn.Linear(folded, middle), nn.GELU()]
            head += [nn.LayerNorm(middle), nn.Linear(middle, hidden), nn.GELU(), nn.Linear(hidden, hidden)]
        self.layers = nn.Sequential(*head)

    def forward(self, features: Tensor) -> Tensor:
        """(N, patches, features) -> (N, blocks, hidden)."""
        return self.layers(features)


def tokens_of(side: int, fold: int) -> int:
    """Tokens of a square of `side` x `side` patches."""
    return math.ceil(side / fold) ** 2


def join_squares(squares: Tensor, rows: int, columns: int) -> Tensor:
    """(rows * columns, s * s, v), squares row by row -> one grid (rows * s, columns * s, v)."""
    side, width = math.isqrt(squares.shape[1]), squares.shape[2]
    grid = squares.reshape(rows, columns, side, side, width).permute(0, 2, 1, 3, 4)
    return grid.reshape(rows * side, columns * side, width)


def split_squares(grid: Tensor, rows: int, columns: int) -> Tensor:
    """The inverse of `join_squares`."""
    height, width = grid.shape[0] // rows, grid.shape[1] // columns
    squares = grid.reshape(rows, height, columns, width, grid.shape[2]).permute(0, 2, 1, 3, 4)
    return squares.reshape(rows * columns, height * width, grid.shape[2])


def join_scales(grids: list[Tensor], index: int) -> Tensor:
    """Grids of one picture at several scales, each (h_i, w_i, v), as one of the size of grid `index`: (h, w, scales * v).

    The others are averaged over areas, or repeated where they are smaller (torch's "area"), in float32.
    """
    size = grids[index].shape[:2]
    resized = [
        torch.nn.functional.interpolate(grid.permute(2, 0, 1)[None].float(), size=size, mode="area")[0].permute(1, 2, 0)
        for grid in grids
    ]
    return torch.cat(resized, dim=2).to(grids[index].dtype)
