"""The same model in a Qwen3-VL that is asked: `hf:FOLDER`. It is not trained by `sightline train vlm`.

Each step of a clip stands after its time, as in Qwen3-VL's own prompts: the mean time of its two frames, "<1.3 seconds>".
"""

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from sightline.errors import InputError
from sightline.files import read_json
from sightline.models.checkpoint import CONFIG, open_checkpoint
from sightline.models.huggingface.asked import DTYPES
from sightline.models.huggingface.families import family_dialect
from sightline.models.options import ModelOptions
from sightline.models.spatial_mllm.asked import AskedSpatialMllm, SpatialInputs
from sightline.models.spatial_mllm.frames import FRAMES
from sightline.models.spatial_mllm.qwen3 import config_of_qwen3, load_spatial_qwen3
from sightline.models.spatial_mllm.sequences import FrameSequence, Kind
from sightline.models.spatial_mllm.settings import QWEN3_TYPE, settings_of_config
from sightline.types import VideoPart

if TYPE_CHECKING:
    from sightline.models.architectures import TrainedCheckpoint, TrainingView


def spatial_qwen3_model(folder: str, options: ModelOptions) -> "AskedSpatialQwen3":
    """The checkpoint in `folder`. Its weights are loaded when the first question is asked.

    Raises:
        FileNotFoundError: no such folder.
        InputError: not a whole checkpoint with a processor; or an option of no sense.
    """
    if options.dtype not in DTYPES:
        raise InputError(f"--dtype {options.dtype!r}: expected one of {', '.join(DTYPES)}.")
    checkpoint = open_checkpoint(Path(folder).expanduser())
    family_dialect(QWEN3_TYPE, options.dialect, where=str(checkpoint.path))
    where = str(checkpoint.path / CONFIG)
    settings_of_config(read_json(checkpoint.path / CONFIG, dict[str, Any]), where=where, model_type=QWEN3_TYPE)
    return AskedSpatialQwen3(checkpoint, options)


def refuse_training(path: Path, _options: ModelOptions, _view: "TrainingView") -> "TrainedCheckpoint":
    """Raises InputError."""
    raise InputError(
        f"{path}: a Spatial-MLLM in a Qwen3-VL can be asked, but not be trained by `sightline train vlm`, which does not carry the "
        "deeper visual features of Qwen3-VL beside the fused ones. Assemble one from a Qwen2.5-VL."
    )


class Qwen3Inputs(SpatialInputs):
    """Questions to tensors: a slot for each step of a clip, after its time."""

    def _with_times(self, text: str, clips: Sequence[VideoPart]) -> str:
        slot = f"<|vision_start|>{self.processor.video_token}<|vision_end|>"
        first, *others = text.split(slot)
        if len(others) != len(clips):
            return text  # what is wrong is told when slots are filled
        return first + "".join("".join(_timed(clip, slot)) + rest for clip, rest in zip(clips, others, strict=True))

    def _slots(self, kinds: Sequence[Kind], sequences: Sequence[FrameSequence]) -> list[tuple[Kind, int]]:
        found: list[tuple[Kind, int]] = []
        steps = iter([each.grids[0][0] for each in sequences if each.kind == "video"])
        for kind, count in super()._slots(kinds, sequences):
            num_steps = next(steps) if kind == "video" else 1
            found.extend((kind, count // num_steps) for _ in range(num_steps))
        return found


class AskedSpatialQwen3(AskedSpatialMllm):
    """A checkpoint of `qwen3` as a model of ours."""

    def describe(self) -> dict[str, Any]:
        """As any checkpoint; times are the clip's own."""
        return {name: value for name, value in super().describe().items() if name != "step_s"} | {"kind": QWEN3_TYPE}

    @cached_property
    def _config(self) -> Any:  # noqa: ANN401 - transformers'
        return config_of_qwen3(self.checkpoint.path)

    @cached_property
    def _inputs(self) -> Qwen3Inputs:
        return Qwen3Inputs(self.checkpoint, self.options, config=self._config)

    @cached_property
    def _model(self) -> Any:  # noqa: ANN401 - a SpatialQwen3
        device, dtype = self._placement
        model: Any = load_spatial_qwen3(self.checkpoint.path, dtype=getattr(torch, dtype))
        model.generation_config = self._generation(model.generation_config)
        return model.to(device)


def _timed(clip: VideoPart, slot: str) -> list[str]:
    """The slots of a clip's steps, each after the mean time of its frames; of an odd number the last frame stands twice."""
    times = [*clip.times_s, *clip.times_s[-1:]][: -(-len(clip.times_s) // FRAMES) * FRAMES]
    means = [sum(times[start : start + FRAMES]) / FRAMES for start in range(0, len(times), FRAMES)]
    return [f"<{mean:.1f} seconds>{slot}" for mean in means]
