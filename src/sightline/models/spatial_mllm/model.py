"""Spatial-MLLM (Wu et al. 2025, v1.1): Qwen2.5-VL with VGGT's geometry added to its visual tokens.

Parity with the published code is tested on a small network with its numbers pinned (tests/models/spatial_mllm). Parts that can
be frozen: `model.visual`, `model.visual.merger`, `model.language_model`, `spatial_encoder`, `connector`. The published training
freezes `spatial_encoder` and the encoder, but not its merger. Weights: see `weights`.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration, Qwen3VLConfig, Qwen3VLForConditionalGeneration

from sightline.models.spatial_mllm.encoding import encode_units, placed
from sightline.models.spatial_mllm.geometry_fusion import GeometryFusion
from sightline.models.spatial_mllm.positions import MediaTable, Positions, multimodal_positions
from sightline.models.spatial_mllm.settings import SpatialSettings
from sightline.models.vggt.model import HeadName


class SpatialMllm(GeometryFusion, Qwen2_5_VLForConditionalGeneration):  # pyright: ignore[reportIncompatibleMethodOverride]
    """Positions are those of `positions`, computed here and passed on; others may be given as `position_ids`."""

    def __init__(self, config: Qwen2_5_VLConfig, spatial: SpatialSettings, *, heads: Sequence[HeadName] = ()) -> None:
        super().__init__(config)
        self.add_geometry(spatial, heads)

    def positions(self, input_ids: Tensor, attention_mask: Tensor | None, inputs: Mapping[str, Any]) -> Positions:
        """As published; `second_per_grid_ts`, the seconds a temporal patch, are 1 where they are not given."""
        vision = self.config.vision_config
        images, videos, seconds = (inputs.get(name) for name in ("image_grid_thw", "video_grid_thw", "second_per_grid_ts"))
        tables = []
        if images is not None:
            tables.append(MediaTable(self.config.image_token_id, images, None))
        if videos is not None:
            given = torch.ones(len(videos)) if seconds is None else torch.as_tensor(seconds)
            tables.append(MediaTable(self.config.video_token_id, videos, given))
        merge, speed = vision.spatial_merge_size, float(vision.tokens_per_second)
        return multimodal_positions(input_ids, attention_mask, tables, merge=merge, tokens_per_second=speed)

    def embed_pictures(
        self,
        input_ids: Tensor,
        tensors: Mapping[str, Tensor],
        *,
        uses: Tensor,
        **_: Any,  # noqa: ANN401 - tiles, which are none here
    ) -> tuple[Tensor, Tensor]:
        """What the language model receives (B, L, H), each unit of frames encoded once; and a scalar 0 that depends on the units
        where none is used.

        Args:
            input_ids: (B, L).
            tensors: those of `encoding`.
            uses: (slots,), which medium stands in each slot.
        """
        by_kind, nothing = placed(encode_units(self, tensors), uses)
        embedded = self.get_input_embeddings()(input_ids)
        token_of = {"image": self.config.image_token_id, "video": self.config.video_token_id}
        for kind, tokens in by_kind.items():
            here = (input_ids == token_of[kind])[..., None].expand_as(embedded)
            embedded = embedded.masked_scatter(here, tokens.to(embedded.dtype))
        return embedded, nothing


class SpatialQwen3(GeometryFusion, Qwen3VLForConditionalGeneration):  # pyright: ignore[reportIncompatibleMethodOverride]
    """The same fusion in a Qwen3-VL, of which nothing is published: its patches of 16 pixels and VGGT's of 14 are cut from two
    sizes of the same frames (see `frames`). Its deeper visual features stay as they are."""

    def __init__(self, config: Qwen3VLConfig, spatial: SpatialSettings, *, heads: Sequence[HeadName] = ()) -> None:
        super().__init__(config)
        self.add_geometry(spatial, heads)

    def positions(self, input_ids: Tensor, attention_mask: Tensor | None, inputs: Mapping[str, Any]) -> Positions:
        """Qwen3-VL's own; `mm_token_type_ids` (B, L) says which places are text (0), of pictures (1) and of videos (2)."""
        kinds = inputs.get("mm_token_type_ids")
        if kinds is None:
            kinds = (input_ids == self.config.image_token_id).int() + 2 * (input_ids == self.config.video_token_id).int()
        grids = {name: inputs.get(name) for name in ("image_grid_thw", "video_grid_thw")}
        ids, deltas = self.model.get_rope_index(input_ids, mm_token_type_ids=kinds, attention_mask=attention_mask, **grids)
        return Positions(ids, deltas)
