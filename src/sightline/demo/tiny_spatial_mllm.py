"""A small Spatial-MLLM with fresh weights: to try the whole way on a CPU, and for tests and measurements.

It has the published layout, a language model 64 wide, and a VGGT of three layers. Its tokenizer has one token for each word and
number that it is made for; other text is read byte by byte. It knows nothing before it is trained.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sightline.demo.tiny_vlm import SPECIAL, phrase_tokenizer
from sightline.files import whole_folder, write_json

WIDTH, LAYERS = 64, 2
CONTEXT = 8192
START, END = "<|im_start|>", "<|im_end|>"
CHAT = (
    "{% for message in messages %}" + START + "{{ message['role'] }}\n{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif part['type'] == 'video' %}<|vision_start|><|video_pad|><|vision_end|>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}" + END + "\n{% endfor %}{% if add_generation_prompt %}" + START + "assistant\n{% endif %}"
)


def tiny_spatial_mllm(
    folder: Path,
    phrases: Iterable[str],
    *,
    fusion: str = "mlp_add",
    max_pixels: int = 112 * 84,
    seed: int = 0,
    vggt: Path | None = None,
) -> Path:
    """Write the checkpoint to `folder`, whole or not at all.

    Args:
        phrases: what the tokenizer has one token for.
        fusion: how geometry is taken in (`models.spatial_mllm.connector`).
        max_pixels: of each frame as the model sees it.
        seed: of the weights.
        vggt: a VGGT whose weights it has (`demo.tiny_vggt`); None: a smaller one with fresh weights.

    Raises:
        FileNotFoundError: no such VGGT.
        InputError: `folder` is there already, or `vggt` is no VGGT.
    """
    import torch  # noqa: PLC0415 # pyright: ignore[reportMissingImports] - an extra
    import transformers  # noqa: PLC0415 # pyright: ignore[reportMissingImports]

    from sightline.models.spatial_mllm.model import SpatialMllm  # noqa: PLC0415
    from sightline.models.spatial_mllm.settings import SpatialSettings  # noqa: PLC0415
    from sightline.models.spatial_mllm.weights import write_parts  # noqa: PLC0415
    from sightline.models.vggt.config import VggtConfig  # noqa: PLC0415
    from sightline.models.vggt.weights import load_vggt  # noqa: PLC0415

    tokenizer = phrase_tokenizer(phrases)
    encoder = None if vggt is None else load_vggt(vggt, heads=()).model
    sizes = VggtConfig(image_size=112, width=32, depth=3, num_heads=2, patch_depth=2, patch_heads=2, head_layers=(0, 1, 1, 2))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        config = transformers.Qwen2_5_VLConfig(**_config(tokenizer))
        model = SpatialMllm(config, SpatialSettings.of(encoder.config if encoder else sizes, fusion))
    if encoder is not None:
        model.spatial_encoder.load_state_dict(encoder.state_dict())
    images = transformers.Qwen2VLImageProcessor(min_pixels=28 * 28, max_pixels=max_pixels)
    processor = transformers.Qwen2_5_VLProcessor(images, tokenizer, transformers.Qwen2VLVideoProcessor(), chat_template=CHAT)
    with whole_folder(folder) as partial:
        write_parts(model, partial)
        processor.save_pretrained(partial)
        write_json(partial / "generation_config.json", {"eos_token_id": tokenizer.eos_token_id})
    return folder


def _config(tokenizer: Any) -> dict[str, Any]:  # noqa: ANN401 - transformers'
    text = {
        "hidden_size": WIDTH,
        "intermediate_size": 2 * WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 3, 3]},
        "vocab_size": len(tokenizer),
        "max_position_embeddings": CONTEXT,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": None,
        "tie_word_embeddings": True,
    }
    vision = {
        "depth": 2,
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_heads": 2,
        "out_hidden_size": WIDTH,
        "window_size": 56,
        "fullatt_block_indexes": [1],
        "tokens_per_second": 2,
    }
    ids = {f"{name}_id": tokenizer.convert_tokens_to_ids(token) for name, token in SPECIAL.items()}
    return {"text_config": text, "vision_config": vision, "tie_word_embeddings": True, **ids}
