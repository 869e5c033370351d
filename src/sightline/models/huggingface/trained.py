"""A checkpoint of transformers as training takes it: processor, weights, and the folder that is written in the end."""

import hashlib
from collections.abc import Sequence
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.dialects import Dialect
from sightline.errors import InputError
from sightline.files import read_json, whole_folder
from sightline.models.checkpoint import SMALL_FILES, open_checkpoint
from sightline.models.huggingface.asked import HuggingFace, huggingface, refuse_missing
from sightline.models.huggingface.inputs import Inputs
from sightline.models.options import ModelOptions
from sightline.taskset.store import TaskSet
from sightline.types import Question

if TYPE_CHECKING:
    from sightline.models.architectures import TrainingView

GENERATION = "generation_config.json"


class TrainedHuggingFace:
    """The checkpoint in `path`, with the pixel limits and the dialect of `options` (see `architectures.TrainedCheckpoint`).

    Raises:
        FileNotFoundError: no such folder.
        InputError: no whole checkpoint, or image modes, which RoboRefer alone has.
    """

    unused: tuple[str, ...] = ()

    def __init__(self, path: Path, options: ModelOptions, view: "TrainingView") -> None:
        if view.image_mode is not None or view.max_tiles is not None:
            raise InputError(
                f"{path}: model.image_mode and model.max_tiles are for RoboRefer; other processors go by model.max_pixels, or "
                "have a size of their own. Leave them out."
            )
        if view.geometry is not None:
            raise InputError(f"{path}: model.geometry is for Spatial-MLLM; this model has none. Leave it out.")
        self.path = path
        self.options = options
        self.checkpoint = open_checkpoint(path)

    @cached_property
    def config(self) -> Any:  # noqa: ANN401 - transformers'
        from transformers import AutoConfig  # noqa: PLC0415 # pyright: ignore[reportMissingImports] - an extra

        return AutoConfig.from_pretrained(self.path, local_files_only=True, trust_remote_code=self.options.trust_remote_code)

    @cached_property
    def inputs(self) -> Inputs:
        return Inputs(self.checkpoint, self.options, config=self.config)

    @property
    def processor(self) -> Any:  # noqa: ANN401
        return self.inputs.processor

    @property
    def dialect(self) -> Dialect:
        return self.inputs.dialect

    @property
    def context(self) -> int | None:
        """As its language model's config says."""
        return getattr(self.config.get_text_config(), "max_position_embeddings", None)

    @property
    def media_tokens(self) -> tuple[str, ...]:
        return (self.processor.image_token,)

    def end_tokens(self) -> frozenset[int]:
        """Those of its generation settings and of its tokenizer."""
        path = self.path / GENERATION
        declared = read_json(path, dict[str, Any]).get("eos_token_id") if path.is_file() else None
        own = self.processor.tokenizer.eos_token_id
        if own is None:
            raise InputError(
                f"{self.path}: its tokenizer names no end token (eos_token), so a model could not learn to stop. Set it."
            )
        ends = declared if isinstance(declared, list) else [declared]
        return frozenset(token for token in [*ends, own] if token is not None)

    def what_changes_tokens(self) -> dict[str, Any]:
        files = {
            name: hashlib.sha256((self.path / name).read_bytes()).hexdigest()
            for name in SMALL_FILES
            if name != "config.json" and (self.path / name).is_file()
        }
        return {"files": files, "limits": self.inputs.limits, "transformers": version("transformers")}

    def revision(self) -> str:
        return self.checkpoint.revision()

    def load(self, *, dtype: Any, quantization: Any = None) -> Any:  # noqa: ANN401 - torch's and transformers'
        """The model on the CPU; raises InputError where weights are missing."""
        from transformers import AutoModelForImageTextToText  # noqa: PLC0415 # pyright: ignore[reportMissingImports]
        from transformers.utils import logging  # noqa: PLC0415 # pyright: ignore[reportMissingImports]

        logging.disable_progress_bar()  # ours is on the screen
        loaded: Any = AutoModelForImageTextToText.from_pretrained(
            self.path,
            dtype=dtype,
            local_files_only=True,
            use_safetensors=self.checkpoint.safetensors,
            weights_only=True,
            trust_remote_code=self.options.trust_remote_code,
            output_loading_info=True,
            **({} if quantization is None else {"quantization_config": quantization}),
        )
        model, report = loaded
        refuse_missing(self.checkpoint, report["missing_keys"])
        return model

    def write(self, model: Any, folder: Path) -> None:  # noqa: ANN401
        """As `save_pretrained` does, the processor with its pixel limits beside the weights."""
        with whole_folder(folder) as partial:
            model.save_pretrained(partial)
            self.processor.save_pretrained(partial)

    def question_tensors(self, questions: Sequence[Question], taskset: TaskSet, *, longest_answer: int) -> Any:  # noqa: ANN401
        """As its processor makes them (see `architectures.GivesTensors`)."""
        room = None if self.context is None else self.context - longest_answer
        return self.inputs.batch(questions, taskset, room=room).tensors

    def asked(self, options: ModelOptions) -> HuggingFace:
        return huggingface(str(self.path), options)
