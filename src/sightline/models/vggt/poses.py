"""From the camera head's nine numbers to cameras.

    translation (3), quaternion x y z w (4, of any length), vertical and horizontal field of view (2, radians)

Cameras are world to camera with OpenCV axes; the world is that of the first frame, in a unit of the network's own choice (no
metres). Intrinsics are in pixels of the picture that the network saw, with the centre in its middle.
"""

import torch
from torch import Tensor
from torch.nn import functional

POSE_NUMBERS = 9


def cameras_of_poses(poses: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
    """Extrinsics [R | t] (.., 3, 4), world to camera, and intrinsics (.., 3, 3) of `poses` (.., 9).

    A field of view of 0 gives infinite focal lengths.
    """
    extrinsics = torch.cat([_rotations(poses[..., 3:7]), poses[..., :3, None]], dim=-1)
    intrinsics = poses.new_zeros(*poses.shape[:-1], 3, 3)
    intrinsics[..., 0, 0] = width / 2 / torch.tan(poses[..., 8] / 2)
    intrinsics[..., 1, 1] = height / 2 / torch.tan(poses[..., 7] / 2)
    intrinsics[..., 0, 2] = width / 2
    intrinsics[..., 1, 2] = height / 2
    intrinsics[..., 2, 2] = 1
    return extrinsics, intrinsics


def _rotations(quaternions: Tensor) -> Tensor:
    """Rotation matrices (.., 3, 3) of quaternions (.., 4), x y z w."""
    x, y, z, w = functional.normalize(quaternions, dim=-1).unbind(-1)
    rows = (
        (1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)),
        (2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)),
        (2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)),
    )
    return torch.stack([torch.stack(row, dim=-1) for row in rows], dim=-2)
