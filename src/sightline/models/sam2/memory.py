"""What a frame of SAM 2 sees of the frames before it: which memories and pointers, their places in time, and the attention to them.

Without gradients on a CPU the attention is `recall`'s; elsewhere it is transformers' own module. Both give the same numbers.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import Sam2VideoModel

from sightline.models.sam2.recall import Remembered, can_recall, recall
from sightline.models.sam2.results import Features, FrameResult, MemoryBank


@dataclass(frozen=True)
class Moment:
    """The frame that is looked at, and the direction of looking.

    `reverse`: the clip is followed backwards in time. `future`: pointers of later prompted frames count, too.
    """

    frame: int
    num_frames: int
    reverse: bool
    future: bool

    def since(self, frame: int) -> int:
        """How many frames ago `frame` was, in the direction of looking."""
        return frame - self.frame if self.reverse else self.frame - frame

    def ago(self, count: int) -> int:
        """The frame so many frames ago."""
        return self.frame + count if self.reverse else self.frame - count


def fuse(model: Sam2VideoModel, seen: Features, bank: MemoryBank, moment: Moment) -> Tensor:
    """The frame's features (O, C, h, w) after looking at the memories and pointers of other frames."""
    memories, pointers = _memories(model, bank, moment), _pointers(model, bank, moment)
    spatial = _places(model, memories)  # (n, h*w, 64)
    in_time = _times(model, pointers, limit=_pointer_reach(model, moment))  # (P, 64)
    known = Remembered(
        memories=[result.memory for _, result in memories],
        pointers=torch.stack([result.pointer for _, result in pointers], dim=1),
        spatial=spatial,
        in_time=in_time,
    )
    attention = model.memory_attention
    if can_recall(attention, seen.top):
        return recall(attention, seen, known)
    return _attend(model, seen, known)


def _attend(model: Sam2VideoModel, seen: Features, known: Remembered) -> Tensor:
    """By transformers' module, which has the tokens on its first axis."""
    objects, num_pointers, width = known.pointers.shape
    top, position = (level.expand(objects, -1, -1, -1) for level in (seen.top, seen.position))
    splits = width // model.mem_dim
    tokens = known.pointers.transpose(0, 1).reshape(num_pointers, objects, splits, model.mem_dim).transpose(1, 2).flatten(0, 1)
    positions = known.in_time.repeat_interleave(splits, dim=0)
    fused = model.memory_attention(
        current_vision_features=top.flatten(2).permute(2, 0, 1),
        current_vision_position_embeddings=position.flatten(2).permute(2, 0, 1),
        memory=torch.cat([*(memory.flatten(2).permute(2, 0, 1) for memory in known.memories), tokens]),
        memory_posision_embeddings=torch.cat([known.spatial.flatten(0, 1), positions])[:, None].expand(-1, objects, -1),  # sic
        num_object_pointer_tokens=len(tokens),
    )
    return fused.squeeze(0).transpose(1, 2).reshape(top.shape)


def _memories(model: Sam2VideoModel, bank: MemoryBank, moment: Moment) -> list[tuple[int, FrameResult]]:
    """All conditioning frames and the last `num_maskmem` - 1 others, with how many frames ago these were (0 for the former)."""
    used = [(0, result) for result in bank.conditioning.values()]
    recent = ((back, bank.tracked.get(moment.ago(back))) for back in range(model.num_maskmem - 1, 0, -1))
    return used + [(back, result) for back, result in recent if result is not None]


def _pointers(model: Sam2VideoModel, bank: MemoryBank, moment: Moment) -> list[tuple[int, FrameResult]]:
    """The frames whose object pointers are looked at, with how many frames ago they were."""
    used = [(moment.since(at), result) for at, result in bank.conditioning.items() if moment.future or moment.since(at) >= 0]
    reach = range(1, _pointer_reach(model, moment))
    return used + [(back, bank.tracked[moment.ago(back)]) for back in reach if moment.ago(back) in bank.tracked]


def _pointer_reach(model: Sam2VideoModel, moment: Moment) -> int:
    return min(moment.num_frames, model.config.max_object_pointers_in_encoder)


def _places(model: Sam2VideoModel, memories: Sequence[tuple[int, FrameResult]]) -> Tensor:
    """Where each token of the memories lies, in the picture and in time: (n, h*w, 64)."""
    memory = memories[0][1].memory
    spatial = model.memory_encoder.position_encoding(memory[:1].shape, memory.device, memory.dtype)  # (1, 64, h, w)
    steps = torch.tensor([back - 1 for back, _ in memories], device=memory.device)
    return spatial.flatten(2).transpose(1, 2) + model.memory_temporal_positional_encoding[steps].squeeze(2)


def _times(model: Sam2VideoModel, pointers: Sequence[tuple[int, FrameResult]], *, limit: int) -> Tensor:
    """Where each pointer lies in time: (P, 64)."""
    width = pointers[0][1].pointer.shape[1]
    given = pointers[0][1].pointer
    if not model.config.enable_temporal_pos_encoding_for_object_pointers:
        return given.new_zeros((len(pointers), model.mem_dim))
    offsets = torch.tensor([offset for offset, _ in pointers], dtype=torch.float32, device=given.device) / max(limit - 1, 1)
    half = width // 2
    rates = 10_000 ** (2 * (torch.arange(half, device=given.device) // 2) / half)
    angles = offsets[:, None] / rates
    return model.temporal_positional_encoding_projection_layer(torch.cat([angles.sin(), angles.cos()], dim=1).to(given.dtype))
