"""Tiny checkpoints with random weights, saved as the real ones are: config, safetensors, processor, tokenizer, chat template.

The tokenizer is a byte-level BPE trained here. Weights are drawn wider than models are initialised, so that a greedy answer depends
on the prompt and on its pictures.
"""

import json
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec
import torch  # pyright: ignore[reportMissingImports] - an extra
import transformers  # pyright: ignore[reportMissingImports]
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers  # pyright: ignore[reportMissingImports]

from sightline.models import ModelOptions
from sightline.models.huggingface.asked import HuggingFace, huggingface
from sightline.taskset.store import TaskSet
from sightline.types import Question, TextPart

CORPUS = (
    'Answer with one point in image 2, written as JSON, [{"point_2d": [x, y], "label": "target"}], in whole pixels of that image.',
    "The object marked in red in image 1: where is it in image 2? If it is not there to be seen, answer exactly NOT_VISIBLE.",
    "[(0.512, 0.334)] <point>[[320, 240]]</point> 0 1 2 3 4 5 6 7 8 9",
)
WEIGHTS_STD, WORDS_STD = 0.15, 0.02


def save_qwen25(folder: Path, *, seed: int = 0, min_pixels: int = 4 * 28 * 28, max_pixels: int = 12 * 28 * 28) -> Path:
    """Qwen2.5-VL: absolute pixels of the smart-resized picture, sides multiples of 28."""
    tokenizer = _tokenizer(QWEN_TOKENS)
    rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [2, 3, 3]}
    vision = {"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 64}
    config = transformers.Qwen2_5_VLConfig(
        text_config=_text(tokenizer, rope_parameters=rope),
        vision_config=vision | {"window_size": 56, "fullatt_block_indexes": [1]},
        **_media_ids(tokenizer),
    )
    images = transformers.Qwen2VLImageProcessor(min_pixels=min_pixels, max_pixels=max_pixels)
    processor = transformers.Qwen2_5_VLProcessor(
        images, tokenizer, transformers.Qwen2VLVideoProcessor(), chat_template=chat_template(QWEN_SLOT)
    )
    return _save(folder, transformers.Qwen2_5_VLForConditionalGeneration(config), processor, seed=seed)


def save_qwen3(folder: Path, *, seed: int = 0) -> Path:
    """Qwen3-VL: thousandths, sides multiples of 32."""
    tokenizer = _tokenizer(QWEN_TOKENS)
    rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [4, 2, 2], "mrope_interleaved": True}
    vision = {"depth": 2, "hidden_size": 32, "intermediate_size": 64, "num_heads": 2, "out_hidden_size": 64}
    config = transformers.Qwen3VLConfig(
        text_config=_text(tokenizer, head_dim=16, rope_parameters=rope),
        vision_config=vision | {"num_position_embeddings": 16, "deepstack_visual_indexes": [0]},
        **_media_ids(tokenizer),
    )
    images = transformers.Qwen2VLImageProcessor(min_pixels=4 * 32 * 32, max_pixels=12 * 32 * 32, patch_size=16)
    processor = transformers.Qwen3VLProcessor(
        images, tokenizer, transformers.Qwen3VLVideoProcessor(), chat_template=chat_template(QWEN_SLOT)
    )
    return _save(folder, transformers.Qwen3VLForConditionalGeneration(config), processor, seed=seed)


def save_internvl(folder: Path, *, seed: int = 0) -> Path:
    """InternVL: tiles of 56 x 56 pixels, each four tokens."""
    tokenizer = _tokenizer(INTERNVL_TOKENS)
    vision = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    config = transformers.InternVLConfig(
        text_config=_text(tokenizer, model_type="qwen2"),
        vision_config=vision | {"image_size": 56, "patch_size": 14},
        image_token_id=tokenizer.convert_tokens_to_ids("<IMG_CONTEXT>"),
        image_seq_length=4,
    )
    images = transformers.GotOcr2ImageProcessor(size={"height": 56, "width": 56}, max_patches=4)
    processor = transformers.InternVLProcessor(
        images,
        tokenizer,
        transformers.InternVLVideoProcessor(),
        image_seq_length=4,
        chat_template=chat_template("<IMG_CONTEXT>\n"),
    )
    return _save(folder, transformers.InternVLForConditionalGeneration(config), processor, seed=seed)


def save_llava(folder: Path, *, seed: int = 0) -> Path:
    """LLaVA 1.5: CLIP at 56 x 56 pixels, one tile a picture, sixteen tokens each; the tokenizer starts every text with <s>."""
    names = {"eos_token": "</s>", "pad_token": "<pad>", "bos_token": "<s>"}
    trained = _trained()
    trained.add_special_tokens([*names.values(), "<image>"])
    start = ("<s>", trained.token_to_id("<s>"))
    trained.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[start])
    tokenizer = transformers.PreTrainedTokenizerFast(
        tokenizer_object=trained, extra_special_tokens={"image_token": "<image>"}, **names
    )
    vision = {"hidden_size": 32, "num_hidden_layers": 3, "num_attention_heads": 2, "intermediate_size": 64}
    config = transformers.LlavaConfig(
        text_config=_text(tokenizer, model_type="llama"),
        vision_config=vision | {"model_type": "clip_vision_model", "image_size": 56, "patch_size": 14},
        image_token_index=_id(tokenizer, "<image>"),
    )
    images = transformers.CLIPImageProcessor(size={"shortest_edge": 56}, crop_size={"height": 56, "width": 56})
    processor = transformers.LlavaProcessor(
        images,
        tokenizer,
        patch_size=14,
        vision_feature_select_strategy="default",
        num_additional_image_tokens=1,
        chat_template=chat_template("<image>\n"),
    )
    return _save(folder, transformers.LlavaForConditionalGeneration(config), processor, seed=seed)


def save_paligemma(folder: Path, *, seed: int = 0) -> Path:
    """PaliGemma: SigLIP at 56 x 56 pixels, sixteen tokens each; no chat template, location tokens in the vocabulary."""
    tokenizer = _tokenizer({"image_token": "<image>", "bos_token": "<bos>"})
    images = transformers.SiglipImageProcessor(size={"height": 56, "width": 56}, image_seq_length=16)
    processor = transformers.PaliGemmaProcessor(images, tokenizer)
    vision = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    config = transformers.PaliGemmaConfig(
        text_config=_text(tokenizer, model_type="gemma", head_dim=16),
        vision_config=vision | {"model_type": "siglip_vision_model", "image_size": 56, "patch_size": 14, "projection_dim": 64},
        image_token_index=_id(tokenizer, "<image>"),
        projection_dim=64,
    )
    return _save(folder, transformers.PaliGemmaForConditionalGeneration(config), processor, seed=seed)


QWEN_TOKENS = {
    "image_token": "<|image_pad|>",
    "video_token": "<|video_pad|>",
    "vision_start_token": "<|vision_start|>",
    "vision_end_token": "<|vision_end|>",
}
INTERNVL_TOKENS = {
    "start_image_token": "<img>",
    "end_image_token": "</img>",
    "context_image_token": "<IMG_CONTEXT>",
    "video_token": "<video>",
}
QWEN_SLOT = "<|vision_start|><|image_pad|><|vision_end|>"


def chat_template(slot: str) -> str:
    """ChatML with `slot` where a picture stands."""
    return (
        "{% for message in messages %}<|im_start|>{{ message['role'] }}\n"
        "{% for part in message['content'] %}"
        f"{{% if part['type'] == 'image' %}}{slot}{{% else %}}{{{{ part['text'] }}}}{{% endif %}}"
        "{% endfor %}<|im_end|>\n{% endfor %}"
        "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
    )


def _tokenizer(tokens: dict[str, str]) -> Any:
    """320 tokens of text, ChatML's and the given special ones, which become attributes of the tokenizer."""
    model = json.loads(_trained().to_str())["model"]
    merges: Any = [tuple(pair) for pair in model["merges"]]
    return transformers.Qwen2Tokenizer(
        vocab=model["vocab"],
        merges=merges,
        bos_token=tokens.get("bos_token"),
        extra_special_tokens={"chat_start_token": "<|im_start|>"} | {key: tokens[key] for key in tokens if key != "bos_token"},
        eos_token="<|im_end|>",  # noqa: S106
    )


def _trained() -> Tokenizer:
    """A byte-level BPE of 320 tokens."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=320, initial_alphabet=alphabet, show_progress=False))
    return tokenizer


def _id(tokenizer: Any, token: str) -> int:
    return tokenizer.convert_tokens_to_ids(token)


def _media_ids(tokenizer: Any) -> dict[str, Any]:
    names = ("image_token", "video_token", "vision_start_token", "vision_end_token")
    return {f"{name}_id": tokenizer.convert_tokens_to_ids(getattr(tokenizer, name)) for name in names}


def _text(tokenizer: Any, **more: Any) -> dict[str, Any]:
    sizes = {"hidden_size": 64, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4, "num_key_value_heads": 2}
    ids = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id, "bos_token_id": None}
    return sizes | ids | {"vocab_size": len(tokenizer), "max_position_embeddings": 2048} | more


def _save(folder: Path, model: Any, processor: Any, *, seed: int) -> Path:
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim > 1:  # small embeddings, because a model that shares them with its output would repeat itself
                parameter.normal_(0.0, WORDS_STD if "embed_tokens" in name else WEIGHTS_STD, generator=generator)
    model.generation_config.eos_token_id = processor.tokenizer.eos_token_id
    model.generation_config.pad_token_id = processor.tokenizer.pad_token_id
    model.save_pretrained(folder)
    processor.save_pretrained(folder)
    return folder


SAVERS = {
    "qwen2_5_vl": save_qwen25,
    "qwen3_vl": save_qwen3,
    "internvl": save_internvl,
    "llava": save_llava,
    "paligemma": save_paligemma,
}
"""By model_type."""
SHORT = ModelOptions(max_new_tokens=12)


def first_questions(taskset: TaskSet, number: int) -> list[Question]:
    return [example.question for example in islice(taskset, number)]


def longer(question: Question, words: int) -> Question:
    return msgspec.structs.replace(question, prompt=(TextPart(text="Look well. " * words), *question.prompt))


def load(folder: Path, options: ModelOptions = SHORT) -> HuggingFace:
    return huggingface(str(folder), options)


def edit_json(path: Path, **changes: object) -> None:
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
