"""SAM 2 over a clip, all objects at once, with gradients through the memory.

transformers' own `Sam2VideoModel.forward` tracks one object at a time and without gradients; this is the same computation written
over its sub-modules, objects on the batch axis. It follows facebookresearch/sam2 (`SAM2Train`, `SAM2Base.track_step`); its outputs,
losses and gradients are tested against that code's. Frames with a prompt come first, then the others in time order.

Shapes: T frames, B videos, O objects (of all videos), R the square input's side, C the width of the neck, h = w = R / 16.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F  # noqa: N812 - as everyone calls it
from torch import Tensor, nn
from transformers import Sam2VideoModel

from sightline.models.sam2.prompts import PADDING, Corrector, MaskPrompt, PointPrompt, Prompt

ABSENT_LOGIT = -1024.0
MASK_SCALE, MASK_BIAS = 20.0, -10.0  # a prompted mask as logits, and a predicted one on its way into the memory


@dataclass(frozen=True)
class Features:
    """The neck's levels of every picture (N = T * B, picture t * B + b), after the decoder's `conv_s0` and `conv_s1`."""

    fine: Tensor  # (N, C/8, R/4, R/4)
    middle: Tensor  # (N, C/4, R/8, R/8)
    top: Tensor  # (N, C, h, w)
    position: Tensor  # (N, C, h, w)


@dataclass(frozen=True)
class Step:
    """One pass of the mask decoder over one frame. M is 3 where at most one point was given, else 1.

    `given` are the logits (O, R, R) of a frame whose masks were its prompt; `side` is R.
    """

    low_res: Tensor  # (O, M, R/4, R/4) logits; `ABSENT_LOGIT` throughout for an object that is not there
    iou: Tensor  # (O, M), 0..1
    score: Tensor  # (O, 1), logit of the object's presence
    chosen: Tensor  # (O,), the mask with the highest predicted IoU
    side: int
    given: Tensor | None = None

    @property
    def high_res(self) -> Tensor:
        """All masks at full size, (O, M, R, R)."""
        return enlarged(self.low_res, self.side) if self.given is None else self.given.unsqueeze(1)

    @property
    def logits(self) -> Tensor:
        """The chosen mask at full size, (O, R, R); the others are not enlarged for it."""
        return enlarged(self.chosen_low_res.unsqueeze(1), self.side)[:, 0] if self.given is None else self.given

    @property
    def chosen_low_res(self) -> Tensor:
        """The chosen mask, (O, R/4, R/4)."""
        return self.low_res[torch.arange(len(self.chosen), device=self.chosen.device), self.chosen]

    def slim(self) -> "Step":
        """The chosen mask alone, at low resolution: what a long video can afford to keep."""
        return Step(
            low_res=self.chosen_low_res.unsqueeze(1),
            iou=self.iou.gather(1, self.chosen[:, None]),
            score=self.score,
            chosen=torch.zeros_like(self.chosen),
            side=self.side,
        )


@dataclass(frozen=True)
class FrameResult:
    """Everything of one frame that a loss, the memory of later frames or a test asks for."""

    steps: tuple[Step, ...]
    pointer: Tensor  # (O, C)
    memory: Tensor  # (O, 64, h, w)
    fused: Tensor | None = None  # (O, C, h, w): the features that the decoder saw; None on a mask-prompted frame


@dataclass
class MemoryBank:
    """What later frames may look at: frames that were prompted or corrected, and the others."""

    conditioning: dict[int, FrameResult] = field(default_factory=dict)
    tracked: dict[int, FrameResult] = field(default_factory=dict)


class ClipModel(nn.Module):
    """SAM 2 for training and for batched propagation.

    Args:
        model: transformers' model, whose parameters these are; freeze and checkpoint its parts by name.
        future_pointers: whether a frame may see the object pointers of later prompted frames. The official code does so in
            training and not in inference; None: as the module's mode is.
    """

    def __init__(self, model: Sam2VideoModel, *, future_pointers: bool | None = None) -> None:
        super().__init__()
        self.model = model
        self.future_pointers = future_pointers

    @property
    def image_size(self) -> int:
        """The side R of the square input."""
        size = self.model.prompt_encoder.input_image_size
        assert isinstance(size, int), "SAM 2 takes square pictures"
        return size

    def encode(self, images: Tensor) -> Features:
        """The features of normalised pictures (N, 3, R, R)."""
        found = self.model.vision_encoder(images, return_dict=True)
        fine, middle, top = found.fpn_hidden_states[:3]
        decoder = self.model.mask_decoder
        return Features(
            fine=decoder.conv_s0(fine),
            middle=decoder.conv_s1(middle),
            top=top,
            position=found.fpn_position_encoding[2].to(top.dtype),
        )

    def forward(
        self,
        images: Tensor,
        prompts: Mapping[int, Prompt],
        *,
        video_of_object: Tensor | None = None,
        correct: Corrector | None = None,
        corrected_frames: frozenset[int] = frozenset(),
    ) -> dict[int, FrameResult]:
        """All frames of a clip, in processing order.

        Args:
            images: (T, 3, R, R) of one video, or (T, B, 3, R, R), normalised as the checkpoint asks.
            prompts: by frame; at least one.
            video_of_object: (O,) which of the B videos each object is in; all in the only one by default.
            correct: clicks on `corrected_frames` after their first prediction; such a frame becomes a conditioning frame.
        """
        if images.ndim == 4:
            images = images.unsqueeze(1)
        num_frames, num_videos = images.shape[:2]
        objects = _num_objects(prompts)
        video = torch.zeros(objects, dtype=torch.long, device=images.device) if video_of_object is None else video_of_object
        features = self.encode(images.flatten(0, 1))
        bank = MemoryBank()
        results: dict[int, FrameResult] = {}
        for frame in (*sorted(prompts), *(frame for frame in range(num_frames) if frame not in prompts)):
            seen = Features(
                *(level[frame * num_videos + video] for level in (features.fine, features.middle, features.top, features.position))
            )
            corrector = correct if frame in corrected_frames else None
            result = self.track(seen, frame, prompts.get(frame), bank, num_frames=num_frames, correct=corrector)
            results[frame] = result
            (bank.conditioning if frame in prompts or corrector else bank.tracked)[frame] = result
        return results

    def track(
        self,
        seen: Features,
        frame: int,
        prompt: Prompt | None,
        bank: MemoryBank,
        *,
        num_frames: int,
        correct: Corrector | None = None,
        reverse: bool = False,
    ) -> FrameResult:
        """One frame, `seen` being its features, one row an object. `reverse`: the clip is followed backwards in time."""
        if isinstance(prompt, MaskPrompt):
            return self._take_mask(seen, prompt.masks)
        if prompt is not None:
            fused = seen.top + self.model.no_memory_embedding.reshape(1, -1, 1, 1)
        else:
            fused = self._fuse(seen, frame, bank, num_frames=num_frames, reverse=reverse)
        points = prompt
        step, token = self._decode(seen, fused, points, previous=None)
        steps = [step]
        while correct is not None and (clicks := correct(frame, len(steps) - 1, steps[-1].logits)) is not None:
            points = clicks if points is None else points.then(clicks)
            step, token = self._decode(seen, fused, points, previous=steps[-1].chosen_low_res)
            steps.append(step)
        there = (step.score > 0).to(token.dtype)
        pointer = self._point_to(token, there)
        return FrameResult(steps=tuple(steps), pointer=pointer, memory=self._remember(seen.top, step.logits, there), fused=fused)

    def _take_mask(self, seen: Features, masks: Tensor) -> FrameResult:
        """A frame whose masks are given: they are the output, and the decoder only makes the object pointer."""
        given = masks.to(seen.top.dtype).unsqueeze(1)  # (O, 1, R, R)
        high_res = given * MASK_SCALE + -MASK_SCALE / 2
        low_res = F.interpolate(high_res.float(), scale_factor=0.25, mode="bilinear", align_corners=False, antialias=True)
        there = given.flatten(1).any(dim=1, keepdim=True).to(given.dtype)  # (O, 1)
        prompt_masks = self.model.mask_downsample(given)
        _, _, tokens, score = self._run_decoder(seen, seen.top, None, prompt_masks, multimask=False)
        pointer = self._point_to(self._point_to(tokens[:, 0], (score > 0).to(given.dtype)), there, projected=True)
        step = Step(
            low_res=low_res,
            iou=torch.ones_like(there),
            score=there * MASK_SCALE + MASK_BIAS,
            chosen=torch.zeros(len(given), dtype=torch.long, device=given.device),
            side=self.image_size,
            given=high_res[:, 0],
        )
        return FrameResult(steps=(step,), pointer=pointer, memory=self._remember(seen.top, high_res[:, 0], there))

    def _decode(self, seen: Features, fused: Tensor, points: PointPrompt | None, previous: Tensor | None) -> tuple[Step, Tensor]:
        """One decoder pass; returns the step and the token of the chosen mask, (O, C)."""
        multimask = points is None or points.labels.shape[1] <= 1
        prompt_masks = None if previous is None else previous.unsqueeze(1)
        low_res, iou, tokens, score = self._run_decoder(seen, fused, points, prompt_masks, multimask=multimask)
        low_res = torch.where((score > 0)[..., None, None], low_res, torch.full_like(low_res, ABSENT_LOGIT)).float()
        chosen = iou.argmax(dim=1)
        step = Step(low_res=low_res, iou=iou, score=score, chosen=chosen, side=self.image_size)
        return step, tokens[torch.arange(len(chosen), device=chosen.device), chosen]

    def _run_decoder(
        self, seen: Features, features: Tensor, points: PointPrompt | None, masks: Tensor | None, *, multimask: bool
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Masks (O, M, R/4, R/4), their IoU (O, M), their tokens (O, M, C), and the presence logit (O, 1)."""
        objects = len(features)
        if points is None:
            points = PointPrompt(
                coords=features.new_zeros((objects, 1, 2)),
                labels=torch.full((objects, 1), PADDING, dtype=torch.int32, device=features.device),
            )
        if masks is not None and masks.shape[-2:] != self.model.prompt_encoder.mask_input_size:
            masks = F.interpolate(
                masks.float(), size=self.model.prompt_encoder.mask_input_size, mode="bilinear", align_corners=False, antialias=True
            )
        sparse, dense = self.model.prompt_encoder(
            input_points=points.coords.unsqueeze(1), input_labels=points.labels.unsqueeze(1), input_boxes=None, input_masks=masks
        )
        low_res, iou, tokens, score = self.model.mask_decoder(
            image_embeddings=features,
            image_positional_embeddings=self.model.get_image_wide_positional_embeddings().expand(objects, -1, -1, -1),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=multimask,
            high_resolution_features=[seen.fine, seen.middle],
        )
        return low_res[:, 0], iou[:, 0], tokens[:, 0], score[:, 0]

    def _point_to(self, token: Tensor, there: Tensor, *, projected: bool = False) -> Tensor:
        """The object pointer (O, C) of a mask token, or the learnt one of "not there"."""
        pointer = token if projected else self.model.object_pointer_proj(token)
        return there * pointer + (1 - there) * self.model.no_object_pointer

    def _remember(self, top: Tensor, logits: Tensor, there: Tensor) -> Tensor:
        """The memory (O, 64, h, w) of a frame: its features and the mask that was found in it."""
        masks = torch.sigmoid(logits).unsqueeze(1) * MASK_SCALE + MASK_BIAS
        memory, _ = self.model.memory_encoder(top, masks.to(top.dtype))
        hidden = self.model.occlusion_spatial_embedding_parameter
        return memory if hidden is None else memory + (1 - there)[..., None, None] * hidden[..., None, None]

    def _fuse(self, seen: Features, frame: int, bank: MemoryBank, *, num_frames: int, reverse: bool) -> Tensor:
        """The frame's features (O, C, h, w) after looking at the memories and pointers of other frames."""
        objects, channels, height, width = seen.top.shape
        memories, positions = self._spatial_tokens(frame, bank, reverse=reverse)
        pointers, pointer_positions = self._pointer_tokens(frame, bank, num_frames=num_frames, reverse=reverse)
        fused = self.model.memory_attention(
            current_vision_features=seen.top.flatten(2).permute(2, 0, 1),
            current_vision_position_embeddings=seen.position.flatten(2).permute(2, 0, 1),
            memory=torch.cat([*memories, pointers]),
            memory_posision_embeddings=torch.cat([*positions, pointer_positions]),  # the library's own spelling
            num_object_pointer_tokens=len(pointers),
        )
        return fused.squeeze(0).reshape(objects, height * width, channels).transpose(1, 2).reshape(seen.top.shape)

    def _spatial_tokens(self, frame: int, bank: MemoryBank, *, reverse: bool) -> tuple[list[Tensor], list[Tensor]]:
        """Memories (h*w, O, 64) of all conditioning frames and of the last `num_maskmem` - 1 others, with their positions."""
        sign = -1 if reverse else 1
        used = [(0, result) for result in bank.conditioning.values()]
        recent = ((back, bank.tracked.get(frame - sign * back)) for back in range(self.model.num_maskmem - 1, 0, -1))
        used += [(back, result) for back, result in recent if result is not None]
        encoder = self.model.memory_encoder
        tokens, positions = [], []
        for back, result in used:
            memory = result.memory
            spatial = encoder.position_encoding(memory.shape, memory.device, memory.dtype).flatten(2).permute(2, 0, 1)
            tokens.append(memory.flatten(2).permute(2, 0, 1))
            positions.append(spatial + self.model.memory_temporal_positional_encoding[back - 1])
        return tokens, positions

    def _pointer_tokens(self, frame: int, bank: MemoryBank, *, num_frames: int, reverse: bool) -> tuple[Tensor, Tensor]:
        """Object pointers as tokens (P * C/64, O, 64), and their positions in time."""
        sign = -1 if reverse else 1
        limit = min(num_frames, self.model.config.max_object_pointers_in_encoder)
        future = self.training if self.future_pointers is None else self.future_pointers
        used = [
            (sign * (frame - at), result.pointer) for at, result in bank.conditioning.items() if future or sign * (frame - at) >= 0
        ]
        used += [
            (back, bank.tracked[frame - sign * back].pointer) for back in range(1, limit) if frame - sign * back in bank.tracked
        ]
        objects, width = used[0][1].shape
        depth = self.model.mem_dim
        pointers = torch.stack([pointer for _, pointer in used])  # (P, O, C)
        tokens = pointers.reshape(-1, objects, width // depth, depth).permute(0, 2, 1, 3).flatten(0, 1)
        offsets = torch.tensor([offset for offset, _ in used], dtype=torch.float32, device=pointers.device)
        return tokens, self._time_positions(offsets / max(limit - 1, 1), pointers, splits=width // depth)

    def _time_positions(self, offsets: Tensor, pointers: Tensor, *, splits: int) -> Tensor:
        num_pointers, objects, width = pointers.shape
        if not self.model.config.enable_temporal_pos_encoding_for_object_pointers:
            return pointers.new_zeros((num_pointers * splits, objects, self.model.mem_dim))
        half = width // 2
        rates = 10_000 ** (2 * (torch.arange(half, device=offsets.device) // 2) / half)
        angles = offsets[:, None] / rates
        sines = torch.cat([angles.sin(), angles.cos()], dim=1).to(pointers.dtype)
        projected = self.model.temporal_positional_encoding_projection_layer(sines)
        return projected[:, None].expand(-1, objects, -1).repeat_interleave(splits, dim=0)


def enlarged(logits: Tensor, side: int) -> Tensor:
    """Logits (O, M, r, r) at full size, (O, M, R, R)."""
    return F.interpolate(logits, size=(side, side), mode="bilinear", align_corners=False)


def _num_objects(prompts: Mapping[int, Prompt]) -> int:
    """The number of objects, the same in every prompt."""
    counts = {len(prompt.masks if isinstance(prompt, MaskPrompt) else prompt.labels) for prompt in prompts.values()}
    if len(counts) != 1:
        raise ValueError(f"prompts for {sorted(counts) or 'no'} objects; every prompted frame must have all objects of the clip.")
    return counts.pop()
