"""VGGT as a whole: pictures of a room to cameras, depth, points, and how sure it is of them. Weights: see `weights`.

Parity with the published code is tested on a small network with its numbers pinned (tests/models/vggt). Only the aggregator layers
that the heads read are kept, and the heads run in float32 whatever the aggregator runs in.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

from sightline.models.vggt.aggregator import DEFAULT_CHUNKS, Aggregator, Chunks
from sightline.models.vggt.camera_head import CameraHead
from sightline.models.vggt.config import VggtConfig
from sightline.models.vggt.dense_head import DenseHead
from sightline.models.vggt.poses import cameras_of_poses

HeadName = Literal["camera", "depth", "point"]
HEADS: tuple[HeadName, ...] = ("camera", "depth", "point")


@dataclass(frozen=True)
class Geometry:
    """What VGGT says of B sequences of S frames of H x W pixels; None where a head is left out.

    Lengths have one unit within a sequence, which is no metre; the world is the first frame's camera.
    """

    poses: Tensor | None = None
    """(rounds, B, S, 9), see `camera_head`; the last round is the answer."""
    extrinsics: Tensor | None = None
    """(B, S, 3, 4), world to camera."""
    intrinsics: Tensor | None = None
    """(B, S, 3, 3), pixels."""
    depth: Tensor | None = None
    """(B, S, H, W), above 0."""
    depth_confidence: Tensor | None = None
    """(B, S, H, W), above 1; no probability."""
    points: Tensor | None = None
    """(B, S, H, W, 3), in the world."""
    points_confidence: Tensor | None = None
    """(B, S, H, W), above 1."""


class Vggt(nn.Module):
    """The aggregator and those of its heads that are wanted."""

    camera_head: CameraHead | None
    depth_head: DenseHead | None
    point_head: DenseHead | None

    def __init__(self, config: VggtConfig, *, heads: Collection[HeadName] = HEADS) -> None:
        super().__init__()
        self.config = config
        self.aggregator = Aggregator(config)
        self.camera_head = CameraHead(config) if "camera" in heads else None
        self.depth_head = DenseHead(config, 2) if "depth" in heads else None
        self.point_head = DenseHead(config, 4) if "point" in heads else None

    def forward(self, images: Tensor, *, chunks: Chunks = DEFAULT_CHUNKS) -> Geometry:
        """Geometry of `images` (B, S, 3, H, W), RGB in 0..1, not normalised.

        Raises:
            InputError: sides that are no multiples of the patch.
        """
        layers = self.aggregator(images, layers=sorted(self.layers_read()), chunks=chunks)
        with torch.autocast(images.device.type, enabled=False):
            return self.geometry(layers, *images.shape[-2:], chunks=chunks)

    def layers_read(self) -> set[int]:
        """The aggregator layers that the heads read; the last one if there are none."""
        dense = self.depth_head is not None or self.point_head is not None
        return {self.config.depth - 1} if not dense else {*self.config.head_layers, self.config.depth - 1}

    def geometry(self, layers: Mapping[int, Tensor], height: int, width: int, *, chunks: Chunks = DEFAULT_CHUNKS) -> Geometry:
        """What the heads make of the aggregator's `layers` (B, S, N, 2C) of frames of `height` x `width` pixels."""
        poses = extrinsics = intrinsics = depth = depth_confidence = points = points_confidence = None
        if self.camera_head is not None:
            poses = self.camera_head(layers[self.config.depth - 1].to(self.camera_head.token_norm.weight.dtype))
            extrinsics, intrinsics = cameras_of_poses(poses[-1], height, width)
        if self.depth_head is not None:
            raw = self.depth_head(layers, height, width, frames_at_once=chunks.frames)
            depth, depth_confidence = raw[:, :, 0].exp(), 1 + raw[:, :, 1].exp()
        if self.point_head is not None:
            raw = self.point_head(layers, height, width, frames_at_once=chunks.frames)
            values = raw[:, :, :3].movedim(2, -1)
            points, points_confidence = values.sign() * values.abs().expm1(), 1 + raw[:, :, 3].exp()
        return Geometry(
            poses=poses,
            extrinsics=extrinsics,
            intrinsics=intrinsics,
            depth=depth,
            depth_confidence=depth_confidence,
            points=points,
            points_confidence=points_confidence,
        )
