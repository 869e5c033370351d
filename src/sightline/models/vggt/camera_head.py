"""The camera head of VGGT: from the camera token of every frame to its pose, in rounds that each add a correction.

The sum of corrections is carried on as it is; only what a round gives out has its fields of view cut at 0. Gradients end at each
round: neither what it sees of the rounds before nor the sum that it adds to passes them back.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from sightline.models.vggt.blocks import Block, Mlp
from sightline.models.vggt.config import VggtConfig
from sightline.models.vggt.poses import POSE_NUMBERS

ROUNDS = 4
NUM_VIEWING_ANGLES = 2


class CameraHead(nn.Module):
    """Tokens of the last aggregator layer to poses."""

    def __init__(self, config: VggtConfig) -> None:
        super().__init__()
        width = 2 * config.width
        self.empty_pose_tokens = nn.Parameter(torch.zeros(1, 1, POSE_NUMBERS))
        self.embed_pose = nn.Linear(POSE_NUMBERS, width)
        self.poseLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 3 * width))
        self.adaln_norm = nn.LayerNorm(width, eps=1e-6, elementwise_affine=False)
        self.token_norm = nn.LayerNorm(width)
        self.trunk = nn.Sequential(
            *(Block(width, config.camera_heads, mlp_ratio=config.mlp_ratio) for _ in range(config.camera_depth))
        )
        self.trunk_norm = nn.LayerNorm(width)
        self.pose_branch = Mlp(width, width // 2, POSE_NUMBERS)

    def forward(self, tokens: Tensor) -> Tensor:
        """(B, S, N, 2C) -> (rounds, B, S, 9): translation, quaternion x y z w, vertical and horizontal field of view (radians)."""
        camera = self.token_norm(tokens[:, :, 0])  # (B, S, 2C)
        total = torch.zeros_like(camera[..., :POSE_NUMBERS])  # (B, S, 9)
        given = []
        for number in range(ROUNDS):
            before = total.detach()
            seen = before if number else self.empty_pose_tokens
            shift, scale, gate = self.poseLN_modulation(self.embed_pose(seen)).chunk(3, dim=-1)
            modulated = camera + gate * (self.adaln_norm(camera) * (1 + scale) + shift)
            total = before + self.pose_branch(self.trunk_norm(self.trunk(modulated)))
            place, angles = total.split([POSE_NUMBERS - NUM_VIEWING_ANGLES, NUM_VIEWING_ANGLES], dim=-1)
            given.append(torch.cat([place, functional.relu(angles)], dim=-1))
        return torch.stack(given)
