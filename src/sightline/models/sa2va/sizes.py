"""Which SAM 2 a Sa2VA checkpoint holds: the large 2.0 one, or the one whose sizes its config.json gives.

Published checkpoints say nothing of it, their code has the sizes fixed. A small model has these keys in its config.json:

    "tiny_sam2_sizes": {"image_size": 128, "hidden": 128, "mem": 64, "embed_dim": 12, "heads": 1, "stages": [1, 1, 2, 1],
                        "global_att": [3], "windows": [8, 4, 7, 7], "ffn": 128, "mem_layers": 2, "fuser_layers": 1},
    "tiny_sam2_overridden": {"mask_decoder_iou_head_hidden_dim": 64, "two_way_transformer_mlp_dim": 64}
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, cast

import msgspec
from transformers import Sam2VideoConfig

from sightline.errors import InputError
from sightline.models.sam2.architecture import MEMORY_CHANNELS, config_of_original

SIZES, DECODER = "tiny_sam2_sizes", "tiny_sam2_overridden"


class Sam2Sizes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """SAM 2.0 large by default. `hidden` is the neck's width, `windows` and `stages` go by stage; `ffn` is for memory attention."""

    image_size: int = 1024
    hidden: int = 256
    mem: int = MEMORY_CHANNELS
    embed_dim: int = 144
    heads: int = 2
    stages: tuple[int, ...] = (2, 6, 36, 4)
    global_att: tuple[int, ...] = (23, 33, 43)
    windows: tuple[int, ...] = (8, 4, 16, 8)
    ffn: int = 2048
    mem_layers: int = 4
    fuser_layers: int = 2


class DecoderSizes(msgspec.Struct, frozen=True):
    """The mask decoder's widths; other keys are notes."""

    mask_decoder_iou_head_hidden_dim: int = 256
    two_way_transformer_mlp_dim: int = 2048


def sam2_config(config: Mapping[str, Any], *, where: Path | str) -> Sam2VideoConfig:
    """The SAM 2 of the checkpoint with this config.json.

    Raises:
        InputError: sizes that are none, or a memory width that is not 64.
    """
    try:
        sizes = msgspec.convert(config.get(SIZES, {}), Sam2Sizes)
        decoder = msgspec.convert(config.get(DECODER, {}), DecoderSizes)
    except msgspec.ValidationError as error:
        raise InputError(f"{where}: {SIZES} or {DECODER} cannot be read ({error}). Restore the config.json.") from error
    if sizes.mem != MEMORY_CHANNELS:
        raise InputError(f"{where}: {SIZES} has memories {sizes.mem} wide; expected {MEMORY_CHANNELS}.")
    values = config_of_original(_original(sizes)).to_dict()
    values["mask_decoder_config"] |= {
        "iou_head_hidden_dim": decoder.mask_decoder_iou_head_hidden_dim,
        "mlp_dim": decoder.two_way_transformer_mlp_dim,
    }
    values |= {"mask_downsampler_embed_dim": sizes.hidden, "memory_fuser_embed_dim": sizes.hidden}
    values["memory_fuser_intermediate_dim"] = 4 * sizes.hidden
    return Sam2VideoConfig.from_dict(values)


def sizes_of(config: Sam2VideoConfig) -> dict[str, Any]:
    """What a config.json says of this SAM 2; nothing where it is the large 2.0 one. The inverse of `sam2_config`."""
    vision: Any = config.vision_config
    backbone, masks = vision.backbone_config, cast(Any, config.mask_decoder_config)
    sizes = Sam2Sizes(
        image_size=cast(int, config.image_size),
        hidden=vision.fpn_hidden_size,
        mem=config.memory_encoder_output_channels,
        embed_dim=backbone.hidden_size,
        heads=backbone.num_attention_heads,
        stages=tuple(backbone.blocks_per_stage),
        global_att=tuple(backbone.global_attention_blocks),
        windows=tuple(backbone.window_size_per_stage),
        ffn=config.memory_attention_feed_forward_hidden_size,
        mem_layers=config.memory_attention_num_layers,
        fuser_layers=config.memory_fuser_num_layers,
    )
    decoder = DecoderSizes(masks.iou_head_hidden_dim, masks.mlp_dim)
    found = {SIZES: sizes, DECODER: decoder}
    return {key: msgspec.json.decode(msgspec.json.encode(value)) for key, value in found.items() if value != type(value)()}


def _original(sizes: Sam2Sizes) -> dict[str, Any]:
    """As the `model` section of facebookresearch/sam2's `sam2_hiera_l.yaml` has it."""
    attention = {"num_heads": 1, "downsample_rate": 1, "dropout": 0.1}
    return {
        "image_encoder": {
            "trunk": {
                "embed_dim": sizes.embed_dim,
                "num_heads": sizes.heads,
                "stages": list(sizes.stages),
                "global_att_blocks": list(sizes.global_att),
                "window_pos_embed_bkg_spatial_size": [7, 7],
                "window_spec": list(sizes.windows),
            },
            "neck": {"d_model": sizes.hidden, "backbone_channel_list": [sizes.embed_dim * 2**stage for stage in (3, 2, 1, 0)]},
        },
        "memory_attention": {
            "d_model": sizes.hidden,
            "num_layers": sizes.mem_layers,
            "layer": {"dim_feedforward": sizes.ffn, "dropout": 0.1, "self_attention": attention, "cross_attention": attention},
        },
        "memory_encoder": {"out_dim": sizes.mem, "fuser": {"num_layers": sizes.fuser_layers}},
        "num_maskmem": 7,
        "image_size": sizes.image_size,
        "sigmoid_scale_for_mem_enc": 20.0,
        "sigmoid_bias_for_mem_enc": -10.0,
    }
