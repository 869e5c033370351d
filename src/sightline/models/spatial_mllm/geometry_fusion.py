"""What a Qwen vision-language model of transformers needs to see geometry: VGGT's aggregator, a connector, and their place in it.

The fused tokens enter through `mm_encoder_outputs`, by which the models of transformers take visual tokens that are made elsewhere;
nothing inside the language model is replaced. Where every parameter of the aggregator is frozen it runs without gradients, and in
pieces.
"""

import zlib
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn
from transformers import Cache

from sightline.errors import InputError
from sightline.models.spatial_mllm.connector import CONNECTORS, FRAMES
from sightline.models.spatial_mllm.positions import Positions
from sightline.models.spatial_mllm.settings import SpatialSettings
from sightline.models.vggt.aggregator import DEFAULT_CHUNKS, Chunks
from sightline.models.vggt.model import HeadName, Vggt

Kind = Literal["image", "video"]
Sequences = Mapping[Kind, Sequence[Tensor]]
KINDS: tuple[Kind, ...] = ("image", "video")
PIXELS: dict[Kind, str] = {"image": "pixel_values", "video": "pixel_values_videos"}
GRIDS: dict[Kind, str] = {"image": "image_grid_thw", "video": "video_grid_thw"}
MEDIA_INPUTS = frozenset({*PIXELS.values(), *GRIDS.values(), "second_per_grid_ts", "mm_token_type_ids"})
"""What is used up by the fusion and the positions."""


class GeometryFusion:
    """Mixed into a `...ForConditionalGeneration` whose inner model gives `get_image_features` and `get_video_features`.

    Besides the inputs of the language model, `forward` and `generate` take, for each kind of medium that is there, one of

        geometry_frames   {"video": [(T, 3, H, W), ...]}: RGB in 0..1; a sequence of frames that VGGT sees together
        geometry_tokens   {"video": [(T, rows, columns, D), ...]}: the patches of the fused layer, computed before

    in the order of the media. Frames are two a temporal patch. The pictures of one record are one sequence; each video is one.
    """

    model: Any
    config: Any
    spatial: SpatialSettings
    spatial_encoder: Vggt
    connector: nn.Module
    loss_type: str | None
    chunks: Chunks = DEFAULT_CHUNKS

    def add_geometry(self, spatial: SpatialSettings, heads: Sequence[HeadName] = ()) -> None:
        """Build the parts that the language model does not have. `heads` of VGGT are not used; they are kept for writing."""
        self.spatial = spatial
        self.loss_type = "ForConditionalGeneration"  # transformers would look for it in the name of the class
        self.spatial_encoder = Vggt(spatial.vggt, heads=heads)
        self.connector = CONNECTORS[spatial.fusion](2 * spatial.vggt.width, self.config.get_text_config().hidden_size)

    def positions(self, input_ids: Tensor, attention_mask: Tensor | None, inputs: Mapping[str, Any]) -> Positions:
        """Positions of `input_ids` (B, L); `inputs` are all others of the language model.

        Raises:
            InputError: places and media that do not fit.
        """
        raise NotImplementedError

    def forward(  # noqa: PLR0913 - transformers looks for these names
        self,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        *,
        position_ids: Tensor | None = None,
        past_key_values: Cache | None = None,
        mm_encoder_outputs: dict[Kind, Any] | None = None,
        logits_to_keep: int | Tensor = 0,
        geometry_frames: Sequences | None = None,
        geometry_tokens: Sequences | None = None,
        **inputs: Any,  # noqa: ANN401 - the language model's own
    ) -> Any:  # noqa: ANN401 - the language model's own output
        """The language model's output over fused tokens; `mm_encoder_outputs` are tokens that are fused already.

        Raises:
            InputError: media without geometry, or geometry that does not fit their grids.
        """
        fused = mm_encoder_outputs or self.fused_outputs(inputs, geometry_frames, geometry_tokens)
        begins = past_key_values is None or past_key_values.get_seq_length() == 0
        if position_ids is None and input_ids is not None and begins:
            found = self.positions(input_ids, attention_mask, inputs)
            position_ids, self.model.rope_deltas = found.ids, found.deltas
        language: Any = super()
        return language.forward(
            input_ids=input_ids,
            attention_mask=attention_mask,
            position_ids=position_ids,
            past_key_values=past_key_values,
            mm_encoder_outputs=fused or None,
            logits_to_keep=logits_to_keep,
            **{name: value for name, value in inputs.items() if name not in MEDIA_INPUTS},
        )

    @torch.no_grad()
    def generate(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        *,
        geometry_frames: Sequences | None = None,
        geometry_tokens: Sequences | None = None,
        **inputs: Any,  # noqa: ANN401 - the language model's own, and transformers' settings
    ) -> Any:  # noqa: ANN401
        """transformers' `generate`, with the media fused once, before the first token.

        Raises:
            InputError: as `forward`; or a batch that is padded on the right.
        """
        mask = torch.ones_like(input_ids) if attention_mask is None else attention_mask
        if not mask[:, -1].all():
            raise InputError("a batch to generate from is padded on the right, where the answers go; pad it on the left.")
        fused = self.fused_outputs(inputs, geometry_frames, geometry_tokens)
        found = self.positions(input_ids, mask, inputs)
        self.model.rope_deltas = found.deltas
        rest = {name: value for name, value in inputs.items() if name not in MEDIA_INPUTS}
        language: Any = super()
        return language.generate(input_ids=input_ids, attention_mask=mask, position_ids=found.ids, mm_encoder_outputs=fused, **rest)

    def fused_outputs(
        self, inputs: Mapping[str, Any], frames: Sequences | None = None, tokens: Sequences | None = None
    ) -> dict[Kind, Any]:
        """The visual encoder's output of each kind of medium in `inputs`, its tokens fused with the geometry.

        Raises:
            InputError: media without geometry, geometry without media, or such that do not fit.
        """
        present: list[Kind] = [kind for kind in KINDS if inputs.get(PIXELS[kind]) is not None]
        given = {kind for sequences in (frames, tokens) for kind in (sequences or {})}
        if given != set(present):
            raise InputError(
                f"geometry for {sorted(given)}, but media of kind {present}; expected geometry_frames or geometry_tokens for each "
                "kind that has media, and for no other."
            )
        encode = {"image": self.model.get_image_features, "video": self.model.get_video_features}
        outputs: dict[Kind, Any] = {}
        for kind in present:
            grid = inputs[GRIDS[kind]]
            output = encode[kind](inputs[PIXELS[kind]], grid, return_dict=True)
            sequences = tokens[kind] if tokens and kind in tokens else self.geometry_tokens((frames or {})[kind])
            output.pooler_output = self.fused(output.pooler_output, grid, sequences)
            outputs[kind] = output
        return outputs

    def geometry_tokens(self, frames: Sequence[Tensor]) -> list[Tensor]:
        """The patches (T, rows, columns, D) of the fused layer of each sequence of `frames` (T, 3, H, W).

        Sequences of one shape run together; they do not see each other.
        """
        layer, encoder, patch = self.spatial.layer_index, self.spatial_encoder, self.spatial.vggt.patch_size
        trained = torch.is_grad_enabled() and any(parameter.requires_grad for parameter in encoder.parameters())
        found: dict[int, Tensor] = {}
        for shape in dict.fromkeys(sequence.shape for sequence in frames):
            same = [index for index, sequence in enumerate(frames) if sequence.shape == shape]
            stacked = torch.stack([frames[index] for index in same])  # (B, T, 3, H, W)
            with torch.set_grad_enabled(trained):
                (tokens,) = encoder.aggregator(stacked, layers=[layer], chunks=self.chunks).values()
            patches = tokens[:, :, self.spatial.vggt.num_special :].unflatten(2, (shape[-2] // patch, -1))
            found |= dict(zip(same, patches, strict=True))
        return [found[index] for index in range(len(frames))]

    def fused(self, visual: Sequence[Tensor], grid_thw: Tensor, geometry: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Visual tokens of each medium (n, H), joined to the geometry of the sequences that the media make up in order.

        Raises:
            InputError: frames or patches that do not fit the grids.
        """
        grids = [tuple(row) for row in grid_thw.tolist()]
        done, fused = 0, []
        for tokens in geometry:
            count, steps = 0, 0
            while done + count < len(grids) and steps * FRAMES < len(tokens):
                steps += grids[done + count][0]
                count += 1
            own = grids[done : done + count]
            _check(tokens, own)
            joined = self._joined(torch.cat(list(visual[done : done + count])), tokens)
            fused += joined.split([len(each) for each in visual[done : done + count]])
            done += count
        if done != len(grids):
            raise InputError(f"geometry for {done} of {len(grids)} media; expected frames for all of them.")
        return tuple(fused)

    def _joined(self, visual: Tensor, geometry: Tensor) -> Tensor:
        """One sequence's visual tokens (n, H) with its geometry (T, rows, columns, D), as `spatial.geometry` says."""
        if self.spatial.geometry == "none":
            return visual
        if self.spatial.geometry == "shuffled":
            geometry = _shuffled(geometry)
        return self.connector(visual, geometry.to(visual.dtype))


def _shuffled(geometry: Tensor) -> Tensor:
    """One sequence's geometry (T, rows, columns, D), the values of each feature in another order over the places.

    Each feature has an order of its own, for VGGT's tokens say where they are themselves. The orders follow from the features, so
    that a sequence has the same ones whenever it is shown, and no two sequences the same: what is the same for all can be learnt
    and undone. In bfloat16, as kept features are stored.
    """
    first = geometry[0, 0, 0].detach().to("cpu", torch.bfloat16).float().numpy()
    generator = torch.Generator().manual_seed(zlib.crc32(first.tobytes()))
    values = geometry.flatten(0, 2)
    places = torch.rand(values.shape, generator=generator).argsort(dim=0)
    return values.gather(0, places.to(values.device)).view_as(geometry)


def _check(tokens: Tensor, grids: list[tuple[int, ...]]) -> None:
    """Refuse one sequence's geometry (T, rows, columns, D) that does not belong to the media of these grids (t, rows, columns)."""
    steps = sum(grid[0] for grid in grids)
    if steps * FRAMES == len(tokens) and {grid[1:] for grid in grids} == {tuple(tokens.shape[1:3])}:
        return
    raise InputError(
        f"geometry of {len(tokens)} frames, {tuple(tokens.shape[1:3])} patches each, for media of (steps, rows, columns) {grids}; "
        f"expected {FRAMES} frames a step and one patch of geometry for each of theirs. Repeat the last of an odd number of "
        "frames, give one size a sequence, and cut both from the same frames (see `prepare_frames`)."
    )
