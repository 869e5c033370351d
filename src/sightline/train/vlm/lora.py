"""LoRA in a vision-language model: small trained matrices beside frozen linear layers, and plain weights again for export.

Source: Hu et al. 2022, by `peft`, which puts the matrices into the model in place: names of parameters get `lora_A` and `lora_B`,
and those of the layers beside them `base_layer`.
"""

import copy
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import nn

from sightline.errors import InputError

ADAPTER = "default"


@dataclass(frozen=True)
class Lora:
    """Args:
        rank: the inner width of the added matrices, at least 1.
        alpha: the added product is multiplied by alpha / rank.
        dropout: on the added branch's input, 0 to below 1.

    Raises:
        InputError: a number out of its range.
    """

    rank: int = 16
    alpha: float = 32.0
    dropout: float = 0.0

    def __post_init__(self) -> None:
        if self.rank < 1 or self.alpha <= 0 or not 0 <= self.dropout < 1:
            raise InputError(f"{self}: expected a rank of at least 1, an alpha above 0, and 0 <= dropout < 1.")


def is_adapter(name: str) -> bool:
    """Whether a module or parameter of this name is LoRA's own."""
    return ".lora_" in name


def add_lora(model: nn.Module, targets: Sequence[str], lora: Lora) -> None:
    """Put LoRA beside the linear layers of these names, in place; at the start the model computes what it computed before.

    Whether other parameters are trained stays as it was.

    Raises:
        InputError: no such layers, LoRA is there already, or peft is not installed.
    """
    if not targets:
        raise InputError("LoRA on a part without linear layers: nothing to put it beside. Train the part whole, or freeze it.")
    if any(is_adapter(name) for name, _ in model.named_parameters()):
        raise InputError("the model has LoRA already: merge it first, or name all parts at once.")
    try:
        import peft  # noqa: PLC0415 - takes seconds
    except ImportError as error:
        raise InputError(f"LoRA needs the package peft ({error}): pip install 'sightline[models]'.") from error
    trained = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    config = peft.LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,  # pyright: ignore[reportArgumentType] - a number, though declared int
        lora_dropout=lora.dropout,
        target_modules=list(targets),
        bias="none",
    )
    peft.inject_adapter_in_model(config, model, adapter_name=ADAPTER)
    for name, parameter in model.named_parameters():
        if not is_adapter(name) and name in trained:  # peft freezes the whole model
            parameter.requires_grad_(True)


def merged(model: Any) -> Any:  # noqa: ANN401 - any of transformers' models
    """A copy with every LoRA added to its layer's weights, under the usual names: what is exported and evaluated.

    `model` itself stays as it is. Without LoRA it is a plain copy.
    """
    plain = copy.deepcopy(model)
    for name, layer in list(plain.named_modules()):
        if hasattr(layer, "lora_A"):
            layer.merge(safe_merge=True)
            owner, _, last = name.rpartition(".")
            setattr(plain.get_submodule(owner), last, layer.get_base_layer())
    return plain
