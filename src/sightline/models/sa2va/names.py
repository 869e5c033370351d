"""Names of the grounding path's tensors in published Sa2VA checkpoints and here, both ways.

grounding_encoder.sam2_model.*      SAM 2 under its original names, but the memory fuser's layer scale is `g_weight`, not `gamma`
text_hidden_fcs.0.*  .2.*           the projection, named alike here
"""

from collections.abc import Mapping

from torch import Tensor

from sightline.models.sam2.names import from_original, to_original

PUBLISHED_SAM2 = "grounding_encoder.sam2_model."
OWN_SAM2 = "clip.model."
PROJECTION = "text_hidden_fcs."
PUBLISHED_SCALE, ORIGINAL_SCALE = ".g_weight", ".gamma"


def is_grounding(name: str) -> bool:
    """Whether a published tensor is SAM 2's or the projection's."""
    return name.startswith((PUBLISHED_SAM2, PROJECTION))


def from_published(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state of a `Grounding` from published tensors; others than its own are left aside.

    Raises:
        InputError: a name that no SAM 2 has, or an incomplete prompt encoder.
    """
    original = {
        name.removeprefix(PUBLISHED_SAM2).replace(PUBLISHED_SCALE, ORIGINAL_SCALE): tensor
        for name, tensor in tensors.items()
        if name.startswith(PUBLISHED_SAM2)
    }
    found = {OWN_SAM2 + name: tensor for name, tensor in from_original(original).items()}
    return found | {name: tensor for name, tensor in tensors.items() if name.startswith(PROJECTION)}


def to_published(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The inverse of `from_published`."""
    own = {name.removeprefix(OWN_SAM2): tensor for name, tensor in state.items() if name.startswith(OWN_SAM2)}
    original = {name.replace(ORIGINAL_SCALE, PUBLISHED_SCALE): tensor for name, tensor in to_original(own).items()}
    found = {PUBLISHED_SAM2 + name: tensor for name, tensor in original.items()}
    return found | {name: tensor for name, tensor in state.items() if name.startswith(PROJECTION)}
