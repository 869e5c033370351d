"""The model of a run: a checkpoint's weights, what of them is trained, and how packed samples are kept apart."""

from pathlib import Path
from typing import Any

import torch

from sightline.models.architectures import open_for_training
from sightline.train.vlm.pack import Isolation, choose_isolation, isolate
from sightline.train.vlm.parts import checkpoint_gradients, four_bits, set_parts
from sightline.train.vlm.settings import VlmSettings


def load_model(folder: Path, settings: VlmSettings) -> Any:  # noqa: ANN401 - any of transformers' models
    """The checkpoint's model on the CPU, in float32, or bfloat16 where `trainer.precision` is bf16-true, with its parts set.

    What the new matrices of LoRA are drawn from follows from the seed.

    Raises:
        InputError: weights are missing, or the parts cannot be set so.
    """
    checkpoint = open_for_training(folder, settings.model.options, settings.view)
    model = checkpoint.load(
        dtype=torch.bfloat16 if settings.trainer.precision == "bf16-true" else torch.float32,
        quantization=four_bits() if settings.model.four_bits else None,
    )
    with torch.random.fork_rng():
        torch.manual_seed(settings.seed)
        set_parts(model, settings.model.parts.named(), lora=settings.model.lora, unused=checkpoint.unused)
    if settings.model.checkpointing:
        checkpoint_gradients(model)
    isolate(model, chosen_isolation(settings))
    return model


def chosen_isolation(settings: VlmSettings) -> Isolation:
    """How samples of a row are kept apart: not at all where a row is one sample."""
    data = settings.data
    if data.batching != "packed":
        return "none"
    if data.attention != "auto":
        return data.attention
    on_gpu = settings.trainer.accelerator != "cpu" and torch.cuda.is_available()
    best = choose_isolation(torch.device("cuda" if on_gpu else "cpu"))
    return "flex" if best == "flash" and data.pack_by == "prefix" else best  # flash-attn cannot share a beginning
