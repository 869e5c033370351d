"""Tiny depth networks with random weights, saved as the real ones are: config, safetensors, image processor."""

from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

transformers: Any = import_module("transformers")  # its configurations' type hints do not know all that they take

DINO = {"hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 2, "image_size": 56, "patch_size": 14}
NECK = {"neck_hidden_sizes": [8, 8, 16, 16], "fusion_hidden_size": 8}


def save_depth_anything(folder: Path, *, kind: str = "relative", max_depth: int = 1) -> Path:
    """Depth Anything V2: DINOv2 with patches of 14 pixels, pictures at 56 pixels, sides multiples of 14."""
    backbone = transformers.Dinov2Config(**DINO, out_indices=[1, 2, 3, 4], reshape_hidden_states=False)
    config = transformers.DepthAnythingConfig(
        backbone_config=backbone,
        reassemble_hidden_size=32,
        head_hidden_size=8,
        depth_estimation_type=kind,
        max_depth=max_depth,
        **NECK,
    )
    return _save(folder, transformers.DepthAnythingForDepthEstimation(config), _dpt_processor(56, multiple=14, keep_aspect=True))


def save_metric_depth_anything(folder: Path) -> Path:
    """Depth Anything V2 Metric, outdoors: up to 80 metres."""
    return save_depth_anything(folder, kind="metric", max_depth=80)


def save_dpt(folder: Path) -> Path:
    """DPT of MiDaS: a plain vision transformer at 32 x 32 pixels."""
    vision = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 4, "num_attention_heads": 2}
    config = transformers.DPTConfig(
        **vision, image_size=32, patch_size=16, backbone_out_indices=[0, 1, 2, 3], is_hybrid=False, use_auxiliary_head=False, **NECK
    )
    return _save(folder, transformers.DPTForDepthEstimation(config), _dpt_processor(32))


def save_dpt_dinov2(folder: Path) -> Path:
    """DPT over DINOv2, of which published checkpoints give metres and other ones do not."""
    backbone = transformers.Dinov2Config(**DINO, out_indices=[1, 2, 3, 4], reshape_hidden_states=False)
    config = transformers.DPTConfig(backbone_config=backbone, use_auxiliary_head=False, hidden_size=32, **NECK)
    return _save(folder, transformers.DPTForDepthEstimation(config), _dpt_processor(56))


def save_glpn(folder: Path) -> Path:
    """GLPN, metres: sides are multiples of 32."""
    sizes = {"hidden_sizes": [8, 8, 16, 16], "num_attention_heads": [1, 1, 2, 2], "depths": [1, 1, 1, 1]}
    config = transformers.GLPNConfig(**sizes, decoder_hidden_size=8)
    return _save(folder, transformers.GLPNForDepthEstimation(config), transformers.GLPNImageProcessor())


def save_zoedepth(folder: Path) -> Path:
    """ZoeDepth, metres: BEiT at 32 x 32 pixels; the processor pads pictures by mirroring, and takes the padding off again."""
    vision = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 4, "num_attention_heads": 2}
    backbone = transformers.BeitConfig(
        **vision,
        image_size=32,
        patch_size=8,
        use_relative_position_bias=True,
        reshape_hidden_states=False,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )
    config = transformers.ZoeDepthConfig(
        backbone_config=backbone,
        backbone_hidden_size=32,
        bottleneck_features=8,
        bin_embedding_dim=8,
        num_relative_features=4,
        **NECK,
    )
    processor = transformers.ZoeDepthImageProcessor(size={"height": 32, "width": 32}, ensure_multiple_of=8, keep_aspect_ratio=False)
    return _save(folder, transformers.ZoeDepthForDepthEstimation(config), processor)


def save_depth_pro(folder: Path) -> Path:
    """Depth Pro, metres, with the field of view: DINOv2 at 32 pixels over a pyramid of 64 pixels."""
    vision = {"model_type": "dinov2", "hidden_size": 16, "num_hidden_layers": 4, "num_attention_heads": 2, "patch_size": 8}
    config = transformers.DepthProConfig(
        fusion_hidden_size=16,
        patch_size=32,
        intermediate_hook_ids=[1, 0],
        intermediate_feature_dims=[8, 8],
        scaled_images_ratios=[0.5, 1.0],
        scaled_images_overlap_ratios=[0.0, 0.2],
        scaled_images_feature_dims=[8, 8],
        image_model_config=vision | {"image_size": 32},
        patch_model_config=vision | {"image_size": 32},
        fov_model_config=vision | {"image_size": 32},
    )
    processor = transformers.DepthProImageProcessor(size={"height": 64, "width": 64})
    return _save(folder, transformers.DepthProForDepthEstimation(config), processor)


def save_segmenter(folder: Path) -> Path:
    """A DPT that labels pixels instead."""
    config = transformers.DPTConfig(
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=4,
        num_attention_heads=2,
        image_size=32,
        backbone_out_indices=[0, 1, 2, 3],
        is_hybrid=False,
        **NECK,
    )
    return _save(folder, transformers.DPTForSemanticSegmentation(config), _dpt_processor(32))


SAVERS = {
    "depth_anything": save_depth_anything,
    "depth_anything_metric": save_metric_depth_anything,
    "dpt": save_dpt,
    "dpt_dinov2": save_dpt_dinov2,
    "glpn": save_glpn,
    "zoedepth": save_zoedepth,
    "depth_pro": save_depth_pro,
    "segmenter": save_segmenter,
}


def small_map(folder: Path, rgb: np.ndarray) -> np.ndarray:
    """What the network gives, in the size in which it sees the picture."""
    network = transformers.AutoModelForDepthEstimation.from_pretrained(folder)
    inputs = transformers.AutoImageProcessor.from_pretrained(folder)(Image.fromarray(rgb), return_tensors="pt")
    with torch.inference_mode():
        return network(**inputs).predicted_depth[0].numpy()


def _dpt_processor(side: int, *, multiple: int = 1, keep_aspect: bool = False) -> Any:
    return transformers.DPTImageProcessor(
        size={"height": side, "width": side}, keep_aspect_ratio=keep_aspect, ensure_multiple_of=multiple
    )


def _save(folder: Path, model: Any, processor: Any) -> Path:
    """Weights wider than models are initialised, so that a map depends on its picture; biases that keep the last ReLU open."""
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1:
                parameter.normal_(0.0, 0.15, generator=generator)
            elif name.startswith("head") and name.endswith("bias"):
                parameter.fill_(0.5)
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder
