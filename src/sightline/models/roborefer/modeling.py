"""RoboRefer as a model of transformers: two SigLIP towers, two projectors, a Qwen2 language model.

Weights: Zhoues/RoboRefer's, or any NVILA-Lite of that layout (`weights`). Parity numbers come from the original code
(tests/models/roborefer). Parts that can be frozen are the attributes of `RoboReferModel`.

A tile's placeholder is already in the ids as often as its projector gives tokens, and a newline token after it (`inputs`): so what
the language model receives is its own embedding everywhere but at the placeholders. Attention is causal, also within pictures. The
last encoder layer of a tower and the norm behind it are never used; they are not computed.

Media are given as distinct tiles and as which of them stands where, so that a picture that occurs twice in a batch is encoded once.
"""

from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any

import torch
from torch import Tensor, nn
from transformers import GenerationMixin, PreTrainedModel, Qwen2Model, SiglipVisionModel
from transformers.modeling_outputs import BaseModelOutputWithPast, CausalLMOutputWithPast

from sightline.errors import InputError
from sightline.models.roborefer.configuration import RoboReferConfig, check_projector
from sightline.models.roborefer.projectors import Projector, join_scales, join_squares, split_squares

MEDIA = ("pixel_values", "pixel_uses", "pixel_grids", "depth_values", "depth_uses", "depth_grids")
"""Arguments of `forward` that hold media; later steps of a generation do without."""
KINDS = ("pixel", "depth")
"""How the names of the arguments of pictures and of depth begin."""


class RoboReferPreTrainedModel(PreTrainedModel):
    """What transformers has to know to save, load and place the model."""

    config: RoboReferConfig
    config_class = RoboReferConfig
    base_model_prefix = "model"
    supports_gradient_checkpointing = True
    _no_split_modules = ["SiglipEncoderLayer", "Qwen2DecoderLayer"]
    _skip_keys_device_placement = ["past_key_values"]
    _supports_flash_attn = True
    _supports_sdpa = True
    _supports_flex_attn = True
    _supports_attention_backend = True


class RoboReferModel(RoboReferPreTrainedModel):
    """Everything but the head over the vocabulary."""

    def __init__(self, config: RoboReferConfig) -> None:
        super().__init__(config)
        vision: Any = config.vision_config
        depth: Any = config.depth_config
        text: Any = config.text_config
        scales = len(config.scales) if config.image_mode == "dynamic_s2" else 1
        self.vision_tower = SiglipVisionModel._from_config(vision)
        self.mm_projector = Projector(
            check_projector(config.mm_projector_type, "mm_projector"), scales * vision.hidden_size, text.hidden_size
        )
        self.depth_tower = None if depth is None else SiglipVisionModel._from_config(depth)
        self.depth_projector = None
        if config.depth_projector_type is not None:
            width = (vision if depth is None else depth).hidden_size
            self.depth_projector = Projector(
                check_projector(config.depth_projector_type, "depth_projector"), scales * width, text.hidden_size
            )
        self.language_model = Qwen2Model._from_config(text)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        return self.language_model.embed_tokens

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.language_model.embed_tokens = value  # pyright: ignore[reportAttributeAccessIssue] - transformers' own way

    def tower_features(self, tiles: Tensor, *, depth: bool = False) -> Tensor:
        """(n, 3, S, S) -> (n, patches, width), before the projector."""
        tower: Any = self.depth_tower if depth and self.depth_tower is not None else self.vision_tower
        states = tower.embeddings(tiles)
        for layer in tower.encoder.layers[: len(tower.encoder.layers) + 1 + self.config.feature_layer]:
            states = layer(states, None)
        return states

    def media_features(self, tiles: Tensor, grids: Tensor | None = None, *, depth: bool = False) -> list[Tensor]:
        """What takes a placeholder's place, one (tokens, hidden) for each.

        Args:
            tiles: (n, 3, S, S), those of all pictures one after the other.
            grids: (pictures, 2), the rows and columns of each picture's largest scale; `dynamic_s2` alone.
            depth: through the depth projector, and the depth tower where there is one.

        Raises:
            InputError: depth for a model that takes none.
        """
        projector = self.depth_projector if depth else self.mm_projector
        if projector is None:
            raise InputError("this checkpoint has no depth projector, so it takes no depth. Ask it with pictures alone.")
        features = self.tower_features(tiles, depth=depth)
        if self.config.image_mode != "dynamic_s2":
            return list(projector(features))
        assert grids is not None, "dynamic_s2 needs the pictures' grids"
        return self._several_scales(features, grids.tolist(), projector)

    def _several_scales(self, features: Tensor, grids: list[list[int]], projector: Projector) -> list[Tensor]:
        """(tiles, patches, width) of all scales of all pictures -> (tokens, hidden) a picture, in the order of its whole grid."""
        small = self.config.tiling.small_squares
        places: list[tuple[int, int]] = []
        squares: list[Tensor] = []
        start = 0
        for rows, columns in grids:
            at_scales: list[Tensor] = []
            shapes = [*((count, count) for count in small), (rows, columns)]
            for high, wide in shapes:
                at_scales.append(join_squares(features[start : start + high * wide], high, wide))
                start += high * wide
            places.append(shapes[self.config.scale_index])
            squares.append(split_squares(join_scales(at_scales, self.config.scale_index), *places[-1]))
        projected = projector(torch.cat(squares)).split([len(each) for each in squares])
        return [join_squares(each, *place).flatten(0, 1) for each, place in zip(projected, places, strict=True)]

    def embed(self, input_ids: Tensor, **media: Any) -> Tensor:  # noqa: ANN401 - the tensors of `MEDIA`
        """(B, L) -> (B, L, hidden): words, and media in the place of their placeholders.

        Raises:
            InputError: another number of placeholders than the media fill.
        """
        chosen: dict[str, Sequence[Tensor]] = {}
        for name in KINDS:
            tiles, uses = media.get(f"{name}_values"), media.get(f"{name}_uses")
            if tiles is not None:
                features = self.media_features(tiles.to(self.dtype), media.get(f"{name}_grids"), depth=name == "depth")
                chosen[name] = features if uses is None else [features[use] for use in uses.tolist()]
        return self.fill(input_ids, chosen)

    def fill(self, input_ids: Tensor, chosen: Mapping[str, Sequence[Tensor]]) -> Tensor:
        """(B, L) -> (B, L, hidden): `chosen` by the names of `KINDS`, what takes each placeholder's place, in their order.

        Raises:
            InputError: as `embed`.
        """
        embedded = self.get_input_embeddings()(input_ids)
        for name, token in zip(KINDS, (self.config.image_token_id, self.config.depth_token_id), strict=True):
            places, features = input_ids == token, chosen.get(name)
            _check_filled(int(places.sum()), sum(map(len, features or ())), name)
            if features:
                embedded = embedded.masked_scatter(places[..., None], torch.cat(list(features)).to(embedded.dtype))
        return embedded

    def forward(
        self,
        input_ids: Tensor | None = None,
        attention_mask: Any = None,  # noqa: ANN401 - a tensor, or what an attention backend takes
        inputs_embeds: Tensor | None = None,
        **rest: Any,  # noqa: ANN401 - media, and arguments of the language model
    ) -> BaseModelOutputWithPast:
        """The language model's states. Media are the arguments named in `MEDIA`:

        pixel_values (n, 3, S, S): distinct tiles of pictures; pixel_uses (slots,): the tile (in `dynamic_s2` the picture) of each
        placeholder, in order, None where each tile is used once; pixel_grids: see `media_features`; the same of depth.
        """
        media = {name: rest.pop(name, None) for name in MEDIA}
        if inputs_embeds is None:
            assert input_ids is not None, "ids or embeddings"
            cache: Any = rest.get("past_key_values")
            if cache is not None and cache.get_seq_length() > 0:  # written by the model itself: a placeholder is a word there
                inputs_embeds = self.get_input_embeddings()(input_ids)
            else:
                inputs_embeds = self.embed(input_ids, **media)
        return self.language_model(inputs_embeds=inputs_embeds, attention_mask=attention_mask, **rest)


class RoboReferForConditionalGeneration(RoboReferPreTrainedModel, GenerationMixin):
    """The whole model: trained with `labels`, asked with `generate`."""

    _tied_weights_keys = {"lm_head.weight": "model.language_model.embed_tokens.weight"}

    def __init__(self, config: RoboReferConfig) -> None:
        super().__init__(config)
        text: Any = config.text_config
        self.model = RoboReferModel(config)
        self.lm_head = nn.Linear(text.hidden_size, text.vocab_size, bias=False)
        self.post_init()

    def get_input_embeddings(self) -> nn.Module:
        return self.model.get_input_embeddings()

    def set_input_embeddings(self, value: nn.Module) -> None:
        self.model.set_input_embeddings(value)

    def get_output_embeddings(self) -> nn.Module:
        return self.lm_head

    def forward(
        self,
        input_ids: Tensor | None = None,
        labels: Tensor | None = None,
        logits_to_keep: int | Tensor = 0,
        **rest: Any,  # noqa: ANN401 - those of `RoboReferModel.forward`
    ) -> CausalLMOutputWithPast:
        """Logits (B, L or those kept, vocabulary); with `labels` (B, L), -100 where nothing is asked, also the loss.

        The loss is the mean over all supervised tokens of the batch, or their sum divided by `num_items_in_batch`.
        """
        counted = {"num_items_in_batch": rest.pop("num_items_in_batch", None)}
        outputs = self.model(input_ids=input_ids, **rest)
        states = outputs.last_hidden_state
        kept = slice(-logits_to_keep, None) if isinstance(logits_to_keep, int) else logits_to_keep
        logits = self.lm_head(states[:, kept])
        loss = None
        if labels is not None:
            loss = self.loss_function(logits=logits, labels=labels, vocab_size=logits.shape[-1], **counted)
        return CausalLMOutputWithPast(loss=loss, logits=logits, past_key_values=outputs.past_key_values)

    def embed_pictures(
        self,
        input_ids: Tensor,
        tensors: Mapping[str, Tensor],
        *,
        uses: Tensor,
        tiles: Sequence[int],
        depth_tiles: Sequence[int],
    ) -> tuple[Tensor, Tensor]:
        """What the language model receives of a training batch (B, L, hidden), and a scalar 0.

        Each distinct picture is encoded once. What was encoded but stands nowhere, a black picture say, is in the scalar: added to
        the loss, it gives towers and projectors gradients of 0.

        Args:
            tensors: `pixel_values` and, where depth is trained, `depth_values`: the tiles of all distinct pictures and maps.
            uses: (slots,) the distinct picture in each slot, in the order of the rows.
            tiles, depth_tiles: rows of each distinct picture, and of its depth; 0 where it has none.
        """
        nothing = torch.zeros((), device=input_ids.device)
        chosen: dict[str, Sequence[Tensor]] = {}
        # in one order in every batch, whatever it shows: processes that share the weights put a layer together at the same time
        for name, counts in zip(KINDS, (tiles, depth_tiles), strict=True):
            values = tensors.get(f"{name}_values")
            if values is None:
                continue
            features = self.model.media_features(values.to(self.dtype), depth=name == "depth")
            ends = [0, *accumulate(counts)]
            chosen[name] = [features[row] for use in uses.tolist() for row in range(ends[use], ends[use + 1])]
            if not chosen[name]:
                nothing = nothing + torch.cat(features).float().sum() * 0
        return self.model.fill(input_ids, chosen), nothing

    def generate(  # pyright: ignore[reportIncompatibleMethodOverride] - what is not named here is passed on
        self,
        input_ids: Tensor,
        **rest: Any,  # noqa: ANN401 - transformers'
    ) -> Any:  # noqa: ANN401
        """As in transformers; the media of `MEDIA` are encoded once, before the first token."""
        media = {name: rest.pop(name, None) for name in MEDIA}
        with torch.no_grad():
            embedded = self.model.embed(input_ids, **media)
        above: Any = super()
        return above.generate(input_ids, inputs_embeds=embedded, **rest)


def _check_filled(places: int, features: int, name: str) -> None:
    if places != features:
        what = "pictures" if name == "pixel" else "depth pictures"
        raise InputError(
            f"{places} placeholders of {what} in the batch, but {features} features of theirs. Make the tensors of one batch with "
            "one call of RoboReferInputs, and do not cut them."
        )
