"""The loss of a batch, with the language-model head on supervised tokens alone.

Answers are a few tokens among hundreds of pictures' and prompts', and the head, over the whole vocabulary, is a large part of the
work and the largest tensor. So the hidden states that are to foretell something are picked before the head.

    per token    the mean over the supervised tokens of a step
    per sample   the mean over its samples of the mean over their tokens: a long answer weighs no more than a short one

A step is everything between two updates: the batches of all processes and of gradient accumulation. How many tokens or samples it
has is known from the plan (`units`), so that the loss of a batch is divided by the step's number, not by its own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from sightline.errors import InputError
from sightline.train.vlm.collate import Batch
from sightline.train.vlm.labels import IGNORED
from sightline.train.vlm.pack import Isolation, attention_arguments
from sightline.train.vlm.shared_images import SHARING, EmbedsPictures, encode_pictures

Per = Literal["token", "sample"]


@dataclass(frozen=True)
class Norm:
    """`total` is the number of units (`units`) of the whole step; `pieces` that of its batches, processes times accumulation:
    their gradients are averaged by the trainer, so each batch's loss is multiplied by it."""

    per: Per
    total: int
    pieces: int = 1


def units(num_supervised: Sequence[int], per: Per) -> int:
    """How many units samples with so many supervised tokens each are; those without any are none."""
    return sum(num_supervised) if per == "token" else sum(count > 0 for count in num_supervised)


def hidden_states(model: Any, batch: Batch, isolation: Isolation) -> tuple[Tensor, Tensor]:  # noqa: ANN401
    """The language model's last states (B, L, width), and a scalar 0 that depends on the vision tower (`encode_pictures`).

    `model` is one of transformers' `AutoModelForImageTextToText` on which `pack.isolate` was called with the same `isolation`.
    """
    attention = attention_arguments(batch.sequences, batch.bounds, isolation)
    text: dict[str, Any] = {"input_ids": batch.input_ids, "use_cache": False, **attention}
    if isinstance(model, EmbedsPictures):
        shown = batch.pictures
        embedded, nothing = model.embed_pictures(
            batch.input_ids, shown.tensors, uses=shown.uses, tiles=shown.tiles, depth_tiles=shown.depth_tiles
        )
        text |= {"input_ids": None, "inputs_embeds": embedded, "position_ids": batch.position_ids}
    elif model.config.model_type in SHARING:
        features, nothing = encode_pictures(model, batch.pictures)
        text |= {"mm_encoder_outputs": {"image": features}, "position_ids": batch.position_ids}
    else:
        text |= _repeated(model, batch)
        nothing = torch.zeros((), device=batch.input_ids.device)
    return model.model(**text).last_hidden_state, nothing


def batch_loss(
    model: Any,  # noqa: ANN401
    batch: Batch,
    *,
    norm: Norm,
    isolation: Isolation,
    whole_head: bool = False,
    on_tokens: Callable[[Tensor], None] | None = None,
) -> Tensor:
    """The batch's part of a step's loss, a scalar in float32. A batch without supervised tokens gives 0 with gradients of 0.

    Args:
        whole_head: compute the head for every token, as plain training does; equal, for comparison.
        on_tokens: is given the loss of each supervised token, (n,) in the order of the rows, without gradient.
    """
    states, nothing = hidden_states(model, batch, isolation)
    chosen = batch.targets != IGNORED  # (B, L)
    targets = batch.targets[chosen]
    if whole_head:
        logits = model.lm_head(states)[chosen]
    else:
        picked = states[chosen] if targets.numel() else states[0, :1]
        logits = model.lm_head(picked)
    if not targets.numel():
        return nothing + logits.float().sum() * 0
    each = cross_entropy(logits.float(), targets, reduction="none")
    if on_tokens is not None:
        on_tokens(each.detach())
    if norm.per == "sample":
        each = each * _shares(batch).to(each.device)
    return each.sum() * (norm.pieces / norm.total) + nothing


def _shares(batch: Batch) -> Tensor:
    """For each supervised token one over the number of its sample's, in the order of the rows."""
    return torch.cat([torch.full((count,), 1 / count) for count in batch.num_supervised if count] or [torch.zeros(0)])


def _repeated(model: Any, batch: Batch) -> dict[str, Any]:  # noqa: ANN401
    """Arguments by which the model itself encodes the pictures, and numbers the tokens; they are in the order of their slots."""
    pictures = batch.pictures
    if not pictures.uses.numel():
        return {}
    if pictures.uses.tolist() != list(range(len(pictures.tiles))):
        raise InputError(f"pictures cannot be shared in {model.config.model_type}. Set data.shared_images=false.")
    tensors = {name: tensor.to(model.dtype) if tensor.is_floating_point() else tensor for name, tensor in pictures.tensors.items()}
    return tensors | {"mm_token_type_ids": (batch.input_ids == model.config.image_token_id).int()}
