"""The simulated prompts of a batch of clips, the same whatever process a clip is in.

As in the reference, all clips of a step are prompted in the same way on the same frames: they are one forward pass, and processes
that train together run the same graph. Which way follows from the seed and the step; where boxes and clicks lie exactly, from the
seed and the clip's own number.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import cast

import numpy as np
import torch
from torch import Tensor

from sightline.models.sam2.prompts import MaskPrompt, PointPrompt, Prompt
from sightline.models.sam2.simulate import PromptRecipe, Simulated
from sightline.train.sam2.batches import Batch

WAY, PLACES, POINTS = 101, 102, 103  # what a random stream is for; those of `windows` are other numbers


class BatchPrompts:
    """The prompts of all objects of a batch, and a user who corrects. A `Corrector`.

    Args:
        recipe: what is drawn how often.
        seed: of the run.
        number: of the batch.
        allowed: frames beside the first that may be prompted, the same in all processes; None: all.
    """

    def __init__(
        self, batch: Batch, recipe: PromptRecipe, *, seed: int, number: int, allowed: Collection[int] | None = None
    ) -> None:
        self._of_clip = [batch.video_of_object == place for place in range(len(batch.windows))]
        self._simulated = [
            Simulated(
                batch.masks[:, own],
                recipe,
                np.random.default_rng((seed, WAY, number)),
                places=np.random.default_rng((seed, PLACES, window.number)),
                allowed=allowed,
            )
            for own, window in zip(self._of_clip, batch.windows, strict=True)
        ]
        self.point_keys = [
            (seed, POINTS, window.number, place)
            for own, window in zip(self._of_clip, batch.windows, strict=True)
            for place in range(int(own.sum()))
        ]
        first = self._simulated[0]
        self.corrected_frames = first.corrected_frames
        self.prompts: Mapping[int, Prompt] = {
            frame: _side_by_side([each.prompts[frame] for each in self._simulated]) for frame in first.prompts
        }

    def __call__(self, frame: int, step: int, logits: Tensor) -> PointPrompt | None:
        """One click for each object; None when there are no more, which all clips say at the same step."""
        clicks = [each(frame, step, logits[own]) for each, own in zip(self._simulated, self._of_clip, strict=True)]
        found = [click for click in clicks if click is not None]
        return cast(PointPrompt, _side_by_side(found)) if found else None


def _side_by_side(prompts: Sequence[Prompt]) -> Prompt:
    masks = [prompt.masks for prompt in prompts if isinstance(prompt, MaskPrompt)]
    if masks:
        return MaskPrompt(torch.cat(masks))
    points = [prompt for prompt in prompts if isinstance(prompt, PointPrompt)]
    return PointPrompt(torch.cat([each.coords for each in points]), torch.cat([each.labels for each in points]))
