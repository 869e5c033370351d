"""A very small RoboRefer with random weights, so that most tests need no file of the original."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from transformers import GenerationConfig, PreTrainedTokenizerFast, Qwen2Config, SiglipVisionConfig

from sightline.models.roborefer.configuration import RoboReferConfig
from sightline.models.roborefer.inputs import Picture, RoboReferSample
from sightline.models.roborefer.modeling import RoboReferForConditionalGeneration
from sightline.models.roborefer.text_forms import Slot, Turn

SIDE = 28
SPECIAL = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "[BOS]",
    "[PAD]",
    "<vila/sentinel>",
    "<image>",
    "<vila/video>",
    "<depth>",
)
TEMPLATE = (
    "{% if messages[0]['role'] != 'system' %}<|im_start|>system\nYou are a helpful assistant<|im_end|>\n{% endif %}"
    "{% for message in messages %}{{ '<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>\n' }}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def tokenizer() -> Any:
    """One token a byte, and the special ones in the published order."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    made = Tokenizer(models.BPE(vocab={letter: index for index, letter in enumerate(alphabet)}, merges=[]))
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.add_special_tokens([AddedToken(token, special=True) for token in SPECIAL])
    return PreTrainedTokenizerFast(
        tokenizer_object=made,
        eos_token="<|im_end|>",  # noqa: S106 - a token of text
        pad_token="[PAD]",  # noqa: S106
        bos_token="[BOS]",  # noqa: S106
        model_max_length=4096,
        chat_template=TEMPLATE,
        clean_up_tokenization_spaces=False,
    )


def config(*, mode: str = "dynamic", projector: str = "mlp_downsample_3x3_fix", depth: bool = True, tied: bool = True) -> Any:
    """Tiles of 28 pixels in 4 x 4 patches; everything else as small as it goes."""
    tower = SiglipVisionConfig(
        hidden_size=16,
        intermediate_size=24,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=SIDE,
        patch_size=7,
        vision_use_head=False,
    )
    text = Qwen2Config(
        vocab_size=265,
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=4096,
        tie_word_embeddings=tied,
    )
    known = tokenizer().get_vocab()
    return RoboReferConfig(
        vision_config=tower,
        depth_config=tower if depth else None,
        text_config=text,
        mm_projector_type=projector,
        depth_projector_type=projector if depth else None,
        image_mode=mode,
        scales=[SIDE, 2 * SIDE, 3 * SIDE],
        image_token_id=known["<image>"],
        depth_token_id=known["<depth>"],
        newline_token_id=known["Ċ"],
    )


def model(made: Any, *, seed: int = 0) -> RoboReferForConditionalGeneration:
    """A model in evaluation mode whose weights are wide enough apart for answers that differ."""
    torch.manual_seed(seed)
    found = RoboReferForConditionalGeneration(made)
    with torch.no_grad():
        for parameter in found.parameters():
            parameter.normal_(std=0.3)
    known = tokenizer().get_vocab()
    found.generation_config = GenerationConfig(do_sample=False, eos_token_id=known["<|im_end|>"], pad_token_id=known["[PAD]"])
    return found.eval()


def tokenizer_folder(folder: Path) -> Path:
    """The tokenizer's files."""
    tokenizer().save_pretrained(folder)
    return folder


def picture(width: int, height: int, *, seed: int = 0, depth: bool = False, key: str | None = None) -> Picture:
    """Noise."""
    drawn = np.random.default_rng(seed).integers(0, 256, (2, height, width, 3), dtype=np.uint8)
    return Picture(drawn[0], drawn[1] if depth else None, key)


def asked(name: str, words: str, *pictures: Picture, answer: str | None = None) -> RoboReferSample:
    """A question about pictures, each picture's slot before that of its depth."""
    slots: list[Slot | str] = []
    for each in pictures:
        slots += [Slot("image"), Slot("depth")] if each.depth is not None else [Slot("image")]
    turns = [Turn("user", (*slots, words))]
    if answer is not None:
        turns.append(Turn("assistant", (answer,)))
    return RoboReferSample(name, tuple(turns), pictures)
