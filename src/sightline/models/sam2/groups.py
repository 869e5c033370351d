"""What the optimiser is told: a learning rate and a weight decay for every trained parameter of a SAM 2.

Source: the fine-tuning configuration of facebookresearch/sam2 (`sam2.1_hiera_b+_MOSE_finetune.yaml`) and its
`layer_decay_param_modifier`. One difference: there, weight decay spares the norms of torch and not the two-dimensional ones of its
own; here it spares all norms.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypedDict

from torch import nn
from transformers import Sam2VideoModel

from sightline.errors import InputError
from sightline.models.sam2.parts import part_of

TRUNK = "vision_encoder.backbone."
BLOCK = re.compile(rf"{re.escape(TRUNK)}blocks\.(\d+)\.")


@dataclass(frozen=True)
class Rates:
    """`encoder_lr` is the rate of the image encoder with its neck, `lr` that of all else. Each trunk layer nearer to the picture
    has `layer_decay` times the rate of the next: the last block once, the patch embedding (blocks + 1) times. The trunk's position
    embeddings have the full `encoder_lr`. Biases and norms have no weight decay."""

    lr: float = 5e-6
    encoder_lr: float = 3e-6
    layer_decay: float = 0.9
    weight_decay: float = 0.1


class ParameterGroup(TypedDict):
    """One entry of what torch's optimisers take. A schedule multiplies `lr`, so that the ratios stay."""

    name: str
    params: list[nn.Parameter]
    lr: float
    weight_decay: float


def parameter_groups(model: Sam2VideoModel, rates: Rates) -> list[ParameterGroup]:
    """Every parameter with a gradient in exactly one group; parameters of one rate and decay share one.

    Raises:
        InputError: a negative rate or decay, a layer decay outside (0, 1], or nothing is trained.
    """
    if min(rates.lr, rates.encoder_lr, rates.weight_decay) < 0 or not 0 < rates.layer_decay <= 1:
        raise InputError(f"{rates}: rates and weight decay must be at least 0, layer_decay above 0 and at most 1.")
    num_blocks = len(model.vision_encoder.backbone.blocks)
    norms = set(_norm_parameters(model))
    groups: dict[tuple[float, float], ParameterGroup] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        encoder = part_of(name) == "image_encoder"
        rate = rates.encoder_lr * rates.layer_decay ** trunk_depth(name, num_blocks) if encoder else rates.lr
        decay = 0.0 if "bias" in name or name in norms else rates.weight_decay
        label = f"{'encoder' if encoder else 'rest'} lr={rate:.3g} decay={decay:g}"
        group = groups.setdefault((rate, decay), ParameterGroup(name=label, params=[], lr=rate, weight_decay=decay))
        group["params"].append(parameter)
    if not groups:
        raise InputError("no parameter of the model is trained: every part is frozen. Leave out at least one.")
    return list(groups.values())


def trunk_depth(name: str, num_blocks: int) -> int:
    """How many times the layer decay applies to the parameter `name`; 0 outside the trunk."""
    if block := BLOCK.match(name):
        return num_blocks - int(block[1])
    return num_blocks + 1 if name.startswith(f"{TRUNK}patch_embed.") else 0


def _norm_parameters(model: nn.Module) -> Iterator[str]:
    for name, module in model.named_modules():
        if isinstance(module, nn.LayerNorm):
            yield from (f"{name}.{own}" for own, _ in module.named_parameters(recurse=False))
