"""Switches on the blocks of a SAM 2 that transformers does not offer: activation checkpointing and drop path.

Both leave the weights and their names as they are.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint
from transformers import Sam2VideoModel

from sightline.errors import InputError


def checkpoint_blocks(model: Sam2VideoModel, *, memory_attention: bool = False) -> None:
    """Keep only the inputs of each block of the image encoder, and compute the block again for the backward pass.

    Loss and gradients stay the same, also with dropout and drop path, whose draws are repeated. It is the variant without reentry,
    so that it works where a block's input needs no gradient. Does nothing while gradients are off, and nothing a second time.

    Args:
        memory_attention: the layers of the memory attention, too: they take most of what many objects cost.
    """
    layers = [*encoder_blocks(model), *(model.memory_attention.layers if memory_attention else ())]
    for layer in cast(list[nn.Module], layers):
        if not isinstance(layer.forward, _Checkpointed):
            layer.forward = _Checkpointed(layer.forward)


def set_drop_path(model: Sam2VideoModel, rate: float) -> None:
    """Leave out residual branches of the image encoder in training, each for whole pictures at random.

    As in the reference's trainer (Huang et al. 2016): the odds rise linearly from 0 in the first block to `rate` in the last,
    attention and perceptron of a block are drawn for themselves, and what stays is divided by its odds of staying. A block that
    attends in windows drops a picture's windows together. Evaluation mode is untouched; rate 0 switches it off.

    Raises:
        InputError: `rate` is not in [0, 1).
    """
    if not 0 <= rate < 1:
        raise InputError(f"drop_path {rate}: expected a number from 0 to below 1, for example 0.1.")
    blocks = list(encoder_blocks(model))
    for block, own_rate in zip(blocks, torch.linspace(0, rate, len(blocks)).tolist(), strict=True):
        earlier = getattr(block, "residual_drop", None)
        drop = _ResidualDrop() if earlier is None else earlier
        drop.rate = own_rate
        if earlier is None:
            block.residual_drop = drop
            block.layer_norm1.register_forward_hook(drop.count_pictures)
            block.attn.register_forward_hook(drop.thin_out)
            block.mlp.register_forward_hook(drop.thin_out)


def encoder_blocks(model: Sam2VideoModel) -> Iterator[Any]:
    """The blocks of the image encoder's trunk, first to last."""
    return iter(model.vision_encoder.backbone.blocks)


class _Checkpointed:
    """A layer's forward pass whose inner activations are computed again when they are needed."""

    def __init__(self, forward: Callable[..., Tensor]) -> None:
        self.forward = forward

    def __call__(self, *args: Any, **kwargs: Any) -> Tensor:  # noqa: ANN401 - whatever the layer takes
        if not torch.is_grad_enabled():
            return self.forward(*args, **kwargs)
        run = functools.partial(self.forward, **kwargs) if kwargs else self.forward
        return cast(Tensor, checkpoint(run, *args, use_reentrant=False))


class _ResidualDrop:
    """Drop path of one block, as hooks: the first norm sees whole pictures, the attention may see their windows, side by side.

    All hooks run inside the block's own forward pass, so that checkpointing repeats them with the same draws.
    """

    def __init__(self) -> None:
        self.rate = 0.0
        self.pictures = 0

    def count_pictures(self, norm: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:  # noqa: ARG002 - torch's hook
        self.pictures = len(inputs[0])

    def thin_out(self, branch: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor | None:  # noqa: ARG002
        if not branch.training or self.rate == 0:
            return None
        stays = 1 - self.rate
        keep = output.new_empty((self.pictures, 1, 1, 1)).bernoulli_(stays).div_(stays)
        return output * keep.repeat_interleave(len(output) // self.pictures, dim=0)
