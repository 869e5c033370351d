"""The transformer block of VGGT's patch embedding, aggregator and camera head; modules are named as in the published weights.

Without gradients a block can work through its tokens piece by piece, in place: keys and values of all tokens are there, queries and
the perceptron of some. The numbers are those of the whole but for the order of sums inside a matrix product.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.models.vggt.rotary import Rotary


class LayerScale(nn.Module):
    """A factor a channel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.full((width,), 1e-2))

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens * self.gamma


class Mlp(nn.Module):
    """Two layers with an exact GELU between them."""

    def __init__(self, width: int, hidden: int, out: int) -> None:
        super().__init__()
        self.fc1 = nn.Linear(width, hidden)
        self.fc2 = nn.Linear(hidden, out)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.fc2(functional.gelu(self.fc1(tokens)))


class Attention(nn.Module):
    """Attention of all tokens of a row to each other. Queries, keys and values come from one matrix, in this order."""

    def __init__(self, width: int, num_heads: int, *, qk_norm: bool = False) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.qkv = nn.Linear(width, 3 * width)
        self.q_norm = nn.LayerNorm(width // num_heads) if qk_norm else nn.Identity()
        self.k_norm = nn.LayerNorm(width // num_heads) if qk_norm else nn.Identity()
        self.proj = nn.Linear(width, width)

    def keys_and_values(self, tokens: Tensor, rotary: Rotary | None) -> tuple[Tensor, Tensor]:
        """Of tokens (B, N, C): two tensors (B, heads, N, C / heads)."""
        keys, values = self._projected(tokens, 1, 3)
        keys = self.k_norm(keys)
        return (keys if rotary is None else rotary.turn(keys)), values

    def attend(self, tokens: Tensor, keys: Tensor, values: Tensor, rotary: Rotary | None, *, start: int = 0) -> Tensor:
        """What `tokens` (B, n, C), those from `start` on, gather from the keys and values of all: (B, n, C)."""
        (queries,) = self._projected(tokens, 0, 1)
        queries = self.q_norm(queries)
        if rotary is not None:
            queries = rotary.turn(queries, start)
        gathered = functional.scaled_dot_product_attention(queries, keys, values)  # (B, heads, n, C / heads)
        return self.proj(gathered.transpose(1, 2).flatten(2))

    def _projected(self, tokens: Tensor, first: int, last: int) -> tuple[Tensor, ...]:
        width = tokens.shape[-1]
        rows = slice(first * width, last * width)
        joined = functional.linear(tokens, self.qkv.weight[rows], self.qkv.bias[rows])
        return joined.unflatten(-1, (last - first, self.num_heads, -1)).permute(2, 0, 3, 1, 4).unbind(0)


class Block(nn.Module):
    """x + gamma1 * attention(norm1(x)), then x + gamma2 * mlp(norm2(x)); also the residual order of DINOv2."""

    def __init__(self, width: int, num_heads: int, *, mlp_ratio: int, epsilon: float = 1e-5, qk_norm: bool = False) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=epsilon)
        self.attn = Attention(width, num_heads, qk_norm=qk_norm)
        self.ls1 = LayerScale(width)
        self.norm2 = nn.LayerNorm(width, eps=epsilon)
        self.mlp = Mlp(width, mlp_ratio * width, width)
        self.ls2 = LayerScale(width)

    def forward(self, tokens: Tensor, rotary: Rotary | None = None) -> Tensor:
        """(B, N, C) -> (B, N, C)."""
        normed = self.norm1(tokens)
        keys, values = self.attn.keys_and_values(normed, rotary)
        tokens = tokens + self.ls1(self.attn.attend(normed, keys, values, rotary))
        return tokens + self.ls2(self.mlp(self.norm2(tokens)))

    def update(self, tokens: Tensor, rotary: Rotary | None = None, *, rows_at_once: int, tokens_at_once: int) -> None:
        """The same in place and without gradients, `rows_at_once` rows of the batch and `tokens_at_once` queries at a time."""
        for rows in tokens.split(rows_at_once):
            keys, values = self.attn.keys_and_values(self.norm1(rows), rotary)
            for start in range(0, rows.shape[1], tokens_at_once):
                some = rows[:, start : start + tokens_at_once]
                some += self.ls1(self.attn.attend(self.norm1(some), keys, values, rotary, start=start))
                some += self.ls2(self.mlp(self.norm2(some)))
