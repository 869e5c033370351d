"""The `config.json` files of the published layout, as the original code (transformers 4.49) reads them."""

from typing import Any

from sightline.models.roborefer.configuration import RoboReferConfig
from sightline.models.roborefer.layout import PUBLISHED_TYPE
from sightline.models.roborefer.names import PartName

_LANGUAGE_MODEL = (
    "attention_dropout",
    "bos_token_id",
    "eos_token_id",
    "hidden_act",
    "hidden_size",
    "initializer_range",
    "intermediate_size",
    "max_position_embeddings",
    "max_window_layers",
    "num_attention_heads",
    "num_hidden_layers",
    "num_key_value_heads",
    "rms_norm_eps",
    "sliding_window",
    "tie_word_embeddings",
    "use_cache",
    "use_sliding_window",
    "vocab_size",
)
_TOWER = (
    "attention_dropout",
    "hidden_act",
    "hidden_size",
    "image_size",
    "intermediate_size",
    "layer_norm_eps",
    "num_attention_heads",
    "num_channels",
    "num_hidden_layers",
    "patch_size",
    "vision_use_head",
)


def part_configs(config: RoboReferConfig, dtype: str) -> dict[PartName, dict[str, Any]]:
    """The `config.json` of each part that the model has."""
    text: Any = config.text_config
    rope: dict[str, Any] = text.rope_parameters
    # the original reads these two; current transformers has one record for both
    spelt = {"rope_theta": rope["rope_theta"], "rope_scaling": None if rope["rope_type"] == "default" else rope}
    found: dict[PartName, dict[str, Any]] = {
        "llm": {
            "architectures": ["Qwen2ForCausalLM"],
            "model_type": "qwen2",
            "torch_dtype": dtype,
            **_fields(text, _LANGUAGE_MODEL),
            **spelt,
        },
        "vision_tower": _tower(config.vision_config, dtype),
        "mm_projector": _projector(config.mm_projector_type, dtype),
    }
    if config.depth_config is not None:
        found["depth_tower"] = _tower(config.depth_config, dtype)
    if config.depth_projector_type is not None:
        found["depth_projector"] = _projector(config.depth_projector_type, dtype)
    return found


def top_config(config: RoboReferConfig, parts: dict[PartName, dict[str, Any]]) -> dict[str, Any]:
    """The top `config.json`: what the checkpoint had beside what is read here, and a copy of each part's."""
    text: Any = config.text_config
    vision: Any = config.vision_config
    basic = {"_target_": "llava.model.encoders.BasicImageEncoder"}
    return {
        "architectures": ["LlavaLlamaModel"],
        "hidden_size": text.hidden_size,
        "mm_hidden_size": vision.hidden_size,
        "image_encoder": basic,
        "depth_encoder": basic,
        "video_encoder": {"_target_": "llava.model.encoders.BasicVideoEncoder"},
        **(config.published or {}),
        "model_type": PUBLISHED_TYPE,
        "image_aspect_ratio": config.image_mode,
        "min_tiles": config.min_tiles,
        "max_tiles": config.max_tiles,
        "mm_vision_select_feature": "cls_patch",
        "mm_vision_select_layer": config.feature_layer,
        "dynamic_s2": config.image_mode == "dynamic_s2",
        "s2_scales": ",".join(map(str, config.scales)),
        "s2_resize_output_to_scale_idx": config.scale_index,
        "enable_depth": config.depth_projector_type is not None,
        "use_depth_tower": config.depth_config is not None,
        **{f"{part}_cfg": part_config for part, part_config in parts.items()},
    }


def _tower(config: Any, dtype: str) -> dict[str, Any]:  # noqa: ANN401 - transformers'
    kind = {"architectures": ["SiglipVisionModel"], "model_type": "siglip_vision_model", "torch_dtype": dtype}
    return {**kind, **_fields(config, _TOWER)}


def _projector(kind: str, dtype: str) -> dict[str, Any]:
    return {
        "architectures": ["MultimodalProjector"],
        "mm_projector_type": kind,
        "model_type": "v2l_projector",
        "torch_dtype": dtype,
    }


def _fields(config: Any, names: tuple[str, ...]) -> dict[str, Any]:  # noqa: ANN401
    return {name: getattr(config, name) for name in names}
