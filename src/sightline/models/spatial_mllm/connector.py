"""How a visual token takes in the geometry of its place: two frames of 2 x 2 patches.

`mlp_add` is the published connector (v1.1) and has its names; `mlp_cat` and `cross_attn` are ours, under the names that the
published code has for plans it never carried out. These two start as the plain language model: what they add is zero until they are
trained.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

MERGE = 2
FRAMES = 2
EPSILON = 1e-6
ATTENTION_HEAD = 64


def merged(geometry: Tensor) -> Tensor:
    """The features of each token's place in one vector: (T, rows, columns, D) -> (T / 2 * rows / 2 * columns / 2, 8 D).

    Tokens by time, row, column. Within a vector: patch row, patch column, channel, frame; the frame runs fastest.
    """
    cells = geometry.unflatten(2, (-1, MERGE)).unflatten(1, (-1, MERGE)).unflatten(0, (-1, FRAMES))  # (t, f, i, p, j, q, D)
    return cells.permute(0, 2, 4, 3, 5, 6, 1).flatten(3).flatten(0, 2)


class MlpAdd(nn.Module):
    """Norm, two layers, and addition to the visual token; no gate."""

    def __init__(self, spatial_width: int, width: int) -> None:
        super().__init__()
        wide = MERGE * MERGE * FRAMES * spatial_width
        self.ln_q = nn.RMSNorm(wide, eps=EPSILON)
        self.mlp = nn.Sequential(nn.Linear(wide, wide), nn.GELU(), nn.Linear(wide, width))

    def forward(self, visual: Tensor, geometry: Tensor) -> Tensor:
        """Visual tokens (n, H) and geometry (T, rows, columns, D) -> (n, H)."""
        return visual + self.mlp(self.ln_q(merged(geometry)))


class MlpCat(nn.Module):
    """The two side by side, and a layer that brings them back to one width."""

    def __init__(self, spatial_width: int, width: int) -> None:
        super().__init__()
        wide = MERGE * MERGE * FRAMES * spatial_width
        self.ln_q = nn.RMSNorm(wide, eps=EPSILON)
        self.mlp = nn.Sequential(nn.Linear(wide, width), nn.GELU(), nn.Linear(width, width))
        self.join = nn.Linear(2 * width, width)
        with torch.no_grad():
            self.join.weight.copy_(torch.cat([torch.eye(width), torch.zeros(width, width)], dim=1))
            self.join.bias.zero_()

    def forward(self, visual: Tensor, geometry: Tensor) -> Tensor:
        """As `MlpAdd.forward`."""
        return self.join(torch.cat([visual, self.mlp(self.ln_q(merged(geometry)))], dim=-1))


class CrossAttention(nn.Module):
    """Each visual token attends to all patches of its own two frames."""

    def __init__(self, spatial_width: int, width: int) -> None:
        super().__init__()
        self.num_heads = max(1, width // ATTENTION_HEAD)
        self.query_norm = nn.RMSNorm(width, eps=EPSILON)
        self.geometry_norm = nn.RMSNorm(spatial_width, eps=EPSILON)
        self.query = nn.Linear(width, width)
        self.key_value = nn.Linear(spatial_width, 2 * width)
        self.out = nn.Linear(width, width)
        nn.init.zeros_(self.out.weight)
        nn.init.zeros_(self.out.bias)

    def forward(self, visual: Tensor, geometry: Tensor) -> Tensor:
        """As `MlpAdd.forward`."""
        steps = geometry.shape[0] // FRAMES
        patches = geometry.reshape(steps, -1, geometry.shape[-1])  # (t, 2 rows columns, D)
        queries = self.query(self.query_norm(visual)).unflatten(0, (steps, -1))  # (t, n / t, H)
        keys, values = self.key_value(self.geometry_norm(patches)).chunk(2, dim=-1)
        heads = [each.unflatten(-1, (self.num_heads, -1)).transpose(1, 2) for each in (queries, keys, values)]
        gathered = functional.scaled_dot_product_attention(*heads)  # (t, heads, n / t, H / heads)
        return visual + self.out(gathered.transpose(1, 2).flatten(2).flatten(0, 1))


CONNECTORS: dict[str, Callable[[int, int], nn.Module]] = {"mlp_add": MlpAdd, "mlp_cat": MlpCat, "cross_attn": CrossAttention}
"""By `fusion`: (width of the geometry, width of the language model) to a module."""
