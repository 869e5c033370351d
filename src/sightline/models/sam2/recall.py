"""The memory attention of SAM 2 for many objects of one picture, on a CPU and without gradients.

The same numbers as transformers' `Sam2VideoMemoryAttention`, up to float32 rounding, for less work:
- All objects look from the same picture, so that the first layer's self-attention is computed once.
- The rows of a softmax sum to 1, so sum(w (m V + b)) is (sum(w m)) V + b: the values of the remembered tokens, ten times as many as
  the picture's, need no projection, and are 64 wide instead of C.
- For the same reason the layer after the values may come before the sum, and is one with theirs.
- A rotary embedding is a product of complex numbers, in place.
- Positions of the memories are the same for all objects, and the products go through `shortcuts`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F  # noqa: N812 - as everyone calls it
from torch import Tensor

from sightline.models.sam2.results import Features
from sightline.models.sam2.shortcuts import chain, has_onednn, inner, product

MOST_WEIGHTS = 2**24  # attention weights that are written out (64 MB); above it torch's blockwise kernel


@dataclass(frozen=True)
class Remembered:
    """What O objects remember: n memories and P pointers, and their places, which are the same for all objects."""

    memories: Sequence[Tensor]  # n times (O, 64, h, w)
    pointers: Tensor  # (O, P, C)
    spatial: Tensor  # (n, h*w, 64)
    in_time: Tensor  # (P, 64)


def can_recall(attention: Any, top: Tensor) -> bool:  # noqa: ANN401 - transformers' module
    """Whether `recall` is for this: float32 on the CPU, in inference mode, one head, as in every published SAM 2."""
    if not has_onednn() or attention.config.memory_attention_feed_forward_hidden_act != "relu":
        return False
    plain = top.device.type == "cpu" and top.dtype == torch.float32 and not torch.is_autocast_enabled("cpu")
    return plain and torch.is_inference_mode_enabled() and not attention.training and _one_head(attention)


def recall(attention: Any, seen: Features, known: Remembered) -> Tensor:  # noqa: ANN401 - transformers' module
    """The picture's features (O, C, h, w) after looking at what is remembered; `seen` has one row, or one an object."""
    objects = len(known.pointers)
    _, width, height, columns = seen.top.shape
    shown = (seen.top + 0.1 * seen.position).flatten(2).transpose(1, 2)  # (1 or O, h*w, C)
    turns = _turns(attention, shown)
    values = torch.cat([*(memory.flatten(2).transpose(1, 2) for memory in known.memories), _split(known.pointers, 64)], dim=1)
    places = torch.cat([known.spatial.flatten(0, 1), known.in_time.repeat_interleave(width // 64, dim=0)])
    keys = values + places  # (O, n*h*w + P*C/64, 64)
    for layer in attention.layers:
        shown = _look_around(layer.self_attn, layer.layer_norm1(shown), turns).add_(shown)
        shown = _look_back(layer.cross_attn_image, layer.layer_norm2(shown), (keys, values), turns, len(known.memories)).add_(shown)
        shown = product(layer.linear2, product(layer.linear1, layer.layer_norm3(shown), "relu")).add_(shown)
    return attention.layer_norm(shown).transpose(1, 2).reshape(objects, width, height, columns)


def _one_head(attention: Any) -> bool:  # noqa: ANN401 - transformers' module
    return attention.config.memory_attention_num_attention_heads == 1 and attention.layers[0].cross_attn_image.kv_in_dim == 64


def _split(pointers: Tensor, width: int) -> Tensor:
    """Pointers (O, P, C) as tokens (O, P*C/64, 64)."""
    return pointers.reshape(len(pointers), -1, width)


def _turns(attention: Any, shown: Tensor) -> Tensor:  # noqa: ANN401 - transformers' module
    """The rotary embedding of the picture's places, complex: (h*w, C/2)."""
    cos, sin = attention.rotary_emb(shown, attention.position_ids)
    return torch.complex(cos[0, :, ::2], sin[0, :, ::2])


def _turned(tokens: Tensor, turns: Tensor) -> Tensor:
    """Tokens (..., h*w, C) after their rotation, in place."""
    torch.view_as_complex(tokens.unflatten(-1, (-1, 2))).mul_(turns)
    return tokens


def _look_around(layer: Any, shown: Tensor, turns: Tensor) -> Tensor:  # noqa: ANN401 - transformers' module
    queries, keys = _turned(layer.q_proj(shown), turns), _turned(layer.k_proj(shown), turns)
    values = chain(layer.v_proj, layer.o_proj, shown)
    return F.scaled_dot_product_attention(queries[:, None], keys[:, None], values[:, None], scale=layer.scaling)[:, 0]


def _look_back(layer: Any, shown: Tensor, remembered: tuple[Tensor, Tensor], turns: Tensor, num_memories: int) -> Tensor:  # noqa: ANN401
    keys, values = remembered
    queries = _turned(layer.q_proj(shown), turns)
    keys = layer.k_proj(keys)  # (O, tokens, C)
    _turned(keys[:, : num_memories * len(turns)].unflatten(1, (num_memories, -1)), turns)  # pointers have no place in the picture
    if len(keys) * queries.shape[1] * keys.shape[1] > MOST_WEIGHTS:
        queries = queries.expand(len(keys), -1, -1)
        found = F.scaled_dot_product_attention(queries[:, None], keys[:, None], layer.v_proj(values)[:, None], scale=layer.scaling)
        return layer.o_proj(found[:, 0])
    queries = (queries * layer.scaling).expand(len(keys), -1, -1)
    found = [inner(inner(own, key).softmax(dim=-1), value.T) for own, key, value in zip(queries, keys, values, strict=True)]
    return chain(layer.v_proj, layer.o_proj, torch.stack(found))
