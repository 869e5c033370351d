"""From the hidden states of `[SEG]` tokens to masks: the projection, then SAM 2 prompted with its result.

A projected state is the third prompt token, beside two of "no point"; three masks are decoded everywhere and the one with the
highest predicted IoU is taken, for the mask, for the object pointer and for the loss. The presence score replaces the pointer of an
object that is not there, but blanks no mask. SAM 2 is the 2.0 one: without a spatial embedding of occlusion and without places in
time for pointers. Weights and numbers: bytedance/Sa2VA; outputs, losses and gradients are tested against that code's.

Shapes: O objects ([SEG] tokens), T frames, D the language model's width, C SAM 2's, R the square's side.
"""

from collections.abc import Iterator, Mapping, Sequence

import torch
from torch import Tensor, nn
from transformers import Sam2VideoConfig, Sam2VideoModel

from sightline.errors import InputError
from sightline.models.sa2va.modes import Mode
from sightline.models.sam2.clip import ClipModel
from sightline.models.sam2.prompts import EmbeddingPrompt
from sightline.models.sam2.propagate import FrameMasks, Frames, ObjectPrompt, propagate
from sightline.models.sam2.results import Features, FrameResult, Step


class Grounding(nn.Module):
    """The projection and SAM 2.

    Args:
        config: of SAM 2; must be a 2.0 one.
        hidden_size: D.

    Raises:
        InputError: the configuration has parts that SAM 2.0 lacks.
    """

    def __init__(self, config: Sam2VideoConfig, hidden_size: int) -> None:
        super().__init__()
        newer = [
            name
            for name in ("enable_occlusion_spatial_embedding", "enable_temporal_pos_encoding_for_object_pointers")
            if getattr(config, name)
        ]
        if newer:
            raise InputError(f"Sa2VA has a SAM 2.0; this configuration is a 2.1 one ({', '.join(newer)} set). Set it to false.")
        model = Sam2VideoModel(config)
        self.text_hidden_fcs = nn.Sequential(
            nn.Linear(hidden_size, hidden_size), nn.ReLU(), nn.Linear(hidden_size, model.hidden_dim), nn.Dropout(0.0)
        )
        self.clip = ClipModel(model, future_pointers=False, blank_absent=False)

    @property
    def image_size(self) -> int:
        """R."""
        return self.clip.image_size

    def project(self, hidden_states: Tensor) -> Tensor:
        """Prompt tokens (O, C) of hidden states (O, D)."""
        return self.text_hidden_fcs(hidden_states.to(self.clip.model.no_memory_embedding.dtype))

    def alone(self, images: Tensor | Features, tokens: Tensor) -> Step:
        """Every object on every frame, without memory: the published training path, and pictures.

        Args:
            images: (T, 3, R, R), or their features.
            tokens: (O, C).

        Returns:
            Rows are O * T, the frame running fastest.
        """
        features = self.clip.encode(images) if isinstance(images, Tensor) else images
        num_frames = len(features.top)
        frame = torch.arange(num_frames, device=tokens.device).repeat(len(tokens))
        return self.clip.alone(features.rows(frame), EmbeddingPrompt(tokens.repeat_interleave(num_frames, dim=0)))

    def remembering(self, images: Tensor, tokens: Tensor, key_frames: Sequence[int]) -> dict[int, FrameResult]:
        """All objects through a clip with memory and gradients: the training path of the mode `consistent`.

        Args:
            images: (T, 3, R, R).
            tokens: (O, C).
            key_frames: the prompted ones, 0 among them (`Mode.key_frames`): no frame may be without a past.

        Returns:
            By frame, in processing order: key frames, then the others.
        """
        prompt = EmbeddingPrompt(tokens)
        return self.clip(images, dict.fromkeys(key_frames, prompt))

    def follow(self, frames: Frames, tokens: Mapping[str, Tensor], mode: Mode) -> Iterator[FrameMasks]:
        """Masks of all objects through a clip, frame by frame, for inference; a single picture is a clip of one frame.

        Each frame is encoded once for all objects, whichever expressions they belong to.

        Args:
            frames: normalised, (3, R, R) each.
            tokens: by the object's name, (C,) each; at least one.
        """
        prompts = [
            ObjectPrompt(frame=frame, object_id=name, token=token)
            for name, token in tokens.items()
            for frame in mode.key_frames(len(frames))
        ]
        clip = ClipModel(self.clip.model, future_pointers=False, blank_absent=False, memory_dtype=mode.memory_dtype)
        return propagate(clip, frames, prompts)
