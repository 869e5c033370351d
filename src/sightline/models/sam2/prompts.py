"""What a clip's objects are prompted with. All tensors have the objects of the clip as their first axis.

Coordinates are (x, y) pixel *indices* of the network's square input, as SAM 2 counts them: the click (57, 36) is the pixel in
column 57, row 36, whose centre lies at (57.5, 36.5) in Sightline's continuous pixels. The prompt encoder adds the half itself.
"""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

POSITIVE, NEGATIVE, TOP_LEFT, BOTTOM_RIGHT, PADDING = 1, 0, 2, 3, -1


@dataclass(frozen=True)
class MaskPrompt:
    """The object's own mask on this frame; empty where it is not there yet."""

    masks: Tensor  # (O, R, R), 0 or 1


@dataclass(frozen=True)
class PointPrompt:
    """Clicks (labels `POSITIVE`, `NEGATIVE`), or a box as its two corners (`TOP_LEFT`, `BOTTOM_RIGHT`)."""

    coords: Tensor  # (O, P, 2)
    labels: Tensor  # (O, P), int32

    @classmethod
    def of_boxes(cls, boxes: Tensor) -> "PointPrompt":
        """A box (x0, y0, x1, y1) of pixel indices for each object: (O, 4)."""
        labels = torch.tensor([TOP_LEFT, BOTTOM_RIGHT], dtype=torch.int32, device=boxes.device)
        return cls(coords=boxes.reshape(-1, 2, 2), labels=labels.expand(len(boxes), 2))

    def then(self, clicks: "PointPrompt") -> "PointPrompt":
        """These points and further ones."""
        return PointPrompt(
            coords=torch.cat([self.coords, clicks.coords], dim=1), labels=torch.cat([self.labels, clicks.labels], dim=1)
        )


@dataclass(frozen=True)
class EmbeddingPrompt:
    """Each object as a token that something else has made of it, beside an empty point: what Sa2VA's language model points with."""

    tokens: Tensor  # (O, C)


Prompt = MaskPrompt | PointPrompt | EmbeddingPrompt


@runtime_checkable
class Corrector(Protocol):
    """Looks at what was predicted and clicks where it is wrong."""

    def __call__(self, frame: int, step: int, logits: Tensor) -> PointPrompt | None:
        """One click for each object after decoder step `step` of `frame`; None when there are no more. `logits`: (O, R, R)."""
        ...
