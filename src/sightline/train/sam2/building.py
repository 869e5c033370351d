"""The model of a run, from its settings: weights, what is trained of them, and how long its memory is."""

from pathlib import Path

import torch
from torch import nn
from transformers import Sam2VideoConfig, Sam2VideoModel

from sightline.errors import InputError
from sightline.models.sam2.architecture import config_of_yaml, resized, tiny_config
from sightline.models.sam2.blocks import checkpoint_blocks, set_drop_path
from sightline.models.sam2.lora import add_lora
from sightline.models.sam2.parts import freeze, fresh_model, reset
from sightline.models.sam2.weights import load_sam2
from sightline.train.sam2.settings import ModelSettings


def build_model(settings: ModelSettings, *, seed: int) -> Sam2VideoModel:
    """The model as training starts with it, in float32 on the CPU; the same for the same settings and seed.

    Raises:
        FileNotFoundError: a checkpoint or YAML is not there.
        InputError: a checkpoint that is no SAM 2 or does not fit its YAML, or nothing is left to train.
    """
    model = _weights(settings, seed)
    if settings.num_maskmem is not None:
        shorten_memory(model, settings.num_maskmem)
    if settings.max_pointers is not None:
        model.config.max_object_pointers_in_encoder = settings.max_pointers
    reset(model, settings.reset, seed)
    freeze(model, settings.freeze)
    if settings.lora.parts:
        chosen = settings.lora
        add_lora(model, chosen.parts, rank=chosen.rank, alpha=chosen.alpha, dropout=chosen.dropout)
    if "image_encoder" not in settings.freeze:
        set_drop_path(model, settings.drop_path)
    if settings.checkpoint_blocks:
        checkpoint_blocks(model, memory_attention=settings.checkpoint_memory_attention)
    return model


def shorten_memory(model: Sam2VideoModel, num_maskmem: int) -> None:
    """Let the memory hold `num_maskmem` frames, in place. The learnt places in time of the frames nearest by stay, and that of
    prompted frames, so that the weights fit a configuration with this number.

    Raises:
        InputError: more frames than the model has learnt places for.
    """
    learnt = model.memory_temporal_positional_encoding
    if num_maskmem > len(learnt):
        raise InputError(
            f"model.num_maskmem {num_maskmem}: the checkpoint has learnt {len(learnt)} places in time; give at most that."
        )
    kept = torch.cat([learnt.detach()[: num_maskmem - 1], learnt.detach()[-1:]])  # the last one is that of prompted frames
    model.memory_temporal_positional_encoding = nn.Parameter(kept.clone(), requires_grad=learnt.requires_grad)
    model.num_maskmem = model.config.num_maskmem = num_maskmem


def _weights(settings: ModelSettings, seed: int) -> Sam2VideoModel:
    yaml = None if settings.config_path is None else Path(settings.config_path)
    if settings.checkpoint_path is not None:
        return load_sam2(Path(settings.checkpoint_path), config=yaml, image_size=settings.image_size)
    return fresh_model(_fresh_config(settings, yaml), seed)


def _fresh_config(settings: ModelSettings, yaml: Path | None) -> Sam2VideoConfig:
    if settings.fresh == "tiny":
        return resized(tiny_config(), settings.image_size)
    assert yaml is not None, "settings refuse fresh=config without a YAML"
    return resized(config_of_yaml(yaml), settings.image_size)
