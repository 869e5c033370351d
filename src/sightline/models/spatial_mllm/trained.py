"""A Spatial-MLLM as training takes it: processor, weights, and the folder that is written in the end."""

import shutil
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.errors import InputError
from sightline.files import read_json, whole_folder
from sightline.models.checkpoint import CONFIG
from sightline.models.huggingface.trained import GENERATION, TrainedHuggingFace
from sightline.models.options import ModelOptions
from sightline.models.spatial_mllm.asked import AskedSpatialMllm, SpatialInputs, spatial_mllm_model
from sightline.models.spatial_mllm.feature_cache import CacheSettings, Stored
from sightline.models.spatial_mllm.frozen_weights import weights_digests
from sightline.models.spatial_mllm.processor import STEP_S, SpatialProcessor
from sightline.models.spatial_mllm.settings import SpatialSettings, settings_of_config
from sightline.models.spatial_mllm.weights import config_of, load_spatial_mllm, write_parts

if TYPE_CHECKING:
    from sightline.models.architectures import TrainingView

MASK_TOKEN = "spatial_encoder.aggregator.patch_embed.mask_token"  # noqa: S105 - a parameter


class TrainedSpatialMllm(TrainedHuggingFace):
    """The checkpoint in `path`, with the pixel limits and the dialect of `options` (see `architectures.TrainedCheckpoint`).

    Raises:
        FileNotFoundError: no such folder.
        InputError: not a whole checkpoint of version 1.1, image modes, or patches that do not fit VGGT's.
    """

    def __init__(self, path: Path, options: ModelOptions, view: "TrainingView") -> None:
        super().__init__(path, options, replace(view, geometry=None))
        found = settings_of_config(read_json(path / CONFIG, dict[str, Any]), where=str(path / CONFIG))
        self.spatial: SpatialSettings = found.with_geometry(view.geometry)

    @cached_property
    def config(self) -> Any:  # noqa: ANN401 - transformers'
        return config_of(self.path)

    @cached_property
    def inputs(self) -> SpatialInputs:
        return SpatialInputs(self.checkpoint, self.options, config=self.config)

    @property
    def processor(self) -> SpatialProcessor:
        return self.inputs.processor

    @property
    def media_tokens(self) -> tuple[str, ...]:
        return (self.processor.image_token, self.processor.video_token)

    @property
    def unused(self) -> tuple[str, ...]:  # pyright: ignore[reportIncompatibleVariableOverride]
        """Layers of VGGT above the fused one, and what it masks patches with."""
        blocks = [
            f"spatial_encoder.aggregator.{kind}_blocks.{layer}."
            for kind in ("frame", "global")
            for layer in range(self.spatial.layer_index + 1, self.spatial.vggt.depth)
        ]
        return (MASK_TOKEN, *blocks, *(("connector.",) if self.spatial.geometry == "none" else ()))

    def what_changes_tokens(self) -> dict[str, Any]:
        return super().what_changes_tokens() | {"step_s": STEP_S, "clips": "videos"}

    def feature_settings(self, *, computed: str, stored: Stored) -> CacheSettings:
        """What features of these weights depend on, with frames as they are shown here."""
        rule = self.processor.rule
        digests = weights_digests(self.path)
        return CacheSettings(
            vision=digests["vision"],
            geometry=digests["geometry"],
            layer=self.spatial.layer_index,
            vision_width=self.config.vision_config.hidden_size,
            geometry_width=2 * self.spatial.vggt.width,
            min_pixels=rule.min_pixels,
            max_pixels=rule.max_pixels,
            patch_size=rule.patch_size,
            computed=computed,
            stored=stored,
        )

    def load(self, *, dtype: Any, quantization: Any = None) -> Any:  # noqa: ANN401 - torch's
        """The model on the CPU; raises InputError where weights do not fit, or for four bits."""
        if quantization is not None:
            raise InputError(
                f"{self.path}: model.four_bits is not offered for Spatial-MLLM. Use model.parts.language_model.how=lora."
            )
        return load_spatial_mllm(self.path, settings=self.spatial, dtype=dtype).model

    def write(self, model: Any, folder: Path) -> None:  # noqa: ANN401
        """Under the published names, the processor with its pixel limits beside the weights."""
        with whole_folder(folder) as partial:
            write_parts(model, partial)
            self.processor.save_pretrained(partial)
            if (self.path / GENERATION).is_file():
                shutil.copyfile(self.path / GENERATION, partial / GENERATION)

    def asked(self, options: ModelOptions) -> AskedSpatialMllm:
        return spatial_mllm_model(str(self.path), options)
