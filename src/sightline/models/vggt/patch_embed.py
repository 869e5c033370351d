"""The patch embedding of VGGT: a DINOv2 vision transformer with registers, under the names of its published weights.

Positions are added to the class token and to the patches, and the registers stand between the two without any. A position grid of
another shape than the stored one is made by bicubic interpolation with antialiasing to the size asked for.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.models.vggt.blocks import Block
from sightline.models.vggt.config import VggtConfig

EPSILON = 1e-6


class PatchProjection(nn.Module):
    """A picture's patches, each as one vector."""

    def __init__(self, config: VggtConfig) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, config.width, kernel_size=config.patch_size, stride=config.patch_size)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, P, C), row by row."""
        return self.proj(images).flatten(2).transpose(1, 2)


class PatchEmbed(nn.Module):
    """Pictures that are normalised already, to one token a patch."""

    def __init__(self, config: VggtConfig) -> None:
        super().__init__()
        self.grid = config.image_size // config.patch_size
        self.patch_size = config.patch_size
        self.cls_token = nn.Parameter(torch.zeros(1, 1, config.width))
        self.pos_embed = nn.Parameter(torch.randn(1, 1 + self.grid**2, config.width) * 0.02)
        self.register_tokens = nn.Parameter(torch.zeros(1, config.patch_registers, config.width))
        self.mask_token = nn.Parameter(torch.zeros(1, config.width))  # never used; the published weights have it
        self.patch_embed = PatchProjection(config)
        self.blocks = nn.ModuleList(
            Block(config.width, config.patch_heads, mlp_ratio=config.mlp_ratio, epsilon=EPSILON) for _ in range(config.patch_depth)
        )
        self.norm = nn.LayerNorm(config.width, eps=EPSILON)

    def forward(self, images: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, P, C); the class token and the registers are left out."""
        patches = self.patch_embed(images)
        positions = self.positions(images.shape[-2], images.shape[-1])
        count = len(images)
        tokens = torch.cat(
            [
                self.cls_token.expand(count, -1, -1) + positions[:, :1],
                self.register_tokens.expand(count, -1, -1),
                patches + positions[:, 1:],
            ],
            dim=1,
        )
        for block in self.blocks:
            tokens = block(tokens)
        return self.norm(tokens)[:, 1 + self.register_tokens.shape[1] :]

    def positions(self, height: int, width: int) -> Tensor:
        """The position embedding of pictures of this size (pixels), class token first: (1, 1 + P, C).

        The stored grid itself is used only for as many patches as it has in a square picture.
        """
        rows, columns = height // self.patch_size, width // self.patch_size
        if rows * columns == self.grid**2 and height == width:
            return self.pos_embed
        stored = self.pos_embed[:, 1:].unflatten(1, (self.grid, self.grid)).permute(0, 3, 1, 2)  # (1, C, grid, grid)
        resized = functional.interpolate(stored.float(), (rows, columns), mode="bicubic", align_corners=False, antialias=True)
        return torch.cat([self.pos_embed[:, :1], resized.to(stored.dtype).flatten(2).transpose(1, 2)], dim=1)
