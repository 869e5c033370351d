"""A small Sa2VA of the InternVL kind with fresh weights: something to train from scratch on a CPU.

A folder under the published names, which `sa2va:FOLDER` and `sightline train sa2va` take: a language model of two layers, a tower
that makes 4 tokens of a frame, and a SAM 2.0 of 1.5 million parameters with a side of 64. It knows nothing before it is trained.
Its tokenizer has one token for each word that it is made for; other text is read byte by byte.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sightline.files import whole_folder, write_whole

START, END = "<|im_start|>", "<|im_end|>"
PHRASES = (f"{START}user\n", f"{START}assistant\n", "<image>\n", "Please segment", "Sure,", "It is", "\n", ".")
WIDTH, LAYERS, HEADS = 96, 2, 4
DEVIATION = 0.1  # about WIDTH ** -0.5: with the usual 0.02 the states of so narrow a model hardly depend on the words before them
SIDE, PATCH = 64, 16
CONTEXT = 1024
SAM2_SIZES = {
    "image_size": 64,
    "hidden": 128,
    "mem": 64,
    "embed_dim": 12,
    "heads": 1,
    "stages": [1, 1, 2, 1],
    "global_att": [3],
    "windows": [8, 4, 14, 7],
    "ffn": 128,
    "mem_layers": 2,
    "fuser_layers": 1,
}
DECODER_SIZES = {"mask_decoder_iou_head_hidden_dim": 64, "two_way_transformer_mlp_dim": 64}


def tiny_sa2va(folder: Path, words: Iterable[str], *, seed: int = 0) -> Path:
    """Write the checkpoint to `folder`, whole or not at all.

    Args:
        words: what the tokenizer has one token for, each as it stands in a text with the space before it or without.
        seed: of the weights.

    Raises:
        InputError: `folder` is there already.
    """
    import torch  # noqa: PLC0415 # pyright: ignore[reportMissingImports] - an extra

    from sightline.models.sa2va.checkpoint import published_state  # noqa: PLC0415
    from sightline.models.sa2va.grounding import Grounding  # noqa: PLC0415
    from sightline.models.sa2va.internvl import InternVl  # noqa: PLC0415
    from sightline.models.sa2va.network import Sa2Va  # noqa: PLC0415
    from sightline.models.sa2va.sizes import sam2_config  # noqa: PLC0415
    from sightline.models.sam2.parts import fresh_model  # noqa: PLC0415

    tokenizer = _tokenizer(words)
    config = _config(tokenizer)
    family = InternVl(config, tokenizer, where=str(folder))
    sam2 = sam2_config(config, where=folder)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        language = family.network(torch.float32, tied=False)
        grounding = Grounding(sam2, WIDTH)
    grounding.clip.model.load_state_dict(fresh_model(sam2, seed).state_dict())
    with whole_folder(folder) as partial:
        _save(partial, config, tokenizer, published_state(Sa2Va(language, grounding, family, tokenizer)))
    return folder


def words_of(texts: Iterable[str]) -> list[str]:
    """The words of texts, each once."""
    return sorted({word for text in texts for word in re.findall(r"\w+", text)})


def _save(folder: Path, config: dict[str, Any], tokenizer: Any, state: dict[str, Any]) -> None:  # noqa: ANN401 - transformers'
    from safetensors.torch import save_file  # noqa: PLC0415 # pyright: ignore[reportMissingImports]

    tokenizer.save_pretrained(folder)
    write_whole(folder / "config.json", json.dumps(config, indent=1).encode())
    tensors = {name: tensor.detach().contiguous() for name, tensor in state.items()}
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def _config(tokenizer: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "model_type": "sa2va_chat",
        "architectures": ["Sa2VAChatModel"],
        "template": "qwen_chat",
        "force_image_size": SIDE,
        "downsample_ratio": 0.5,
        "select_layer": -1,
        "ps_version": "v2",
        "dynamic_image_size": False,
        "use_thumbnail": False,
        "max_dynamic_patch": 1,
        "tie_word_embeddings": False,
        "torch_dtype": "float32",
        "vision_config": {
            "model_type": "intern_vit_6b",
            "hidden_size": 64,
            "intermediate_size": 128,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "image_size": SIDE,
            "patch_size": PATCH,
        },
        "llm_config": {
            "model_type": "qwen2",
            "vocab_size": len(tokenizer),
            "hidden_size": WIDTH,
            "intermediate_size": 2 * WIDTH,
            "initializer_range": DEVIATION,
            "num_hidden_layers": LAYERS,
            "num_attention_heads": HEADS,
            "num_key_value_heads": HEADS,
            "max_position_embeddings": CONTEXT,
            "rope_theta": 10000.0,
            "eos_token_id": tokenizer.eos_token_id,
            "bos_token_id": None,
        },
        "tiny_sam2_sizes": SAM2_SIZES,
        "tiny_sam2_overridden": DECODER_SIZES,
    }


def _tokenizer(words: Iterable[str]) -> Any:  # noqa: ANN401
    from tokenizers import pre_tokenizers  # noqa: PLC0415 # pyright: ignore[reportMissingImports]
    from transformers import AddedToken, Qwen2Tokenizer  # noqa: PLC0415 # pyright: ignore[reportMissingImports]

    from sightline.models.sa2va.conversation import NEW_TOKENS  # noqa: PLC0415
    from sightline.models.sa2va.internvl import CONTEXT as SLOT  # noqa: PLC0415
    from sightline.models.sa2va.internvl import END as END_PICTURE  # noqa: PLC0415
    from sightline.models.sa2va.internvl import START as START_PICTURE  # noqa: PLC0415

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Qwen2Tokenizer(
        vocab={letter: place for place, letter in enumerate(letters)}, merges=[], eos_token=END, pad_token=END
    )
    tokenizer.add_tokens([START, SLOT, START_PICTURE, END_PICTURE, *NEW_TOKENS], special_tokens=True)
    own = sorted(set(words))
    whole = [*PHRASES, *(f" {word}" for word in own), *own]
    tokenizer.add_tokens([AddedToken(each, normalized=False) for each in whole])
    return tokenizer
