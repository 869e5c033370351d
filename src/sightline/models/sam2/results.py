"""What SAM 2 makes of a frame: features, decoder steps, and what later frames may look at.

Shapes: O objects, R the square input's side, C the width of the neck, h = w = R / 16.
"""

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F  # noqa: N812 - as everyone calls it
from torch import Tensor


@dataclass(frozen=True)
class Features:
    """The neck's levels of N pictures, after the decoder's `conv_s0` and `conv_s1`.

    From `ClipModel.encode`, a row is a picture; where objects are followed, a row is an object, or there is one row for all.
    """

    fine: Tensor  # (N, C/8, R/4, R/4)
    middle: Tensor  # (N, C/4, R/8, R/8)
    top: Tensor  # (N, C, h, w)
    position: Tensor  # (N, C, h, w)

    def rows(self, index: Tensor | slice) -> "Features":
        """Some of the rows, any of them also more than once."""
        return Features(self.fine[index], self.middle[index], self.top[index], self.position[index])


@dataclass(frozen=True)
class Step:
    """One pass of the mask decoder over one frame. M is 3 where at most one point was given, else 1.

    `given` are the logits (O, R, R) of a frame whose masks were its prompt; `side` is R.
    """

    low_res: Tensor  # (O, M, R/4, R/4) logits; `ABSENT_LOGIT` throughout for an object that is not there
    iou: Tensor  # (O, M), 0..1
    score: Tensor  # (O, 1), logit of the object's presence
    chosen: Tensor  # (O,), the mask with the highest predicted IoU
    side: int
    given: Tensor | None = None

    @property
    def high_res(self) -> Tensor:
        """All masks at full size, (O, M, R, R)."""
        return enlarged(self.low_res, self.side) if self.given is None else self.given.unsqueeze(1)

    @property
    def logits(self) -> Tensor:
        """The chosen mask at full size, (O, R, R); the others are not enlarged for it."""
        return enlarged(self.chosen_low_res.unsqueeze(1), self.side)[:, 0] if self.given is None else self.given

    @property
    def chosen_low_res(self) -> Tensor:
        """The chosen mask, (O, R/4, R/4)."""
        return self.low_res[torch.arange(len(self.chosen), device=self.chosen.device), self.chosen]

    def slim(self) -> "Step":
        """The chosen mask alone, at low resolution: what a long video can afford to keep."""
        return Step(
            low_res=self.chosen_low_res.unsqueeze(1),
            iou=self.iou.gather(1, self.chosen[:, None]),
            score=self.score,
            chosen=torch.zeros_like(self.chosen),
            side=self.side,
        )


@dataclass(frozen=True)
class FrameResult:
    """Everything of one frame that a loss, the memory of later frames or a test asks for."""

    steps: tuple[Step, ...]
    pointer: Tensor  # (O, C)
    memory: Tensor  # (O, 64, h, w)
    fused: Tensor | None = None  # (O, C, h, w): the features that the decoder saw; None on a mask-prompted frame


@dataclass
class MemoryBank:
    """What later frames may look at: frames that were prompted or corrected, and the others."""

    conditioning: dict[int, FrameResult] = field(default_factory=dict)
    tracked: dict[int, FrameResult] = field(default_factory=dict)


def enlarged(logits: Tensor, side: int) -> Tensor:
    """Logits (O, M, r, r) at full size, (O, M, R, R)."""
    return F.interpolate(logits, size=(side, side), mode="bilinear", align_corners=False)
