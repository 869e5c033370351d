"""Small SAM 2 models."""

import copy
from typing import Any

from transformers import Sam2VideoConfig


def config_of(values: dict[str, Any]) -> Sam2VideoConfig:
    """A configuration from plain values, whose vision parts do not name their own types."""
    values = copy.deepcopy(values)
    values["vision_config"]["model_type"] = "sam2_vision_model"
    values["vision_config"]["backbone_config"]["model_type"] = "sam2_hiera_det_model"
    return Sam2VideoConfig(**values)


def original_yaml(*, image_size: int = 1024) -> dict[str, Any]:
    """The numbers of the published `sam2.1_hiera_t.yaml`, without the names of its classes."""
    attention = {"num_heads": 1, "downsample_rate": 1, "dropout": 0.1}
    return {
        "model": {
            "image_encoder": {
                "trunk": {
                    "embed_dim": 96,
                    "num_heads": 1,
                    "stages": [1, 2, 7, 2],
                    "global_att_blocks": [5, 7, 9],
                    "window_pos_embed_bkg_spatial_size": [7, 7],
                },
                "neck": {"d_model": 256, "backbone_channel_list": [768, 384, 192, 96], "fpn_top_down_levels": [2, 3]},
            },
            "memory_attention": {
                "d_model": 256,
                "num_layers": 4,
                "layer": {
                    "dim_feedforward": 2048,
                    "dropout": 0.1,
                    "self_attention": {**attention, "embedding_dim": 256},
                    "cross_attention": {**attention, "embedding_dim": 256, "kv_in_dim": 64},
                },
            },
            "memory_encoder": {"out_dim": 64, "fuser": {"num_layers": 2}},
            "num_maskmem": 7,
            "image_size": image_size,
            "sigmoid_scale_for_mem_enc": 20.0,
            "sigmoid_bias_for_mem_enc": -10.0,
            "no_obj_embed_spatial": True,
            "proj_tpos_enc_in_obj_ptrs": True,
            "max_obj_ptrs_in_encoder": 16,
        }
    }
