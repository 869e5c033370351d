"""The aggregator of VGGT (Wang et al. 2025): frames attend to themselves and to each other in turn.

Each frame is one camera token, its registers, and one token a patch. The camera token and registers of a sequence's first frame are
others than those of all later ones, and nothing else tells frames apart. A layer is a block within frames, then a block over the
whole sequence; its output holds both, (.., 2C).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from sightline.errors import InputError
from sightline.models.vggt.blocks import Block
from sightline.models.vggt.config import VggtConfig
from sightline.models.vggt.patch_embed import PatchEmbed
from sightline.models.vggt.rotary import Rotary

MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Chunks:
    """How much is worked on at once while no gradients are kept: frames of the patch embedding, of the blocks within frames and of
    the dense heads, and tokens of the blocks over a sequence. It bounds the memory and changes no number beyond rounding."""

    frames: int = 8
    tokens: int = 16_384


DEFAULT_CHUNKS = Chunks()


class Aggregator(nn.Module):
    """Pictures to tokens. `mask_token` of the patch embedding is the one parameter that no output depends on."""

    def __init__(self, config: VggtConfig) -> None:
        super().__init__()
        self.config = config
        self.patch_embed = PatchEmbed(config)
        self.camera_token = nn.Parameter(torch.randn(1, 2, 1, config.width) * 1e-6)
        self.register_token = nn.Parameter(torch.randn(1, 2, config.num_registers, config.width) * 1e-6)
        self.frame_blocks, self.global_blocks = (
            nn.ModuleList(
                Block(config.width, config.num_heads, mlp_ratio=config.mlp_ratio, qk_norm=True) for _ in range(config.depth)
            )
            for _ in range(2)
        )

    def forward(self, images: Tensor, *, layers: Sequence[int] | None = None, chunks: Chunks = DEFAULT_CHUNKS) -> dict[int, Tensor]:
        """Tokens of the layers asked for, each (B, S, special + P, 2C); only these are kept.

        Args:
            images: (B, S, 3, H, W), RGB in 0..1, not normalised; B sequences of S frames that do not see each other.
            layers: numbers from 0; None gives all. Layers after the last of them are not computed.
            chunks: how much is worked on at once, without gradients.

        Raises:
            InputError: sides that are no multiples of the patch, or a layer that is not there.
        """
        rows, columns = self._grid(images)
        wanted = self._wanted(layers)
        batch, num_frames = images.shape[:2]
        tokens = self._tokens(images, chunks)  # (B * S, N, C)
        within = Rotary(rows, columns, num_special=self.config.num_special)
        across = Rotary(rows, columns, num_special=self.config.num_special, num_frames=num_frames)
        kept: dict[int, Tensor] = {}
        for layer in range(max(wanted) + 1):
            tokens = _run(self.frame_blocks[layer], tokens, within, rows_at_once=chunks.frames, chunks=chunks)
            both = [tokens if torch.is_grad_enabled() else tokens.clone()] if layer in wanted else []
            sequences = tokens.view(batch, -1, tokens.shape[-1])
            tokens = _run(self.global_blocks[layer], sequences, across, rows_at_once=1, chunks=chunks).view_as(tokens)
            if layer in wanted:
                kept[layer] = torch.cat([*both, tokens], dim=-1).unflatten(0, (batch, num_frames))
        return kept

    def _grid(self, images: Tensor) -> tuple[int, int]:
        patch = self.config.patch_size
        height, width = images.shape[-2:]
        if height % patch or width % patch or not height or not width:
            raise InputError(
                f"frames of {width} x {height} pixels for VGGT; expected sides that are multiples of {patch}. Prepare pictures "
                "with `prepare_pictures`, which resizes them."
            )
        return height // patch, width // patch

    def _wanted(self, layers: Sequence[int] | None) -> frozenset[int]:
        depth = self.config.depth
        wanted = frozenset(range(depth) if layers is None else layers)
        if not wanted or not all(0 <= layer < depth for layer in wanted):
            raise InputError(f"layers {sorted(wanted)} of VGGT's aggregator; expected some of 0 to {depth - 1}.")
        return wanted

    def _tokens(self, images: Tensor, chunks: Chunks) -> Tensor:
        """The tokens that enter the first layer, (B * S, N, C)."""
        mean, deviation = (images.new_tensor(values)[:, None, None] for values in (MEAN, DEVIATION))
        frames = images.flatten(0, 1).split(len(images.flatten(0, 1)) if torch.is_grad_enabled() else chunks.frames)
        dtype = self.camera_token.dtype
        patches = torch.cat([self.patch_embed(((some - mean) / deviation).to(dtype)) for some in frames])  # (B * S, P, C)
        special = torch.cat([self.camera_token, self.register_token], dim=2)[0]  # (2, special, C): of the first frame, of others
        batch, num_frames = images.shape[:2]
        special = torch.cat([special[:1], special[1:].expand(num_frames - 1, -1, -1)]).repeat(batch, 1, 1)
        return torch.cat([special, patches], dim=1)


def _run(block: nn.Module, tokens: Tensor, rotary: Rotary, *, rows_at_once: int, chunks: Chunks) -> Tensor:
    """`tokens` after `block`; without gradients it is the same tensor, changed in place."""
    assert isinstance(block, Block)
    if torch.is_grad_enabled():
        return block(tokens, rotary)
    block.update(tokens, rotary, rows_at_once=rows_at_once, tokens_at_once=chunks.tokens)
    return tokens
