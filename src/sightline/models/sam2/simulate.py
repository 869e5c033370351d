"""Prompts and corrections as a user would give them, drawn from the true masks: how SAM 2 is trained.

Source: the branches and odds of facebookresearch/sam2 (`SAM2Train.prepare_prompt_inputs`, `sample_box_points`, `get_next_point`).
Every draw comes from a generator that the caller keys by seed and step, so a resumed run draws what the interrupted one would have.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from sightline.models.sam2.prompts import BOTTOM_RIGHT, NEGATIVE, PADDING, POSITIVE, TOP_LEFT, MaskPrompt, PointPrompt, Prompt

PromptKind = Literal["mask", "box", "point", "mixed"]


@dataclass(frozen=True)
class PromptRecipe:
    """What is drawn how often. `kind` other than "mixed" prompts every clip in that one way (the prompt ablations).

    `point_or_box`: share of the clips prompted by points or boxes, not by masks; `box`: share of boxes among those. Box corners are
    off by up to `box_noise` of the box's size, at most `max_box_noise` pixels. Up to `max_prompted` frames are prompted, the first
    always; up to `max_corrected` of them and others get `num_clicks` corrections, and such a click comes from the true mask alone,
    whatever was predicted, with odds `blind_click`.
    """

    kind: PromptKind = "mixed"
    point_or_box: float = 0.5
    box: float = 0.5
    box_noise: float = 0.1
    max_box_noise: float = 20.0
    max_prompted: int = 2
    max_corrected: int = 2
    num_clicks: int = 7
    blind_click: float = 0.1


class Simulated:
    """The prompts of one clip, and a user who corrects. A `Corrector`.

    Args:
        masks: (T, O, R, R), 0 or 1: the truth.
        recipe: what is drawn how often.
        rng: where every draw comes from.
        places: where the noise of boxes and the pixels of clicks come from, if not from `rng`. Clips with `rng` of one state and
            `places` of their own are prompted in the same way on the same frames, so that they can be one batch.
        allowed: frames beside the first that may be prompted or corrected; None: all.
    """

    def __init__(
        self,
        masks: Tensor,
        recipe: PromptRecipe,
        rng: np.random.Generator,
        *,
        places: np.random.Generator | None = None,
        allowed: Collection[int] | None = None,
    ) -> None:
        self.masks = masks.bool()
        self.recipe = recipe
        self.rng = rng
        self.places = rng if places is None else places
        self._later = [frame for frame in range(1, len(masks)) if allowed is None or frame in allowed]
        kind = self._kind(num_frames=len(masks))
        prompted = self._prompted_frames()
        self.prompts: Mapping[int, Prompt] = {frame: self._prompt(frame, kind) for frame in prompted}
        self.corrected_frames = frozenset() if kind == "mask" else self._corrected_frames(prompted)

    def __call__(self, frame: int, step: int, logits: Tensor) -> PointPrompt | None:
        """The next click on what is wrong; None after `num_clicks`."""
        if step >= self.recipe.num_clicks:
            return None
        blind = bool(self.places.random() < self.recipe.blind_click)
        return self._clicks(self.masks[frame], None if blind else logits > 0)

    def _kind(self, *, num_frames: int) -> PromptKind:
        """ "mask", or "mixed" for points and boxes frame by frame; a clip of one picture is never prompted by its mask."""
        if self.recipe.kind != "mixed":
            return self.recipe.kind
        return "mixed" if num_frames == 1 or self.rng.random() < self.recipe.point_or_box else "mask"

    def _prompted_frames(self) -> tuple[int, ...]:
        most = min(self.recipe.max_prompted, 1 + len(self._later))
        count = int(self.rng.integers(1, most + 1))
        others = self.rng.choice(np.array(self._later), size=count - 1, replace=False) if count > 1 else []
        return (0, *sorted(int(frame) for frame in others))

    def _corrected_frames(self, prompted: tuple[int, ...]) -> frozenset[int]:
        most = min(self.recipe.max_corrected, 1 + len(self._later))
        if most < len(prompted) or self.recipe.num_clicks == 0:
            return frozenset()
        count = int(self.rng.integers(len(prompted), most + 1))
        left = [frame for frame in self._later if frame not in prompted]
        others = self.rng.choice(left, size=count - len(prompted), replace=False) if count > len(prompted) else []
        return frozenset(prompted) | {int(frame) for frame in others}

    def _prompt(self, frame: int, kind: PromptKind) -> Prompt:
        if kind == "mask":
            return MaskPrompt(self.masks[frame])
        if kind == "box" or (kind == "mixed" and self.rng.random() < self.recipe.box):
            return self._boxes(self.masks[frame])
        return self._clicks(self.masks[frame], None)

    def _boxes(self, masks: Tensor) -> PointPrompt:
        """Noisy boxes of pixel indices; an object that is not there has none (padding)."""
        coords, labels = [], []
        size = masks.shape[-1]
        for mask in masks.cpu().numpy():
            rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
            if rows.size == 0:
                coords.append([[0.0, 0.0], [0.0, 0.0]])
                labels.append([PADDING, PADDING])
                continue
            corners = np.array([[columns[0], rows[0]], [columns[-1], rows[-1]]], dtype=np.float64)
            most = np.minimum((corners[1] - corners[0] + 1) * self.recipe.box_noise, self.recipe.max_box_noise)
            noise = self.places.uniform(-most, most, size=(2, 2))
            coords.append((corners + noise).clip(0, size - 1).tolist())
            labels.append([TOP_LEFT, BOTTOM_RIGHT])
        return _points(coords, labels, masks.device)

    def _clicks(self, truth: Tensor, said: Tensor | None) -> PointPrompt:
        """One click an object, anywhere in what is wrong: positive where it is missing, negative where it is too much.

        Without a prediction all of the object is missing. Nothing wrong, or no object: a negative click on the background.
        """
        coords, labels = [], []
        predicted = torch.zeros_like(truth) if said is None else said
        for true, found in zip(truth.cpu().numpy(), predicted.cpu().numpy(), strict=True):
            wrong = true ^ found
            places = np.flatnonzero(wrong if wrong.any() else ~true)
            if places.size == 0:  # the object fills the picture, and all of it was found
                places = np.arange(true.size)
            row, column = divmod(int(places[self.places.integers(places.size)]), true.shape[1])
            coords.append([[float(column), float(row)]])
            labels.append([POSITIVE if true[row, column] else NEGATIVE])
        return _points(coords, labels, truth.device)


def _points(coords: list[list[list[float]]], labels: list[list[int]], device: torch.device) -> PointPrompt:
    return PointPrompt(
        torch.tensor(coords, dtype=torch.float32, device=device), torch.tensor(labels, dtype=torch.int32, device=device)
    )
