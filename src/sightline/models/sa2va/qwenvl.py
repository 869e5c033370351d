"""Sa2VA on Qwen2.5-VL and Qwen3-VL (architecture `Sa2VAChatModelQwen`), by transformers' classes of the two.

Published names are transformers' with `model.` before them. The state of a `[SEG]` is the last hidden state of the transformers
that these checkpoints were trained with: behind the final normalisation with Qwen2.5-VL, before it with Qwen3-VL (today's is
behind it with both).

A picture is resized twice: to multiples of 28 (qwen-vl-utils), then to multiples of 28 (Qwen3-VL: 32) with 512 to 2,048 times
28 x 28 pixels. Frames of a video are separate pictures, one behind the other with nothing between; `<image>` in the text is
deleted, and the prompt is what the processor's own chat template makes of pictures and text. That of Qwen2.5-VL begins with a
system turn ("You are a helpful assistant."), which training never sees.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image
from torch import Tensor, nn
from transformers import (
    PreTrainedConfig,
    PreTrainedModel,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
)

from sightline.errors import InputError
from sightline.geometry.resize import smart_resize
from sightline.models.sa2va.conversation import MEDIUM, get_template, token_id
from sightline.models.sa2va.family import Media, Pictures, plain

PREFIX = "model."
PAD = "<|image_pad|>"
TOKEN_AREA = 28 * 28
FIRST_FACTOR, FIRST_LIMITS = 28, (4 * TOKEN_AREA, 16_384 * TOKEN_AREA)
LIMITS = (512 * TOKEN_AREA, 2048 * TOKEN_AREA)


@dataclass(frozen=True)
class Generation:
    """A generation of Qwen-VL: transformers' classes, and whether the state of a token is taken behind the final normalisation."""

    name: str
    config: Callable[..., PreTrainedConfig]
    network: type[PreTrainedModel]
    normalised: bool


GENERATIONS = {
    "qwen2_5_vl_text": Generation("qwen25vl", Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, normalised=True),
    "qwen3_vl_text": Generation("qwen3vl", Qwen3VLConfig, Qwen3VLForConditionalGeneration, normalised=False),
}
"""By the `model_type` of a checkpoint's `text_config`."""


class QwenVl:
    """The families `qwen25vl` and `qwen3vl`; `config` is the checkpoint's config.json, `folder` where its processor lies.

    Raises:
        InputError: no processor there, or an unknown template.
    """

    searches_prompt = True
    media_token = PAD

    def __init__(self, config: Mapping[str, Any], tokenizer: Any, *, folder: Path) -> None:  # noqa: ANN401 - transformers'
        from transformers.models.qwen2_vl.image_processing_pil_qwen2_vl import Qwen2VLImageProcessorPil  # noqa: PLC0415

        self._generation = GENERATIONS[config["text_config"]["model_type"]]
        self.name, self.normalised = self._generation.name, self._generation.normalised
        self._config = config
        self._tokenizer = tokenizer
        self._image_id = token_id(tokenizer, PAD, where=str(folder))
        self.template = get_template(config.get("template", "qwen_chat"))
        try:
            self._processor = Qwen2VLImageProcessorPil.from_pretrained(folder, local_files_only=True)
        except (OSError, ValueError) as error:
            raise InputError(f"{folder}: no image processor ({error}). Copy preprocessor_config.json of the checkpoint.") from error
        self._processor.size = {"shortest_edge": LIMITS[0], "longest_edge": LIMITS[1]}
        if tokenizer.chat_template is None:
            raise InputError(f"{folder}: no chat template. Copy chat_template.jinja of the checkpoint's processor.")

    def network(self, dtype: torch.dtype, *, tied: bool) -> nn.Module:
        keys = ("vision_start_token_id", "vision_end_token_id", "image_token_id", "video_token_id")
        config = self._generation.config(
            text_config=plain(self._config["text_config"]) | {"tie_word_embeddings": tied},
            vision_config=plain(self._config["vision_config"]),
            tie_word_embeddings=tied,
            **{key: self._config[key] for key in keys if key in self._config},
        )
        return self._generation.network._from_config(config, dtype=dtype)

    def final_norm(self, network: Any) -> nn.Module:  # noqa: ANN401 - transformers'
        return network.model.language_model.norm

    def from_published(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        if strange := next((name for name in tensors if not name.startswith(PREFIX)), None):
            raise InputError(f"{strange!r} is no tensor of a Sa2VA on Qwen-VL. Are weights and config.json of one checkpoint?")
        return {name.removeprefix(PREFIX): tensor for name, tensor in tensors.items()}

    def to_published(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {PREFIX + name: tensor for name, tensor in tensors.items()}

    def show(self, pictures: Pictures, *, video: bool) -> Media:  # noqa: ARG002 - a video is so many pictures
        ready = self._processor(images=[Image.fromarray(first_resize(picture)) for picture in pictures], return_tensors="pt")
        counts = (ready["image_grid_thw"].prod(dim=1) // self._processor.merge_size**2).tolist()
        slots = "".join(f"<|vision_start|>{PAD * count}<|vision_end|>" for count in counts)
        return Media(slots, {name: ready[name] for name in ("pixel_values", "image_grid_thw")})

    def question(self, text: str, media: Media) -> str:
        words = text.replace(MEDIUM, "")
        counts = [part.count(PAD) for part in media.slots.split("<|vision_start|>")[1:]]
        content = [{"type": "image"}] * len(counts) + [{"type": "text", "text": words}]
        prompt = self._tokenizer.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )
        pieces = prompt.split(PAD)
        if len(pieces) != len(counts) + 1:
            raise InputError(
                f"the chat template gave {len(pieces) - 1} media slots ({PAD}) to {len(counts)} pictures; expected one each."
            )
        return pieces[0] + "".join(PAD * count + piece for count, piece in zip(counts, pieces[1:], strict=True))

    def forget(self, network: Any) -> None:  # noqa: ANN401 - transformers'
        """How far places run ahead of tokens because of the pictures, which a conversation without any would go by, too."""
        network.model.rope_deltas = None

    def extras(self, ids: Tensor) -> dict[str, Tensor]:
        return {"mm_token_type_ids": (ids == self._image_id).int()}


def first_resize(rgb: UInt8[np.ndarray, "h w 3"]) -> UInt8[np.ndarray, "a b 3"]:
    """The picture as qwen-vl-utils hands it on."""
    height, width = rgb.shape[:2]
    least, most = FIRST_LIMITS
    size = smart_resize(width, height, factor=FIRST_FACTOR, min_pixels=least, max_pixels=most)
    return np.asarray(Image.fromarray(rgb).resize(size))
