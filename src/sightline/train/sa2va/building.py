"""The model of a run, from its settings: weights, what of them is trained and at which rates, and plain weights again.

The language model's parts are those of `train.vlm.parts`, the grounding path's the projection and SAM 2's (`models.sam2.parts`).
Published training has LoRA on the language model, and trains its embeddings and head, the projection and the mask decoder.
"""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from sightline.errors import InputError
from sightline.models.named_weights import fill
from sightline.models.sa2va.checkpoint import load_sa2va
from sightline.models.sa2va.network import Sa2Va
from sightline.models.sam2.parts import UNUSED, named_parameters
from sightline.models.sam2.weights import load_sam2
from sightline.train.sa2va.settings import ModelSettings, RateSettings
from sightline.train.vlm.lora import is_adapter, merged
from sightline.train.vlm.parts import ParameterGroup, checkpoint_gradients, parameter_groups, part_table, set_parts


@dataclass(frozen=True)
class Row:
    """A line of the table of what is trained: tensors and numbers of a part, and how many of the latter have gradients."""

    name: str
    how: str
    lr: float
    num_tensors: int
    num_parameters: int
    num_trained: int


def build_model(settings: ModelSettings, *, seed: int) -> Sa2Va:
    """The model as training starts with it, on the CPU; the same for the same settings and seed.

    Raises:
        FileNotFoundError, InputError: the checkpoint cannot be used, its SAM 2 is not that of `sam2_path`, or nothing is left to
            train.
    """
    model = load_sa2va(Path(settings.path), dtype=getattr(torch, settings.dtype))
    if settings.grounding.sam2_path is not None:
        start = Path(settings.grounding.sam2_path)
        fill(model.grounding.clip.model, load_sam2(start).state_dict(), where=f"model.grounding.sam2_path {start}")
    model.requires_grad_(False)
    parts = settings.parts.named()
    if any(part.how != "frozen" for part in parts.values()):
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            set_parts(model.language, parts, lora=settings.lora)
    if settings.embeddings:
        model.language.get_input_embeddings().weight.requires_grad_(True)
    model.grounding.text_hidden_fcs.requires_grad_(settings.grounding.projection)
    for name, parameter in named_parameters(model.grounding.clip.model, settings.grounding.sam2):
        parameter.requires_grad_(name != UNUSED)
    if not any(parameter.requires_grad for parameter in model.parameters()):
        raise InputError("model: all parts are frozen, and nothing is left to train. Leave out at least one.")
    for parameter in model.parameters():
        if parameter.requires_grad:  # small updates vanish in bfloat16
            parameter.data = parameter.data.float()
    if settings.checkpointing:
        checkpoint_gradients(model.language)
    return model


def groups_of(model: Sa2Va, settings: ModelSettings, rates: RateSettings) -> list[ParameterGroup]:
    """Every parameter with a gradient in exactly one group, by part, and whether weight decay is for it (matrices alone)."""
    groups = parameter_groups(model.language, settings.parts.named(), lr=rates.lr, weight_decay=rates.weight_decay)
    for name, module, lr in _grounding_parts(model, settings, rates):
        matrices, others = [], []
        for parameter in module:
            if parameter.requires_grad:
                (matrices if parameter.ndim > 1 else others).append(parameter)
        for own, decay in ((matrices, rates.weight_decay), (others, 0.0)):
            if own:
                label = f"{name} {'matrices' if own is matrices else 'others'}"
                groups.append(ParameterGroup(name=label, params=own, lr=lr, weight_decay=decay))
    return groups


def rows_of(model: Sa2Va, settings: ModelSettings, rates: RateSettings) -> list[dict[str, Any]]:
    """What is trained of each part, as plain values."""
    rows = [asdict(row) for row in part_table(model.language, settings.parts.named(), lr=rates.lr)]
    for name, module, lr in _grounding_parts(model, settings, rates):
        parameters = list(module)
        trained = sum(each.numel() for each in parameters if each.requires_grad)
        total = sum(each.numel() for each in parameters)
        rows.append(asdict(Row(name, "full" if trained else "frozen", lr, len(parameters), total, trained)))
    return rows


def hush_frozen(model: Sa2Va, settings: ModelSettings) -> None:
    """Parts of SAM 2 that are not trained compute as in inference: without dropout."""
    clip = model.grounding.clip.model
    if "memory_attention" not in settings.grounding.sam2:
        clip.memory_attention.eval()
    if "image_encoder" not in settings.grounding.sam2:
        clip.vision_encoder.eval()


def plain_model(model: Sa2Va, *, dtype: torch.dtype) -> Sa2Va:
    """The model as it is evaluated and exported: LoRA in the weights of the language model, these in `dtype`. The grounding path is
    shared with `model`, which stays as it is."""
    has_lora = any(is_adapter(name) for name, _ in model.language.named_parameters())
    mixed = any(parameter.dtype != dtype for parameter in model.language.parameters())
    if not has_lora and not mixed:
        return model
    return Sa2Va(merged(model.language).to(dtype), model.grounding, model.family, model.tokenizer)


def _grounding_parts(
    model: Sa2Va, settings: ModelSettings, rates: RateSettings
) -> Iterator[tuple[str, Iterator[nn.Parameter], float]]:
    own = settings.grounding
    lr = rates.lr if own.projection_lr is None else own.projection_lr
    yield "projection", model.grounding.text_hidden_fcs.parameters(), lr
    lr = rates.lr if own.sam2_lr is None else own.sam2_lr
    yield "sam2", model.grounding.clip.model.parameters(), lr
