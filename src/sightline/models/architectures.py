"""Checkpoint folders opened by what they are: an architecture of ours, or any family of transformers.

`model_type` in a folder's `config.json` decides. What is trained and what is asked come through here, so that nothing else has to
know which architectures there are.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from sightline.dialects import Dialect
from sightline.files import read_json
from sightline.models.checkpoint import CONFIG
from sightline.models.model import Model
from sightline.models.options import ModelOptions
from sightline.taskset.store import TaskSet
from sightline.types import Question


@dataclass(frozen=True)
class TrainingView:
    """What a training shows a model: pictures cut by `image_mode` into at most `max_tiles` tiles (None: as the checkpoint does),
    with or without their depth. `geometry` is Spatial-MLLM's: given, none or shuffled; None: as the checkpoint does."""

    image_mode: str | None = None
    max_tiles: int | None = None
    with_depth: bool = False
    geometry: str | None = None


@runtime_checkable
class HeldModel(Model, Protocol):
    """A model that can be asked with weights that are in memory."""

    @property
    def dialect(self) -> Dialect: ...

    def holding(self, model: Any, *, revision: str) -> "HeldModel":  # noqa: ANN401 - any of transformers' models
        """The same with the weights of `model` in place of those in the folder; `revision` tells them from others."""
        ...


@runtime_checkable
class TrainedCheckpoint(Protocol):
    """A folder that is trained from, its weights not yet read.

    `processor` has what `train.vlm` asks of transformers' processors: `tokenizer`, `image_token`, `chat_template`,
    `apply_chat_template`, and a call with text and pictures; where it takes depth also `train.vlm.depth.TakesDepth`.
    `context`: the most tokens of a sample, None where it is not said. `media_tokens`: the words that stand for pictures and depth.
    `unused`: how the names of parameters begin that nothing of what is shown ever reaches; they cannot be trained.
    """

    path: Path

    @property
    def config(self) -> Any: ...  # noqa: ANN401 - transformers'

    @property
    def processor(self) -> Any: ...  # noqa: ANN401

    @property
    def dialect(self) -> Dialect: ...

    @property
    def context(self) -> int | None: ...

    @property
    def media_tokens(self) -> tuple[str, ...]: ...

    @property
    def unused(self) -> tuple[str, ...]: ...

    def end_tokens(self) -> frozenset[int]:
        """The tokens at which an answer ends.

        Raises:
            InputError: none is known.
        """
        ...

    def what_changes_tokens(self) -> dict[str, Any]:
        """Plain values; equal ones give every sample the same tokens."""
        ...

    def revision(self) -> str:
        """32 hexadecimal digits that tell this checkpoint from any other."""
        ...

    def load(self, *, dtype: Any, quantization: Any = None) -> Any:  # noqa: ANN401 - torch's and transformers'
        """The model on the CPU. `quantization`: what `from_pretrained` takes as `quantization_config`.

        Raises:
            InputError: weights are missing or cannot be read so.
        """
        ...

    def write(self, model: Any, folder: Path) -> None:  # noqa: ANN401
        """Write `model`, LoRA already in its weights, as a checkpoint of the same kind; whole or not at all.

        Raises:
            InputError: `folder` is there already.
        """
        ...

    def asked(self, options: ModelOptions) -> HeldModel:
        """The checkpoint as a model that is asked as it is trained."""
        ...


@runtime_checkable
class GivesTensors(Protocol):
    """A checkpoint whose questions can be had as what its model takes, so that answers are drawn from it while it is trained."""

    def question_tensors(self, questions: Sequence[Question], taskset: TaskSet, *, longest_answer: int) -> Any:  # noqa: ANN401
        """The arguments of `generate` by name, with a `to` for device and dtype: `input_ids` (B, L), each picture as long as it is
        in tokens, `attention_mask`, and media. Rows are padded on the left.

        Raises:
            FileNotFoundError, InputError: a picture cannot be read, or a question leaves no room for `longest_answer` tokens.
        """
        ...


@dataclass(frozen=True)
class Architecture:
    """`ask` takes a folder and options, `train` also what is shown; both raise InputError for a folder that is not whole."""

    ask: Callable[[str, ModelOptions], Model]
    train: Callable[[Path, ModelOptions, TrainingView], TrainedCheckpoint]


def _roborefer() -> Architecture:
    from sightline.models.roborefer.asked import roborefer_model  # noqa: PLC0415 - see the style rules on look-up tables
    from sightline.models.roborefer.trained import TrainedRoboRefer  # noqa: PLC0415

    return Architecture(roborefer_model, TrainedRoboRefer)


def _spatial_mllm() -> Architecture:
    from sightline.models.spatial_mllm.asked import spatial_mllm_model  # noqa: PLC0415
    from sightline.models.spatial_mllm.trained import TrainedSpatialMllm  # noqa: PLC0415

    return Architecture(spatial_mllm_model, TrainedSpatialMllm)


def _spatial_qwen3() -> Architecture:
    from sightline.models.spatial_mllm.asked_qwen3 import refuse_training, spatial_qwen3_model  # noqa: PLC0415

    return Architecture(spatial_qwen3_model, refuse_training)


def _transformers() -> Architecture:
    from sightline.models.huggingface.asked import huggingface  # noqa: PLC0415
    from sightline.models.huggingface.trained import TrainedHuggingFace  # noqa: PLC0415

    return Architecture(huggingface, TrainedHuggingFace)


OWN: Mapping[str, Callable[[], Architecture]] = {
    "llava_llama": _roborefer,
    "roborefer": _roborefer,
    "spatial-mllm": _spatial_mllm,
    "spatial-mllm-qwen3": _spatial_qwen3,
}
"""By `model_type`; any other is transformers'."""


def architecture_of(folder: Path) -> Architecture:
    """What the checkpoint in `folder` is. A folder that is none is left to transformers' way of opening, which says what is wrong.

    Raises:
        InputError: a `config.json` that is no JSON object.
    """
    path = folder / CONFIG
    model_type = read_json(path, dict[str, Any]).get("model_type") if path.is_file() else None
    return OWN.get(str(model_type), _transformers)()


def ask_checkpoint(folder: str, options: ModelOptions) -> Model:
    """The checkpoint in `folder` as a model that is asked; raises as its architecture does."""
    return architecture_of(Path(folder).expanduser()).ask(folder, options)


def open_for_training(folder: Path, options: ModelOptions, view: TrainingView) -> TrainedCheckpoint:
    """The checkpoint in `folder` as training takes it; raises as its architecture does."""
    return architecture_of(folder).train(folder, options, view)
