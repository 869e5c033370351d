"""What a Spatial-MLLM is besides its language model: which fusion, which layer of which VGGT.

A published v1.1 checkpoint says so in its config.json, next to the keys of a Qwen2.5-VL:

    {"model_type": "spatial-mllm", "connector_config": {"connector_type": "mlp_add", "spatial_embeds_layer_idx": -1},
     "spatial_config": {"img_size": 518, "patch_size": 14, "embed_dim": 1024}, ...}

Version 1.0 had another connector under the same model type: it gathers a cell's features in another order (frame, row, column,
channel) and sends them through a second norm and perceptron. Its weights would be misread here, so they are refused: its config has
no `connector_config`, and its connector other tensors.
"""

from typing import Any, Literal, get_args

import msgspec

from sightline.errors import InputError, unknown_name
from sightline.models.vggt.config import VggtConfig, config_of_values, values_of_config
from sightline.types import Record

MODEL_TYPE = "spatial-mllm"
QWEN3_TYPE = "spatial-mllm-qwen3"
"""The same fusion in a Qwen3-VL, see `qwen3`; the type is ours."""
Fusion = Literal["mlp_add", "mlp_cat", "cross_attn"]
Geometry = Literal["given", "none", "shuffled"]
VERSION = "1.1"
TOKENS_PER_SECOND = 2
VERSIONS = (
    "v1.1 (order row, column, channel, frame; one norm and one perceptron, added to the visual token) is what is read here; v1.0 "
    "(order frame, row, column, channel; a second norm and perceptron) is another network"
)


class SpatialSettings(Record):
    """`layer`: the aggregator layer that is fused, negative from the end.

    `geometry` is for ablations: "none" leaves the visual tokens as they are, "shuffled" puts the values of each feature in
    another order over the places of its frames; published models have "given".
    """

    vggt: VggtConfig = VggtConfig()
    fusion: Fusion = "mlp_add"
    layer: int = -1
    geometry: Geometry = "given"

    @classmethod
    def of(cls, vggt: VggtConfig, fusion: str) -> "SpatialSettings":
        """With a fusion by its name.

        Raises:
            InputError: no such fusion.
        """
        if fusion not in get_args(Fusion):
            raise unknown_name("fusion", fusion, get_args(Fusion))
        return msgspec.convert({"vggt": msgspec.to_builtins(vggt), "fusion": fusion}, cls)

    def with_geometry(self, geometry: str | None) -> "SpatialSettings":
        """With another `geometry`; None leaves it.

        Raises:
            InputError: no such one.
        """
        if geometry is None:
            return self
        if geometry not in get_args(Geometry):
            raise unknown_name("geometry", geometry, get_args(Geometry))
        return msgspec.convert(msgspec.to_builtins(self) | {"geometry": geometry}, SpatialSettings)

    @property
    def layer_index(self) -> int:
        """`layer` counted from 0.

        Raises:
            InputError: no such layer.
        """
        index = self.layer + self.vggt.depth if self.layer < 0 else self.layer
        if not 0 <= index < self.vggt.depth:
            raise InputError(
                f"layer {self.layer} of a VGGT with {self.vggt.depth}; expected -{self.vggt.depth} to {self.vggt.depth - 1}."
            )
        return index


class _Connector(msgspec.Struct):
    """`connector_config` as published; `version` and `geometry` are ours."""

    connector_type: Fusion = "mlp_add"
    spatial_embeds_layer_idx: int = -1
    version: str = VERSION
    geometry: Geometry = "given"


def settings_of_config(values: dict[str, Any], *, where: str, model_type: str = MODEL_TYPE) -> SpatialSettings:
    """The settings in a config.json.

    Raises:
        InputError: another kind of model than `model_type`, version 1.0, or values that cannot be read.
    """
    if values.get("model_type") != model_type:
        raise InputError(f"{where}: a model of type {values.get('model_type')!r}; expected {model_type!r}.")
    if not isinstance(values.get("connector_config"), dict):
        raise InputError(
            f"{where}: no connector_config, so this is a Spatial-MLLM of version 1.0. {VERSIONS}. Get a v1.1 checkpoint."
        )
    try:
        connector = msgspec.convert(values["connector_config"], _Connector)
    except msgspec.ValidationError as error:
        raise InputError(f"{where}: a connector_config that cannot be read ({error}).") from error
    if connector.version != VERSION:
        raise InputError(f"{where}: a connector of version {connector.version}. {VERSIONS}. Get a v1.1 checkpoint.")
    vggt = config_of_values(values.get("spatial_config") or {}, where=where)
    return SpatialSettings(
        vggt=vggt, fusion=connector.connector_type, layer=connector.spatial_embeds_layer_idx, geometry=connector.geometry
    )


def values_of_settings(settings: SpatialSettings, *, model_type: str = MODEL_TYPE) -> dict[str, Any]:
    """What `settings_of_config` reads, for a config.json."""
    connector = {"connector_type": settings.fusion, "spatial_embeds_layer_idx": settings.layer, "version": VERSION}
    ablation = {} if settings.geometry == "given" else {"geometry": settings.geometry}
    return {
        "model_type": model_type,
        "connector_config": connector | ablation,
        "spatial_config": {"model_type": "vggt_spatial_encoder", **values_of_config(settings.vggt)},
    }
