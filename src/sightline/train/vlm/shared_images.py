"""One pass through the vision tower for each distinct picture of a batch, its features put wherever the picture is shown.

Pairs of views show each view many times: of n views, all pairs are n (n - 1) uses. Where the tower is trained, the gradients of
all uses of a picture add up in its one pass, so that losses and gradients are those of repeating it.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from torch import Tensor

from sightline.errors import InputError
from sightline.train.vlm.pictures import Pictures

SHARING = frozenset({"qwen2_5_vl", "qwen3_vl", "internvl", "llava"})
"""Families for which the tests have shown it to be equal to repeating."""


@runtime_checkable
class EmbedsPictures(Protocol):
    """An architecture of ours, which encodes each distinct picture once by itself. `model` is all of it but the head."""

    model: Any

    def embed_pictures(
        self, input_ids: Tensor, tensors: Mapping[str, Tensor], *, uses: Tensor, tiles: Sequence[int], depth_tiles: Sequence[int]
    ) -> tuple[Tensor, Tensor]:
        """What its language model receives (B, L, width), and a scalar 0 that depends on what was encoded and stands nowhere.

        Args:
            input_ids: (B, L).
            tensors, uses, tiles, depth_tiles: those of `collate.Pictures`.
        """
        ...


def encode_pictures(model: Any, pictures: Pictures) -> tuple[Any, Tensor]:  # noqa: ANN401 - any of transformers' models
    """What `model.model` takes as `mm_encoder_outputs["image"]` (None for a batch without slots), and a scalar 0. In a batch
    without slots it depends on the features: added to the loss, it gives the tower's parameters gradients of 0.

    Raises:
        InputError: a family for which it is not proven.
    """
    if model.config.model_type not in SHARING:
        raise InputError(
            f"sharing pictures is not proven for {model.config.model_type}; it is for {', '.join(sorted(SHARING))}. Set "
            "data.shared_images=false."
        )
    tensors = {name: tensor.to(model.dtype) if tensor.is_floating_point() else tensor for name, tensor in pictures.tensors.items()}
    features = model.model.get_image_features(**tensors, return_dict=True)
    deep = getattr(features, "deepstack_features", None)
    if not pictures.uses.numel():
        return None, sum((_total(level) for level in [features.pooler_output, *(deep or [])]), torch.zeros(())) * 0
    features.pooler_output = _spread(features.pooler_output, pictures)
    if deep is not None:
        features.deepstack_features = [_spread(level, pictures) for level in deep]
    return features, torch.zeros((), device=pictures.uses.device)


def _spread(level: Any, pictures: Pictures) -> Any:  # noqa: ANN401 - a tensor of tiles, or a tensor a picture
    """One entry for each use, in place of one for each distinct picture."""
    uses = pictures.uses.tolist()
    if not isinstance(level, Tensor):
        return [level[use] for use in uses]
    pieces = level.split(pictures.tiles)
    return torch.cat([pieces[use] for use in uses])


def _total(level: Any) -> Tensor:  # noqa: ANN401
    return level.float().sum() if isinstance(level, Tensor) else torch.stack([piece.float().sum() for piece in level]).sum()
