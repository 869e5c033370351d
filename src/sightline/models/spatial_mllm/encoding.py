"""Units of frames (`sequences`) to visual tokens that carry geometry, from pixels or from features that were kept.

Tensors of unit i, by name:

    kind.i       ()                       0 of pictures, 1 of a video
    grids.i      (media, 3)
    patches.i    (patches, C)             either these two: what both encoders see
    frames.i     (T, 3, H, W)
    vision.i     (patches, W)             or these: what the frozen encoders made of them (`FrozenFeatures`)
    geometry.i   (T, rows, columns, D)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.vision_utils import get_vision_window_index

from sightline.models.spatial_mllm.sequences import FrameSequence, Kind

KINDS: tuple[Kind, ...] = ("image", "video")


@dataclass(frozen=True)
class FrozenFeatures:
    """Of one unit: the visual encoder's last states before its merger, (patches, W) in the encoder's own order, and the patches
    of VGGT's fused layer, (T, rows, columns, D)."""

    vision: Tensor
    geometry: Tensor


def tensors_of(index: int, sequence: FrameSequence) -> dict[str, Tensor]:
    """Unit `index` from its pixels."""
    patches = torch.cat([torch.from_numpy(medium.patches) for medium in sequence.media])
    return {
        **_table(index, sequence.kind, torch.tensor(sequence.grids)),
        f"patches.{index}": patches,
        f"frames.{index}": torch.from_numpy(sequence.geometry_frames),
    }


def tensors_of_features(index: int, kind: Kind, grids: Tensor, features: FrozenFeatures) -> dict[str, Tensor]:
    """Unit `index` from what was kept of it; `grids` (media, 3)."""
    return {**_table(index, kind, grids), f"vision.{index}": features.vision, f"geometry.{index}": features.geometry}


@torch.no_grad()
def frozen_features(model: Any, sequence: FrameSequence) -> FrozenFeatures:  # noqa: ANN401 - a SpatialMllm
    """What the encoders of `model` make of one unit; as long as they are frozen it never changes."""
    tensors = tensors_of(0, sequence)
    patches, frames = (tensors[name].to(model.device, model.dtype) for name in ("patches.0", "frames.0"))
    seen = model.model.visual(patches, grid_thw=tensors["grids.0"].to(model.device))
    return FrozenFeatures(seen.last_hidden_state, model.geometry_tokens([frames])[0])


def encode_units(model: Any, tensors: Mapping[str, Tensor]) -> list[tuple[Kind, Tensor]]:  # noqa: ANN401
    """Kind and fused tokens (n, H) of every medium, unit after unit."""
    count = sum(name.startswith("kind.") for name in tensors)
    grids = [tensors[f"grids.{index}"] for index in range(count)]
    vision = _vision(model, tensors, grids)
    geometry = _geometry(model, tensors, count)
    found: list[tuple[Kind, Tensor]] = []
    for index in range(count):
        sizes = (grids[index].prod(-1) // model.model.visual.spatial_merge_size**2).tolist()
        kind = KINDS[int(tensors[f"kind.{index}"])]
        fused = model.fused(vision[index].split(sizes), grids[index], [geometry[index]])
        media: list[tuple[Kind, Tensor]] = [(kind, tokens) for tokens in fused]
        found += media
    return found


def placed(media: list[tuple[Kind, Tensor]], uses: Tensor) -> tuple[dict[Kind, Tensor], Tensor]:
    """The tokens (n, H) of all slots of a kind, medium `uses[j]` in slot j; and a scalar 0, which depends on the media where
    nothing uses them."""
    if not uses.numel():
        return {}, torch.stack([tokens.float().sum() for _, tokens in media]).sum() * 0
    chosen = [media[use] for use in uses.tolist()]
    found: dict[Kind, Tensor] = {}
    for kind in KINDS:
        if own := [tokens for each, tokens in chosen if each == kind]:
            found[kind] = torch.cat(own)
    return found, torch.zeros((), device=uses.device)


def _table(index: int, kind: Kind, grids: Tensor) -> dict[str, Tensor]:
    return {f"kind.{index}": torch.tensor(KINDS.index(kind)), f"grids.{index}": grids}


def _vision(model: Any, tensors: Mapping[str, Tensor], grids: list[Tensor]) -> list[Tensor]:  # noqa: ANN401
    """The visual encoder's tokens (n, H) of each unit; those from pixels run together."""
    visual = model.model.visual
    fresh = [index for index in range(len(grids)) if f"patches.{index}" in tensors]
    found: dict[int, Tensor] = {}
    if fresh:
        patches = torch.cat([tensors[f"patches.{index}"] for index in fresh]).to(visual.dtype)
        tokens = visual(patches, grid_thw=torch.cat([grids[index] for index in fresh])).pooler_output
        sizes = [int(grids[index].prod(-1).sum()) // visual.spatial_merge_size**2 for index in fresh]
        found = dict(zip(fresh, tokens.split(sizes), strict=True))
    for index, own in enumerate(grids):
        if index not in found:
            found[index] = _merged(visual, tensors[f"vision.{index}"].to(visual.dtype), own)
    return [found[index] for index in range(len(grids))]


def _merged(visual: Any, states: Tensor, grids: Tensor) -> Tensor:  # noqa: ANN401
    """The merger over kept states, and their tokens from the order of windows back to that of the grid."""
    windows, _ = get_vision_window_index(
        grids, spatial_merge_size=visual.spatial_merge_size, window_size=visual.window_size, patch_size=visual.patch_size
    )
    return visual.merger(states)[windows.argsort().to(states.device)]


def _geometry(model: Any, tensors: Mapping[str, Tensor], count: int) -> list[Tensor]:  # noqa: ANN401
    fresh = [index for index in range(count) if f"frames.{index}" in tensors]
    made = model.geometry_tokens([tensors[f"frames.{index}"].to(model.dtype) for index in fresh]) if fresh else []
    found = dict(zip(fresh, made, strict=True))
    return [found[index] if index in found else tensors[f"geometry.{index}"] for index in range(count)]
