"""A tiny Qwen2.5-VL and a tiny VGGT in folders laid out as theirs are published: flat config, older names, weights in parts."""

import json
from pathlib import Path
from typing import Any

import torch  # pyright: ignore[reportMissingImports] - an extra
from safetensors.torch import load_file, save_file  # pyright: ignore[reportMissingImports]

from sightline.models.spatial_mllm.names import from_published, to_published
from sightline.models.vggt.config import values_of_config
from sightline.models.vggt.model import Vggt
from tests.models.huggingface.checkpoints import save_qwen25
from tests.models.spatial_mllm.checkpoint import PIXELS, TEMPLATE
from tests.models.vggt.tiny import SMALL

VISION_KEYS = (
    "depth",
    "hidden_act",
    "hidden_size",
    "intermediate_size",
    "num_heads",
    "out_hidden_size",
    "patch_size",
    "spatial_merge_size",
    "window_size",
    "fullatt_block_indexes",
    "temporal_patch_size",
)
TEXT_KEYS = (
    "hidden_act",
    "hidden_size",
    "initializer_range",
    "intermediate_size",
    "max_position_embeddings",
    "num_attention_heads",
    "num_hidden_layers",
    "num_key_value_heads",
    "rms_norm_eps",
    "vocab_size",
    "bos_token_id",
    "eos_token_id",
)


def save_genuine_qwen(folder: Path) -> Path:
    """Two files of weights with an index, `preprocessor_config.json`, `chat_template.json`."""
    base = save_qwen25(folder.with_name(f"{folder.name}-base"), min_pixels=28 * 28, max_pixels=PIXELS)
    folder.mkdir()
    found = json.loads((base / "config.json").read_text())
    text, vision = found["text_config"], found["vision_config"]
    rope = text["rope_parameters"]
    config: dict[str, Any] = {
        "architectures": ["Qwen2_5_VLForConditionalGeneration"],
        "model_type": "qwen2_5_vl",
        "torch_dtype": "float32",
        "tie_word_embeddings": found["tie_word_embeddings"],
        "rope_theta": rope["rope_theta"],
        "rope_scaling": {"type": "mrope", "mrope_section": rope["mrope_section"]},
        "vision_config": {key: vision[key] for key in VISION_KEYS} | {"in_chans": 3, "tokens_per_second": 2},
        **{key: text[key] for key in TEXT_KEYS},
        **{key: value for key, value in found.items() if key.endswith("_token_id")},
    }
    (folder / "config.json").write_text(json.dumps(config))
    images = json.loads((base / "processor_config.json").read_text())["image_processor"]
    size = images.pop("size")
    images |= {"min_pixels": size["shortest_edge"], "max_pixels": size["longest_edge"], "processor_class": "Qwen2_5_VLProcessor"}
    (folder / "preprocessor_config.json").write_text(json.dumps(images))
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": TEMPLATE}))
    for name in ("tokenizer.json", "tokenizer_config.json", "generation_config.json"):
        (folder / name).write_bytes((base / name).read_bytes())
    _save_in_parts(load_file(base / "model.safetensors"), folder)
    return folder


def save_genuine_vggt(folder: Path, *, seed: int = 0) -> Path:
    """All heads, and a tensor of the tracking head, which is left out; the sizes that published ones leave to their code are
    given."""
    torch.manual_seed(seed)
    folder.mkdir()
    tensors = {**Vggt(SMALL).state_dict(), "track_head.tracker.query_ref_token": torch.zeros(2)}
    save_file(tensors, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(values_of_config(SMALL)))
    return folder


def _save_in_parts(tensors: dict[str, Any], folder: Path) -> None:
    older = {_older(name): tensor for name, tensor in tensors.items()}
    names = sorted(older)
    parts = {"model-00001-of-00002.safetensors": names[::2], "model-00002-of-00002.safetensors": names[1::2]}
    for file, own in parts.items():
        save_file({name: older[name] for name in own}, folder / file, {"format": "pt"})
    index = {"metadata": {"total_size": 0}, "weight_map": {name: file for file, own in parts.items() for name in own}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))


def _older(name: str) -> str:
    """As published, whatever names transformers writes now."""
    inner = name if name.startswith(("model.visual.", "model.language_model.", "lm_head.")) else from_published(name)
    return to_published(inner)
