"""Faster forward passes of transformers' layers on the CPU: float32, without gradients, the same numbers up to rounding.

- torch multiplies float32 matrices with MKL, which leaves the wide vector units of many processors unused; oneDNN, which torch has
  aboard, does not (2.2 times faster on an AMD EPYC with AVX-512), and computes the activation or the sum in the same go. It wants
  weights in an order of its own, into which a layer that is called often is copied once. Convolutions of a single picture, or of a
  few pictures with one pixel, do not go there by themselves either on one thread.
- Two linear layers with nothing between them are one.
- transformers' Hiera attention computes a softmax between heads that nothing reads.
- Pictures smaller than Hiera's windows are filled up to a whole window, and the filling goes through its layers.
- A softmax over 8 tokens and a norm over 4 channels leave most of a vector unit idle; taken along the other axis they do not.
- Position encodings are the same for all frames of a video.

The operators have no gradient. Layers that others have given a forward pass of their own are left alone.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, cast

import torch
import torch.nn.functional as F  # noqa: N812 - as everyone calls it
from torch import Tensor, nn
from transformers import Sam2VideoModel
from transformers.activations import GELUActivation
from transformers.models.sam2.modeling_sam2 import Sam2FeedForward, Sam2MultiScaleAttention, Sam2MultiScaleBlock, do_pool
from transformers.models.sam2_video.modeling_sam2_video import Sam2VideoAttention, Sam2VideoLayerNorm, Sam2VideoMemoryFuserCXBlock

LEAST_WEIGHTS = 64 * 64  # below it the call costs more than the product
LEAST_ROWS = 16
FEW_KEYS = 32
THIN = 8  # channels
CALLS_TO_PACK = 4  # copying weights costs about one call and saves a twentieth to a fifth of each

Forward = Callable[..., Any]


def has_onednn() -> bool:
    """Whether this torch can multiply by oneDNN when it is asked to."""
    return torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")


def shortcuts(model: Sam2VideoModel) -> dict[nn.Module, Forward]:
    """The layers that have a faster forward pass here, and that; none where torch has no oneDNN or the model is elsewhere.

    Valid while weights stay as they are: copies of the weights of layers called often, and position encodings, are kept in it.
    """
    if model.training or not has_onednn() or not all(_is_plain(parameter) for parameter in model.parameters()):
        return {}
    found = {layer: _faster(layer) for layer in model.modules() if "forward" not in layer.__dict__}
    places = model.vision_encoder.neck.position_encoding
    return {layer: forward for layer, forward in found.items() if forward is not None} | {places: _Once(places.forward)}


@contextmanager
def taken(forwards: Mapping[nn.Module, Forward]) -> Iterator[None]:
    """Compute these layers by these forward passes for as long as this lasts; may be nested.

    Does nothing outside inference mode or in autocast.
    """
    idle = torch.is_autocast_enabled("cpu") or not torch.is_inference_mode_enabled()
    own = [] if idle else [layer for layer in forwards if "forward" not in layer.__dict__]
    for layer in own:
        layer.__dict__["forward"] = forwards[layer]
    try:
        yield
    finally:
        for layer in own:
            layer.__dict__.pop("forward", None)


def product(layer: nn.Module, features: Tensor, activation: str = "none") -> Tensor:
    """A linear layer and what follows it ("none", "relu" or "gelu"), in one go where that is faster."""
    if type(layer) is nn.Linear and _gains(layer) and has_onednn():
        forward = layer.__dict__.get("forward")
        whole = forward if isinstance(forward, _Product) else _Product(layer.weight, layer.bias)
        return whole(features, activation)
    found = F.linear(features, layer.weight, layer.bias) if type(layer) is nn.Linear else layer(features)
    return found if activation == "none" else getattr(F, activation)(found)


def chain(first: nn.Module, second: nn.Module, features: Tensor) -> Tensor:
    """Two linear layers; while shortcuts are taken they are one product, whose weights are computed once."""
    own, after = first.__dict__.get("forward"), second.__dict__.get("forward")
    if isinstance(own, _Product) and isinstance(after, _Product):
        return after.following(own)(features)
    return product(second, product(first, features))


def inner(rows: Tensor, others: Tensor) -> Tensor:
    """The inner products of two sets of vectors, (n, C) and (m, C), as (n, m)."""
    return torch.ops.mkldnn._linear_pointwise.default(rows, others, None, "none", [], "")


def _faster(layer: nn.Module) -> Forward | None:
    if type(layer) is nn.Linear:
        return _Product(layer.weight, layer.bias) if _gains(layer) else None
    if type(layer) is nn.Conv2d:
        return _Convolution(layer) if layer.padding_mode == "zeros" and not isinstance(layer.padding, str) else None
    if type(layer) is Sam2MultiScaleAttention:
        return _HieraAttention(layer)
    if type(layer) is Sam2MultiScaleBlock:
        return _HieraBlock(layer) if type(layer.attn.qkv) is nn.Linear else None
    if type(layer) is Sam2VideoAttention:
        return _FewKeys(layer)
    if type(layer) is Sam2VideoLayerNorm:
        return _ThinNorm(layer) if layer.data_format == "channels_first" and layer.weight.numel() <= THIN else None
    if type(layer) is Sam2VideoMemoryFuserCXBlock:
        return _Fuser(layer) if type(layer.activation) is GELUActivation else None
    if type(layer) is Sam2FeedForward:
        return _Perceptron(layer) if layer.num_layers == 2 and type(layer.activation) is GELUActivation else None
    return None


class _Product:
    """A linear layer by oneDNN."""

    def __init__(self, weight: Tensor, bias: Tensor | None) -> None:
        self.weight, self.bias = weight, bias
        self.packed: Tensor | None = None
        self.calls = 0
        self.joined: tuple[_Product, _Product] | None = None

    def __call__(self, features: Tensor, activation: str = "none") -> Tensor:
        if features.numel() < LEAST_ROWS * self.weight.shape[1] or not _is_plain(features):
            found = F.linear(features, self.weight, self.bias)
            return found if activation == "none" else getattr(F, activation)(found)
        self.calls += 1
        if self.packed is None and self.calls >= CALLS_TO_PACK:
            self.packed = torch.ops.mkldnn._reorder_linear_weight(self.weight, features.numel() // features.shape[-1])
        weight = self.weight if self.packed is None else self.packed
        run = torch.ops.mkldnn._linear_pointwise.default  # torch offers it under no other name
        return run(features, weight, self.bias, activation, [], "none")

    def following(self, first: "_Product") -> "_Product":
        """This layer after another, as one."""
        if self.joined is None or self.joined[0] is not first:
            bias = self.bias if first.bias is None else F.linear(first.bias, self.weight, self.bias)
            self.joined = (first, _Product(self.weight @ first.weight, bias))
        return self.joined[1]


class _Convolution:
    def __init__(self, layer: nn.Conv2d) -> None:
        self.layer = layer
        self.padding = cast(tuple[int, int], layer.padding)

    def __call__(self, features: Tensor) -> Tensor:
        layer = self.layer
        if (len(features) > 1 and layer.kernel_size != (1, 1)) or not _is_plain(features):
            return F.conv2d(features, layer.weight, layer.bias, layer.stride, layer.padding, layer.dilation, layer.groups)
        return torch.mkldnn_convolution(
            features, layer.weight, layer.bias, self.padding, layer.stride, layer.dilation, layer.groups
        )


class _HieraBlock:
    """`Sam2MultiScaleBlock` on pictures that fit into one of its windows; larger ones go the usual way.

    The window is filled up with empty places, whose keys and values are all the biases: they count as one key of their number's
    weight, and nothing else is computed for them.
    """

    def __init__(self, layer: Sam2MultiScaleBlock) -> None:
        self.layer = layer

    def __call__(self, hidden_states: Tensor, **how: Any) -> Tensor:  # noqa: ANN401 - what transformers hands down
        layer = self.layer
        height, width = hidden_states.shape[1:3]
        empty = layer.window_size**2 - height * width
        stride = cast(list[int], layer.query_stride) or [1, 1]
        if max(height, width) > layer.window_size or empty == 0 or height % stride[0] or width % stride[1]:
            return type(layer).forward(layer, hidden_states, **how)
        normed = layer.layer_norm1(hidden_states)
        kept = hidden_states if layer.dim == layer.dim_out else do_pool(layer.proj(normed), cast(Any, layer.query_stride))
        hidden_states = kept + _attended(layer.attn, normed, empty=empty)
        return hidden_states + layer.mlp(layer.layer_norm2(hidden_states))


class _HieraAttention:
    """`Sam2MultiScaleAttention` without the weights that it computes and forgets."""

    def __init__(self, layer: Sam2MultiScaleAttention) -> None:
        self.layer = layer

    def __call__(self, hidden_states: Tensor, **_: Any) -> Tensor:  # noqa: ANN401 - what transformers hands down
        return _attended(self.layer, hidden_states, empty=0)


def _attended(layer: Sam2MultiScaleAttention, tokens: Tensor, *, empty: int) -> Tensor:
    """Attention among tokens (n, h, w, C) and as many empty ones beside them."""
    batch, height, width, _ = tokens.shape
    parts = layer.qkv(tokens).reshape(batch, height * width, 3, layer.num_attention_heads, -1)
    queries, keys, values = parts.permute(2, 0, 3, 1, 4)  # each (n, heads, h * w, channels)
    weight = None
    if empty:
        _, key, value = layer.qkv.bias.reshape(3, 1, layer.num_attention_heads, 1, -1).expand(-1, batch, -1, -1, -1)
        keys, values = torch.cat([keys, key], dim=2), torch.cat([values, value], dim=2)
        weight = tokens.new_zeros((1, keys.shape[2]))
        weight[0, -1] = math.log(empty)
    if layer.query_stride:
        strongest = queries.transpose(2, 3).reshape(batch, -1, height, width)
        strongest = F.max_pool2d(strongest, kernel_size=layer.query_stride, stride=layer.query_stride)
        height, width = strongest.shape[-2:]
        queries = strongest.reshape(batch, layer.num_attention_heads, -1, height * width).transpose(2, 3)
    found = F.scaled_dot_product_attention(queries, keys, values, attn_mask=weight, scale=layer.scale)
    return layer.proj(found.transpose(1, 2).reshape(batch, height, width, -1))


class _FewKeys:
    """`Sam2VideoAttention` of many queries to a few keys: the softmax runs over whole rows of queries."""

    def __init__(self, layer: Sam2VideoAttention) -> None:
        self.layer = layer

    def __call__(self, query: Tensor, key: Tensor, value: Tensor, **how: Any) -> tuple[Tensor, Tensor | None]:  # noqa: ANN401
        layer = self.layer
        if key.shape[2] > FEW_KEYS or query.shape[2] <= FEW_KEYS or how.get("attention_similarity") is not None:
            return type(layer).forward(layer, query, key, value, **how)
        heads = (layer.num_attention_heads, layer.head_dim)
        queries, keys, values = (
            each.flatten(0, 1).unflatten(-1, heads).transpose(1, 2).flatten(0, 1)  # (n * heads, tokens, channels)
            for each in (layer.q_proj(query), layer.k_proj(key), layer.v_proj(value))
        )
        weights = torch.bmm(keys * layer.scaling, queries.transpose(1, 2)).softmax(dim=1)  # (n * heads, few, many)
        found = torch.bmm(weights.transpose(1, 2), values).unflatten(0, (-1, heads[0])).transpose(1, 2).flatten(2)
        return layer.o_proj(found.reshape(*query.shape[:-1], -1)), None


class _ThinNorm:
    """`Sam2VideoLayerNorm` over few channels, each a whole plane: planes are added, rows of 4 numbers are not."""

    def __init__(self, layer: Sam2VideoLayerNorm) -> None:
        self.layer = layer

    def __call__(self, features: Tensor) -> Tensor:
        layer = self.layer
        off = features - features.mean(dim=1, keepdim=True)
        scale = torch.rsqrt((off * off).mean(dim=1, keepdim=True) + layer.eps)
        return off * scale * layer.weight[:, None, None] + layer.bias[:, None, None]


class _Fuser:
    """`Sam2VideoMemoryFuserCXBlock` with its activation computed in one go with the layer before it."""

    def __init__(self, layer: Sam2VideoMemoryFuserCXBlock) -> None:
        self.layer = layer

    def __call__(self, hidden_states: Tensor) -> Tensor:
        layer = self.layer
        tokens = layer.layer_norm(layer.depthwise_conv(hidden_states)).permute(0, 2, 3, 1)
        found = layer.scale * product(layer.pointwise_conv2, product(layer.pointwise_conv1, tokens, "gelu"))
        return hidden_states + found.permute(0, 3, 1, 2)


class _Perceptron:
    def __init__(self, layer: Sam2FeedForward) -> None:
        self.layer = layer

    def __call__(self, hidden_states: Tensor) -> Tensor:
        return product(self.layer.proj_out, product(self.layer.proj_in, hidden_states, "gelu"))


class _Once:
    """Position encodings: what was computed for a shape is given again for that shape."""

    def __init__(self, forward: Forward) -> None:
        self.forward = forward
        self.known: dict[tuple[Any, ...], Tensor] = {}

    def __call__(self, shape: torch.Size, device: torch.device, dtype: torch.dtype) -> Tensor:
        one = (1, *shape[1:])
        if (one, device, dtype) not in self.known:
            self.known[one, device, dtype] = self.forward(torch.Size(one), device, dtype)
        return self.known[one, device, dtype].expand(shape)


def _gains(layer: nn.Linear) -> bool:
    return layer.weight.numel() >= LEAST_WEIGHTS


def _is_plain(tensor: Tensor) -> bool:
    return tensor.device.type == "cpu" and tensor.dtype == torch.float32
