"""A small Sa2VA of the InternVL kind with fresh weights: something to train from scratch on a CPU.

A folder under the published names, which `sa2va:FOLDER` and `sightline train sa2va` take: a language model of two layers, a tower
that makes one token of a frame, and a SAM 2.0 of 1.5 million parameters with a side of 96. It knows nothing before it is trained.
Its tokenizer has one token for each word that it is made for; other text is read byte by byte.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from sightline.files import whole_folder, write_whole

START, END = "<|im_start|>", "<|im_end|>"
PHRASES = (f"{START}user\n", f"{START}assistant\n", "<image>\n", "Please segment", "Sure,", "It is", "\n", ".")
WIDTH, LAYERS, HEADS = 96, 2, 4
DEVIATION = 0.1
"""Of the language model's weights. With the usual 0.02 the states of so narrow a model hardly depend on the words before them."""
SIDE, PATCH = 64, 32
FRAMES = 3
"""About how many a question shows."""
QUIET = 0.01
"""What the picture tokens' own part starts with, beside one that all of them share. Loud ones drown the words: of what SAM 2 is
prompted with, three times as much would differ between two clips as between two expressions."""
GAIN = 8.0
"""How large the tokens are that SAM 2 is prompted with, beside its own prompts of 1. By torch's own start they are 0.15: SAM 2 does
not hear them, nothing tells the language model which words make a difference, and its [SEG] states become all alike."""
CONTEXT = 1024
SAM2_SIZES = {
    "image_size": 96,
    "hidden": 128,
    "mem": 64,
    "embed_dim": 12,
    "heads": 1,
    "stages": [1, 1, 2, 1],
    "global_att": [3],
    "windows": [8, 4, 6, 6],
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
        model = Sa2Va(language, grounding, family, tokenizer)
        _make_words_heard(model, [*words])
    grounding.clip.model.load_state_dict(fresh_model(sam2, seed).state_dict())
    with whole_folder(folder) as partial:
        _save(partial, config, tokenizer, published_state(model))
    return folder


def tiny_sam2(folder: Path, source: Path) -> Path:
    """Write the SAM 2 of the checkpoint `source` to `folder` as a transformers folder, whole or not at all: it can be trained alone
    first, by `sightline train sam2`.

    Raises:
        InputError: `folder` is there already.
    """
    from sightline.models.sa2va.checkpoint import load_sa2va  # noqa: PLC0415
    from sightline.models.sam2.weights import write_folder  # noqa: PLC0415

    write_folder(load_sa2va(source).grounding.clip.model, folder)
    return folder


def words_of(texts: Iterable[str]) -> list[str]:
    """The words of texts, each once."""
    return sorted({word for text in texts for word in re.findall(r"\w+", text)})


def _make_words_heard(model: Any, words: list[str]) -> None:  # noqa: ANN401 - Sa2Va
    """Start weights by which SAM 2's prompts differ by the words above all; what they have in common is taken off."""
    import torch  # noqa: PLC0415 # pyright: ignore[reportMissingImports]

    from sightline.models.sa2va.conversation import SEG, Turn, labelled, with_media  # noqa: PLC0415
    from sightline.models.sa2va.segment import asking  # noqa: PLC0415

    seen = model.language.model.multi_modal_projector.linear_2
    first, last = model.grounding.text_hidden_fcs[0], model.grounding.text_hidden_fcs[2]
    media = model.family.show([np.full((SIDE, SIDE, 3), 128, dtype=np.uint8)] * FRAMES, video=True)
    with torch.no_grad():
        seen.weight.mul_(QUIET)
        seen.bias.normal_(std=DEVIATION)
        first.weight.normal_(std=(2 / WIDTH) ** 0.5)
        last.weight.normal_(std=GAIN * WIDTH**-0.5)
        states = []
        for word in words:
            turn = Turn(with_media(asking(word), media.slots, video=True), f"{SEG}.")
            ids = torch.tensor([labelled([turn], model.family.template, model.tokenizer).ids])
            states.append(model.read(ids, media).states[0, ids[0] == model.seg_id])
        last.bias.sub_(model.grounding.project(torch.cat(states)).mean(dim=0))


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
