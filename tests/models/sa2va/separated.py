"""A whole tiny Sa2VA taken apart again: what `assemble-sa2va` is given."""

import json
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file

from sightline.demo.tiny_sa2va import END, START, tiny_sam2
from sightline.models.sa2va.internvl import CONTEXT
from sightline.models.sa2va.internvl import END as END_PICTURE
from sightline.models.sa2va.internvl import START as START_PICTURE
from sightline.models.sa2va.names import is_grounding

EMBEDDING, HEAD = "language_model.model.embed_tokens.weight", "language_model.lm_head.weight"


def separate(whole: Path, place: Path) -> tuple[Path, Path]:
    """An InternVL in its authors' layout, whose tokenizer lacks the new tokens, and a small SAM 2.0, from the folder `whole`."""
    mllm = place / "InternVL"
    mllm.mkdir()
    tokenizer = _tokenizer()
    tokenizer.save_pretrained(mllm)
    config = json.loads((whole / "config.json").read_text())
    config |= {"model_type": "internvl_chat", "architectures": ["InternVLChatModel"], "auto_map": {"AutoModel": "x.Y"}}
    config["llm_config"]["vocab_size"] = len(tokenizer)
    for name in ("tiny_sam2_sizes", "tiny_sam2_overridden"):
        del config[name]
    (mllm / "config.json").write_text(json.dumps(config))
    tensors = {name: tensor for name, tensor in load_file(whole / "model.safetensors").items() if not is_grounding(name)}
    tensors |= {name: tensors[name][: len(tokenizer)].clone() for name in (EMBEDDING, HEAD)}
    save_file(tensors, mllm / "model.safetensors", metadata={"format": "pt"})
    return mllm, tiny_sam2(place / "sam2", whole)


def _tokenizer() -> Any:
    """One token a byte, and those of the pictures."""
    from tokenizers import pre_tokenizers  # noqa: PLC0415
    from transformers import Qwen2Tokenizer  # noqa: PLC0415

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Qwen2Tokenizer({letter: place for place, letter in enumerate(letters)}, [], eos_token=END)
    tokenizer.add_tokens([START, CONTEXT, START_PICTURE, END_PICTURE], special_tokens=True)
    return tokenizer
