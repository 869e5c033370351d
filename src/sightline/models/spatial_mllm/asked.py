"""A Spatial-MLLM that is asked: `hf:FOLDER` or `spatial-mllm:FOLDER`.

A clip is given as one video, the pictures of a question as one sequence that VGGT sees together. What the processor does is that of
training (`processor`), so frames, sizes and positions are the same there and here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from sightline.dialects import Size
from sightline.dialects.render import render_with_clips
from sightline.errors import InputError
from sightline.files import read_json
from sightline.models.checkpoint import CONFIG, Checkpoint, open_checkpoint
from sightline.models.huggingface.asked import DTYPES, HuggingFace
from sightline.models.huggingface.families import family_dialect
from sightline.models.huggingface.inputs import Batch, Inputs
from sightline.models.options import ModelOptions
from sightline.models.spatial_mllm.encoding import KINDS
from sightline.models.spatial_mllm.frames import FRAMES
from sightline.models.spatial_mllm.processor import STEP_S, SpatialProcessor
from sightline.models.spatial_mllm.sequences import FrameSequence, Kind, num_tokens, prepare_sequence
from sightline.models.spatial_mllm.settings import MODEL_TYPE, settings_of_config
from sightline.models.spatial_mllm.weights import config_of, load_spatial_mllm
from sightline.taskset.store import TaskSet
from sightline.types import Exposure, ImagePart, Question, VideoPart


def spatial_mllm_model(folder: str, options: ModelOptions) -> "AskedSpatialMllm":
    """The checkpoint in `folder`. Its weights are loaded when the first question is asked.

    Raises:
        FileNotFoundError: no such folder.
        InputError: not a whole checkpoint of version 1.1 with a processor; or an option of no sense.
    """
    if options.dtype not in DTYPES:
        raise InputError(f"--dtype {options.dtype!r}: expected one of {', '.join(DTYPES)}.")
    checkpoint = open_checkpoint(Path(folder).expanduser())
    family_dialect(MODEL_TYPE, options.dialect, where=str(checkpoint.path))
    settings_of_config(read_json(checkpoint.path / CONFIG, dict[str, Any]), where=str(checkpoint.path / CONFIG))
    return AskedSpatialMllm(checkpoint, options)


class SpatialInputs(Inputs):
    """Questions to tensors, by the processor of `processor`."""

    def __init__(self, checkpoint: Checkpoint, options: ModelOptions, *, config: Any) -> None:  # noqa: ANN401 - transformers'
        super().__init__(checkpoint, options, config=config)
        patch_size = config.vision_config.patch_size
        self.processor = SpatialProcessor(self.processor, where=str(checkpoint.path), patch_size=patch_size)

    def batch(self, questions: Sequence[Question], taskset: TaskSet, *, room: int | None) -> Batch:
        """The questions as one batch, padded on the left; raises as `Inputs.batch`."""
        read = [self._read(question, taskset) for question in questions]
        for question, each in zip(questions, read, strict=True):
            if room is not None and each.ids.numel() > room:
                raise InputError(
                    f"example {question.id!r}: a prompt of {each.ids.numel():,} tokens; this model has room for {room:,} before "
                    "its answer. Lower --max-pixels or --max-new-tokens, or show fewer frames."
                )
        length = max(each.ids.numel() for each in read)
        ids = torch.full((len(read), length), self.processor.tokenizer.pad_token_id)
        mask = torch.zeros_like(ids)
        for row, each in enumerate(read):
            ids[row, length - each.ids.numel() :] = each.ids
            mask[row, length - each.ids.numel() :] = 1
        tensors = SpatialTensors({"input_ids": ids, "attention_mask": mask})
        tensors |= _media_tensors([sequence for each in read for sequence in each.sequences])
        return Batch(tensors, tuple(self._exposure(each) for each in read))

    def _read(self, question: Question, taskset: TaskSet) -> "_Read":
        sizes = [Size.of(image) for image in question.images]
        segments = render_with_clips(question.prompt, self.dialect, sizes)
        clips = [segment for segment in segments if isinstance(segment, VideoPart)]
        pictures = [segment.image_index for segment in segments if isinstance(segment, ImagePart)]
        sequences = [self._sequence(question, taskset, "video", clip.image_indices) for clip in clips]
        if pictures:
            sequences.append(self._sequence(question, taskset, "image", pictures))
        return _Read(self._ids(question, segments, sequences), tuple(sequences))

    def _sequence(self, question: Question, taskset: TaskSet, kind: Kind, indices: Sequence[int]) -> FrameSequence:
        try:
            return prepare_sequence(kind, [taskset.read_rgb(question.images[index]) for index in indices], self.processor.rule)
        except InputError as error:
            raise InputError(f"example {question.id!r}: {error}") from error

    def _ids(
        self, question: Question, segments: Sequence[str | ImagePart | VideoPart], sequences: Sequence[FrameSequence]
    ) -> Tensor:
        slots = (self.processor.image_token, self.processor.video_token)
        if held := [slot for part in segments if isinstance(part, str) for slot in slots if slot in part]:
            raise InputError(f"example {question.id!r}: its words hold {held[0]!r}, a media slot. Change the wording.")
        kinds: list[Kind] = ["video" if isinstance(part, VideoPart) else "image" for part in segments if not isinstance(part, str)]
        content = [
            {"type": "text", "text": part}
            if isinstance(part, str)
            else {"type": "video" if isinstance(part, VideoPart) else "image"}
            for part in segments
        ]
        text = self.processor.apply_chat_template(
            [{"role": "user", "content": content}], add_generation_prompt=True, tokenize=False
        )
        clips = [part for part in segments if isinstance(part, VideoPart)]
        words = self._with_times(text, clips)
        ids = torch.tensor(self.processor.tokenizer(words, add_special_tokens=False)["input_ids"])
        slots = self._slots(kinds, sequences)
        return _expanded(ids, slots, self.processor, where=f"{self.checkpoint.path}, example {question.id!r}")

    def _with_times(self, text: str, _clips: Sequence[VideoPart]) -> str:
        """The text with what the family writes beside the steps of a clip: nothing here."""
        return text

    def _slots(self, kinds: Sequence[Kind], sequences: Sequence[FrameSequence]) -> list[tuple[Kind, int]]:
        """Kind and number of tokens of each slot in the text; `kinds` are those of the media, in their order there."""
        waiting = {kind: iter([grid for each in sequences if each.kind == kind for grid in each.grids]) for kind in KINDS}
        return [(kind, num_tokens(next(waiting[kind]), self.processor.rule)) for kind in kinds]

    def _exposure(self, read: "_Read") -> Exposure:
        rule = self.processor.rule
        media = [medium for sequence in read.sequences for medium in sequence.media]
        side = rule.patch_size
        return Exposure(
            processed_sizes=tuple(
                (columns * side, rows * side)
                for sequence in read.sequences
                for steps, rows, columns in sequence.grids
                for _ in range(FRAMES * steps if sequence.kind == "video" else 1)
            ),
            num_image_tokens=sum(num_tokens(medium.grid_thw, rule) for medium in media),
            num_prompt_tokens=read.ids.numel(),
        )


class SpatialTensors(dict[str, Any]):
    """What `generate` of a SpatialMllm takes."""

    def to(self, device: torch.device, *, dtype: torch.dtype) -> "SpatialTensors":
        """On a device, floating numbers in `dtype`."""

        def moved(value: Any) -> Any:  # noqa: ANN401
            match value:
                case Tensor():
                    return value.to(device, dtype if value.is_floating_point() else None)
                case dict():
                    return {name: moved(each) for name, each in value.items()}
                case list() if value and isinstance(value[0], Tensor):
                    return [moved(each) for each in value]
                case _:
                    return value

        return SpatialTensors({name: moved(value) for name, value in self.items()})


class AskedSpatialMllm(HuggingFace):
    """A checkpoint of Spatial-MLLM as a model of ours."""

    def describe(self) -> dict[str, Any]:
        """As any checkpoint, and how long a step of a clip is."""
        return super().describe() | {"kind": MODEL_TYPE, "step_s": STEP_S}

    @cached_property
    def _config(self) -> Any:  # noqa: ANN401 - transformers'
        return config_of(self.checkpoint.path)

    @cached_property
    def _inputs(self) -> SpatialInputs:
        return SpatialInputs(self.checkpoint, self.options, config=self._config)

    @cached_property
    def _model(self) -> Any:  # noqa: ANN401 - a SpatialMllm
        device, dtype = self._placement
        model: Any = load_spatial_mllm(self.checkpoint.path, dtype=getattr(torch, dtype)).model
        model.generation_config = self._generation(model.generation_config)
        return model.to(device)


@dataclass(frozen=True)
class _Read:
    """A question's tokens (n,), and its clips and pictures."""

    ids: Tensor
    sequences: tuple[FrameSequence, ...]


def _media_tensors(sequences: Sequence[FrameSequence]) -> dict[str, Any]:
    names = {"image": ("pixel_values", "image_grid_thw"), "video": ("pixel_values_videos", "video_grid_thw")}
    found: dict[str, Any] = {"geometry_frames": {}}
    for kind, (pixels, grids) in names.items():
        own = [sequence for sequence in sequences if sequence.kind == kind]
        if own:
            media = [medium for sequence in own for medium in sequence.media]
            found[pixels] = torch.from_numpy(np.concatenate([medium.patches for medium in media]))
            found[grids] = torch.tensor([medium.grid_thw for medium in media])
            found["geometry_frames"][kind] = [torch.from_numpy(sequence.geometry_frames) for sequence in own]
            if kind == "video":
                found["second_per_grid_ts"] = [STEP_S] * len(own)
    return found


def _expanded(ids: Tensor, slots: Sequence[tuple[Kind, int]], processor: SpatialProcessor, *, where: str) -> Tensor:
    """The tokens (n,) with as many places for each slot as it has tokens."""
    token_of = {
        kind: processor.tokenizer.convert_tokens_to_ids(token)
        for kind, token in (("image", processor.image_token), ("video", processor.video_token))
    }
    places = torch.isin(ids, torch.tensor(list(token_of.values()))).nonzero()[:, 0].tolist()
    if [int(ids[place]) for place in places] != [token_of[kind] for kind, _ in slots]:
        raise InputError(
            f"{where}: the chat template gave {len(places)} media slots to {len(slots)} clips and pictures, or others than these. "
            "Use the chat template of the Qwen-VL that the model was made from."
        )
    parts: list[Tensor] = []
    last = 0
    for place, (kind, count) in zip(places, slots, strict=True):
        parts += [ids[last:place], torch.full((count,), token_of[kind])]
        last = place + 1
    return torch.cat([*parts, ids[last:]])
