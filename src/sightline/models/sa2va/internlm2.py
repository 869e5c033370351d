"""InternLM2 and InternLM2.5, the language models of Sa2VA-8B and 26B, as transformers' Llama: the same computation, other names.

    model.tok_embeddings.weight                        model.embed_tokens.weight
    model.layers.0.attention.wqkv.weight               model.layers.0.self_attn.q_proj.weight, k_proj, v_proj
    model.layers.0.attention.wo.weight                 model.layers.0.self_attn.o_proj.weight
    model.layers.0.feed_forward.w1.weight, w3, w2      model.layers.0.mlp.gate_proj.weight, up_proj, down_proj
    model.layers.0.attention_norm.weight, ffn_norm     model.layers.0.input_layernorm.weight, post_attention_layernorm
    model.norm.weight, output.weight                   model.norm.weight, lm_head.weight

The rows of `wqkv` go by key-value head: the queries that share it, its key, its value. Rotations are scaled as config.json says:
`dynamic` acts only behind `max_position_embeddings` tokens, `linear` always.
"""

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from sightline.errors import InputError
from sightline.models.sa2va.family import plain

KIND = "internlm2"
PREFIX = "language_model."
SCALINGS = ("dynamic", "linear")
_SAME = (
    "vocab_size",
    "hidden_size",
    "intermediate_size",
    "num_hidden_layers",
    "num_attention_heads",
    "num_key_value_heads",
    "hidden_act",
    "max_position_embeddings",
    "initializer_range",
    "rms_norm_eps",
    "bos_token_id",
    "eos_token_id",
    "pad_token_id",
)
_NAMES = {
    "model.tok_embeddings.": "model.embed_tokens.",
    "output.": "lm_head.",
    ".attention.wo.": ".self_attn.o_proj.",
    ".feed_forward.w1.": ".mlp.gate_proj.",
    ".feed_forward.w3.": ".mlp.up_proj.",
    ".feed_forward.w2.": ".mlp.down_proj.",
    ".attention_norm.": ".input_layernorm.",
    ".ffn_norm.": ".post_attention_layernorm.",
}
_FUSED = re.compile(r"(?P<layer>.*\.layers\.\d+\.)attention\.wqkv\.(?P<kind>weight|bias)")
_SPLIT = re.compile(r"(?P<layer>.*\.layers\.\d+\.)self_attn\.(?P<letter>[qkv])_proj\.(?P<kind>weight|bias)")


class InternLm2:
    """The names of a checkpoint with this `llm_config`.

    Raises:
        InputError: heads that do not share keys evenly, or a scaling of rotations that is not known.
    """

    def __init__(self, config: Mapping[str, Any], *, where: str) -> None:
        self._config = config
        self._heads = int(config["num_attention_heads"])
        self._groups = int(config.get("num_key_value_heads") or self._heads)
        if self._heads % self._groups or config["hidden_size"] % self._heads:
            raise InputError(
                f"{where}: {self._heads} heads, {self._groups} of keys, in states {config['hidden_size']} wide; expected the heads "
                "to divide the width, and the heads of keys the heads. Restore the config.json."
            )
        self._scaling = config.get("rope_scaling")
        if self._scaling and not (self._scaling.get("type") in SCALINGS and isinstance(self._scaling.get("factor"), int | float)):
            raise InputError(
                f"{where}: rope_scaling {self._scaling!r} of InternLM2; expected none, or a type of {' or '.join(SCALINGS)} and a "
                "factor. Restore the config.json."
            )

    def llama(self, *, tied: bool) -> dict[str, Any]:
        """Values of a `LlamaConfig`."""
        config = plain(self._config)
        rotation: dict[str, Any] = {"rope_type": "default", "rope_theta": float(config.get("rope_theta", 10_000))}
        if self._scaling:
            rotation |= {"rope_type": self._scaling["type"], "factor": float(self._scaling["factor"])}
        return {
            **{key: config[key] for key in _SAME if key in config},
            "num_key_value_heads": self._groups,
            "attention_bias": config.get("bias", True),
            "mlp_bias": False,
            "rope_parameters": rotation,
            "tie_word_embeddings": tied,
        }

    def from_published(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """With the tensors of the language model (`language_model.`) under Llama's names; the others as they are."""
        found: dict[str, Tensor] = {}
        for name, tensor in tensors.items():
            if not name.startswith(PREFIX):
                found[name] = tensor
            elif fused := _FUSED.fullmatch(name):
                for letter, part in zip("qkv", self.split(tensor), strict=True):
                    found[f"{fused['layer']}self_attn.{letter}_proj.{fused['kind']}"] = part
            else:
                found[_replaced(name, _NAMES)] = tensor
        return found

    def to_published(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The inverse of `from_published`."""
        back = {own: published for published, own in _NAMES.items()}
        found: dict[str, Tensor] = {}
        for name, tensor in tensors.items():
            part = _SPLIT.fullmatch(name) if name.startswith(PREFIX) else None
            if part is None:
                found[_replaced(name, back) if name.startswith(PREFIX) else name] = tensor
            elif part["letter"] == "q":
                parts = [tensors[f"{part['layer']}self_attn.{letter}_proj.{part['kind']}"] for letter in "qkv"]
                found[f"{part['layer']}attention.wqkv.{part['kind']}"] = self.join(*parts)
        return found

    def split(self, fused: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Rows for queries, keys and values of a fused weight ((H + 2 G) * d, D) or bias, for H heads in G groups."""
        rows = fused.unflatten(0, (self._groups, self._heads // self._groups + 2, -1))  # (G, H/G + 2, d, ..)
        queries, keys, values = rows[:, :-2], rows[:, -2], rows[:, -1]
        return queries.flatten(0, 2).clone(), keys.flatten(0, 1).clone(), values.flatten(0, 1).clone()

    def join(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """The inverse of `split`."""
        grouped = queries.unflatten(0, (self._groups, self._heads // self._groups, -1))  # (G, H/G, d, ..)
        pair = [part.unflatten(0, (self._groups, 1, -1)) for part in (keys, values)]
        return torch.cat([grouped, *pair], dim=1).flatten(0, 2)


def _replaced(name: str, table: Mapping[str, str]) -> str:
    """`language_model.REST` with the first of the table's beginnings (or middles, with a dot before) replaced."""
    rest = name.removeprefix(PREFIX)
    for part, other in table.items():
        if rest.startswith(part) or (part.startswith(".") and part in rest):
            return PREFIX + rest.replace(part, other, 1)
    return name
