"""Samples beside each other in one row that do not see each other: positions that restart, and attention within a sample alone.

How attention is kept within a sample, by the best way there is (`choose_isolation`):

    flash      flash-attn's kernel for sequences of several lengths, told where each sample begins (CUDA)
    flex       FlexAttention with a block mask (CUDA)
    segments   torch's own causal attention, once for each sample; neither a mask nor work between samples (anywhere)
    mask       torch's own attention with a mask of row length squared (anywhere; what the others are measured by)
    none       nothing: rows of one sample, which see no padding because it stands behind them

transformers finds packs by itself only where text positions are given in one particular form, and lets samples see each other
without a word where they are not. So nothing is left to that: bounds and masks are handed over as such. A family is packed if the
tests have shown, for it, that a sample's output does not change with its neighbours (`PROVEN`); others are refused by name.
"""

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from sightline.errors import InputError

Isolation = Literal["flash", "flex", "segments", "mask", "none"]
PROVEN: dict[str, tuple[str, ...]] = {
    "qwen2_5_vl": ("qwen2_5_vl_text",),
    "qwen3_vl": ("qwen3_vl_text",),
    "internvl": ("qwen2", "qwen3"),
    "llava": ("llama",),
    "roborefer": ("qwen2",),
}
"""The kinds of language model that are proven, by family."""
GRID_FAMILIES = frozenset({"qwen2_vl", "qwen2_5_vl", "qwen3_vl"})
"""Positions of three numbers: time, row, column."""
_IMPLEMENTATION = {"flash": "flash_attention_2", "flex": "sightline_flex", "segments": "sightline_segments"}
PADDING = -1

Positions = Callable[[Tensor, Tensor | None], Tensor]
"""From the token ids (n,) of one sample and the patch grids (m, 3) of its pictures to positions (n,) or (3, n)."""


@dataclass(frozen=True)
class Bounds:
    """Stretches of the rows laid end to end, padding too: stretch i is from `ends[i]` up to `ends[i + 1]`, `longest` in tokens.

    A stretch may hold samples that share their beginning (`prefix`): `shared` has, for each such, where it begins, where the
    beginning ends, and where each sample after it ends.
    """

    ends: Tensor  # (stretches + 1,) int32
    longest: int
    shared: tuple[tuple[int, ...], ...] = ()


def check_packable(config: Any) -> None:  # noqa: ANN401 - transformers'
    """See that the family of a model's configuration may be packed.

    Raises:
        InputError: it is not proven, or its language model is not, or has layers other than full attention.
    """
    text = config.get_text_config()
    if text.model_type not in PROVEN.get(config.model_type, ()):
        proven = ", ".join(f"{family} with {' or '.join(kinds)}" for family, kinds in PROVEN.items())
        raise InputError(
            f"packing is not proven for {config.model_type} with {text.model_type}: its samples might see each other. Proven are "
            f"{proven}. Train it with data.batching=grouped."
        )
    kinds = set(getattr(text, "layer_types", None) or ["full_attention"])
    if kinds != {"full_attention"}:
        raise InputError(
            f"packing is not proven for {config.model_type} with layers of {', '.join(sorted(kinds))}; expected full attention "
            "alone. Train it with data.batching=grouped."
        )


def choose_isolation(device: torch.device) -> Isolation:
    """The best way of packing on a device."""
    if device.type != "cuda":
        return "segments"
    return "flash" if importlib.util.find_spec("flash_attn") is not None else "flex"


def isolate(model: Any, isolation: Isolation) -> None:  # noqa: ANN401 - any of transformers' models
    """Have the language model of `model` compute its attention in this way from now on.

    Raises:
        InputError: a family that is not proven (`check_packable`).
    """
    if isolation != "none":
        check_packable(model.config)
    _register()
    model.set_attn_implementation({"text_config": _IMPLEMENTATION.get(isolation, "sdpa")})


def attention_arguments(sequences: Tensor, bounds: Bounds, isolation: Isolation) -> dict[str, Any]:
    """What the language model is to be called with.

    Args:
        sequences: (B, L), the number of the sample in its row that a token belongs to; `PADDING` behind the last one.
    """
    match isolation:
        case "flash" | "segments":
            ends, longest = bounds.ends, bounds.longest
            return {
                "attention_mask": None,
                "cu_seq_lens_q": ends,
                "cu_seq_lens_k": ends,
                "max_length_q": longest,
                "max_length_k": longest,
                **({"shared_beginnings": bounds.shared} if bounds.shared else {}),
            }
        case "flex":
            return {"attention_mask": _block_mask(sequences, bounds)}
        case "mask":
            same = sequences[:, None, :, None] == sequences[:, None, None, :]  # (B, 1, L, L); padding sees padding: no empty row
            shown, sees = _beginnings(sequences, bounds)
            return {"attention_mask": (same | (sees[:, None, :, None] == shown[:, None, None, :])).tril()}
        case "none":
            return {"attention_mask": (sequences != PADDING).long()}


def positions_of(config: Any) -> Positions:  # noqa: ANN401
    """How the family of `config` numbers the tokens of one sample, always from 0: by the model's own function."""
    if config.model_type not in GRID_FAMILIES:
        return lambda ids, _grids: torch.arange(ids.numel())
    from transformers import AutoModel  # noqa: PLC0415 - not every family has grids

    with torch.device("meta"):
        index = AutoModel.from_config(config).get_rope_index
    image_token = config.image_token_id

    def positions(ids: Tensor, grids: Tensor | None) -> Tensor:
        kinds = (ids == image_token).int()[None]
        return index(ids[None], mm_token_type_ids=kinds, image_grid_thw=grids)[0][:, 0]  # (3, n)

    return positions


def _beginnings(sequences: Tensor, bounds: Bounds) -> tuple[Tensor, Tensor]:
    """(B, L) each: of which shared beginning a token is part (-1: of none), and which one it sees from behind it (-2: none)."""
    shown, sees = torch.full_like(sequences, -1), torch.full_like(sequences, -2)
    for number, (start, end, *_, last) in enumerate(bounds.shared):
        shown.view(-1)[start:end] = number
        sees.view(-1)[end:last] = number
    return shown, sees


def _block_mask(sequences: Tensor, bounds: Bounds) -> Any:  # noqa: ANN401 - torch's BlockMask
    from torch.nn.attention.flex_attention import create_block_mask  # noqa: PLC0415 - slow to import

    shown, sees = _beginnings(sequences, bounds)
    # lambdas, because torch looks at the signature, and checks of annotations may stand around a function with a name
    own: Any = lambda row, query, key: sequences[row, query] == sequences[row, key]  # noqa: E731
    visible: Any = lambda row, _head, query, key: (  # noqa: E731
        (own(row, query, key) | (sees[row, query] == shown[row, key])) & (query >= key)
    )
    rows, length = sequences.shape
    return create_block_mask(visible, B=rows, H=None, Q_LEN=length, KV_LEN=length, device=str(sequences.device))


def _register() -> None:
    from transformers import AttentionInterface  # noqa: PLC0415
    from transformers.integrations.flex_attention import flex_attention_forward  # noqa: PLC0415

    AttentionInterface.register(_IMPLEMENTATION["segments"], _segment_attention)
    # under a name of ours: transformers refuses its own to the Qwen-VL families, whose attention is the same
    AttentionInterface.register(_IMPLEMENTATION["flex"], flex_attention_forward)


def _segment_attention(
    _module: Any,  # noqa: ANN401
    query: Tensor,
    key: Tensor,
    value: Tensor,
    _attention_mask: Tensor | None,
    **told: Any,  # noqa: ANN401 - whatever else transformers hands over
) -> tuple[Tensor, None]:
    """Causal attention within each stretch; (B, heads, L, width) to (B, L, heads, width).

    Stretches of one length are computed together.
    """
    ends: Tensor = told["cu_seq_lens_q"]
    rows, heads, length, _ = query.shape
    flat = [states.transpose(1, 2).flatten(0, 1) for states in (query, key, value)]  # (B * L, heads, width)
    lengths = ends.diff()
    options = {"scale": told.get("scaling"), "dropout_p": told.get("dropout", 0.0), "enable_gqa": heads != key.shape[1]}
    parts, order = [], []
    shared: tuple[tuple[int, ...], ...] = told.get("shared_beginnings", ())
    for group in shared:
        parts.append(_behind_beginning(flat, group, options))
        order.append(torch.arange(group[0], group[-1], device=ends.device))
    apart = ~torch.isin(ends[:-1], torch.tensor([group[0] for group in shared], dtype=ends.dtype, device=ends.device))
    for size in lengths[apart].unique().tolist():
        places = ends[:-1][apart & (lengths == size)].long()[:, None] + torch.arange(size, device=ends.device)  # (stretches, size)
        one, two, three = (states[places].transpose(1, 2) for states in flat)  # (stretches, heads, size, width)
        seen = scaled_dot_product_attention(one, two, three, is_causal=True, **options)
        parts.append(seen.transpose(1, 2).flatten(0, 1))
        order.append(places.flatten())
    back = torch.cat(order).argsort()
    return torch.cat(parts)[back].view(rows, length, heads, value.shape[-1]), None


def _behind_beginning(flat: list[Tensor], group: tuple[int, ...], options: dict[str, Any]) -> Tensor:
    """Attention of samples behind a beginning that they share: that of the beginning, then of all samples at once over it and
    themselves; `flat` (B * L, heads, width) to (tokens, heads, width)."""
    start, end, *ends = group
    query, key, value = (states[start : ends[-1]].transpose(0, 1)[None] for states in flat)  # (1, heads, tokens, width)
    size = end - start
    first = scaled_dot_product_attention(query[:, :, :size], key[:, :, :size], value[:, :, :size], is_causal=True, **options)
    lengths = torch.tensor([after - before for before, after in pairwise([end, *ends])], device=query.device)
    number = torch.arange(lengths.numel(), device=query.device).repeat_interleave(lengths)
    own = (number[:, None] == number).tril()
    mask = torch.cat([own.new_ones(own.shape[0], size), own], dim=1)  # (samples' tokens, all tokens)
    rest = scaled_dot_product_attention(query[:, :, size:], key, value, attn_mask=mask, **options)
    return torch.cat([first, rest], dim=2)[0].transpose(0, 1)
