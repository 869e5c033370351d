"""A small vision-language model of the Qwen3-VL kind with fresh weights: something to train from scratch in a minute on a CPU.

It is a plain checkpoint folder of transformers with 0.96 million parameters: pictures in patches of 8 pixels, four patches a token.
It knows nothing before it is trained. What keeps it fast is its tokenizer, which has one token for each phrase that it is made for
and one for each number below 100: a question is nine tokens and its picture, a point is five. Other text is read byte by byte.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from sightline.files import whole_folder

SPECIAL = {
    "image_token": "<|image_pad|>",
    "video_token": "<|video_pad|>",
    "vision_start_token": "<|vision_start|>",
    "vision_end_token": "<|vision_end|>",
}
START, END = "<|im_start|>", "<|im_end|>"
CHAT = (
    "{% for message in messages %}" + START + "{{ message['role'] }}\n{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}" + END + "\n{% endfor %}{% if add_generation_prompt %}" + START + "assistant\n{% endif %}"
)
TURNS = ("user\n", "assistant\n", ", ")
NUMBERS = 100
PATCH, MERGE = 8, 2
WIDTH, LAYERS = 128, 2
TEXT_CONTEXT = 1024


def tiny_vlm(folder: Path, phrases: Iterable[str], *, max_pixels: int = 128 * 96, seed: int = 0) -> Path:
    """Write the checkpoint to `folder`, whole or not at all.

    Args:
        phrases: what the tokenizer has one token for, for example the words of a task set's questions.
        max_pixels: of each picture as the model sees it.
        seed: of the weights.

    Raises:
        InputError: `folder` is there already.
    """
    import torch  # noqa: PLC0415 # pyright: ignore[reportMissingImports] - an extra
    import transformers  # noqa: PLC0415 # pyright: ignore[reportMissingImports]

    tokenizer = phrase_tokenizer(phrases)
    config = transformers.Qwen3VLConfig(**_config(tokenizer))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = transformers.Qwen3VLForConditionalGeneration(config)
    model.generation_config.eos_token_id = tokenizer.eos_token_id
    model.generation_config.pad_token_id = tokenizer.pad_token_id
    factor = PATCH * MERGE
    images = transformers.Qwen2VLImageProcessor(
        min_pixels=factor**2, max_pixels=max_pixels, patch_size=PATCH, merge_size=MERGE, temporal_patch_size=1
    )
    videos = transformers.Qwen3VLVideoProcessor(patch_size=PATCH, merge_size=MERGE, temporal_patch_size=1)
    transformers.utils.logging.disable_progress_bar()
    processor = transformers.Qwen3VLProcessor(images, tokenizer, videos, chat_template=CHAT)
    with whole_folder(folder) as partial:
        model.save_pretrained(partial)
        processor.save_pretrained(partial)
    return folder


def _config(tokenizer: Any) -> dict[str, Any]:  # noqa: ANN401 - transformers'
    rope = {"rope_type": "default", "rope_theta": 1e4, "mrope_section": [6, 5, 5], "mrope_interleaved": True}
    text = {
        "hidden_size": WIDTH,
        "intermediate_size": 2 * WIDTH,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": 4,
        "num_key_value_heads": 4,
        "head_dim": 32,
        "rope_parameters": rope,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": TEXT_CONTEXT,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": None,
    }
    vision = {
        "depth": 2,
        "hidden_size": 96,
        "intermediate_size": 192,
        "num_heads": 4,
        "out_hidden_size": WIDTH,
        "patch_size": PATCH,
        "spatial_merge_size": MERGE,
        "temporal_patch_size": 1,
        "num_position_embeddings": 256,
        "deepstack_visual_indexes": [0],
    }
    ids = {f"{name}_id": tokenizer.convert_tokens_to_ids(token) for name, token in SPECIAL.items()}
    return {"text_config": text, "vision_config": vision, "tie_word_embeddings": True, **ids}


def phrase_tokenizer(phrases: Iterable[str]) -> Any:  # noqa: ANN401
    """Bytes, phrases and numbers. Digits one by one are learnt far slower: the model would have to say a place in two steps."""
    from tokenizers import pre_tokenizers  # noqa: PLC0415 # pyright: ignore[reportMissingImports]
    from transformers import AddedToken, Qwen2Tokenizer  # noqa: PLC0415 # pyright: ignore[reportMissingImports]

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Qwen2Tokenizer(
        vocab={letter: place for place, letter in enumerate(letters)},
        merges=[],
        extra_special_tokens={"chat_start_token": START} | SPECIAL,
        eos_token=END,
        pad_token=END,
    )
    whole: list[str | AddedToken] = [AddedToken(phrase, normalized=False) for phrase in sorted({*phrases, *TURNS})]
    whole += [AddedToken(str(number), single_word=True, normalized=False) for number in range(NUMBERS)]
    tokenizer.add_tokens(whole)
    return tokenizer
