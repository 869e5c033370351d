"""A tiny checkpoint of Spatial-MLLM with a processor, saved as published ones are."""

import json
from pathlib import Path
from typing import Any

import torch  # pyright: ignore[reportMissingImports] - an extra
import transformers  # pyright: ignore[reportMissingImports]

from sightline.models.spatial_mllm.connector import CONNECTORS
from sightline.models.spatial_mllm.model import SpatialMllm
from sightline.models.spatial_mllm.settings import Fusion, SpatialSettings
from sightline.models.spatial_mllm.weights import write_spatial_mllm
from tests.models.huggingface.checkpoints import WEIGHTS_STD, WORDS_STD, save_qwen25
from tests.models.vggt.tiny import SMALL

TEMPLATE = (
    "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif part['type'] == 'video' %}<|vision_start|><|video_pad|><|vision_end|>"
    "{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
PIXELS = 6 * 28 * 28


def save_spatial(folder: Path, *, fusion: Fusion = "mlp_add", seed: int = 0) -> Path:
    """Frames of at most six tokens; weights drawn wide, so that answers depend on the pictures."""
    base = save_qwen25(folder.with_name(f"{folder.name}-base"), seed=seed, min_pixels=28 * 28, max_pixels=PIXELS)
    language: Any = transformers.Qwen2_5_VLForConditionalGeneration.from_pretrained(base)
    config = language.config
    config.vision_config.tokens_per_second = 2
    spatial = SpatialSettings(vggt=SMALL, fusion=fusion)
    torch.manual_seed(seed)
    model = SpatialMllm(config, spatial)
    assert fusion in CONNECTORS
    generator = torch.Generator().manual_seed(seed + 1)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1 and not name.startswith("spatial_encoder."):
                parameter.normal_(0.0, WORDS_STD if "embed_tokens" in name else WEIGHTS_STD, generator=generator)
    write_spatial_mllm(model, folder)
    processor: Any = transformers.AutoProcessor.from_pretrained(base)
    processor.chat_template = TEMPLATE
    processor.save_pretrained(folder)
    (folder / "generation_config.json").write_text(json.dumps({"eos_token_id": processor.tokenizer.eos_token_id}))
    return folder
