"""Small models with random weights: two language models, and one video's inputs for each."""

from typing import Any

import numpy as np
import torch  # pyright: ignore[reportMissingImports] - an extra
import transformers  # pyright: ignore[reportMissingImports]

from sightline.models.spatial_mllm.frames import FrameRule, prepare_frames
from sightline.models.spatial_mllm.model import SpatialMllm, SpatialQwen3
from sightline.models.spatial_mllm.settings import Fusion, SpatialSettings
from tests.models.vggt.tiny import SMALL

CLASSES: Any = transformers
IDS: dict[str, Any] = {"image_token_id": 60, "video_token_id": 61, "vision_start_token_id": 62, "vision_end_token_id": 63}
TEXT: dict[str, Any] = {
    "vocab_size": 64,
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "bos_token_id": None,
    "eos_token_id": None,
    "pad_token_id": 0,
}
VISION: dict[str, Any] = {"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 64}
ROPE = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 3, 3]}
NUM_FRAMES, SIZE = 4, (96, 64)


def qwen25_config() -> Any:
    vision = {**VISION, "window_size": 56, "fullatt_block_indexes": [1], "tokens_per_second": 2}
    return CLASSES.Qwen2_5_VLConfig(text_config={**TEXT, "rope_parameters": ROPE}, vision_config=vision, **IDS)


def qwen3_config() -> Any:
    vision = {**VISION, "num_position_embeddings": 16, "deepstack_visual_indexes": [0]}
    rope = {**ROPE, "mrope_section": [4, 2, 2], "mrope_interleaved": True}
    return CLASSES.Qwen3VLConfig(text_config={**TEXT, "head_dim": 16, "rope_parameters": rope}, vision_config=vision, **IDS)


def spatial_model(family: str, fusion: Fusion, *, seed: int = 0) -> Any:
    """`family` is qwen25 or qwen3."""
    torch.manual_seed(seed)
    settings = SpatialSettings(vggt=SMALL, fusion=fusion)
    model = SpatialMllm(qwen25_config(), settings) if family == "qwen25" else SpatialQwen3(qwen3_config(), settings)
    return model.eval()


def video(family: str, *, seed: int = 0) -> dict[str, Any]:
    """One question about a video of random frames; a Qwen3-VL has each step of it between tokens of its own."""
    patch = 14 if family == "qwen25" else 16
    width, height = SIZE
    frames = np.random.default_rng(seed).integers(0, 256, (NUM_FRAMES, height, width, 3), dtype=np.uint8)
    rule = FrameRule(min_pixels=1, max_pixels=width * height, patch_size=patch)
    medium = prepare_frames(list(frames), rule)
    steps, rows, columns = medium.grid_thw
    places = [IDS["video_token_id"]] * (rows * columns // 4)
    start, end = IDS["vision_start_token_id"], IDS["vision_end_token_id"]
    shown = [start, *places * steps, end] if family == "qwen25" else [start, *places, end, 7] * steps
    return {
        "input_ids": torch.tensor([[1, 2, *shown, 3, 4, 5]]),
        "attention_mask": torch.ones(1, len(shown) + 5, dtype=torch.long),
        "pixel_values_videos": torch.from_numpy(medium.patches),
        "video_grid_thw": torch.tensor([medium.grid_thw]),
        "geometry_frames": {"video": [torch.from_numpy(medium.geometry_frames)]},
    }
