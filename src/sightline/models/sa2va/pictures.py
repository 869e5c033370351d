"""Pictures as Sa2VA's SAM 2 takes them, and its masks at the pictures' own size.

A picture becomes a square without keeping its aspect, by Pillow's bicubic filter on uint8. The published inference code has the six
normalising constants in bfloat16 even where everything else is float32 (0.485 is 0.484375 there); its training code has them exact.
Masks go from the decoder's resolution to the square's and from there to the picture's: going directly gives other logits.
Source: bytedance/Sa2VA, `DirectResize` and `predict_forward`.
"""

from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - as everyone calls it
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor

from sightline.models.sam2.track import DEVIATION, MEAN
from sightline.models.tracking.shown import RgbFrames

Constants = Literal["rounded", "exact"]
"""`rounded`: to bfloat16, as published inference has them. `exact`: as training has them."""


def square(rgb: UInt8[np.ndarray, "h w 3"], side: int) -> UInt8[np.ndarray, "r r 3"]:
    """The picture stretched to a square of `side` pixels."""
    return np.asarray(Image.fromarray(rgb).resize((side, side)))


def normalised(pixels: UInt8[np.ndarray, "r r 3"], *, constants: Constants, dtype: torch.dtype = torch.float32) -> Tensor:
    """(3, R, R) in `dtype`, which also the division is computed in: published inference in bfloat16 does so for single pictures."""
    values = torch.from_numpy(np.array(pixels)).permute(2, 0, 1).to(dtype) / 255
    mean, deviation = (torch.tensor(numbers)[:, None, None] for numbers in (MEAN, DEVIATION))
    if constants == "rounded":
        mean, deviation = mean.bfloat16(), deviation.bfloat16()
    return ((values - mean.to(dtype)) / deviation.to(dtype)).contiguous()


class SquareFrames:
    """A clip's frames made ready when they are asked for."""

    def __init__(self, frames: RgbFrames, side: int, *, constants: Constants = "rounded") -> None:
        self._frames, self._side = frames, side
        self._constants: Constants = constants
        self.width, self.height = frames.width, frames.height

    def __len__(self) -> int:
        return len(self._frames)

    def __getitem__(self, index: int) -> Tensor:
        """(3, R, R), normalised."""
        return normalised(square(self._frames.rgb(index), self._side), constants=self._constants)


def at_picture_size(low_res: Tensor, side: int, size: tuple[int, int]) -> Tensor:
    """Mask logits (N, R/4, R/4) at the `size` (height, width) of the picture, by way of the square: (N, height, width)."""
    whole = F.interpolate(low_res.unsqueeze(1).float(), size=(side, side), mode="bilinear", align_corners=False)
    return F.interpolate(whole, size=size, mode="bilinear", align_corners=False)[:, 0]
