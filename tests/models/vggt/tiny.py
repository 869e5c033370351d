"""Small VGGT networks."""

from typing import Any

import msgspec

from sightline.models.vggt.config import VggtConfig

NAMES = {
    "img_size": "image_size",
    "embed_dim": "width",
    "depth": "depth",
    "num_heads": "num_heads",
    "num_register_tokens": "num_registers",
    "dino_depth": "patch_depth",
    "dino_heads": "patch_heads",
    "camera_trunk_depth": "camera_depth",
    "camera_heads": "camera_heads",
    "dpt_features": "head_width",
    "dpt_out_channels": "head_channels",
    "dpt_layer_idx": "head_layers",
}
"""A size in the reference numbers, and here."""


def config_of(sizes: dict[str, Any]) -> VggtConfig:
    """The sizes that the reference numbers name."""
    return msgspec.convert({ours: sizes[theirs] for theirs, ours in NAMES.items()}, VggtConfig)


SMALL = VggtConfig(
    image_size=56,
    width=32,
    depth=3,
    num_heads=2,
    patch_depth=1,
    patch_heads=2,
    camera_depth=1,
    camera_heads=2,
    head_width=16,
    head_channels=(8, 8, 8, 8),
    head_layers=(0, 1, 1, 2),
)
"""For tests of our own."""
