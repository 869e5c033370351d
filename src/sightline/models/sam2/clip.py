"""SAM 2 over a clip, all objects at once, with gradients through the memory.

transformers' own `Sam2VideoModel.forward` tracks one object at a time and without gradients; this is the same computation written
over its sub-modules, objects on the batch axis. It follows facebookresearch/sam2 (`SAM2Train`, `SAM2Base.track_step`); its outputs,
losses and gradients are tested against that code's. Frames with a prompt come first, then the others in time order.

Shapes: T frames, B videos, O objects (of all videos), R the square input's side, C the width of the neck, h = w = R / 16.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F  # noqa: N812 - as everyone calls it
from torch import Tensor, nn
from transformers import Sam2VideoModel

from sightline.models.sam2.memory import Moment, fuse
from sightline.models.sam2.prompts import PADDING, Corrector, EmbeddingPrompt, MaskPrompt, PointPrompt, Prompt
from sightline.models.sam2.results import Features, FrameResult, MemoryBank, Step

ABSENT_LOGIT = -1024.0
MASK_SCALE, MASK_BIAS = 20.0, -10.0  # a prompted mask as logits, and a predicted one on its way into the memory


class ClipModel(nn.Module):
    """SAM 2 for training and for batched propagation.

    Args:
        model: transformers' model, whose parameters these are; freeze and checkpoint its parts by name.
        future_pointers: whether a frame may see the object pointers of later prompted frames. The official code does so in
            training and not in inference; None: as the module's mode is.
        blank_absent: whether the masks of an object whose presence logit is not above 0 are blanked (`ABSENT_LOGIT`), as SAM 2 does
            and Sa2VA does not.
        memory_dtype: a number format that memories are rounded to on their way into the bank; None: they stay as they are.
    """

    def __init__(
        self,
        model: Sam2VideoModel,
        *,
        future_pointers: bool | None = None,
        blank_absent: bool = True,
        memory_dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        self.model = model
        self.future_pointers = future_pointers
        self.blank_absent = blank_absent
        self.memory_dtype = memory_dtype

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
            seen = features.rows(frame * num_videos + video)
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
        """One frame, `seen` being its features: one row an object, or one for all. `reverse`: followed backwards in time."""
        if isinstance(prompt, MaskPrompt):
            return self._take_mask(seen, prompt.masks)
        if prompt is not None:
            fused = self._without_memory(seen)
        else:
            future = self.training if self.future_pointers is None else self.future_pointers
            fused = fuse(self.model, seen, bank, Moment(frame=frame, num_frames=num_frames, reverse=reverse, future=future))
        points = prompt
        step, token = self._decode(seen, fused, points, previous=None)
        steps = [step]
        while correct is not None and (clicks := correct(frame, len(steps) - 1, steps[-1].logits)) is not None:
            assert not isinstance(points, EmbeddingPrompt), "clicks correct clicks, boxes and masks"
            points = clicks if points is None else points.then(clicks)
            step, token = self._decode(seen, fused, points, previous=steps[-1].chosen_low_res)
            steps.append(step)
        there = (step.score > 0).to(token.dtype)
        pointer = self._point_to(token, there)
        return FrameResult(steps=tuple(steps), pointer=pointer, memory=self._remember(seen.top, step.logits, there), fused=fused)

    def alone(self, seen: Features, prompt: PointPrompt | EmbeddingPrompt) -> Step:
        """Pictures that are looked at without a memory and are not remembered: a row a prompt, or one row for all prompts."""
        return self._decode(seen, self._without_memory(seen), prompt, previous=None)[0]

    def _without_memory(self, seen: Features) -> Tensor:
        return seen.top + self.model.no_memory_embedding.reshape(1, -1, 1, 1)

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

    def _decode(
        self, seen: Features, fused: Tensor, points: PointPrompt | EmbeddingPrompt | None, previous: Tensor | None
    ) -> tuple[Step, Tensor]:
        """One decoder pass; returns the step and the token of the chosen mask, (O, C)."""
        multimask = not isinstance(points, PointPrompt) or points.labels.shape[1] <= 1
        prompt_masks = None if previous is None else previous.unsqueeze(1)
        low_res, iou, tokens, score = self._run_decoder(seen, fused, points, prompt_masks, multimask=multimask)
        if self.blank_absent:
            low_res = torch.where((score > 0)[..., None, None], low_res, torch.full_like(low_res, ABSENT_LOGIT))
        low_res = low_res.float()
        chosen = iou.argmax(dim=1)
        step = Step(low_res=low_res, iou=iou, score=score, chosen=chosen, side=self.image_size)
        return step, tokens[torch.arange(len(chosen), device=chosen.device), chosen]

    def _run_decoder(
        self,
        seen: Features,
        features: Tensor,
        points: PointPrompt | EmbeddingPrompt | None,
        masks: Tensor | None,
        *,
        multimask: bool,
    ) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Masks (O, M, R/4, R/4), their IoU (O, M), their tokens (O, M, C), and the presence logit (O, 1)."""
        objects = len(features) if masks is None else len(masks)
        tokens, points = (points.tokens, None) if isinstance(points, EmbeddingPrompt) else (None, points)
        objects = objects if points is None else len(points.labels)
        objects = objects if tokens is None else len(tokens)
        features = features.expand(objects, -1, -1, -1)
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
        if tokens is not None:
            sparse = torch.cat([sparse, tokens[:, None, None].to(sparse.dtype)], dim=2)
        low_res, iou, mask_tokens, score = self.model.mask_decoder(
            image_embeddings=features,
            image_positional_embeddings=self.model.get_image_wide_positional_embeddings().expand(objects, -1, -1, -1),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=multimask,
            high_resolution_features=[seen.fine, seen.middle],
        )
        return low_res[:, 0], iou[:, 0], mask_tokens[:, 0], score[:, 0]

    def _point_to(self, token: Tensor, there: Tensor, *, projected: bool = False) -> Tensor:
        """The object pointer (O, C) of a mask token, or the learnt one of "not there"."""
        pointer = token if projected else self.model.object_pointer_proj(token)
        return there * pointer + (1 - there) * self.model.no_object_pointer

    def _remember(self, top: Tensor, logits: Tensor, there: Tensor) -> Tensor:
        """The memory (O, 64, h, w) of a frame: its features and the mask that was found in it."""
        masks = torch.sigmoid(logits).unsqueeze(1) * MASK_SCALE + MASK_BIAS
        memory, _ = self.model.memory_encoder(top, masks.to(top.dtype))
        hidden = self.model.occlusion_spatial_embedding_parameter
        memory = memory if hidden is None else memory + (1 - there)[..., None, None] * hidden[..., None, None]
        return memory if self.memory_dtype is None else memory.to(self.memory_dtype).to(memory.dtype)


def _num_objects(prompts: Mapping[int, Prompt]) -> int:
    """The number of objects, the same in every prompt."""
    counts = {_objects_of(prompt) for prompt in prompts.values()}
    if len(counts) != 1:
        raise ValueError(f"prompts for {sorted(counts) or 'no'} objects; every prompted frame must have all objects of the clip.")
    return counts.pop()


def _objects_of(prompt: Prompt) -> int:
    match prompt:
        case MaskPrompt(masks):
            return len(masks)
        case PointPrompt(_, labels):
            return len(labels)
        case EmbeddingPrompt(tokens):
            return len(tokens)
