"""Very small Sa2VA folders as they are published, made of transformers' classes and random weights: of families without reference
numbers."""

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import pre_tokenizers
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, Qwen2Tokenizer, Qwen2VLImageProcessor

from sightline.demo.tiny_sa2va import DECODER_SIZES, SAM2_SIZES
from sightline.models.sa2va.conversation import NEW_TOKENS
from sightline.models.sa2va.grounding import Grounding
from sightline.models.sa2va.names import to_published
from sightline.models.sa2va.sizes import sam2_config
from sightline.models.sam2.parts import fresh_model
from tests.models.sa2va.piece_files import model_bytes, small_pieces

WIDTH = 64
DEVIATION = 0.12  # about WIDTH ** -0.5: with the usual 0.02 so narrow a model hardly hears what was said before
SMALL_SAM2 = {"tiny_sam2_sizes": SAM2_SIZES, "tiny_sam2_overridden": DECODER_SIZES}
END = "<|im_end|>"
QWEN_TOKENS = ("<|im_start|>", "<|vision_start|>", "<|vision_end|>", "<|image_pad|>", "<|video_pad|>")
CHAT = """{% if messages[0]['role'] != 'system' %}<|im_start|>system
You are a helpful assistant.<|im_end|>
{% endif %}{% for message in messages %}<|im_start|>{{ message['role'] }}
{% for part in message['content'] %}{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}\
{{ part['text'] }}{% endif %}{% endfor %}<|im_end|>
{% endfor %}{% if add_generation_prompt %}<|im_start|>assistant
{% endif %}"""


def write_qwen25vl(folder: Path) -> Path:
    """Sa2VA on Qwen2.5-VL; its processor's template has a system turn of its own, as that of Qwen2.5-VL has."""
    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer: Any = Qwen2Tokenizer(
        vocab={letter: place for place, letter in enumerate(letters)}, merges=[], eos_token=END, pad_token=END
    )
    tokenizer.add_tokens([*QWEN_TOKENS, *NEW_TOKENS], special_tokens=True)
    tokenizer.chat_template = CHAT
    tokenizer.save_pretrained(folder)
    Qwen2VLImageProcessor(
        image_mean=[0.48145466, 0.4578275, 0.40821073], image_std=[0.26862954, 0.26130258, 0.27577711]
    ).save_pretrained(folder)
    config = _qwen25vl_config(tokenizer)
    plain = copy.deepcopy({name: value for name, value in config.items() if name.endswith(("_config", "_token_id"))})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        language = Qwen2_5_VLForConditionalGeneration(Qwen2_5_VLConfig(**plain))
        language.apply(_spread)
    words: Any = language.get_input_embeddings()
    says_little(words.weight, language.lm_head.weight, seg=tokenizer.convert_tokens_to_ids("[SEG]"))
    tensors = {f"model.{name}": tensor for name, tensor in language.state_dict().items()}
    return write_folder(folder, config, tensors | grounding_state(WIDTH))


def write_internlm2_tokenizer(folder: Path) -> Path:
    """Files of a tokenizer as Sa2VA-8B has them; two places that its pieces keep free are the marks of a turn."""
    pieces = small_pieces()
    (folder / "tokenizer.model").write_bytes(model_bytes(pieces))
    places = {"<unk>": 0, "<s>": 1, "</s>": 2, END: len(pieces) - 2, "<|im_start|>": len(pieces) - 1}
    added = {token: len(pieces) + place for place, token in enumerate(("<img>", "</img>", "<IMG_CONTEXT>", *NEW_TOKENS))}
    switches = dict.fromkeys(("lstrip", "normalized", "rstrip", "single_word"), False) | {"special": True}
    config = {
        "tokenizer_class": "InternLM2Tokenizer",
        "auto_map": {"AutoTokenizer": ["tokenization_internlm2.InternLM2Tokenizer", None]},
        "added_tokens_decoder": {str(place): {"content": token, **switches} for token, place in (places | added).items()},
        "bos_token": "<s>",
        "eos_token": "</s>",
        "pad_token": "</s>",
        "unk_token": "<unk>",
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    (folder / "added_tokens.json").write_text(json.dumps(added))
    return folder


def write_folder(folder: Path, config: Mapping[str, Any], tensors: Mapping[str, torch.Tensor]) -> Path:
    (folder / "config.json").write_text(json.dumps(config))
    save_file({name: tensor.detach().contiguous() for name, tensor in tensors.items()}, folder / "model.safetensors")
    return folder


def grounding_state(width: int) -> dict[str, torch.Tensor]:
    """The grounding path's tensors under their published names."""
    config = sam2_config(SMALL_SAM2, where="a test")
    with torch.random.fork_rng():
        torch.manual_seed(1)
        grounding = Grounding(config, width)
    grounding.clip.model.load_state_dict(fresh_model(config, 1).state_dict())
    return to_published(grounding.state_dict())


def says_little(embeddings: torch.Tensor, head: torch.Tensor, *, seg: int) -> None:
    """Answers consist of [SEG] and four other tokens: the rest are made quiet, and [SEG] takes the place of a frequent one."""
    loud = [20, 40, 60, 80, 100]
    quiet = torch.ones(len(head), dtype=torch.bool)
    quiet[loud] = False
    head.data[quiet] *= 0.1
    for rows in (embeddings, head):
        rows.data[[seg, loud[0]]] = rows.data[[loud[0], seg]]


def _spread(module: torch.nn.Module) -> None:
    if isinstance(module, torch.nn.Linear | torch.nn.Embedding):
        torch.nn.init.normal_(module.weight, std=DEVIATION)
    if isinstance(module, torch.nn.Linear) and module.bias is not None:
        torch.nn.init.normal_(module.bias, std=DEVIATION)


def _qwen25vl_config(tokenizer: Any) -> dict[str, Any]:
    return {
        "model_type": "sa2va_chat",
        "architectures": ["Sa2VAChatModelQwen"],
        "template": "qwen_chat",
        "tie_word_embeddings": False,
        "dtype": "bfloat16",
        "image_token_id": tokenizer.convert_tokens_to_ids("<|image_pad|>"),
        "video_token_id": tokenizer.convert_tokens_to_ids("<|video_pad|>"),
        "vision_start_token_id": tokenizer.convert_tokens_to_ids("<|vision_start|>"),
        "vision_end_token_id": tokenizer.convert_tokens_to_ids("<|vision_end|>"),
        "text_config": {
            "model_type": "qwen2_5_vl_text",
            "architectures": ["Qwen2_5_VLForConditionalGeneration"],
            "vocab_size": len(tokenizer),
            "hidden_size": WIDTH,
            "intermediate_size": 2 * WIDTH,
            "num_hidden_layers": 2,
            "num_attention_heads": 4,
            "num_key_value_heads": 2,
            "max_position_embeddings": 4096,
            "rms_norm_eps": 1e-6,
            "rope_theta": 1000000.0,
            "rope_scaling": {"mrope_section": [2, 3, 3], "rope_type": "default", "type": "default"},
            "use_sliding_window": False,
            "sliding_window": None,
            "tie_word_embeddings": False,
            "eos_token_id": tokenizer.eos_token_id,
            "bos_token_id": None,
        },
        "vision_config": {
            "model_type": "qwen2_5_vl",
            "depth": 3,
            "hidden_size": 48,
            "intermediate_size": 96,
            "num_heads": 4,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "spatial_patch_size": 14,
            "temporal_patch_size": 2,
            "window_size": 112,
            "fullatt_block_indexes": [1],
            "out_hidden_size": WIDTH,
            "tokens_per_second": 2,
        },
        **SMALL_SAM2,
    }


VISION = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
SIDE, PATCH = 64, 16
CONTEXT = 512


def write_internlm2(folder: Path, *, large_vision: bool = False, **language: Any) -> Path:
    """Sa2VA on InternVL2.5 with InternLM2.5, tensors by the names of Sa2VA-8B.

    Args:
        large_vision: the vision tower is of the kind of Sa2VA-26B: RMS norms, normalised queries and keys, no bias of theirs.
        language: other values of `llm_config`.
    """
    write_internlm2_tokenizer(folder)
    config = _internlm2_config(large_vision=large_vision) | {"llm_config": _internlm2_language() | language}
    generator = torch.Generator().manual_seed(0)
    tensors = {name: _drawn(name, shape, generator) for name, shape in _internlm2_shapes(config).items()}
    rows = [tensors[f"language_model.{name}.weight"] for name in ("model.tok_embeddings", "output")]
    says_little(*rows, seg=len(small_pieces()) + 3)
    return write_folder(folder, config, tensors | grounding_state(WIDTH))


def _drawn(name: str, shape: tuple[int, ...], generator: torch.Generator) -> torch.Tensor:
    found = torch.randn(shape, generator=generator) * DEVIATION
    return found + 1 if "norm" in name and name.endswith("weight") else found


def _internlm2_shapes(config: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    vision, language = config["vision_config"], config["llm_config"]
    wide, inner, large = vision["hidden_size"], vision["intermediate_size"], vision["qk_normalization"]
    found: dict[str, tuple[int, ...]] = {
        "vision_model.embeddings.class_embedding": (1, 1, wide),
        "vision_model.embeddings.position_embedding": (1, (SIDE // PATCH) ** 2 + 1, wide),
        "vision_model.embeddings.patch_embedding.weight": (wide, 3, PATCH, PATCH),
        "vision_model.embeddings.patch_embedding.bias": (wide,),
        "mlp1.0.weight": (4 * wide,),
        "mlp1.0.bias": (4 * wide,),
        "mlp1.1.weight": (WIDTH, 4 * wide),
        "mlp1.1.bias": (WIDTH,),
        "mlp1.3.weight": (WIDTH, WIDTH),
        "mlp1.3.bias": (WIDTH,),
        "language_model.model.tok_embeddings.weight": (language["vocab_size"], WIDTH),
        "language_model.model.norm.weight": (WIDTH,),
        "language_model.output.weight": (language["vocab_size"], WIDTH),
    }
    for layer in range(vision["num_hidden_layers"]):
        start = f"vision_model.encoder.layers.{layer}."
        found |= {
            f"{start}{name}": (wide,) for name in ("ls1", "ls2", "norm1.weight", "norm2.weight", "attn.proj.bias", "mlp.fc2.bias")
        }
        more = ("attn.q_norm.weight", "attn.k_norm.weight") if large else ("norm1.bias", "norm2.bias")
        found |= {f"{start}{name}": (wide,) for name in more}
        found |= {f"{start}attn.qkv.weight": (3 * wide, wide), f"{start}attn.proj.weight": (wide, wide)}
        found |= {
            f"{start}mlp.fc1.weight": (inner, wide),
            f"{start}mlp.fc1.bias": (inner,),
            f"{start}mlp.fc2.weight": (wide, inner),
        }
        if not large:
            found[f"{start}attn.qkv.bias"] = (3 * wide,)
    heads, groups, inner = (language[name] for name in ("num_attention_heads", "num_key_value_heads", "intermediate_size"))
    for layer in range(language["num_hidden_layers"]):
        start = f"language_model.model.layers.{layer}."
        found |= {f"{start}{name}.weight": (WIDTH,) for name in ("attention_norm", "ffn_norm")}
        found[f"{start}attention.wqkv.weight"] = ((heads + 2 * groups) * (WIDTH // heads), WIDTH)
        found[f"{start}attention.wo.weight"] = (WIDTH, WIDTH)
        found |= {f"{start}feed_forward.{name}.weight": (inner, WIDTH) for name in ("w1", "w3")}
        found[f"{start}feed_forward.w2.weight"] = (WIDTH, inner)
    return found


def _internlm2_config(*, large_vision: bool) -> dict[str, Any]:
    kind = {
        "norm_type": "rms_norm" if large_vision else "layer_norm",
        "qk_normalization": large_vision,
        "qkv_bias": not large_vision,
    }
    return {
        "model_type": "sa2va_chat",
        "architectures": ["Sa2VAChatModel"],
        "template": "internlm2_chat",
        "force_image_size": SIDE,
        "downsample_ratio": 0.5,
        "select_layer": -1,
        "ps_version": "v2",
        "dynamic_image_size": True,
        "use_thumbnail": True,
        "max_dynamic_patch": 12,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "vision_config": {"model_type": "intern_vit_6b", "image_size": SIDE, "patch_size": PATCH, **VISION, **kind},
        **SMALL_SAM2,
    }


def _internlm2_language() -> dict[str, Any]:
    return {
        "model_type": "internlm2",
        "architectures": ["InternLM2ForCausalLM"],
        "attn_implementation": "eager",
        "bias": False,
        "vocab_size": 319,
        "hidden_size": WIDTH,
        "intermediate_size": 2 * WIDTH,
        "num_hidden_layers": 2,
        "num_attention_heads": 8,
        "num_key_value_heads": 2,
        "max_position_embeddings": CONTEXT,
        "rms_norm_eps": 1e-5,
        "rope_theta": 1000000,
        "rope_scaling": {"factor": 2.0, "type": "dynamic"},
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 2,
    }
