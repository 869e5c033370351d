"""Sa2VA on InternVL 2.5 and 3 (`model_type` `sa2va_chat`, architecture `Sa2VAChatModel`), by transformers' InternVL classes.

A picture is up to 12 tiles and a thumbnail of 448 pixels, 256 tokens each, in one <img>...</img>; a video's frame is one tile in
its own, frames joined by a newline. Published tensors and what becomes of them:

    vision_model.encoder.layers.0.attn.qkv.weight    q_proj, k_proj and v_proj of model.vision_tower.encoder.layer.0.attention
    vision_model.encoder.layers.0.ls1                lambda_1 of that layer
    mlp1.0 mlp1.1 mlp1.3                             model.multi_modal_projector.layer_norm, linear_1, linear_2
    language_model.model.* language_model.lm_head    model.language_model.*, lm_head

The language model is a Qwen2.5 or Qwen3, or an InternLM2 with names of its own (`internlm2.py`).
"""

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, InternVLConfig, InternVLForConditionalGeneration, InternVLVisionConfig, PreTrainedConfig

from sightline.errors import InputError
from sightline.models.sa2va.conversation import get_template, token_id, with_media
from sightline.models.sa2va.family import Media, Pictures, plain
from sightline.models.sa2va.internlm2 import KIND, InternLm2
from sightline.models.sa2va.tiles import as_pixels, cut

LANGUAGE_MODELS = ("qwen2", "qwen3", KIND)
CONTEXT, START, END = "<IMG_CONTEXT>", "<img>", "</img>"
_STARTS = {
    "vision_model.embeddings.class_embedding": "model.vision_tower.embeddings.cls_token",
    "vision_model.embeddings.position_embedding": "model.vision_tower.embeddings.position_embeddings",
    "vision_model.embeddings.patch_embedding.": "model.vision_tower.embeddings.patch_embeddings.projection.",
    "vision_model.encoder.layers.": "model.vision_tower.encoder.layer.",
    "mlp1.0.": "model.multi_modal_projector.layer_norm.",
    "mlp1.1.": "model.multi_modal_projector.linear_1.",
    "mlp1.3.": "model.multi_modal_projector.linear_2.",
    "language_model.model.": "model.language_model.",
    "language_model.lm_head.": "lm_head.",
}
_IN_LAYER = {
    "attn.proj.": "attention.projection_layer.",
    "attn.": "attention.",
    "norm1.": "layernorm_before.",
    "norm2.": "layernorm_after.",
    "ls1": "lambda_1",
    "ls2": "lambda_2",
}
_LAYER = re.compile(r"(?P<layer>model\.vision_tower\.encoder\.layer\.\d+\.)(?P<rest>.*)")
_FUSED = re.compile(r"(?P<start>.*\.attention\.)qkv\.(?P<kind>weight|bias)")
_QUERY = re.compile(r"(?P<start>.*\.vision_tower\..*\.attention\.)(?P<letter>[qkv])_proj\.(?P<kind>weight|bias)")


class InternVl:
    """The family `internvl`; `config` is the checkpoint's config.json.

    Raises:
        InputError: a language model or a vision tower that transformers' InternVL does not have, or an unknown template.
    """

    name = "internvl"
    normalised = True
    searches_prompt = False
    media_token = CONTEXT

    def __init__(self, config: Mapping[str, Any], tokenizer: Any, *, where: str) -> None:  # noqa: ANN401 - transformers'
        self._config = config
        self.template = get_template(config.get("template", "qwen_chat"))
        language = config["llm_config"]
        if (kind := language.get("model_type")) not in LANGUAGE_MODELS:
            raise InputError(
                f"{where}: its language model is a {kind!r}; transformers' InternVL is run with {', '.join(LANGUAGE_MODELS)} "
                "(the language models of InternVL 2.5 and 3)."
            )
        self._internlm2 = InternLm2(language, where=where) if kind == KIND else None
        if config.get("ps_version", "v2") != "v2":
            raise InputError(f"{where}: ps_version {config['ps_version']!r}; only the pixel order v2 of InternVL 2 and 3 is known.")
        self._side = int(config.get("force_image_size") or config["vision_config"]["image_size"])
        self._most = int(config.get("max_dynamic_patch", 12)) if config.get("dynamic_image_size", True) else 1
        self._num_tokens = int((self._side // config["vision_config"]["patch_size"] * config.get("downsample_ratio", 0.5)) ** 2)
        self._context_id = token_id(tokenizer, CONTEXT, where=where)

    def network(self, dtype: torch.dtype, *, tied: bool) -> nn.Module:
        config = InternVLConfig(
            vision_config=_vision_config(self._config["vision_config"]),
            text_config=self._text_config(tied=tied),
            image_token_id=self._context_id,
            image_seq_length=self._num_tokens,
            downsample_ratio=self._config.get("downsample_ratio", 0.5),
            vision_feature_layer=self._config.get("select_layer", -1),
            tie_word_embeddings=tied,
        )
        return InternVLForConditionalGeneration._from_config(config, dtype=dtype)

    def _text_config(self, *, tied: bool) -> PreTrainedConfig:
        if self._internlm2:
            return AutoConfig.for_model("llama", **self._internlm2.llama(tied=tied))
        values = plain(self._config["llm_config"])
        return AutoConfig.for_model(values.pop("model_type"), **values | {"tie_word_embeddings": tied})

    def final_norm(self, network: Any) -> nn.Module:  # noqa: ANN401 - transformers'
        return network.model.language_model.norm

    def from_published(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        for name, tensor in (self._internlm2.from_published(tensors) if self._internlm2 else tensors).items():
            own = _renamed(name)
            if fused := _FUSED.fullmatch(own):
                parts = zip("qkv", tensor.chunk(3), strict=True)
                found |= {f"{fused['start']}{letter}_proj.{fused['kind']}": part.clone() for letter, part in parts}
            else:
                found[own] = tensor
        return found

    def to_published(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        found: dict[str, Tensor] = {}
        for name, tensor in tensors.items():
            if part := _QUERY.fullmatch(name):
                if part["letter"] == "q":
                    whole = [tensors[f"{part['start']}{letter}_proj.{part['kind']}"] for letter in "qkv"]
                    found[_original(f"{part['start']}qkv.{part['kind']}")] = torch.cat(whole)
            else:
                found[_original(name)] = tensor
        return self._internlm2.to_published(found) if self._internlm2 else found

    def show(self, pictures: Pictures, *, video: bool) -> Media:
        most = 1 if video else self._most
        thumbnail = bool(self._config.get("use_thumbnail", True))
        tiles = [cut(picture, side=self._side, most=most, thumbnail=thumbnail) for picture in pictures]
        slots = [START + CONTEXT * (self._num_tokens * len(own)) + END for own in tiles]
        return Media("\n".join(slots), {"pixel_values": torch.cat([as_pixels(own) for own in tiles])})

    def question(self, text: str, media: Media) -> str:
        return self.template.opened(with_media(text, media.slots))

    def forget(self, network: Any) -> None:  # noqa: ANN401 - transformers'
        """It keeps nothing."""

    def extras(self, ids: Tensor) -> dict[str, Tensor]:  # noqa: ARG002 - other families need it
        return {}


def _vision_config(vision: Mapping[str, Any]) -> InternVLVisionConfig:
    return InternVLVisionConfig(
        hidden_size=vision["hidden_size"],
        num_hidden_layers=vision["num_hidden_layers"],
        num_attention_heads=vision["num_attention_heads"],
        intermediate_size=vision["intermediate_size"],
        image_size=vision["image_size"],
        patch_size=vision["patch_size"],
        attention_bias=vision.get("qkv_bias", True),
        use_qk_norm=vision.get("qk_normalization", False),
        norm_type=vision.get("norm_type", "layer_norm"),
        layer_norm_eps=vision.get("layer_norm_eps", 1e-6),
        hidden_act=vision.get("hidden_act", "gelu"),
    )


def _renamed(name: str) -> str:
    for original, own in _STARTS.items():
        if name.startswith(original):
            renamed = own + name.removeprefix(original)
            if layer := _LAYER.fullmatch(renamed):
                return layer["layer"] + _restarted(layer["rest"], _IN_LAYER)
            return renamed
    raise InputError(f"{name!r} is no tensor of a Sa2VA on InternVL. Are weights and config.json of one checkpoint?")


def _original(name: str) -> str:
    if layer := _LAYER.fullmatch(name):
        name = layer["layer"] + _restarted(layer["rest"], {own: original for original, own in _IN_LAYER.items()})
    for original, own in _STARTS.items():
        if name.startswith(own):
            return original + name.removeprefix(own)
    raise InputError(f"{name!r} is no tensor of transformers' InternVL.")


def _restarted(rest: str, table: Mapping[str, str]) -> str:
    for start, other in table.items():
        if rest.startswith(start):
            return other + rest.removeprefix(start)
    return rest
