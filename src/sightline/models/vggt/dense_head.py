"""The dense heads of VGGT: four aggregator layers to one value (or three) and a confidence a pixel, after DPT (Ranftl et al. 2021).

The residual units rectify their input in place in the published network, so that their shortcut carries relu(x), not x. A plain
shortcut loads the same weights and is far off. Meant for float32.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.models.vggt.config import VggtConfig

POSITION_SHARE = 0.1
POSITION_BASE = 100.0
LAST_WIDTH = 32


class ResidualUnit(nn.Module):
    """conv(relu(conv(relu(x)))) + relu(x)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, maps: Tensor) -> Tensor:
        rectified = functional.relu(maps)
        return self.conv2(functional.relu(self.conv1(rectified))) + rectified


class Fusion(nn.Module):
    """A finer level joined to what the deeper ones gave; the deepest has nothing to join."""

    def __init__(self, width: int, *, joins: bool) -> None:
        super().__init__()
        if joins:
            self.resConfUnit1 = ResidualUnit(width)
        self.resConfUnit2 = ResidualUnit(width)
        self.out_conv = nn.Conv2d(width, width, 1)

    def forward(self, deeper: Tensor, finer: Tensor | None, size: tuple[int, int]) -> Tensor:
        """(B, C, h, w), and (B, C, h, w) or None, to (B, C, *size)."""
        if finer is not None:
            deeper = deeper + self.resConfUnit1(finer)
        return self.out_conv(_resized(self.resConfUnit2(deeper), size))


class Scratch(nn.Module):
    """The part after the levels have their sizes: to one width, joined from the deepest up, to values."""

    def __init__(self, config: VggtConfig, num_values: int) -> None:
        super().__init__()
        width = config.head_width
        fine, middle, coarse, deepest = config.head_channels
        self.layer1_rn = nn.Conv2d(fine, width, 3, padding=1, bias=False)
        self.layer2_rn = nn.Conv2d(middle, width, 3, padding=1, bias=False)
        self.layer3_rn = nn.Conv2d(coarse, width, 3, padding=1, bias=False)
        self.layer4_rn = nn.Conv2d(deepest, width, 3, padding=1, bias=False)
        self.refinenet1 = Fusion(width, joins=True)
        self.refinenet2 = Fusion(width, joins=True)
        self.refinenet3 = Fusion(width, joins=True)
        self.refinenet4 = Fusion(width, joins=False)
        self.output_conv1 = nn.Conv2d(width, width // 2, 3, padding=1)
        self.output_conv2 = nn.Sequential(
            nn.Conv2d(width // 2, LAST_WIDTH, 3, padding=1), nn.ReLU(), nn.Conv2d(LAST_WIDTH, num_values, 1)
        )

    def forward(self, levels: list[Tensor]) -> Tensor:
        """Four levels (B, C_i, h_i, w_i), fine to deep, to (B, width / 2, 2 h_1, 2 w_1)."""
        convolutions = (self.layer1_rn, self.layer2_rn, self.layer3_rn, self.layer4_rn)
        fine, middle, coarse, deepest = (convolution(level) for convolution, level in zip(convolutions, levels, strict=True))
        joined = self.refinenet4(deepest, None, _size(coarse))
        joined = self.refinenet3(joined, coarse, _size(middle))
        joined = self.refinenet2(joined, middle, _size(fine))
        height, width = _size(fine)
        return self.output_conv1(self.refinenet1(joined, fine, (2 * height, 2 * width)))


class DenseHead(nn.Module):
    """Aggregator layers to maps; the last channel is the confidence before its activation."""

    def __init__(self, config: VggtConfig, num_values: int) -> None:
        super().__init__()
        self.config = config
        width, (fine, middle, _, deepest) = 2 * config.width, config.head_channels
        self.norm = nn.LayerNorm(width)
        self.projects = nn.ModuleList(nn.Conv2d(width, channels, 1) for channels in config.head_channels)
        self.resize_layers = nn.ModuleList(
            [
                nn.ConvTranspose2d(fine, fine, 4, stride=4),
                nn.ConvTranspose2d(middle, middle, 2, stride=2),
                nn.Identity(),
                nn.Conv2d(deepest, deepest, 3, stride=2, padding=1),
            ]
        )
        self.scratch = Scratch(config, num_values)

    def forward(self, layers: Mapping[int, Tensor], height: int, width: int, *, frames_at_once: int) -> Tensor:
        """Raw values of every pixel, (B, S, values, H, W), of the aggregator's `layers` (B, S, N, 2C), some frames at a time."""
        batch, num_frames = layers[self.config.head_layers[0]].shape[:2]
        frames = [layers[layer].flatten(0, 1).split(frames_at_once) for layer in self.config.head_layers]
        maps = [self._values(self.fused(some, height, width), height, width) for some in zip(*frames, strict=True)]
        return torch.cat(maps).unflatten(0, (batch, num_frames))

    def fused(self, layers: tuple[Tensor, ...], height: int, width: int) -> Tensor:
        """Four layers (B, N, 2C) of frames of H x W pixels, joined: (B, head width / 2, 8 rows, 8 columns)."""
        grid = (height // self.config.patch_size, width // self.config.patch_size)
        levels = []
        for tokens, project, resize in zip(layers, self.projects, self.resize_layers, strict=True):
            patches = self.norm(tokens[:, self.config.num_special :].to(self.norm.weight.dtype))
            level = project(patches.transpose(1, 2).unflatten(2, grid))  # (B, C_i, rows, columns)
            levels.append(resize(with_positions(level, width / height)))
        return self.scratch(levels)

    def _values(self, fused: Tensor, height: int, width: int) -> Tensor:
        return self.scratch.output_conv2(with_positions(_resized(fused, (height, width)), width / height))


def with_positions(maps: Tensor, aspect: float) -> Tensor:
    """`maps` (B, C, h, w) of a picture whose width is `aspect` times its height, plus a tenth of their position embedding.

    Columns run from -s (w - 1) / w to s (w - 1) / w with s = aspect / sqrt(aspect^2 + 1), rows likewise with
    s = 1 / sqrt(aspect^2 + 1). The first half of the channels is of the column, the second of the row, each first
    sines, then cosines.
    """
    channels, height, width = maps.shape[1:]
    diagonal = (aspect**2 + 1) ** 0.5
    across = _waves(aspect / diagonal, width, channels // 2).to(maps)  # (C / 2, w)
    down = _waves(1 / diagonal, height, channels // 2).to(maps)  # (C / 2, h)
    embedding = torch.cat([across[:, None, :].expand(-1, height, -1), down[:, :, None].expand(-1, -1, width)])
    return maps + POSITION_SHARE * embedding


def _waves(span: float, count: int, channels: int) -> Tensor:
    """(channels, count): sines and cosines of `count` places from -span to span, half a step inside; in double precision."""
    end = span * (count - 1) / count
    places = torch.linspace(-end, end, count, dtype=torch.float64)
    half = channels // 2
    angles = POSITION_BASE ** (-torch.arange(half, dtype=torch.float64) / half)[:, None] * places
    return torch.cat([angles.sin(), angles.cos()])


def _resized(maps: Tensor, size: tuple[int, int]) -> Tensor:
    return functional.interpolate(maps, size, mode="bilinear", align_corners=True)


def _size(maps: Tensor) -> tuple[int, int]:
    return maps.shape[-2], maps.shape[-1]
