"""LoRA on chosen parts of a SAM 2: small trained matrices beside frozen linear layers, and plain weights again for export.

Source: Hu et al. 2022, by `peft`, which puts the matrices into the model in place.
"""

import copy
from collections.abc import Collection
from typing import Any

from torch import nn
from transformers import Sam2VideoModel

from sightline.errors import InputError
from sightline.models.sam2.parts import PARTS, check_parts

ADAPTER = "default"


def add_lora(model: Sam2VideoModel, parts: Collection[str], *, rank: int = 8, alpha: float = 16.0, dropout: float = 0.0) -> int:
    """Put LoRA beside every linear layer of `parts`, in place; returns how many layers got it.

    Everything else in those parts is frozen; other parts stay as they were, trained or frozen. At the start the model computes what
    it computed before.

    Args:
        rank: the inner width of the added matrices, at least 1.
        alpha: the added product is multiplied by alpha / rank.
        dropout: on the added branch's input, 0 to below 1.

    Raises:
        InputError: peft is not installed, an unknown part or one without linear layers, a bad rank, or LoRA is there already.
    """
    check_parts(parts)
    if rank < 1 or not 0 <= dropout < 1:
        raise InputError(f"LoRA of rank {rank} with dropout {dropout}: expected a rank of at least 1 and 0 <= dropout < 1.")
    if any(".lora_A." in name for name, _ in model.named_parameters()):
        raise InputError("the model has LoRA already: merge it first, or name all parts at once.")
    targets = [name for part in parts for name in _linear_layers(model, part)]
    peft = _peft()
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    starts = tuple(start for part in parts for start in PARTS[part])
    config = peft.LoraConfig(r=rank, lora_alpha=alpha, lora_dropout=dropout, target_modules=targets, bias="none")
    peft.inject_adapter_in_model(config, model, adapter_name=ADAPTER)
    for name, parameter in model.named_parameters():
        if not name.startswith(starts):  # peft freezes the whole model
            parameter.requires_grad_(name in trained)
    return len(targets)


def merged(model: Sam2VideoModel) -> Sam2VideoModel:
    """A copy with every LoRA added to its layer's weights, under the usual names: what is exported and evaluated.

    `model` itself stays as it is. Without LoRA it is a plain copy.
    """
    plain = copy.deepcopy(model)
    for name, layer in list(plain.named_modules()):
        if hasattr(layer, "lora_A"):
            found: Any = layer
            found.merge(safe_merge=True)
            owner, _, last = name.rpartition(".")
            setattr(plain.get_submodule(owner), last, found.get_base_layer())
    return plain


def _linear_layers(model: Sam2VideoModel, part: str) -> list[str]:
    names = [name for name, layer in model.named_modules() if name.startswith(PARTS[part]) and isinstance(layer, nn.Linear)]
    if not names:
        raise InputError(f"LoRA on {part!r}: the part has no linear layer. Train it whole, or leave it out.")
    return names


def _peft() -> Any:  # noqa: ANN401 - a module without usable types
    try:
        import peft  # noqa: PLC0415
    except ImportError as error:
        raise InputError(f"LoRA needs the package peft ({error}): pip install 'sightline[models]'.") from error
    return peft
