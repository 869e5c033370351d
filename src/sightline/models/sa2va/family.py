"""What the families of language models under Sa2VA differ in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor, nn

from sightline.models.sa2va.conversation import Template

Pictures = Sequence[UInt8[np.ndarray, "h w 3"]]


@dataclass(frozen=True)
class Media:
    """Pictures made ready: `slots` is what stands for them in the text, `tensors` what the model is given, by name."""

    slots: str
    tensors: dict[str, Tensor] = field(default_factory=dict)


NO_MEDIA = Media("")
_HOW_RUN = ("dtype", "torch_dtype", "attn_implementation")


def plain(config: Mapping[str, Any]) -> dict[str, Any]:
    """A part of a published config.json without how its authors ran it: number format and attention are for us to choose."""
    return {key: value for key, value in config.items() if key not in _HOW_RUN and not key.startswith("_")}


@runtime_checkable
class Family(Protocol):
    """A kind of Sa2VA checkpoint, made from its config.json.

    Attributes:
        normalised: the state of a token is taken behind the final normalisation, else before it.
        searches_prompt: a `[SEG]` of the prompt gives a mask, too.
        media_token: of which a picture's slots consist.
        template: how turns are written in training.
    """

    name: str
    normalised: bool
    searches_prompt: bool
    media_token: str
    template: Template

    def network(self, dtype: torch.dtype, *, tied: bool) -> nn.Module:
        """transformers' model with weights of no meaning. `tied`: it has no language head of its own."""
        ...

    def final_norm(self, network: Any) -> nn.Module:  # noqa: ANN401 - transformers'
        """The normalisation behind the last layer of the language model."""
        ...

    def from_published(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Published tensors (those of the grounding path apart) under transformers' names."""
        ...

    def to_published(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """The inverse of `from_published`."""
        ...

    def show(self, pictures: Pictures, *, video: bool) -> Media:
        """Pictures as the model takes them at inference; with `video` the frames of a clip."""
        ...

    def question(self, text: str, media: Media) -> str:
        """The text of a prompt as far as where the answer begins. `text` has `<image>` where the media stand."""
        ...

    def forget(self, network: Any) -> None:  # noqa: ANN401 - transformers'
        """Drop what the model keeps of an earlier conversation."""
        ...

    def extras(self, ids: Tensor) -> dict[str, Tensor]:
        """What the model asks for beside ids (1, L) and media."""
        ...
