"""Which sizes a SAM 2 has: from an original YAML, and for another side of the square input.

An original YAML (`sam2.1_hiera_t.yaml`) names classes under `_target_`; they are never instantiated, only their numbers are read.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from transformers import (
    Sam2HieraDetConfig,
    Sam2VideoConfig,
    Sam2VideoMaskDecoderConfig,
    Sam2VideoPromptEncoderConfig,
    Sam2VisionConfig,
)

from sightline.errors import InputError

STRIDE = 32
MAX_YAML_BYTES = 1_000_000
MEMORY_CHANNELS = 64  # transformers' memory attention has this width fixed


def resized(config: Sam2VideoConfig, image_size: int) -> Sam2VideoConfig:
    """The same network for a square input of another side; all weights stay usable.

    Raises:
        InputError: the side is not a positive multiple of 32.
    """
    if image_size < STRIDE or image_size % STRIDE:
        raise InputError(f"image_size {image_size}: expected a multiple of {STRIDE}, for example 512 or 1024.")
    values = config.to_dict()
    values["image_size"] = image_size
    values["memory_attention_rope_feat_sizes"] = [image_size // 16] * 2
    values["prompt_encoder_config"]["image_size"] = image_size
    values["vision_config"]["backbone_feature_sizes"] = [[image_size // stride] * 2 for stride in (4, 8, 16)]
    values["vision_config"]["backbone_config"]["image_size"] = [image_size] * 2
    return Sam2VideoConfig.from_dict(values)


def config_of_yaml(path: Path) -> Sam2VideoConfig:
    """The configuration that an original YAML describes.

    Raises:
        FileNotFoundError: no such file.
        InputError: no YAML of a SAM 2 model.
    """
    import yaml  # noqa: PLC0415

    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such YAML (model.config_path).")
    if path.stat().st_size > MAX_YAML_BYTES:
        raise InputError(f"{path}: {path.stat().st_size:,} bytes are no SAM 2 configuration.")
    try:
        model = yaml.safe_load(path.read_text(encoding="utf-8"))["model"]
        return config_of_original(model)
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise InputError(f"{path} is no YAML: {error}") from error
    except (KeyError, TypeError) as error:
        raise InputError(f"{path}: no SAM 2 model in it ({error!r}). Expected a file like sam2.1_hiera_t.yaml.") from error


def config_of_original(model: Mapping[str, Any]) -> Sam2VideoConfig:
    """The configuration of the `model` section of an original YAML."""
    trunk, neck = model["image_encoder"]["trunk"], model["image_encoder"]["neck"]
    attention, memory = model["memory_attention"], model["memory_encoder"]
    size, width = model["image_size"], neck["d_model"]
    stages = trunk.get("stages", [2, 3, 16, 3])
    growth = [trunk.get("dim_mul", 2.0) ** stage for stage in range(len(stages))]
    heads = [int(trunk["num_heads"] * trunk.get("head_mul", 2.0) ** stage) for stage in range(len(stages))]
    background = trunk.get("window_pos_embed_bkg_spatial_size", [14, 14])
    vision = Sam2VisionConfig(
        backbone_config=Sam2HieraDetConfig(
            hidden_size=trunk["embed_dim"],
            num_attention_heads=trunk["num_heads"],
            image_size=[size, size],
            window_positional_embedding_background_size=list(background),
            blocks_per_stage=list(stages),
            embed_dim_per_stage=[int(trunk["embed_dim"] * factor) for factor in growth],
            num_attention_heads_per_stage=heads,
            window_size_per_stage=list(trunk.get("window_spec", [8, 4, 14, 7])),
            global_attention_blocks=list(trunk.get("global_att_blocks", [12, 16, 20])),
        ),
        backbone_channel_list=list(neck["backbone_channel_list"]),
        backbone_feature_sizes=[[size // stride] * 2 for stride in (4, 8, 16)],
        fpn_hidden_size=width,
        fpn_top_down_levels=list(neck.get("fpn_top_down_levels", [2, 3])),
    )
    layer = attention["layer"]
    return Sam2VideoConfig(
        vision_config=vision,
        prompt_encoder_config=Sam2VideoPromptEncoderConfig(hidden_size=width, image_size=size),
        mask_decoder_config=Sam2VideoMaskDecoderConfig(hidden_size=width, dynamic_multimask_via_stability=False),
        num_maskmem=model["num_maskmem"],
        image_size=size,
        sigmoid_scale_for_mem_enc=model.get("sigmoid_scale_for_mem_enc", 1.0),
        sigmoid_bias_for_mem_enc=model.get("sigmoid_bias_for_mem_enc", 0.0),
        enable_occlusion_spatial_embedding=bool(model.get("no_obj_embed_spatial", False)),
        enable_temporal_pos_encoding_for_object_pointers=bool(model.get("proj_tpos_enc_in_obj_ptrs", False)),
        max_object_pointers_in_encoder=model.get("max_obj_ptrs_in_encoder", 16),
        max_cond_frame_num=model.get("max_cond_frames_in_attn", -1),
        memory_attention_hidden_size=attention["d_model"],
        memory_attention_num_layers=attention["num_layers"],
        memory_attention_num_attention_heads=layer["self_attention"]["num_heads"],
        memory_attention_downsample_rate=layer["self_attention"].get("downsample_rate", 1),
        memory_attention_feed_forward_hidden_size=layer["dim_feedforward"],
        memory_attention_dropout=layer.get("dropout", 0.1),
        memory_attention_rope_dropout=layer["self_attention"].get("dropout", 0.0),
        memory_attention_rope_feat_sizes=[size // 16] * 2,
        memory_encoder_hidden_size=width,
        memory_encoder_output_channels=memory["out_dim"],
        memory_fuser_num_layers=memory["fuser"]["num_layers"],
    )


def tiny_config(image_size: int = 128) -> Sam2VideoConfig:
    """A network of 1.5 million parameters with every part of the real one, for trying, testing and training on a CPU."""
    width = 128  # the least that transformers' memory attention allows beside its 64 memory channels
    vision = Sam2VisionConfig(
        backbone_config=Sam2HieraDetConfig(
            hidden_size=12,
            num_attention_heads=1,
            image_size=[image_size, image_size],
            window_positional_embedding_background_size=[7, 7],
            blocks_per_stage=[1, 1, 2, 1],
            embed_dim_per_stage=[12, 24, 48, 96],
            num_attention_heads_per_stage=[1, 2, 4, 8],
            window_size_per_stage=[8, 4, 14, 7],  # an odd one before a stage that pools fails at some sizes, 512 among them
            global_attention_blocks=[3],
        ),
        backbone_channel_list=[96, 48, 24, 12],
        backbone_feature_sizes=[[image_size // stride] * 2 for stride in (4, 8, 16)],
        fpn_hidden_size=width,
    )
    return Sam2VideoConfig(
        vision_config=vision,
        prompt_encoder_config=Sam2VideoPromptEncoderConfig(hidden_size=width, image_size=image_size),
        mask_decoder_config=Sam2VideoMaskDecoderConfig(
            hidden_size=width, mlp_dim=64, iou_head_hidden_dim=64, dynamic_multimask_via_stability=False
        ),
        image_size=image_size,
        enable_occlusion_spatial_embedding=True,
        enable_temporal_pos_encoding_for_object_pointers=True,
        memory_attention_hidden_size=width,
        memory_attention_num_layers=2,
        memory_attention_feed_forward_hidden_size=width,
        memory_attention_dropout=0.0,
        memory_attention_rope_dropout=0.0,
        memory_attention_rope_feat_sizes=[image_size // 16] * 2,
        memory_encoder_hidden_size=width,
        memory_encoder_output_channels=MEMORY_CHANNELS,
        mask_downsampler_embed_dim=width,
        memory_fuser_embed_dim=width,
        memory_fuser_num_layers=1,
        memory_fuser_intermediate_dim=4 * width,
    )
