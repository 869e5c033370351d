"""A RoboRefer as training takes it: published or in one folder, with or without depth; written as it was read.

What of it cannot be trained, because nothing ever reaches it: the last encoder layer of each tower and the norm behind it, and
without depth the whole depth side.
"""

import hashlib
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from transformers import BatchFeature

from sightline.dialects import Dialect, get_dialect
from sightline.errors import InputError
from sightline.models.options import ModelOptions
from sightline.models.roborefer.asked import DIALECT, AskedRoboRefer, RoboReferSettings
from sightline.models.roborefer.learned import forget
from sightline.models.roborefer.opening import open_roborefer
from sightline.models.roborefer.processor import RoboReferDepthProcessor, RoboReferProcessor
from sightline.models.roborefer.questions import DepthFrom
from sightline.models.roborefer.text_forms import TOKENS
from sightline.models.roborefer.weights import TOKENIZER_FILES, load_roborefer, write_published, write_single
from sightline.taskset.store import TaskSet
from sightline.types import Question

if TYPE_CHECKING:
    from sightline.models.architectures import TrainingView

END = "<|im_end|>"
DEPTH_SIDE = ("model.depth_tower.", "model.depth_projector.")


class TrainedRoboRefer:
    """The checkpoint in `path` (see `architectures.TrainedCheckpoint`).

    Raises:
        FileNotFoundError: no such folder.
        InputError: no whole checkpoint, pixel limits, an image mode that it cannot have, or depth for one that takes none.
    """

    def __init__(self, path: Path, options: ModelOptions, view: "TrainingView") -> None:
        if options.min_pixels is not None or options.max_pixels is not None:
            raise InputError(
                f"{path}: a RoboRefer cuts pictures into tiles of one size; set model.image_mode and model.max_tiles, not "
                "model.min_pixels or model.max_pixels."
            )
        self.path = path
        self.options = options
        self.view = view
        self.folder = open_roborefer(path, image_mode=view.image_mode, max_tiles=view.max_tiles)
        self.folder.weights()
        self.dialect: Dialect = get_dialect(options.dialect or DIALECT)
        kind = RoboReferDepthProcessor if view.with_depth else RoboReferProcessor
        try:
            self.processor = kind(self.folder.config, self.folder.tokenizer)
        except InputError as error:
            raise InputError(f"{path}: {error}") from error

    @property
    def config(self) -> Any:  # noqa: ANN401 - transformers'
        return self.folder.config

    @property
    def context(self) -> int:
        """The smaller one of the tokenizer's limit and the language model's."""
        return self.processor.inputs.max_length

    @property
    def media_tokens(self) -> tuple[str, ...]:
        return tuple(TOKENS.values())

    @property
    def unused(self) -> tuple[str, ...]:
        config = self.folder.config
        towers = {"vision_tower": config.vision_config, "depth_tower": config.depth_config}
        found: list[str] = [] if self.view.with_depth else list(DEPTH_SIDE)
        for name, tower in towers.items():
            if tower is not None:
                layers: int = tower.num_hidden_layers  # pyright: ignore[reportAttributeAccessIssue]
                found += [f"model.{name}.encoder.layers.{layer}." for layer in range(layers + 1 + config.feature_layer, layers)]
                found.append(f"model.{name}.post_layernorm.")
        return tuple(found)

    def end_tokens(self) -> frozenset[int]:
        return frozenset({self.folder.tokenizer.convert_tokens_to_ids(END)})

    def what_changes_tokens(self) -> dict[str, Any]:
        files = {
            name: hashlib.sha256((self.folder.tokenizer_path / name).read_bytes()).hexdigest()
            for name in TOKENIZER_FILES
            if (self.folder.tokenizer_path / name).is_file()
        }
        tiling = self.processor.inputs.tiling
        tile = self.processor.picture_tokens(tiling.side, tiling.side).size
        cut = [tiling.mode, tiling.side, tiling.min_tiles, tiling.max_tiles, tile, self.view.with_depth]
        return {"files": files, "cut": cut, "transformers": version("transformers")}

    def revision(self) -> str:
        return self.folder.revision()

    def load(self, *, dtype: Any, quantization: Any = None) -> Any:  # noqa: ANN401 - torch's
        """The model on the CPU. What the base had learnt is no longer said of it, because it is about to learn more."""
        if quantization is not None:
            raise InputError(f"{self.path}: model.four_bits is not offered for RoboRefer. Use model.parts.language_model.how=lora.")
        model = load_roborefer(self.folder, dtype=dtype)
        model.config.published = forget(model.config.published or {})
        return model

    def write(self, model: Any, folder: Path) -> None:  # noqa: ANN401
        write = write_published if self.folder.published else write_single
        write(model, folder, tokenizer_from=self.folder.tokenizer_path)

    def question_tensors(self, questions: Sequence[Question], taskset: TaskSet, *, longest_answer: int) -> BatchFeature:
        """As `asked` puts them (see `architectures.GivesTensors`)."""
        asked = self.asked(msgspec.structs.replace(self.options, max_new_tokens=longest_answer))
        return BatchFeature(asked.batch(questions, taskset).tensors)

    def asked(self, options: ModelOptions) -> AskedRoboRefer:
        """Asked with the data set's own depth if it is trained with depth; a question that has none with its pictures alone."""
        settings = RoboReferSettings(
            mode=self.view.image_mode,
            max_tiles=self.view.max_tiles,
            depth="own" if self.view.with_depth else "no",
            lacking="rgb" if self.view.with_depth else "stop",
        )
        depth = DepthFrom(None, "rgb") if self.view.with_depth else None
        return AskedRoboRefer(self.folder, options, settings, depth)
