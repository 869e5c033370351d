"""The losses of one conversation with its pictures: text, and the masks of its `[SEG]` tokens, in either mode of training.

The state of a `[SEG]` is that of its place as input, in the answers alone: one that the asking side holds has no truth. A
conversation without any gets mask losses of 0 that are connected to the grounding path all the same, so that in distributed
training every process has a gradient for every parameter.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812 - as everyone calls it
from torch import Tensor

from sightline.errors import InputError
from sightline.models.sa2va.conversation import IGNORED, Labelled
from sightline.models.sa2va.family import Media
from sightline.models.sa2va.losses import MaskLosses, MaskLossWeights, draw_mask_points, mask_losses, truth_at
from sightline.models.sa2va.modes import Mode
from sightline.models.sa2va.network import Sa2Va
from sightline.models.sam2.point_samples import Key


@dataclass(frozen=True)
class Objects:
    """What the `[SEG]` tokens of a conversation stand for.

    Attributes:
        images: (T, 3, R, R), normalised with the exact constants.
        masks: (O, T, H, W), the truth of each `[SEG]` in order; empty where the object is not there.
        places: which of the O objects the loss is taken of, any also several times (`padded_objects`); None: each once.
    """

    images: Tensor
    masks: Tensor
    places: Tensor | None = None


@dataclass(frozen=True)
class SampleLosses:
    """Scalars; `total` is their sum."""

    text: Tensor
    masks: MaskLosses

    @property
    def total(self) -> Tensor:
        return self.text + self.masks.total


def sample_losses(
    model: Sa2Va, said: Labelled, media: Media, objects: Objects | None, *, mode: Mode, weights: MaskLossWeights, key: Key = (0,)
) -> SampleLosses:
    """The losses of one conversation.

    Args:
        objects: None where no answer has a `[SEG]`.
        mode: `official` decodes every frame alone, `consistent` follows the objects by memory from the mode's key frames.
        key: of the random points, with `weights.points`; each mask's stream follows from it and the mask's place.

    Raises:
        InputError: the answers hold more or fewer `[SEG]` than there are objects.
    """
    device = model.language.device
    ids = torch.tensor([said.ids], device=device)
    labels = torch.tensor(said.labels, device=device)
    reading = model.read(ids, media)
    text = F.cross_entropy(reading.logits[0, :-1].float(), labels[1:], ignore_index=IGNORED)
    states = reading.states[0, labels == model.seg_id]
    expected = 0 if objects is None else len(objects.masks)
    if len(states) != expected:
        raise InputError(f"answers with {len(states)} [SEG] for {expected} objects; expected one mask a [SEG], in their order.")
    if objects is None:
        return SampleLosses(text, _nothing(model, reading.states))
    tokens = model.grounding.project(states)
    places = torch.arange(len(tokens)) if objects.places is None else objects.places
    low_res = _low_res(model, objects.images, tokens[places], mode)
    truth = truth_at(objects.masks[places].flatten(0, 1), low_res.shape[-1]).to(low_res.device)
    keys = [(*key, place) for place in range(len(low_res))]
    points = draw_mask_points(low_res.detach(), weights, keys) if weights.points else None
    return SampleLosses(text, mask_losses(low_res, truth, weights, points=points))


def _low_res(model: Sa2Va, images: Tensor, tokens: Tensor, mode: Mode) -> Tensor:
    """The chosen masks' logits (O * T, R/4, R/4), the frame running fastest."""
    if mode.name == "official":
        return model.grounding.alone(images, tokens).chosen_low_res
    results = model.grounding.remembering(images, tokens, mode.key_frames(len(images)))
    frames: Sequence[Tensor] = [results[frame].steps[-1].chosen_low_res for frame in range(len(images))]
    return torch.stack(frames, dim=1).flatten(0, 1)


def _nothing(model: Sa2Va, states: Tensor) -> MaskLosses:
    """0, by way of every part of the grounding path that training reaches."""
    side = model.grounding.image_size
    blank = torch.zeros((1, 3, side, side), device=states.device)
    none = model.grounding.alone(blank, model.grounding.project(states[0, -1:])).chosen_low_res.sum() * 0
    return MaskLosses(mask=none, dice=none)
